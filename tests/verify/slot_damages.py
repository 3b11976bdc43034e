"""What can happen to slots, seats and limits behind the engine's back, each with all that the audit must say."""

from __future__ import annotations

from engine.verify import CHAIN
from tests.verify.damages import PLANTED, Damage, Named, course, room


def slot(tickets: tuple[int, ...], name: str) -> Named:
    """A finding about a slot of the calendar."""
    return room("slots", tickets, name)


COPY = (
    "INSERT INTO booking"
    " (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, slot)"
    f" SELECT {PLANTED}, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, slot"
    " FROM booking WHERE id = "
)

SLOT_DAMAGES = (
    Damage(
        "a slot counts more seats than are taken",
        "UPDATE slot SET taken = 2 WHERE id = {slot}",
        (slot((1,), "slot"),),
    ),
    Damage(
        "a slot counts fewer seats than are taken",
        "UPDATE slot SET taken = 0 WHERE id = {slot}",
        (slot((1,), "slot"),),
    ),
    Damage(
        "more seats are taken than there are, and counted",
        "UPDATE slot SET capacity = 1 WHERE id = {event}",
        (course("slots", (), "event"),),
    ),
    Damage(
        "an event has more seats than a ticket gave it",
        "UPDATE slot SET capacity = 9 WHERE id = {event}",
        (course("slots", (), "event"),),
    ),
    Damage(
        "an event is back at the seats that it had at first",
        "UPDATE slot SET capacity = 2 WHERE id = {event}",
        (course("slots", (), "event"),),
    ),
    Damage(
        "a slot has more seats than were published",
        "UPDATE slot SET capacity = 9, initial_capacity = 9 WHERE id = {slot}",
        (slot((1,), "slot"),),
    ),
    Damage(
        "a slot begins later than its claim",
        "UPDATE slot SET during = tstzrange(lower(during) + interval '1 min', upper(during)) WHERE id = {daily 1}",
        (slot((3,), "daily 1"),),
    ),
    Damage(
        "a slot and its claim begin later than they were published",
        "WITH slots AS (UPDATE slot SET during = tstzrange(lower(during) + interval '1 min', upper(during))"
        " WHERE id = {withdrawn})"
        " UPDATE booking SET during = tstzrange(lower(during) + interval '1 min', upper(during))"
        " WHERE slot = {withdrawn}",
        (slot((2,), "withdrawn"),),
    ),
    Damage(
        "a seat has another time than its slot",
        "UPDATE booking SET during = tstzrange(lower(during) + interval '1 min', upper(during)) WHERE id = {seat}",
        (slot((1,), "slot"), room("bookings_are_in_ledger", (6,), "seat")),
    ),
    Damage(
        "nothing claims the time of a slot",
        "DELETE FROM booking WHERE id = {daily 1}",
        (slot((), "daily 1"),),
    ),
    Damage(
        "the claim of a slot ends by itself",
        "UPDATE booking SET status = 'cancelled', ended_at = now() WHERE id = {daily 1}",
        (slot((3,), "daily 1"),),
    ),
    Damage(
        "a slot is taken back by nobody",
        "WITH slots AS (UPDATE slot SET status = 'cancelled', ended_at = now() WHERE id = {daily 1})"
        " UPDATE booking SET status = 'cancelled', ended_at = now() WHERE id = {daily 1}",
        (slot((3,), "daily 1"),),
    ),
    Damage(
        "a slot that was taken back is open again",
        "WITH slots AS (UPDATE slot SET status = 'open', ended_at = NULL WHERE id = {withdrawn})"
        " UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE id = {withdrawn}",
        (slot((2,), "withdrawn"),),
    ),
    Damage(
        "a slot says that a refusal published it",
        "UPDATE booking SET ticket = 4 WHERE id = {daily 1}",
        (slot((4,), "daily 1"),),
    ),
    Damage(
        "a slot says that the ticket of another published it",
        "UPDATE booking SET ticket = 1 WHERE id = {daily 1}",
        (slot((1,), "daily 1"),),
    ),
    Damage(
        "a slot says that a request published it that did not",
        "UPDATE booking SET request_id = gen_random_uuid() WHERE id = {daily 1}",
        (slot((3,), "daily 1"),),
    ),
    Damage(
        "a claim of a slot overlaps another booking",
        "WITH slots AS (UPDATE slot SET during = booking.during FROM booking"
        " WHERE slot.id = {daily 1} AND booking.id = {busy})"
        " UPDATE booking SET during = busy.during FROM booking AS busy"
        " WHERE booking.id = {daily 1} AND busy.id = {busy}",
        (room("no_overlap", (3, 5), "daily 1", "busy"),),
    ),
    Damage(
        "somebody has two seats",
        COPY + "{seat}",
        (
            slot((1,), "slot"),
            room("one_seat", (6, 6), "planted", "seat"),
            course("limits", (1,), "front"),
            room("bookings_are_in_ledger", (6,), "planted"),
        ),
    ),
    Damage(
        "a seat is of another slot than its ticket says",
        "UPDATE booking SET slot = {daily 1} WHERE id = {seat}",
        (
            slot((1,), "slot"),
            slot((3,), "daily 1"),
            room("bookings_are_in_ledger", (6,), "seat"),
        ),
    ),
    Damage(
        "a seat becomes a booking",
        "UPDATE booking SET slot = NULL WHERE id = {seat}",
        (
            slot((1,), "slot"),
            room("no_overlap", (1, 6), "slot", "seat"),
            room("bookings_are_in_ledger", (6,), "seat"),
        ),
    ),
    Damage(
        "a seat is gone",
        "DELETE FROM booking WHERE id = {seat}",
        (
            slot((1,), "slot"),
            room("ledger_is_in_bookings", (6,), "seat"),
        ),
    ),
    Damage(
        "a seat that was given back is taken again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE id = {given back}",
        (
            slot((1,), "slot"),
            room("ledger_is_in_ends", (9,), "given back"),
        ),
    ),
    Damage(
        "a seat is given back by nobody",
        "UPDATE booking SET status = 'cancelled', ended_at = now() WHERE id = {seat}",
        (
            slot((1,), "slot"),
            room("ends_are_in_ledger", (6,), "seat"),
        ),
    ),
    Damage(
        "somebody had more ahead than they might",
        "UPDATE booking SET caller = (SELECT caller FROM booking WHERE id = {front}) WHERE id = {busy}",
        (course("limits", (1,), "front"),),
    ),
    Damage(
        "somebody had more ahead than they might when a series was booked",
        "UPDATE booking SET caller = (SELECT caller FROM series) WHERE id IN ({busy}, {front})",
        (("limits", "elsewhere", (2,), ("series",)),),
    ),
    Damage(
        "a booking was confirmed at the limit",
        "UPDATE ledger SET counted = 2 WHERE resource = {course} AND ticket = 1",
        (course("limits", (1,), "front"), course(CHAIN, (1,))),
    ),
    Damage(
        "what was counted is taken out of a row",
        "UPDATE ledger SET counted = NULL, counted_limit = NULL WHERE resource = {course} AND ticket = 1",
        (course(CHAIN, (1,)),),
    ),
)
