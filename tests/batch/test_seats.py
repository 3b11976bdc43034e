"""Seats of slots and events, and the limits of a person: what a batch decides about them, and under which locks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from engine.commands import (
    Book,
    BookSeat,
    Cancel,
    CancelOccurrence,
    CancelSlot,
    ChangeEvent,
    Command,
    Limits,
    PublishSlots,
    Reason,
    Reschedule,
    RestoreOccurrence,
    Scope,
    Status,
)
from engine.store import sql
from tests.clients import hour
from tests.connections import held_up
from tests.schema.rows import Connection, add_resource
from tests.seats import (
    FIVE,
    HOUR,
    Deciding,
    add_calendar,
    add_event,
    add_home,
    add_people,
    add_person,
    ask,
    at,
    decide,
    erase_person,
    publish,
    reasons,
    row_of,
    taken,
)
from tests.series import book_series, monday, move

ONE = Limits(active=1)
YES = None
"""No reason: it was confirmed."""


class Before:
    """A connection on which something happens once, just before a statement of the engine's."""

    def __init__(self, connection: Connection, statement: str, happening: Callable[[], Awaitable[object]]) -> None:
        self._connection = connection
        self._statement = sql(statement)
        self._happening: Callable[[], Awaitable[object]] | None = happening

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        if statement == self._statement and self._happening is not None:
            happening, self._happening = self._happening, None
            await happening()
        return await self._connection.fetch(statement, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


# ---------------------------------------------------------------------------- seats


async def test_seats_go_in_ticket_order_and_the_next_batch_finds_them_taken(database: Connection) -> None:
    deciding = Deciding(database)
    guests = await add_people(database, 26)
    event = await add_event(database, "host", 5)
    outcomes = await deciding.batch(*(ask(event.resource, BookSeat(event.event), caller=guest) for guest in guests[1:]))
    assert reasons(outcomes) == [YES] * 5 + [Reason.NO_SEATS_LEFT] * 20
    assert (await deciding.one(event.resource, BookSeat(event.event), caller=guests[0])).reason is Reason.NO_SEATS_LEFT
    assert await taken(database, event.event) == 5
    first = outcomes[0].booking
    assert first is not None
    assert (first.start_time, first.end_time, first.places) == (at(0), at(1), 1)
    await deciding.clean()


async def test_one_person_has_one_seat_in_a_batch_and_in_the_next_and_whoever_is_unknown_as_many_as_there_are(
    database: Connection,
) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    event = await add_event(database, "host", 9)
    seat = BookSeat(event.event)
    outcomes = await deciding.batch(*(ask(event.resource, seat, caller=guest, limits=FIVE) for _ in range(20)))
    assert reasons(outcomes) == [YES] + [Reason.ALREADY_BOOKED] * 19
    assert (await deciding.one(event.resource, seat, caller=guest)).reason is Reason.ALREADY_BOOKED
    for_guest = BookSeat(event.event, person=guest)
    assert (await deciding.one(event.resource, for_guest, caller="program")).reason is Reason.ALREADY_BOOKED
    unknown = await deciding.batch(*(ask(event.resource, seat, limits=ONE) for _ in range(9)))
    assert reasons(unknown) == [YES] * 8 + [Reason.NO_SEATS_LEFT]
    await deciding.clean()


async def test_a_seat_for_somebody_is_theirs_and_the_ledger_keeps_who_asked(database: Connection) -> None:
    deciding = Deciding(database)
    program, guest = await add_people(database, 2)
    event = await add_event(database, "host", 2)
    for_guest = BookSeat(event.event, person=guest)
    (outcome,) = await deciding.batch(ask(event.resource, for_guest, caller=program, limits=ONE))
    assert (outcome.counted, outcome.counted_limit) == (0, 1)
    assert await row_of(database, "SELECT caller FROM booking") == (guest,)
    assert await row_of(database, "SELECT caller FROM ledger") == (program,)
    # What was counted is what the guest has: the program itself has nothing yet.
    room = await add_resource(database, capacity=1)
    assert reasons([await deciding.one(room, hour(), caller=guest, limits=ONE)]) == [Reason.MAX_ACTIVE_BOOKINGS]
    assert reasons([await deciding.one(room, hour(), caller=program, limits=ONE)]) == [YES]
    await deciding.clean()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_seat_that_is_given_back_can_be_had_again_by_another_or_the_same(
    database: Connection, at_once: bool
) -> None:
    deciding = Deciding(database)
    host, one, other = await add_people(database, 3)
    calendar = await add_calendar(database, host)
    slot = await deciding.slot(calendar, host)
    seat = await deciding.seat(calendar, slot, one, FIVE)
    requests = [
        ask(calendar, BookSeat(slot), caller=other, limits=FIVE),
        ask(calendar, Cancel(seat), caller=one, limits=FIVE),
        ask(calendar, BookSeat(slot), caller=one, limits=FIVE),
        ask(calendar, BookSeat(slot), caller=other, limits=FIVE),
        ask(calendar, Cancel(seat), caller=one, limits=FIVE),
    ]
    if at_once:
        outcomes = await deciding.batch(*requests)
    else:
        outcomes = [outcome for request in requests for outcome in await deciding.batch(request)]
    assert reasons(outcomes) == [Reason.NO_SEATS_LEFT, YES, YES, Reason.NO_SEATS_LEFT, YES]
    assert await taken(database, slot) == 1
    await deciding.clean()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_slot_is_taken_back_when_its_seat_is_and_its_time_is_free_then(
    database: Connection, at_once: bool
) -> None:
    deciding = Deciding(database)
    host, guest = await add_people(database, 2)
    calendar = await add_calendar(database, host)
    slot = await deciding.slot(calendar, host)
    seat = await deciding.seat(calendar, slot, guest)
    requests = [
        ask(calendar, CancelSlot(slot), caller=host),
        ask(calendar, hour(0.5), caller=host),
        ask(calendar, Cancel(seat), caller=guest),
        ask(calendar, CancelSlot(slot), caller=host),
        ask(calendar, BookSeat(slot), caller=guest),
        ask(calendar, hour(0.5), caller=host),
        ask(calendar, CancelSlot(slot), caller=host),
    ]
    if at_once:
        outcomes = await deciding.batch(*requests)
    else:
        outcomes = [outcome for request in requests for outcome in await deciding.batch(request)]
    expected = [Reason.SLOT_BOOKED, Reason.CONFLICT, YES, YES, Reason.SLOT_CANCELLED, YES, YES]
    assert reasons(outcomes) == expected
    assert [clash.booking for clash in outcomes[1].clashes] == [slot], "the slot's claim goes by the slot's id"
    row = await row_of(database, "SELECT status, ended_at, version, taken FROM slot")
    assert row == ("cancelled", outcomes[3].decided_at, 2, 0)
    await deciding.clean()


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_event_has_more_seats_and_fewer_but_never_less_than_are_taken(
    database: Connection, at_once: bool
) -> None:
    deciding = Deciding(database)
    guests = await add_people(database, 6)
    event = await add_event(database, "host", 2)
    home = event.resource
    seats = [await deciding.seat(home, event.event, guest) for guest in guests[:2]]

    def change(total: int | None, version: int | None = None) -> ChangeEvent:
        return ChangeEvent(event.event, None, total, version)

    requests = [
        ask(home, BookSeat(event.event), caller=guests[2]),
        ask(home, change(4)),
        *(ask(home, BookSeat(event.event), caller=guest) for guest in guests[2:5]),
        ask(home, change(3)),
        ask(home, Cancel(seats[0]), caller=guests[0]),
        ask(home, Cancel(seats[1]), caller=guests[1]),
        ask(home, change(1)),
        ask(home, change(2)),
        ask(home, change(9, version=2)),
        ask(home, ChangeEvent(event.event, "Evening", None, if_version=3)),
        ask(home, BookSeat(event.event), caller=guests[5]),
        ask(home, change(3)),
        ask(home, BookSeat(event.event), caller=guests[0]),
    ]
    if at_once:
        outcomes = await deciding.batch(*requests)
    else:
        outcomes = [outcome for request in requests for outcome in await deciding.batch(request)]
    below, full = Reason.CAPACITY_BELOW_TAKEN, Reason.NO_SEATS_LEFT
    assert reasons(outcomes) == [
        *(full, YES, YES, YES, full),
        *(below, YES, YES, below, YES),
        *(Reason.STALE_VERSION, YES, full, YES, YES),
    ]
    row = await row_of(database, "SELECT name, capacity, taken, version FROM slot")
    assert row == ("Evening", 3, 3, 5)
    await deciding.clean()


async def test_a_slot_and_other_claims_of_its_calendar_never_overlap_and_seats_claim_no_time(
    database: Connection,
) -> None:
    deciding = Deciding(database)
    host, *guests = await add_people(database, 4)
    calendar = await add_calendar(database, host)
    busy = await deciding.made(calendar, hour(1.5), caller=host)
    outcome = await deciding.one(calendar, publish(0, 1, 3), caller=host)
    assert outcome.reason is Reason.CONFLICT
    assert outcome.detail is not None
    assert [(clash.wanted_start, clash.booking) for clash in outcome.detail.clashes] == [(at(1), busy)]
    outcome = await deciding.one(calendar, publish(0, 1, 3, seats=3, skip=True), caller=host)
    assert outcome.detail is not None
    assert (outcome.detail.occurrences, outcome.detail.skipped) == (2, (at(1),))
    slots = [row["id"] for row in await database.fetch("SELECT id FROM slot ORDER BY during")]
    for guest in guests:
        await deciding.seat(calendar, slots[0], guest, FIVE)
    assert (await deciding.one(calendar, publish(0), caller=host)).reason is Reason.CONFLICT
    assert (await deciding.one(calendar, publish(-1, 2.5), caller=host)).reason is Reason.CONFLICT
    overlapping = publish(10, 10.5)
    assert (await deciding.one(calendar, overlapping, caller=host)).reason is Reason.SERIES_OVERLAPS_ITSELF
    past = PublishSlots(datetime(2020, 1, 1, tzinfo=UTC), (), 3_600_000)
    assert (await deciding.one(calendar, past, caller=host)).reason is Reason.SLOT_IN_PAST
    assert await database.fetchval("SELECT count(*) FROM slot") == 2
    await deciding.clean()


async def test_notice_is_asked_of_those_who_are_held_to_it_and_of_seats_only(database: Connection) -> None:
    deciding = Deciding(database)
    host, guest, other = await add_people(database, 3)
    now: datetime = await database.fetchval("SELECT date_trunc('milliseconds', now())")
    calendar, room = await add_calendar(database, host), await add_resource(database, capacity=1)
    soon, later = PublishSlots(now + HOUR, (), 60_000), PublishSlots(now + HOUR + timedelta(minutes=9), (), 60_000)
    first, second = [await deciding.made(calendar, command, caller=host) for command in (soon, later)]
    late = await deciding.seat(calendar, first, guest, Limits(5, 2, 3_600_000))
    timely = await deciding.seat(calendar, second, guest, Limits(5, 2, 3_600_000))
    meeting = await deciding.made(room, Book(now + HOUR, now + 2 * HOUR), caller=guest, limits=FIVE)
    assert reasons(
        [
            await deciding.one(calendar, Cancel(late), caller=guest, limits=FIVE),
            await deciding.one(calendar, Cancel(timely), caller=guest, limits=FIVE),
            await deciding.one(calendar, Cancel(timely), caller=guest, limits=FIVE),
            await deciding.one(room, Cancel(meeting), caller=guest, limits=FIVE),
            await deciding.one(calendar, BookSeat(first), caller=other, limits=FIVE),
            await deciding.one(calendar, Cancel(late), caller=host),
        ]
    ) == [Reason.TOO_LATE_TO_CANCEL, YES, YES, YES, Reason.NO_SEATS_LEFT, YES]
    await deciding.clean()


async def test_what_claims_a_slots_time_is_never_ended_without_the_slot(database: Connection) -> None:
    deciding = Deciding(database)
    host = await add_person(database)
    calendar = await add_calendar(database, host)
    slot = await deciding.slot(calendar, host)
    for command in (Cancel(slot), Reschedule(slot, at(3), at(4))):
        with pytest.raises(AssertionError, match="slot"):
            await decide(database, Deciding(database, {calendar: 1}).queue([ask(calendar, command)]))
    assert await database.fetchval("SELECT live FROM booking")


async def test_five_thousand_slots_are_published_by_one_command(database: Connection) -> None:
    deciding = Deciding(database)
    host = await add_person(database)
    calendar = await add_calendar(database, host)
    await deciding.made(calendar, hour(0), caller=host)
    many = PublishSlots(at(0), (60_000,) * 4_999, 60_000, skip=True)
    await database.execute("SET idle_in_transaction_session_timeout = '1s'; SET statement_timeout = '2s'")
    outcome = await deciding.one(calendar, many, caller=host)
    assert outcome.detail is not None
    assert outcome.detail.occurrences == 4_940
    await deciding.made(calendar, Book(at(100), at(200)), caller=host)
    outcome = await deciding.one(calendar, PublishSlots(at(90), (60_000,) * 4_999, 60_000, skip=True), caller=host)
    assert outcome.detail is not None
    assert (outcome.detail.clashing, outcome.detail.occurrences) == (4_400, 600)
    assert len(outcome.detail.skipped) == 1_000, "the ledger keeps so many"
    await deciding.clean()


# ---------------------------------------------------------------------------- limits


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_person_has_as_many_bookings_ahead_as_the_limit_says_and_each_row_tells_what_was_counted(
    database: Connection, at_once: bool
) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    rooms = [await add_resource(database, capacity=9) for _ in range(2)]
    event = await add_event(database, "host", 9)
    seat = BookSeat(event.event)
    requests = [
        ask(rooms[0], hour(0), caller=guest, limits=FIVE),
        ask(rooms[0], hour(1), caller=guest, limits=FIVE),
        ask(rooms[1], book_series("FREQ=WEEKLY;COUNT=4", monday()), caller=guest, limits=FIVE),
        ask(event.resource, seat, caller=guest, limits=FIVE),
        ask(event.resource, seat, caller=guest, limits=FIVE),
        ask(event.resource, hour(5), caller=guest, limits=FIVE),
        ask(event.resource, hour(6), caller=guest, limits=FIVE),
        ask(event.resource, hour(6), caller=guest, limits=Limits(active=6)),
        ask(event.resource, hour(7), caller=guest, limits=Limits()),
    ]
    if at_once:
        outcomes = await deciding.batch(*requests)
    else:
        outcomes = [outcome for request in requests for outcome in await deciding.batch(request)]
    at_limit = Reason.MAX_ACTIVE_BOOKINGS
    assert reasons(outcomes) == [YES, YES, YES, YES, Reason.ALREADY_BOOKED, YES, at_limit, YES, YES]
    counted = [(0, 5), (1, 5), (2, 5), (3, 5), (None, None), (4, 5), (5, 5), (5, 6), (None, None)]
    assert [(outcome.counted, outcome.counted_limit) for outcome in outcomes] == counted
    kept = await database.fetch("SELECT resource, ticket, counted, counted_limit FROM ledger")
    by_ticket = {(row["resource"], row["ticket"]): tuple(row)[2:] for row in kept}
    assert [by_ticket[outcome.resource, outcome.ticket] for outcome in outcomes] == counted
    report = await database.fetch(sql("verify_limits"), 10)
    assert report == []


async def test_what_has_ended_or_is_given_back_makes_room_also_within_the_batch(database: Connection) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    room = await add_resource(database, capacity=1)
    first = await deciding.made(room, hour(0), caller=guest, limits=ONE)
    outcomes = await deciding.batch(
        ask(room, hour(1), caller=guest, limits=ONE),
        ask(room, Reschedule(first, at(2), at(3)), caller=guest, limits=ONE),
        ask(room, hour(1), caller=guest, limits=ONE),
        ask(room, Cancel(first), caller=guest, limits=ONE),
    )
    at_limit = Reason.MAX_ACTIVE_BOOKINGS
    assert reasons(outcomes) == [at_limit, YES, at_limit, Reason.ALREADY_RESCHEDULED]
    moved = outcomes[1].booking
    assert moved is not None
    outcomes = await deciding.batch(
        ask(room, Cancel(moved.booking), caller=guest, limits=ONE), ask(room, hour(1), caller=guest, limits=ONE)
    )
    assert reasons(outcomes) == [YES, YES]
    await deciding.clean()
    await database.execute("UPDATE booking SET during = tstzrange(now() - interval '1 h', now()) WHERE live")
    assert reasons([await deciding.one(room, hour(1), caller=guest, limits=ONE)]) == [YES], "it is over"


async def test_one_slot_of_a_host_ahead_for_a_person_but_any_number_of_events(database: Connection) -> None:
    deciding = Deciding(database)
    host, other, guest = await add_people(database, 3)
    calendar, elsewhere = await add_calendar(database, host), await add_calendar(database, other)
    first, second = [await deciding.slot(calendar, host, start) for start in (0, 1)]
    third = await deciding.slot(elsewhere, other)
    events = [await add_event(database, host, 9) for _ in range(2)]
    outcomes = await deciding.batch(
        *(ask(event.resource, BookSeat(event.event), caller=guest, limits=FIVE) for event in events),
        ask(calendar, BookSeat(first), caller=guest, limits=FIVE),
        ask(calendar, BookSeat(second), caller=guest, limits=FIVE),
        ask(elsewhere, BookSeat(third), caller=guest, limits=FIVE),
    )
    assert reasons(outcomes) == [YES, YES, YES, Reason.MAX_BOOKINGS_WITH_HOST, YES]
    assert (outcomes[3].counted, outcomes[3].counted_limit) == (1, 1)
    again = await deciding.one(calendar, BookSeat(second), caller=guest, limits=Limits(9, 1))
    assert (again.reason, again.counted, again.counted_limit) == (Reason.MAX_BOOKINGS_WITH_HOST, 1, 1)
    assert reasons([await deciding.one(calendar, BookSeat(second), caller=guest, limits=Limits(9, 2))]) == [YES]
    await deciding.clean()


async def test_nobody_in_particular_and_who_comes_without_limits_is_not_limited(database: Connection) -> None:
    deciding = Deciding(database)
    operator = await add_person(database)
    room = await add_resource(database, capacity=9)
    outcomes = await deciding.batch(
        *(ask(room, hour(start), limits=ONE) for start in range(3)),
        *(ask(room, hour(start), caller=operator) for start in range(3)),
        *(ask(room, hour(start), caller="no id of a person", limits=ONE) for start in range(3)),
    )
    assert reasons(outcomes) == [YES] * 9
    assert {(outcome.counted, outcome.counted_limit) for outcome in outcomes} == {(None, None)}
    await deciding.clean()


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_somebody_has_on_a_resource_of_their_own_is_neither_counted_nor_limited(
    database: Connection, at_once: bool
) -> None:
    deciding = Deciding(database)
    host = await add_person(database)
    calendar = await add_calendar(database, host)
    own = await add_home(database, kind="resource", owner=host, capacity=9)
    foreign = await add_resource(database, capacity=9)
    series = book_series("FREQ=WEEKLY;COUNT=4", monday())
    requests = [
        *(ask(calendar, hour(start), caller=host, limits=ONE) for start in range(3)),
        ask(own, series, caller=host, limits=ONE),
        ask(foreign, hour(), caller=host, limits=ONE),
        ask(foreign, hour(), caller=host, limits=ONE),
    ]
    if at_once:
        outcomes = await deciding.batch(*requests)
    else:
        outcomes = [outcome for request in requests for outcome in await deciding.batch(request)]
    assert reasons(outcomes) == [YES] * 5 + [Reason.MAX_ACTIVE_BOOKINGS]
    counted = [*[(None, None)] * 4, (0, 1), (1, 1)]
    assert [(outcome.counted, outcome.counted_limit) for outcome in outcomes] == counted
    await deciding.clean()


async def test_the_limit_cannot_be_gone_round_by_moving_what_is_over(database: Connection) -> None:
    deciding = Deciding(database)
    guest, operator = await add_people(database, 2)
    room = await add_resource(database, capacity=9)
    old = await deciding.made(room, hour(0), caller=guest, limits=ONE)
    await database.execute("UPDATE booking SET during = tstzrange(now() - interval '1 h', now())")
    now = await deciding.made(room, hour(0), caller=guest, limits=ONE)
    outcomes = await deciding.batch(
        ask(room, Reschedule(old, at(1), at(2)), caller=guest, limits=ONE),
        ask(room, Reschedule(now, at(1), at(2)), caller=guest, limits=ONE),
    )
    assert reasons(outcomes) == [Reason.MAX_ACTIVE_BOOKINGS, YES]
    assert [(outcome.counted, outcome.counted_limit) for outcome in outcomes] == [(1, 1), (None, None)]
    by_operator = await deciding.one(room, Reschedule(old, at(1), at(2)), caller=operator)
    assert by_operator.reason is YES, "an operator may"


async def test_the_limit_cannot_be_gone_round_by_emptying_series_and_filling_them_again(
    database: Connection,
) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    room = await add_resource(database, capacity=9)
    first = monday()
    series = await deciding.made(room, book_series("FREQ=WEEKLY;COUNT=2", first), caller=guest, limits=ONE)
    second = first + 7 * 24 * HOUR
    for name in (first, second):
        await deciding.made(room, CancelOccurrence(series, name), caller=guest, limits=ONE)
    meeting = await deciding.made(room, hour(0), caller=guest, limits=ONE)
    restore = RestoreOccurrence(series, first)
    refused = await deciding.one(room, restore, caller=guest, limits=ONE)
    assert (refused.reason, refused.counted) == (Reason.MAX_ACTIVE_BOOKINGS, 1)
    await deciding.made(room, Cancel(meeting), caller=guest, limits=ONE)
    restored = await deciding.one(room, restore, caller=guest, limits=ONE)
    assert (restored.reason, restored.counted, restored.counted_limit) == (YES, 0, 1)
    again = await deciding.one(room, RestoreOccurrence(series, second), caller=guest, limits=ONE)
    assert (again.reason, again.counted) == (YES, None), "the series is the one booking that they have"
    await deciding.clean()


async def test_a_series_that_is_divided_counts_as_two_also_for_what_is_decided_beside_it(database: Connection) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    course, room = await add_resource(database, capacity=9), await add_resource(database, capacity=9)
    first = monday()
    series = await deciding.made(course, book_series("FREQ=WEEKLY;COUNT=4", first), caller=guest, limits=ONE)
    second = first + 7 * 24 * HOUR
    following = move(series, second, second + HOUR, scope=Scope.THIS_AND_FOLLOWING)
    two = Limits(active=2)
    outcomes = await deciding.batch(
        ask(course, following, caller=guest, limits=two), ask(room, hour(0), caller=guest, limits=two)
    )
    assert reasons(outcomes) == [YES, Reason.MAX_ACTIVE_BOOKINGS]
    await deciding.clean()


# ---------------------------------------------------------------------------- people under their locks


async def test_two_batches_that_book_for_one_person_on_two_resources_do_not_both_find_room(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    transaction = database.transaction()
    await transaction.start()
    ours = deciding.queue([ask(room, hour(0), caller=guest, limits=ONE)])
    async with database.transaction():
        await decide(database, ours)
    theirs = deciding.queue([ask(other, hour(0), caller=guest, limits=ONE)])
    waiting = await held_up(decide(rival, theirs), rival, observer)
    before_commit = await observer.fetchval("SELECT clock_timestamp()")
    await transaction.commit()
    await waiting
    rows = {
        row["resource"]: row for row in await database.fetch("SELECT resource, reason, counted, decided_at FROM ledger")
    }
    assert (rows[room]["reason"], rows[other]["reason"]) == (None, "max_active_bookings")
    assert (rows[room]["counted"], rows[other]["counted"]) == (0, 1)
    assert rows[other]["decided_at"] > before_commit, "it was decided after what it counted"
    await deciding.clean()


async def test_the_second_of_two_batches_finds_room_when_the_first_gives_up(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    transaction = database.transaction()
    await transaction.start()
    await decide(database, deciding.queue([ask(room, hour(0), caller=guest, limits=ONE)]))
    waiting = await held_up(
        decide(rival, deciding.queue([ask(other, hour(0), caller=guest, limits=ONE)])), rival, observer
    )
    await transaction.rollback()
    await waiting
    assert await database.fetchval("SELECT outcome FROM ledger") == "confirmed"


async def test_people_are_locked_in_the_order_of_their_ids(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    """Who waits for the lower id holds nothing of the higher one: so two batches cannot deadlock."""
    people = await add_people(database, 3)
    room = await add_resource(database, capacity=9)
    lock = "SELECT FROM person WHERE id = $1::uuid FOR NO KEY UPDATE"
    async with database.transaction():
        await database.execute(lock, people[0])
        requests = [ask(room, hour(start), caller=caller) for start, caller in enumerate(reversed(people))]
        both = await held_up(decide(rival, Deciding(rival).queue(requests)), rival, observer)
        for person in people[1:]:
            await observer.execute(lock + " NOWAIT", person)
    await both


async def test_many_people_in_two_batches_at_once_have_what_the_limit_says_and_no_batch_gives_up(
    database: Connection, rival: Connection
) -> None:
    people = await add_people(database, 60)
    rooms = [await add_resource(database, capacity=500) for _ in range(2)]
    two = Limits(active=2)

    async def book_for_all(connection: Connection, room: int, order: list[str]) -> None:
        deciding = Deciding(connection)
        for start in range(3):
            await deciding.batch(*(ask(room, hour(start), caller=person, limits=two) for person in order))

    await asyncio.gather(
        book_for_all(database, rooms[0], people), book_for_all(rival, rooms[1], list(reversed(people)))
    )
    rows = await database.fetch("SELECT caller, count(*) FROM booking GROUP BY caller")
    assert [row["count"] for row in rows] == [2] * 60
    await Deciding(database).clean()


async def test_what_was_given_back_before_the_count_was_given_back_before_the_decision(
    database: Connection, rival: Connection
) -> None:
    """A booking that ends while a batch is about to count is none of those that stood when it decides."""
    deciding = Deciding(database)
    guest = await add_person(database)
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    first = await deciding.made(room, hour(0), caller=guest, limits=ONE)

    async def give_back() -> None:
        await decide(rival, deciding.queue([ask(room, Cancel(first), caller=guest)]))

    queue = deciding.queue([ask(other, hour(0), caller=guest, limits=ONE)])
    await decide(Before(database, "active_bookings", give_back), queue)  # type: ignore[arg-type]  # it passes all on
    assert await database.fetchval("SELECT outcome FROM ledger WHERE resource = $1", other) == "confirmed"
    await deciding.clean()


@pytest.mark.parametrize(
    "command",
    ["book", "series", "seat", "seat for them", "slots", "move", "move of a series", "occurrence"],
)
async def test_what_would_claim_something_for_a_person_who_was_erased_meanwhile_is_withdrawn(
    database: Connection, command: str
) -> None:
    deciding = Deciding(database)
    person, other = await add_people(database, 2)
    room = await add_home(database, kind="calendar", owner=person)
    first = monday()
    booking = await deciding.made(room, hour(0), caller=person)
    series = await deciding.made(room, book_series("FREQ=WEEKLY;COUNT=3", first), caller=person)
    await deciding.made(room, CancelOccurrence(series, first), caller=person)
    slot = await deciding.slot(room, other, 8)
    commands: dict[str, Command] = {
        "book": hour(1),
        "series": book_series("FREQ=WEEKLY;COUNT=3", first + HOUR),
        "seat": BookSeat(slot),
        "seat for them": BookSeat(slot, person=person),
        "slots": publish(2),
        "move": Reschedule(booking, at(3), at(4)),
        "move of a series": move(series, first + 7 * 24 * HOUR, first + 8 * 24 * HOUR),
        "occurrence": RestoreOccurrence(series, first),
    }
    before = await database.fetch("SELECT id, status FROM booking ORDER BY id")
    queue = deciding.queue(
        [ask(room, commands[command], caller=other if command == "seat for them" else person, limits=FIVE)]
    )
    await erase_person(database, person)
    decided = await decide(database, queue)
    ((_, outcome),) = decided.answers[room]
    assert outcome.status is Status.WITHDRAWN
    assert await database.fetch("SELECT id, status FROM booking ORDER BY id") == before
    given_back = await deciding.one(room, Cancel(booking), caller=person, limits=FIVE)
    assert given_back.status is Status.CONFIRMED, "what frees something goes on"
    await deciding.clean()


async def test_who_is_erased_while_a_batch_waits_for_their_row_is_gone_for_it(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    deciding = Deciding(database)
    guest = await add_person(database)
    room = await add_resource(database, capacity=1)
    async with database.transaction():
        await erase_person(database, guest)
        queue = deciding.queue([ask(room, hour(0), caller=guest, limits=FIVE)])
        waiting = await held_up(decide(rival, queue), rival, observer)
    await waiting
    assert await database.fetchval("SELECT outcome FROM ledger") == "withdrawn"
