"""What can happen to the rows behind the engine's back, each with all that the audit must say about it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.verify import CHAIN

Named = tuple[str, str, tuple[int, ...], tuple[str, ...]]
"""Rule, resource, tickets, and bookings by the names that the history gives them."""
PLANTED = "'00000000-0000-7000-8000-000000000001'"
"""The id of what appears from nowhere."""


@dataclass(frozen=True)
class Damage:
    """Something that was done behind the engine's back, and what the audit must say about it, all of it.

    statement  {room} and {course} stand for the numbers of the resources, also in what is found.
    """

    name: str
    statement: str
    found: tuple[Named, ...]


def room(rule: str, tickets: tuple[int, ...] = (), *bookings: str) -> Named:
    return rule, "room", tickets, bookings


def course(rule: str, tickets: tuple[int, ...] = (), *bookings: str) -> Named:
    return rule, "course", tickets, bookings


DAMAGES = (
    Damage(
        "a booking is moved onto another",
        "UPDATE booking SET during = '[2030-01-01 06:30+00, 2030-01-01 07:30+00)'"
        " WHERE resource = {room} AND ticket = 10",
        (
            room("no_overlap", (10, 11), "early", "back to back"),
            room("bookings_are_in_ledger", (10,), "early"),
        ),
    ),
    Damage(
        "a cancelled booking lives again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE resource = {room} AND ticket = 1",
        (
            room("ledger_is_in_ends", (5,), "cancelled"),
            room("ledger_is_in_ends", (6,), "cancelled"),
        ),
    ),
    Damage(
        "a predecessor lives again",
        "UPDATE booking SET status = 'confirmed', ended_at = NULL, rescheduled_to = NULL"
        " WHERE resource = {room} AND ticket = 3",
        (
            room("no_overlap", (3, 7), "moved", "successor"),
            room("ledger_is_in_ends", (7,), "moved"),
        ),
    ),
    Damage(
        "more places are taken than there are",
        "UPDATE booking SET places = 3 WHERE resource = {course} AND ticket = 1",
        (
            course("no_excess", (1, 2), "two", "one"),
            course("no_excess", (1, 5), "two", "handover"),
            course("bookings_are_in_ledger", (1,), "two"),
        ),
    ),
    Damage(
        "the capacity falls below what is taken",
        "UPDATE resource SET capacity = 2 WHERE id = {course}",
        (
            course("no_excess", (1, 2), "two", "one"),
            course("no_excess", (1, 5), "two", "handover"),
        ),
    ),
    Damage(
        "a booking hides from the constraint",
        "UPDATE booking SET exclusive = false WHERE resource = {room} AND ticket = 11",
        (room("right_kind", (11,), "back to back"),),
    ),
    Damage(
        "a booking loses its resource",
        "UPDATE booking SET resource = 4711 WHERE resource = {room} AND ticket = 11",
        (
            ("right_kind", "#4711", (11,), ("back to back",)),
            ("bookings_are_in_ledger", "#4711", (11,), ("back to back",)),
            room("ledger_is_in_bookings", (11,), "back to back"),
        ),
    ),
    Damage(
        "a ledger row is taken out",
        "DELETE FROM ledger WHERE resource = {room} AND ticket = 8",
        (room("no_gap", (9,)), room("one_key", (8,)), room(CHAIN, (9,))),
    ),
    Damage(
        "a ticket has two rows",
        "INSERT INTO ledger SELECT * FROM ledger WHERE resource = {room} AND ticket = 8",
        (room("no_gap", (8,)), room("one_decision", (8, 8)), room(CHAIN, (8,))),
    ),
    Damage(
        "the end of the ledger is cut off",
        "DELETE FROM ledger WHERE resource = {course} AND ticket = 5",
        (
            course("fence", (4,)),
            course("bookings_are_in_ledger", (5,), "handover"),
            course("one_key", (5,)),
        ),
    ),
    Damage(
        "the fence falls behind the ledger",
        "UPDATE resource SET last_ticket = 4 WHERE id = {course}",
        (course("fence", (5,)),),
    ),
    Damage(
        "the fence runs ahead of the ledger",
        "UPDATE resource SET last_ticket = 7 WHERE id = {course}",
        (course("fence", (5,)),),
    ),
    Damage(
        "the chain goes on elsewhere",
        "UPDATE resource SET last_row_hash = decode(repeat('01', 32), 'hex') WHERE id = {course}",
        (course("fence", (5,)),),
    ),
    Damage(
        "the fence forgets when it was",
        "UPDATE resource SET last_decided_at = '2000-01-01' WHERE id = {course}",
        (course("fence", (5,)),),
    ),
    Damage(
        "a resource is gone",
        "DELETE FROM resource WHERE id = {course}",
        (
            ("right_kind", "#{course}", (1,), ("two",)),
            ("right_kind", "#{course}", (2,), ("one",)),
            ("right_kind", "#{course}", (5,), ("handover",)),
            ("fence", "#{course}", (5,), ()),
        ),
    ),
    Damage(
        "time runs backwards",
        "UPDATE ledger SET decided_at = decided_at - interval '1 day' WHERE resource = {course} AND ticket = 3",
        (course("clock", (2, 3)), course(CHAIN, (3,))),
    ),
    Damage(
        "a booking appears from nowhere",
        "INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)"
        f" SELECT {PLANTED}, {{room}}, true, '[2030-01-02, 2030-01-03)', 1, 'confirmed',"
        " 'anonymous', 99, gen_random_uuid(), now()",
        (room("bookings_are_in_ledger", (99,), "planted"),),
    ),
    Damage(
        "a booking claims the ticket of a refusal",
        "UPDATE booking SET ticket = 2 WHERE resource = {room} AND ticket = 11",
        (
            room("bookings_are_in_ledger", (2,), "back to back"),
            room("ledger_is_in_bookings", (11,), "back to back"),
        ),
    ),
    Damage(
        "a booking claims another request",
        "UPDATE booking SET request_id = gen_random_uuid() WHERE resource = {room} AND ticket = 11",
        (room("bookings_are_in_ledger", (11,), "back to back"),),
    ),
    Damage(
        "a booking disappears",
        "DELETE FROM booking WHERE resource = {room} AND ticket = 11",
        (room("ledger_is_in_bookings", (11,), "back to back"),),
    ),
    Damage(
        "a refusal is turned into a booking",
        "UPDATE ledger SET outcome = 'confirmed', reason = NULL WHERE resource = {room} AND ticket = 2",
        (room("ledger_is_in_bookings", (2,)), room(CHAIN, (2,))),
    ),
    Damage(
        "a refusal names a booking",
        "UPDATE ledger SET booking = (SELECT id FROM booking WHERE resource = {room} AND ticket = 11)"
        " WHERE resource = {room} AND ticket = 2",
        (room("ledger_is_in_bookings", (2,), "back to back"), room(CHAIN, (2,))),
    ),
    Damage(
        "a booking ends by itself",
        "UPDATE booking SET status = 'cancelled', ended_at = now() WHERE resource = {room} AND ticket = 11",
        (room("ends_are_in_ledger", (11,), "back to back"),),
    ),
    Damage(
        "a booking moves by itself",
        "UPDATE booking SET status = 'rescheduled', ended_at = now(),"
        " rescheduled_to = (SELECT id FROM booking WHERE resource = {room} AND ticket = 10)"
        " WHERE resource = {room} AND ticket = 11",
        (room("ends_are_in_ledger", (11,), "back to back"),),
    ),
    Damage(
        "a successor forgets its predecessor",
        "UPDATE booking SET rescheduled_from = NULL WHERE resource = {room} AND ticket = 7",
        (
            room("bookings_are_in_ledger", (7,), "successor"),
            room("ends_are_in_ledger", (3,), "moved"),
        ),
    ),
    Damage(
        "a request is decided twice",
        "UPDATE ledger SET request_id = (SELECT request_id FROM ledger WHERE resource = {room} AND ticket = 8)"
        " WHERE resource = {course} AND ticket = 3",
        (room("one_decision", (8, 3)), course("one_key", (3,)), course(CHAIN, (3,))),
    ),
    Damage(
        "a key leads to a row that only repeats",
        "UPDATE idempotency SET ticket = 4 WHERE resource = {room} AND ticket = 3",
        (room("one_key", (4,)),),
    ),
    Damage(
        "a key leads nowhere",
        "UPDATE idempotency SET ticket = 77 WHERE resource = {room} AND ticket = 3",
        (room("one_key", (77,)),),
    ),
    Damage(
        "a key leads to two tickets",
        "UPDATE idempotency SET key = 'key' WHERE resource = {room} AND ticket = 8",
        (room("one_key", (3, 8)),),
    ),
    Damage(
        "two keys lead to one ticket",
        "INSERT INTO idempotency (caller, key, body_hash, request_id, resource, ticket)"
        " SELECT caller, 'other', body_hash, request_id, resource, ticket FROM idempotency"
        " WHERE resource = {room} AND ticket = 3",
        (room("one_key", (3,)),),
    ),
    Damage(
        "what is repeated was never decided",
        "UPDATE ledger SET first_ticket = 77 WHERE resource = {room} AND ticket = 4",
        (room("repeats", (77, 4)), room(CHAIN, (4,))),
    ),
    Damage(
        "what is repeated is itself",
        "UPDATE ledger SET first_ticket = 4 WHERE resource = {room} AND ticket = 4",
        (room("repeats", (4, 4)), room(CHAIN, (4,))),
    ),
    Damage(
        "what is repeated comes later",
        "UPDATE ledger SET first_ticket = 5 WHERE resource = {room} AND ticket = 4",
        (room("repeats", (5, 4)), room(CHAIN, (4,))),
    ),
    Damage(
        "a command was given up whose ticket did not fail",
        "UPDATE dead_letter SET ticket = 8 WHERE resource = {room} AND ticket = 9",
        (room("dead_letters", (8,)),),
    ),
    Damage(
        "operators are told of bookings that there were not",
        "INSERT INTO attempt_count (quarter, resource, result, attempts) VALUES ('2026-01-01Z', {room}, 'booked', 1)",
        (room("figures"),),
    ),
    Damage(
        "when it joined is changed",
        "UPDATE ledger SET joined_at = joined_at + interval '1 ms' WHERE resource = {room} AND ticket = 2",
        (room(CHAIN, (2,)),),
    ),
    Damage(
        "a hash is changed",
        "UPDATE ledger SET row_hash = decode(repeat('01', 32), 'hex') WHERE resource = {room} AND ticket = 2",
        (room(CHAIN, (2,)), room(CHAIN, (3,))),
    ),
)
