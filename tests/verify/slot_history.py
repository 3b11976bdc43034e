"""A small history of slots, seats, an event and limits, with a decision of every kind, made by the engine itself."""

from __future__ import annotations

from uuid import UUID

from engine.commands import BookSeat, Cancel, CancelSlot, CancelSlotRule, ChangeEvent, Limits, PublishSlots, SlotRule
from engine.identifiers import uuid7
from engine.rules.recurrence_check import check_recurrence
from tests.clients import hour
from tests.schema.rows import add_resource
from tests.seats import HOUR, Deciding, add_calendar, add_event, add_people, at, publish
from tests.series import book_series, monday
from tests.verify.history import Connection, History

TWO = Limits(active=2, with_host=2, cancel_ms=3_600_000)


async def write_slot_history(connection: Connection) -> History:
    """Make the history that the comments tell: the room is a host's calendar, the course the home of an event."""
    host, guest, other, third = await add_people(connection, 4)
    history = History(connection)
    deciding = Deciding(connection)
    history.room = room = await add_calendar(connection, host)
    event = await add_event(connection, host, 2)
    history.course = course = event.resource
    elsewhere = await add_resource(connection, capacity=1)
    for name, number in (("room", room), ("course", course), ("elsewhere", elsewhere)):
        await connection.execute("UPDATE resource SET resource_id = $1 WHERE id = $2", name, number)

    made = history.bookings
    made["event"] = event.event
    made["slot"] = await deciding.slot(room, host, seats=2)  # room 1
    made["withdrawn"] = await deciding.slot(room, host, 1)  # room 2
    rule = await publish_rule(deciding, room, host)  # room 3: three slots
    by_rule = await connection.fetch("SELECT id FROM slot WHERE rule = $1 ORDER BY during", rule)
    made |= {f"daily {number}": row["id"] for number, row in enumerate(by_rule, start=1)}
    await deciding.one(room, publish(0), caller=host)  # room 4: refused
    made["busy"] = await deciding.made(room, hour(5), caller=host)  # room 5
    made["seat"] = await deciding.seat(room, made["slot"], guest, TWO)  # room 6: of none ahead
    made["given back"] = await deciding.seat(room, made["slot"], other, TWO)  # room 7
    await deciding.one(room, BookSeat(made["slot"]), caller=third)  # room 8: refused
    await deciding.made(room, Cancel(made["given back"]), caller=other, limits=TWO)  # room 9
    await deciding.made(room, CancelSlot(made["withdrawn"]), caller=host)  # room 10
    await deciding.made(room, CancelSlot(made["withdrawn"]), caller=host)  # room 11: changes nothing
    await deciding.one(room, CancelSlot(made["slot"]), caller=host)  # room 12: refused
    await deciding.one(room, CancelSlotRule(rule), caller=host)  # room 13

    made["front"] = await deciding.seat(course, event.event, guest, TWO)  # course 1: the second of two
    await deciding.one(course, ChangeEvent(event.event, None, 3), caller=host)  # course 2
    made["back"] = await deciding.seat(course, event.event, other, TWO)  # course 3
    await deciding.one(course, ChangeEvent(event.event, "Evening"), caller=host)  # course 4
    await deciding.one(elsewhere, hour(), caller=guest, limits=TWO)  # elsewhere 1: refused, two are ahead
    weekly = book_series("FREQ=WEEKLY;COUNT=2", monday())
    made["series"] = await deciding.made(elsewhere, weekly, caller=third, limits=TWO)  # elsewhere 2
    return history


async def publish_rule(deciding: Deciding, calendar: int, host: str) -> UUID:
    """Publish the slots of three days by a rule. Returns its id."""
    checked = check_recurrence(
        at(24), at(25), rule="FREQ=DAILY;COUNT=3", time_zone="UTC", extra=(), excluded=(), horizon=at(999)
    )
    rule = SlotRule(uuid7(), checked.recurrence, 3_600_000, 30, at(999))
    day_ms = 24 * HOUR.seconds * 1_000
    await deciding.one(calendar, PublishSlots(at(24), (day_ms, day_ms), 3_600_000, rule=rule), caller=host)
    return rule.rule
