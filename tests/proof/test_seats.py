"""Slots, events and seats in an export: what the engine decided passes, and what it would not have decided is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chain import LedgerRow, decode_detail, encode_detail
from engine.commands import BookSeat, Cancel, CancelSlot, CancelSlotRule, ChangeEvent, Limits, Reason
from engine.export_check import check_export
from engine.proof import Head, instant_text, read_document
from engine.replay.seats import SEVERAL_SLOTS
from engine.replay.state import NOT_KNOWN
from tests.batch import test_seats_sizes as mixed
from tests.batch.batches import EVERY_TIME
from tests.clients import hour
from tests.proof.exports import DECIDED_AT, HOUR, KEY, NINE, Ledger, book, exported, ledger_of, row_of
from tests.proof.test_plans import last_resource
from tests.schema.rows import Connection
from tests.seats import Deciding, add_calendar, add_event, add_people, ask, at, publish, reasons

OF_THE_CALLER = {
    Reason.STALE_VERSION,
    Reason.ALREADY_BOOKED,
    Reason.MAX_ACTIVE_BOOKINGS,
    Reason.MAX_BOOKINGS_WITH_HOST,
}
"""What rests on what a caller sent or has."""
OF_SEVERAL = {SEVERAL_SLOTS, NOT_KNOWN}
YES = None


@settings(EVERY_TIME, max_examples=12)
@given(plan=mixed.phases, one_by_one=st.booleans())
async def test_an_event_is_replayed_whole_and_a_calendar_as_far_as_its_rows_tell(
    database: Connection, plan: list[list[mixed.Wish]], one_by_one: bool
) -> None:
    """A calendar whose slots were published one by one is replayed whole, too."""
    before = await last_resource(database)
    opening = [mixed.Wish("publish", 0, 0, 0, start, number) for start, number in ((0, 1), (2, 2), (4, 6))]
    if one_by_one:
        plan = [[replace(wish, number=1) for wish in phase] for phase in plan]
        opening = [replace(wish, number=1) for wish in opening]
    await mixed.write(database, [opening, *plan], 7)
    for row in await database.fetch("SELECT resource_id, kind FROM resource WHERE id > $1", before):
        report = check_export(await exported(database, row["resource_id"], KEY), keys=[KEY.public])
        assert report.violations == [], report.text()
        vague = row["kind"] == "calendar" and not one_by_one
        assert set(report.given) <= (OF_THE_CALLER | OF_SEVERAL if vague else OF_THE_CALLER), report.text()
        assert report.replayed + sum(report.given.values()) == report.checks[-1].checked


# ---------------------------------------------------------------------------- lies


@dataclass(frozen=True)
class History:
    """What the engine decided about an event and a calendar, with something of every kind."""

    event: Ledger
    calendar: Ledger


@pytest.fixture
async def history(database: Connection) -> History:
    deciding = Deciding(database)
    host, *guests = await add_people(database, 6)
    event, calendar = await write_event(deciding, guests), await write_calendar(deciding, host, guests)
    public = "SELECT resource_id FROM resource WHERE id = $1"
    names = [await database.fetchval(public, home) for home in (event, calendar)]
    return History(*[ledger_of(await exported(database, name)) for name in names])


async def write_event(deciding: Deciding, guests: list[str]) -> int:
    event = await add_event(deciding.connection, "host", 2)
    home, seat = event.resource, BookSeat(event.event)
    first, second = [await deciding.seat(home, event.event, guest) for guest in guests[:2]]
    outcomes = [
        await deciding.one(home, seat, caller=guests[2]),
        await deciding.one(home, seat, caller=guests[0]),
        await deciding.one(home, ChangeEvent(event.event, None, 3)),
        await deciding.one(home, seat, caller=guests[2]),
        await deciding.one(home, ChangeEvent(event.event, None, 2)),
        await deciding.one(home, Cancel(second)),
        await deciding.one(home, Cancel(second)),
        await deciding.one(home, ChangeEvent(event.event, None, 2)),
        await deciding.one(home, seat, caller=guests[3]),
        await deciding.one(home, ChangeEvent(event.event, "Evening", 3)),
        await deciding.one(home, seat, caller=guests[4], limits=Limits(active=0)),
        await deciding.one(home, seat, caller=guests[4], limits=Limits(active=1)),
        await deciding.one(home, ChangeEvent(event.event, None, 9, if_version=1)),
        await deciding.one(home, Cancel(first), limits=Limits(cancel_ms=10**12)),
    ]
    full, below = Reason.NO_SEATS_LEFT, Reason.CAPACITY_BELOW_TAKEN
    assert reasons(outcomes) == [
        *(full, Reason.ALREADY_BOOKED, YES, YES, below, YES, YES, YES, full, YES),
        *(Reason.MAX_ACTIVE_BOOKINGS, YES, Reason.STALE_VERSION, Reason.TOO_LATE_TO_CANCEL),
    ]
    return home


async def write_calendar(deciding: Deciding, host: str, guests: list[str]) -> int:
    calendar = await add_calendar(deciding.connection, host)
    slot = await deciding.slot(calendar, host)
    seat = await deciding.seat(calendar, slot, guests[0])
    past = msgspec.structs.replace(publish(0), first=DECIDED_AT - timedelta(days=9999))
    outcomes = [
        await deciding.one(calendar, command, caller=host)
        for command in (
            CancelSlot(slot),
            publish(0.5),
            hour(0.5),
            Cancel(seat),
            CancelSlot(slot),
            BookSeat(slot),
            CancelSlot(slot),
            past,
            hour(0),
            publish(0, 1, 3),
            publish(2, 4, seats=2),
        )
    ]
    published = "SELECT id FROM slot WHERE resource = $1 AND status = 'open' ORDER BY during"
    two, four = [row["id"] for row in await deciding.connection.fetch(published, calendar)]
    outcomes += await deciding.batch(
        *(ask(calendar, BookSeat(two), caller=guest) for guest in guests[:3]),
        *(ask(calendar, command, caller=host) for command in (hour(2), CancelSlot(two), hour(4), CancelSlot(four))),
        *(ask(calendar, command, caller=host) for command in (hour(4), CancelSlotRule(uuid4()))),
    )
    booked, conflict, full = Reason.SLOT_BOOKED, Reason.CONFLICT, Reason.NO_SEATS_LEFT
    assert reasons(outcomes) == [
        *(booked, conflict, conflict, YES, YES, Reason.SLOT_CANCELLED, YES, Reason.SLOT_IN_PAST, YES, conflict, YES),
        *(YES, YES, full, conflict, booked, conflict, YES, YES, YES),
    ]
    return calendar


@dataclass(frozen=True)
class Lie:
    """What a row is made to say, with everything that is hashed made to fit."""

    home: str
    ticket: int
    say: Callable[[Ledger, LedgerRow], dict[str, Any]]


def made_by(ledger: Ledger, ticket: int) -> UUID | None:
    return ledger.rows[ticket - 1].booking


def yes(like: int, **more: Any) -> Callable[[Ledger, LedgerRow], dict[str, Any]]:
    """A yes that shows the time that another ticket shows."""

    def say(ledger: Ledger, _: LedgerRow) -> dict[str, Any]:
        shown = {name: getattr(ledger.rows[like - 1], name) for name in ("start_time", "end_time")}
        return {"outcome": "confirmed", "reason": None, "clashes": (), "booking": uuid4(), "places": 1} | shown | more

    return say


def cancelled(ledger: Ledger, row: LedgerRow) -> dict[str, Any]:
    """A slot that is taken back."""
    made = next(other for other in ledger.rows if row.subject in {other.booking, other.subject} and other.start_time)
    return yes(made.ticket, booking=row.subject)(ledger, row)


def no(reason: Reason, **more: Any) -> Callable[[Ledger, LedgerRow], dict[str, Any]]:
    return lambda _, __: {"outcome": "refused", "reason": reason.value, "booking": None} | more


def elsewhere(_: Ledger, row: LedgerRow) -> dict[str, Any]:
    """What was free is said not to have been."""
    detail = decode_detail(row.detail)
    assert detail is not None
    clashes = tuple(msgspec.structs.replace(clash, wanted_start=at(3)) for clash in detail.clashes)
    return {"detail": encode_detail(msgspec.structs.replace(detail, clashes=clashes))}


LIES = (
    Lie("event", 3, yes(1)),  # no seat was left
    Lie("event", 2, no(Reason.NO_SEATS_LEFT)),  # one was
    Lie("event", 1, no(Reason.ALREADY_BOOKED)),  # nobody had one
    Lie("event", 1, no(Reason.SLOT_IN_PAST)),
    Lie("event", 1, lambda *_: {"subject": uuid4()}),  # another event
    Lie("event", 1, lambda *_: {"start_time": at(0.5)}),  # it takes place at another time
    Lie("event", 6, lambda ledger, _: {"booking": made_by(ledger, 1)}),  # a seat is given twice
    Lie("event", 3, no(Reason.MAX_ACTIVE_BOOKINGS, counted=5, counted_limit=5)),  # that no seat was left comes first
    Lie("event", 13, lambda *_: {"counted_limit": 1}),  # the limit was not reached
    Lie("event", 14, lambda *_: {"counted": 1}),  # it was
    Lie("event", 5, no(Reason.CAPACITY_BELOW_TAKEN)),
    Lie("event", 7, lambda *_: {"outcome": "confirmed", "reason": None}),  # more seats were taken
    Lie("event", 8, lambda ledger, _: {"booking": made_by(ledger, 1)}),  # another seat is shown
    Lie("event", 9, no(Reason.TOO_LATE_TO_CANCEL)),  # it had been given back
    Lie("event", 16, lambda *_: {"kind": "reschedule", "start_time": at(3), "end_time": at(4)}),
    Lie("calendar", 1, no(Reason.CONFLICT)),  # its time was free
    Lie("calendar", 3, cancelled),  # a seat was taken
    Lie("calendar", 4, yes(4)),  # a slot stood there
    Lie("calendar", 7, no(Reason.SLOT_BOOKED)),
    Lie("calendar", 8, yes(1)),  # the slot was taken back
    Lie("calendar", 9, lambda *_: {"kind": "cancel"}),  # a slot's claim is not cancelled without the slot
    Lie("calendar", 9, lambda *_: {"end_time": at(9)}),
    Lie("calendar", 10, yes(10)),
    Lie("calendar", 12, elsewhere),
    Lie("calendar", 14, lambda ledger, _: {"subject": made_by(ledger, 11)}),  # no slot
    Lie("calendar", 15, no(Reason.NO_SEATS_LEFT)),  # all that were published had two
    Lie("calendar", 16, yes(14)),  # none had three
    Lie("calendar", 17, yes(17)),  # the seat's row told when the slot is
    Lie("calendar", 18, cancelled),
    Lie("calendar", 16, no(Reason.CONFLICT)),  # a seat has nothing in its way
    Lie("calendar", 16, no(Reason.TOO_MANY_SERIES)),
    Lie("calendar", 22, no(Reason.CONFLICT)),  # a rule can always be ended
)


async def test_a_history_of_seats_is_replayed_and_every_lie_is_found(history: History) -> None:
    for ledger, given_rows in ((history.event, 4), (history.calendar, 2)):
        report = check_export(ledger.lines())
        assert report.violations == [], report.text()
        assert sum(report.given.values()) == given_rows, report.text()
    for lie in LIES:
        ledger = history.event if lie.home == "event" else history.calendar
        said = lie.say(ledger, ledger.rows[lie.ticket - 1])
        report = check_export(ledger.change(lie.ticket, **said).lines())
        found = [(violation.rule, violation.ticket) for violation in report.violations]
        assert ("outcomes", lie.ticket) in found, (lie, said, report.text())
        assert {rule for rule, _ in found} == {"outcomes"}


async def test_whoever_comes_later_and_gets_the_last_seat_is_found(history: History) -> None:
    """Two callers change places, so that the row of each is true of itself: the first finds a seat and is refused."""
    rows = list(history.event.rows)
    second, third = rows[1:3]
    rows[1:3] = [
        msgspec.structs.replace(one, ticket=other.ticket, decided_at=other.decided_at, joined_at=other.joined_at)
        for one, other in ((third, second), (second, third))
    ]
    report = check_export(replace(history.event, rows=rows).lines())
    assert [violation.ticket for violation in report.violations] == [2], report.text()


async def test_the_head_says_under_its_signature_what_an_event_was(history: History) -> None:
    head = read_document(history.event.lines()[0], Head)
    assert (head.initial_seats, head.start_time, head.end_time) == (2, instant_text(at(0)), instant_text(at(1)))
    assert head.event == history.event.rows[0].subject
    more = {"initial_seats": 3}
    report = check_export(replace(history.event, event=history.event.event | more).lines())
    assert [violation.ticket for violation in report.violations] == [3], report.text()
    over = {"start_time": instant_text(DECIDED_AT)}
    report = check_export(replace(history.event, event=history.event.event | over).lines())
    assert {violation.ticket for violation in report.violations} >= {1, 2}
    plain = history.calendar.lines()[0]
    assert b"event" not in plain
    assert b"start_time" not in plain
    for broken in (b'"initial_seats":2,', b"Z"):
        lines = [line.replace(broken, b"", 1) if not at else line for at, line in enumerate(history.event.lines())]
        report = check_export(lines)
        assert [violation.rule for violation in report.violations] == ["lines"], report.text()


def test_what_a_rule_publishes_later_is_believed_as_far_as_its_seats_go() -> None:
    """No row tells of these slots: of two publications, one with one seat and one with two, both may have made them."""
    slot, one, two, three = (uuid4() for _ in range(4))
    shown = {"start_time": NINE, "end_time": NINE + HOUR, "places": 1}
    rows = [
        row_of(1, "publish_slots", capacity=1, subject=uuid4()),
        row_of(2, "publish_slots", capacity=2, subject=uuid4()),
        row_of(3, "book_seat", subject=slot, outcome="refused", reason="slot_in_past"),
        row_of(4, "book_seat", subject=slot, booking=one, **shown),
        row_of(5, "book_seat", subject=slot, outcome="refused", reason="no_seats_left"),
        row_of(6, "book_seat", subject=slot, booking=two, **shown),
        book(7, 0, 1, reason="conflict", clashes=(slot,)),
    ]
    report = check_export(Ledger(rows).lines())
    assert report.violations == [], report.text()
    assert report.given == {SEVERAL_SLOTS: 2, NOT_KNOWN: 2}
    lies = [
        row_of(7, "book_seat", subject=slot, booking=three, **shown),
        row_of(7, "book_seat", subject=slot, outcome="refused", reason="slot_in_past"),
        row_of(7, "book_seat", subject=one, booking=three, **shown),
        book(7, 0, 1),
    ]
    for lie in lies:
        report = check_export(Ledger([*rows[:6], lie]).lines())
        assert [violation.ticket for violation in report.violations] == [7], (lie, report.text())
    report = check_export(Ledger([row_of(1, "cancel_slot_rule"), row_of(2, "cancel_slot_rule"), *rows[2:6]]).lines())
    assert {violation.ticket for violation in report.violations} == {3, 4, 5, 6}, report.text()
