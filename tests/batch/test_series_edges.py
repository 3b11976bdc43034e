"""Where series come near a bound: of the calendar, of what is compared, of what belongs to which series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine.batch import WEIGHT_LIMIT
from engine.commands import (
    WHOLE_SERIES,
    Book,
    CancelOccurrence,
    CancelSeries,
    MoveOccurrence,
    Reason,
    RestoreOccurrence,
    Scope,
    UpdateResource,
    weight_of,
)
from engine.extension import extend_due
from engine.identifiers import uuid7
from engine.rules.series import GUARANTEED_YEARS, compared_until
from engine.store.pools import open_pool
from tests.clients import NINE
from tests.schema.rows import Connection, add_resource
from tests.series import DAY, HOUR, WEEK, Deciding, book_series, monday, move, occurrences, standing

FOLLOWING = Scope.THIS_AND_FOLLOWING


async def weekly(room: Deciding, count: int = 5) -> UUID:
    """Book some Mondays from NINE on."""
    return await room.made(book_series(f"FREQ=WEEKLY;COUNT={count}", NINE))


async def test_a_series_that_would_overlap_itself_behind_what_is_stored_is_refused(room: Deciding) -> None:
    start = monday()
    series = await room.made(book_series("FREQ=DAILY", start))
    pivot = start + 200 * WEEK
    await room.no(move(series, pivot, pivot, 30 * HOUR, scope=FOLLOWING), Reason.SERIES_OVERLAPS_ITSELF)
    await room.clean()


def test_the_window_in_which_rules_are_compared_has_a_bound() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    far = datetime(9900, 3, 3, tzinfo=UTC)
    assert compared_until(now, [far]).year - now.year <= 2 * GUARANTEED_YEARS + 13
    assert compared_until(now).year - now.year >= GUARANTEED_YEARS


async def test_a_series_without_end_is_not_moved_centuries_ahead(room: Deciding) -> None:
    start = monday()
    series = await room.made(book_series("FREQ=WEEKLY", start))
    far = start + 60 * 52 * WEEK
    await room.no(move(series, start, far, scope=Scope.ALL), Reason.RULE_CANNOT_MOVE)


async def test_at_the_end_of_the_calendar_a_series_claims_nothing_that_cannot_be_written(room: Deciding) -> None:
    await room.yes(book_series("FREQ=WEEKLY", monday(), 6 * DAY))
    last = datetime(9999, 12, 26, 23, tzinfo=UTC)
    outcome = await room.decide(Book(last, last + 30 * HOUR))
    assert outcome.reason in (None, Reason.CONFLICT)
    await room.clean()


async def test_a_capacity_is_kept_up_by_a_booking_behind_all_that_is_compared(database: Connection) -> None:
    course = Deciding(database, await add_resource(database, capacity=2))
    await course.yes(book_series("FREQ=DAILY", monday()))
    far = datetime(2150, 1, 1, 9, tzinfo=UTC)
    await course.yes(Book(far, far + HOUR))
    await course.no(UpdateResource(capacity=1), Reason.CAPACITY_BELOW_TAKEN)


async def test_what_was_cancelled_goes_along_and_is_restored_in_the_new_series_only(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelOccurrence(series, NINE + 2 * WEEK))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + 3 * HOUR, scope=FOLLOWING))
    await room.no(RestoreOccurrence(series, NINE + 2 * WEEK), Reason.NOT_AN_OCCURRENCE)
    await room.yes(RestoreOccurrence(made, NINE + 2 * WEEK + 3 * HOUR))
    await room.clean()


async def test_what_was_restored_before_it_went_along_is_not_of_the_old_series_any_more(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelOccurrence(series, NINE + 2 * WEEK))
    await room.yes(RestoreOccurrence(series, NINE + 2 * WEEK))
    await room.yes(move(series, NINE + WEEK, NINE + WEEK + 3 * HOUR, scope=FOLLOWING))
    await room.no(RestoreOccurrence(series, NINE + 2 * WEEK), Reason.NOT_AN_OCCURRENCE)
    await room.no(CancelOccurrence(series, NINE + 2 * WEEK), Reason.NOT_AN_OCCURRENCE)
    await room.clean()


async def test_the_id_of_a_row_that_ended_does_not_act_on_its_successor(room: Deciding) -> None:
    series, later = await weekly(room), NINE + 5 * HOUR
    old = (await occurrences(room.connection, series))[0]["id"]
    new = await room.made(move(series, NINE, later))
    await room.no(CancelOccurrence(series, NINE, booking=old), Reason.ALREADY_RESCHEDULED)
    again = MoveOccurrence(series, NINE, later + HOUR, later + 2 * HOUR, booking=old)
    await room.no(again, Reason.ALREADY_RESCHEDULED)
    assert (later, later + HOUR) in await standing(room.connection, series)
    await room.yes(CancelOccurrence(series, NINE, booking=new))
    await room.yes(RestoreOccurrence(series, NINE))
    await room.yes(CancelOccurrence(series, NINE, booking=new))  # it was cancelled before: nothing happens twice
    assert (later, later + HOUR) in await standing(room.connection, series)
    await room.clean()


async def test_all_of_a_series_moves_with_the_exception_that_was_named(room: Deciding) -> None:
    start = monday()
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=4", start, excluded=[start]))
    await room.yes(RestoreOccurrence(series, start))
    made = await room.made(move(series, start, start + HOUR, scope=Scope.ALL))
    assert [begin for begin, _ in await standing(room.connection, made)] == [
        start + week * WEEK + HOUR for week in range(4)
    ]
    assert await standing(room.connection, series) == []
    await room.clean()


async def test_a_series_keeps_its_owner_when_somebody_moves_it(room: Deciding) -> None:
    series = await weekly(room)
    await room.connection.execute("UPDATE series SET caller = 'alice' WHERE id = $1", series)
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + HOUR, scope=FOLLOWING))
    assert await room.connection.fetchval("SELECT caller FROM series WHERE id = $1", made) == "alice"


async def test_an_occurrence_that_was_made_longer_keeps_its_length(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(move(series, NINE + 2 * WEEK, NINE + 2 * WEEK, 3 * HOUR))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + 4 * HOUR, scope=FOLLOWING))
    long = (NINE + 2 * WEEK, NINE + 2 * WEEK + 3 * HOUR)
    assert await standing(room.connection, series) == [(NINE, NINE + HOUR)]
    stands = await standing(room.connection, made)
    assert long in stands
    assert NINE + 2 * WEEK + 4 * HOUR not in [begin for begin, _ in stands]
    await room.clean()


async def test_trouble_with_one_resource_does_not_keep_others_from_being_extended(
    database: Connection, database_url: str
) -> None:
    stored = "SELECT max(lower(during)) FROM booking WHERE resource = $1"
    rooms = [Deciding(database, await add_resource(database, capacity=1)) for _ in range(2)]
    for room in rooms:
        await room.yes(book_series("FREQ=WEEKLY", monday(), ahead=timedelta(days=30)))
    before = [await database.fetchval(stored, room.resource) for room in rooms]
    pool = await open_pool(database_url, size=2, name="test extension", settings={"lock_timeout": "100"})
    try:
        async with database.transaction():
            await database.execute("SELECT FROM resource WHERE id = $1 FOR UPDATE", rooms[0].resource)
            assert await extend_due(pool) > 0
    finally:
        await pool.close()
    after = [await database.fetchval(stored, room.resource) for room in rooms]
    assert after[0] == before[0]
    assert after[1] > before[1]


def test_a_change_of_a_whole_series_has_its_weight() -> None:
    name = NINE
    assert weight_of(CancelSeries(uuid7())) == WHOLE_SERIES
    assert weight_of(move(uuid7(), name, name, scope=Scope.ALL)) == WHOLE_SERIES
    assert weight_of(move(uuid7(), name, name)) == 1
    assert weight_of(book_series("FREQ=WEEKLY;COUNT=52", NINE)) == 52
    assert WHOLE_SERIES <= WEIGHT_LIMIT
