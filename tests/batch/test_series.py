"""Series are booked whole or not at all, against bookings, finite series and series without end, at any distance."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest

from engine.commands import (
    HORIZON,
    MAX_OCCURRENCE_CLASHES,
    MAX_SKIPPED,
    Book,
    BookingStatus,
    BookingView,
    CancelSeries,
    Clash,
    OccurrenceClash,
    Reason,
    Reschedule,
    Scope,
    Status,
    UpdateResource,
)
from tests.clients import NINE
from tests.schema.rows import Connection, add_resource
from tests.series import DAY, HOUR, WEEK, Deciding, book_series, monday, move, occurrences, standing

YEARS_AHEAD = 3 * 52 * WEEK


@pytest.fixture
async def course(database: Connection) -> Deciding:
    """A resource with three places."""
    return Deciding(database, await add_resource(database, capacity=3))


# ---------------------------------------------------------------------------- one series


async def test_a_finite_series_is_stored_whole(room: Deciding) -> None:
    outcome = await room.yes(book_series("FREQ=WEEKLY;COUNT=10", NINE))
    assert outcome.booking is not None
    series = outcome.booking.booking
    assert outcome.booking == BookingView(series, NINE, NINE + HOUR, 1, BookingStatus.CONFIRMED)
    assert outcome.detail is not None
    assert (outcome.detail.occurrences, outcome.detail.clashing, outcome.detail.skipped) == (10, 0, ())
    rows = await occurrences(room.connection, series)
    assert [(row["occurrence"], row["start_time"], row["end_time"]) for row in rows] == [
        (NINE + week * WEEK, NINE + week * WEEK, NINE + week * WEEK + HOUR) for week in range(10)
    ]
    assert {(row["ticket"], row["caller"], row["places"], row["live"]) for row in rows} == {(1, "anonymous", 1, True)}
    stored = await room.series(series)
    assert (stored["rule"], stored["materialised_until"], stored["ticket"]) == ("FREQ=WEEKLY;COUNT=10", None, 1)
    assert await room.horizon() is None
    await room.clean()


async def test_the_ledger_tells_the_first_occurrence_and_the_whole_series(room: Deciding) -> None:
    command = book_series("FREQ=WEEKLY;COUNT=10", NINE, excluded=[NINE], places=1)
    series = await room.made(command)
    row = await room.connection.fetchrow("SELECT * FROM ledger")
    assert row is not None
    assert (row["kind"], row["outcome"], row["booking"], row["subject"]) == ("book_series", "confirmed", series, None)
    assert (row["start_time"], row["end_time"], row["places"]) == (NINE + WEEK, NINE + WEEK + HOUR, 1)
    await room.clean()


async def test_a_series_without_end_is_stored_up_to_the_horizon(room: Deciding) -> None:
    start = monday()
    command = book_series("FREQ=DAILY", start)
    series = await room.made(command)
    assert command.materialised_until is not None
    rows = await occurrences(room.connection, series)
    assert rows[-1]["occurrence"] < command.materialised_until <= rows[-1]["occurrence"] + DAY
    assert len(rows) == len(command.gaps_ms) + 1
    assert (await room.series(series))["materialised_until"] == command.materialised_until == await room.horizon()
    await room.clean()


async def test_extra_starts_alone_make_a_series(room: Deciding) -> None:
    series = await room.made(book_series(None, NINE, extra=[NINE + 3 * DAY, NINE + DAY]))
    assert [start for start, _ in await standing(room.connection, series)] == [NINE, NINE + DAY, NINE + 3 * DAY]
    assert (await room.series(series))["rule"] is None
    await room.clean()


async def test_a_series_that_has_begun_is_refused(room: Deciding) -> None:
    outcome = await room.no(book_series("FREQ=WEEKLY;COUNT=3", monday(weeks=-1)), Reason.SLOT_IN_PAST)
    assert outcome.detail is not None
    assert outcome.detail.recurrence is not None


async def test_a_series_for_more_places_than_there_are_is_refused(course: Deciding) -> None:
    await course.no(book_series("FREQ=WEEKLY", monday(), places=4), Reason.PLACES_EXCEED_CAPACITY)


async def test_a_resource_has_so_many_series_without_end_and_no_more(
    room: Deciding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.rules.series.MAX_UNFINISHED", 3)
    start = monday()
    made = [await room.made(book_series("FREQ=YEARLY", start + hour * HOUR)) for hour in range(3)]
    refused = await room.no(book_series("FREQ=YEARLY", start - HOUR), Reason.TOO_MANY_SERIES)
    assert refused.detail is not None
    assert refused.detail.recurrence is not None
    await room.no(book_series("FREQ=YEARLY", start), Reason.TOO_MANY_SERIES)  # it would clash, too
    await room.no(book_series("FREQ=YEARLY", start, places=2), Reason.PLACES_EXCEED_CAPACITY)
    await room.yes(book_series("FREQ=YEARLY;COUNT=40", start - 2 * HOUR))
    await room.yes(move(made[0], start, start - HOUR, scope=Scope.ALL))  # it takes the place of itself
    third = start.replace(year=start.year + 3) + HOUR
    parted = move(made[1], third, third - HOUR, scope=Scope.THIS_AND_FOLLOWING)
    await room.no(parted, Reason.TOO_MANY_SERIES)  # what is left has an end then, far behind what is stored
    await room.yes(CancelSeries(made[2]))
    await room.yes(parted)
    await room.clean()


async def test_a_withdrawn_series_books_nothing(room: Deciding) -> None:
    outcome = await room.decide(book_series("FREQ=WEEKLY", monday()), withdrawn=True)
    assert (outcome.status, outcome.detail) == (Status.WITHDRAWN, None)
    assert await room.connection.fetchval("SELECT count(*) FROM booking") == 0
    await room.clean()


async def test_the_same_key_gives_the_same_series(room: Deciding) -> None:
    command = book_series("FREQ=WEEKLY;COUNT=3", NINE)
    first = await room.decide(command, key="key")
    again = await room.decide(command, key="key")
    assert again == msgspec.structs.replace(first, repeated=True)
    assert await room.connection.fetchval("SELECT count(*) FROM series") == 1
    await room.clean()


# ---------------------------------------------------------------------------- a series against what is stored


async def test_a_clash_in_the_37th_of_52_books_nothing(room: Deciding) -> None:
    start = NINE + 36 * WEEK
    single = await room.made(Book(start + HOUR / 2, start + 2 * HOUR))
    outcome = await room.no(book_series("FREQ=WEEKLY;COUNT=52", NINE), Reason.CONFLICT)
    assert outcome.detail is not None
    assert outcome.detail.clashing == 1
    assert outcome.detail.clashes == (OccurrenceClash(start, single, start + HOUR / 2, start + 2 * HOUR),)
    assert await room.connection.fetchval("SELECT count(*) FROM booking") == 1
    assert await room.connection.fetchval("SELECT count(*) FROM series") == 0
    await room.clean()


async def test_of_many_clashes_the_first_are_named_and_all_counted(room: Deciding) -> None:
    await room.made(book_series("FREQ=DAILY;COUNT=60", NINE))
    outcome = await room.no(book_series("FREQ=DAILY;COUNT=70", NINE + HOUR / 2), Reason.CONFLICT)
    assert outcome.detail is not None
    assert (outcome.detail.clashing, len(outcome.detail.clashes)) == (60, MAX_OCCURRENCE_CLASHES)
    assert outcome.detail.clashes[-1].start_time == NINE + (MAX_OCCURRENCE_CLASHES - 1) * DAY


async def test_back_to_back_series_do_not_clash(room: Deciding) -> None:
    await room.made(book_series("FREQ=DAILY", monday(9)))
    await room.made(book_series("FREQ=DAILY", monday(10)))
    await room.made(book_series("FREQ=WEEKLY;COUNT=20", monday(8)))
    await room.clean()


async def test_what_is_taken_is_skipped_if_that_is_wished(room: Deciding) -> None:
    taken = NINE + 2 * WEEK
    single = await room.made(Book(taken, taken + HOUR))
    outcome = await room.yes(book_series("FREQ=WEEKLY;COUNT=4", NINE, skip=True))
    assert outcome.detail is not None
    assert outcome.booking is not None
    assert (outcome.detail.occurrences, outcome.detail.clashing, outcome.detail.skipped) == (3, 1, (taken,))
    assert [clash.booking for clash in outcome.detail.clashes] == [single]
    assert outcome.detail.recurrence is not None
    assert outcome.detail.recurrence.excluded == (taken,)
    starts = [start for start, _ in await standing(room.connection, outcome.booking.booking)]
    assert starts == [NINE, NINE + WEEK, NINE + 3 * WEEK]
    await room.clean()


async def test_where_everything_is_taken_nothing_is_left_to_skip_to(room: Deciding) -> None:
    await room.made(book_series("FREQ=DAILY;COUNT=4", NINE))
    outcome = await room.no(book_series("FREQ=DAILY;COUNT=4", NINE, skip=True), Reason.CONFLICT)
    assert outcome.detail is not None
    assert (outcome.detail.clashing, outcome.detail.skipped) == (4, ())


async def test_the_first_free_occurrence_is_the_one_that_is_told(room: Deciding) -> None:
    await room.made(Book(NINE, NINE + HOUR))
    outcome = await room.yes(book_series("FREQ=WEEKLY;COUNT=4", NINE, skip=True))
    assert outcome.booking is not None
    assert outcome.booking.start_time == NINE + WEEK
    await room.clean()


# ---------------------------------------------------------------------------- at any distance


async def test_years_ahead_a_single_booking_meets_a_series_without_end(room: Deciding) -> None:
    start = monday()
    series = await room.made(book_series("FREQ=WEEKLY", start))
    far = start + YEARS_AHEAD
    outcome = await room.no(Book(far + HOUR / 2, far + HOUR), Reason.CONFLICT)
    assert outcome.clashes == (Clash(series, far, far + HOUR),)
    await room.yes(Book(far + HOUR, far + 2 * HOUR))
    await room.clean()


async def test_a_booking_that_is_moved_years_ahead_meets_a_series_without_end(room: Deciding) -> None:
    start = monday()
    series = await room.made(book_series("FREQ=WEEKLY", start))
    single = await room.made(Book(start + HOUR, start + 2 * HOUR))
    far = start + YEARS_AHEAD
    outcome = await room.no(Reschedule(single, far - HOUR, far + HOUR / 2), Reason.CONFLICT)
    assert outcome.clashes == (Clash(series, far, far + HOUR),)
    await room.yes(Reschedule(single, far - HOUR, far))
    await room.clean()


async def test_years_ahead_a_series_without_end_meets_a_single_booking(room: Deciding) -> None:
    start = monday()
    far = start + YEARS_AHEAD
    single = await room.made(Book(far + HOUR / 2, far + 2 * HOUR))
    outcome = await room.no(book_series("FREQ=WEEKLY", start), Reason.CONFLICT)
    assert outcome.detail is not None
    assert outcome.detail.clashing == 1
    assert outcome.detail.clashes == (OccurrenceClash(far, single, far + HOUR / 2, far + 2 * HOUR),)
    skipping = await room.yes(book_series("FREQ=WEEKLY", start, skip=True))
    assert skipping.detail is not None
    assert skipping.detail.skipped == (far,)
    await room.clean()


async def test_a_finite_series_beyond_the_horizon_meets_one_without_end(room: Deciding) -> None:
    start = monday()
    series = await room.made(book_series("FREQ=WEEKLY", start))
    far = start + YEARS_AHEAD
    outcome = await room.no(book_series("FREQ=DAILY;COUNT=8", far + DAY), Reason.CONFLICT)
    assert outcome.detail is not None
    assert outcome.detail.clashes == (OccurrenceClash(far + WEEK, series, far + WEEK, far + WEEK + HOUR),)
    await room.yes(book_series("FREQ=DAILY;COUNT=6", far + DAY))
    await room.clean()


@pytest.mark.parametrize("weekly_first", [True, False])
async def test_every_monday_and_every_4th_of_march_meet_some_year(room: Deciding, weekly_first: bool) -> None:
    """They meet where 4 March is a Monday, first in 2030, 2041 or 2047: behind what is stored of either."""
    nine = monday(9)
    march = datetime(nine.year + 1, 3, 4, 9, 30, tzinfo=UTC)
    if march.weekday() == 0:
        march = march.replace(year=march.year + 1)
    weekly, yearly = book_series("FREQ=WEEKLY;BYDAY=MO", nine), book_series("FREQ=YEARLY", march)
    first, second = (weekly, yearly) if weekly_first else (yearly, weekly)
    series = await room.made(first)
    outcome = await room.no(second, Reason.CONFLICT)
    meeting = next(day for year in range(50) if (day := march.replace(year=march.year + year)).weekday() == 0)
    assert meeting > datetime.now(UTC) + HORIZON
    hours = (meeting, meeting - HOUR / 2)
    stands, wanted = hours[::-1] if weekly_first else hours
    assert outcome.detail is not None
    assert outcome.detail.clashes[0] == OccurrenceClash(wanted, series, stands, stands + HOUR)
    assert 5 <= outcome.detail.clashing <= 9
    await room.clean()


async def test_series_of_two_zones_meet_only_where_one_has_changed_its_clock(room: Deciding) -> None:
    """14:00 in Berlin and 9:00 in New York are an hour apart, but for some weeks in spring and autumn."""
    day = monday().date()
    berlin = datetime(day.year, day.month, day.day, 14, tzinfo=ZoneInfo("Europe/Berlin"))
    york = datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo("America/New_York"))
    await room.made(book_series("FREQ=WEEKLY", berlin, zone="Europe/Berlin"))
    outcome = await room.no(book_series("FREQ=WEEKLY", york, zone="America/New_York"), Reason.CONFLICT)
    assert outcome.detail is not None
    assert {clash.start_time.month for clash in outcome.detail.clashes} - {11} == {3, 10}
    skipping = await room.yes(book_series("FREQ=WEEKLY", york, zone="America/New_York", skip=True))
    assert skipping.detail is not None
    assert skipping.detail.clashing == outcome.detail.clashing == len(skipping.detail.skipped)
    await room.clean()


async def test_more_than_can_be_skipped_is_a_conflict(room: Deciding) -> None:
    await room.made(book_series("FREQ=WEEKLY", monday()))
    outcome = await room.no(book_series("FREQ=DAILY", monday(), skip=True), Reason.CONFLICT)
    assert outcome.detail is not None
    assert (outcome.detail.clashing > MAX_SKIPPED, outcome.detail.skipped) == (True, ())


async def test_what_is_left_out_of_a_series_without_end_is_free_for_another(room: Deciding) -> None:
    start = monday()
    left_out = start + YEARS_AHEAD
    await room.made(book_series("FREQ=WEEKLY", start, excluded=[left_out]))
    await room.yes(book_series("FREQ=YEARLY;COUNT=1", left_out))
    await room.clean()


# ---------------------------------------------------------------------------- several places


async def test_series_share_the_places_at_any_distance(course: Deciding) -> None:
    start, far = monday(), monday() + YEARS_AHEAD
    pairs = await course.made(book_series("FREQ=WEEKLY", start, places=2))
    await course.yes(book_series("FREQ=DAILY", start))
    refused = await course.no(book_series("FREQ=WEEKLY", start), Reason.CONFLICT)
    assert refused.detail is not None
    stored = (await occurrences(course.connection, pairs))[0]["id"]
    assert refused.detail.clashes[0] == OccurrenceClash(start, stored, start, start + HOUR)
    await course.no(Book(far, far + HOUR), Reason.CONFLICT)
    await course.yes(Book(far + DAY, far + DAY + HOUR, 2))
    await course.no(Book(far + DAY, far + DAY + HOUR), Reason.CONFLICT)
    await course.clean()


async def test_a_series_without_end_finds_the_places_that_a_far_booking_has_left(course: Deciding) -> None:
    start, far = monday(), monday() + YEARS_AHEAD
    await course.yes(Book(far, far + HOUR, 2))
    outcome = await course.no(book_series("FREQ=WEEKLY", start, places=2), Reason.CONFLICT)
    assert outcome.detail is not None
    assert outcome.detail.clashing == 1
    await course.yes(book_series("FREQ=WEEKLY", start))
    await course.clean()


async def test_a_capacity_does_not_fall_below_what_series_take_some_day(course: Deciding) -> None:
    """The weekly series and that of each month's 13th first meet on a Friday the 13th, a year or more away."""
    start = monday()
    far = start + YEARS_AHEAD
    await course.yes(book_series("FREQ=WEEKLY", start))
    await course.yes(Book(far, far + HOUR, 2))
    await course.no(UpdateResource(capacity=2), Reason.CAPACITY_BELOW_TAKEN)
    await course.yes(UpdateResource(capacity=5))
    await course.yes(UpdateResource(capacity=3))
    await course.clean()


async def test_a_capacity_does_not_fall_below_what_stands_at_the_same_time_years_ahead(course: Deciding) -> None:
    """Both are stored on different days: only their rules say that they meet."""
    start = monday()
    await course.yes(book_series("FREQ=WEEKLY", start, places=2))
    yearly = datetime(start.year + 1, 3, 4, 9, tzinfo=UTC)
    if yearly.weekday() == 0:
        yearly = yearly.replace(year=yearly.year + 1)
    await course.yes(book_series("FREQ=YEARLY", yearly))
    await course.no(UpdateResource(capacity=2), Reason.CAPACITY_BELOW_TAKEN)
    await course.clean()


# ---------------------------------------------------------------------------- the clock on the wall


@pytest.mark.parametrize("clock", [time(9), time(2, 30)])
async def test_a_series_keeps_its_time_on_the_wall(room: Deciding, clock: time) -> None:
    """02:30 does not exist on the last Sunday of March: the occurrence begins at 03:00. In October it exists twice."""
    zone, length = ZoneInfo("Europe/Berlin"), timedelta(minutes=20)
    start = datetime.combine(date(2036, 3, 24), clock, tzinfo=zone)
    series = await room.made(book_series("FREQ=DAILY;COUNT=300", start, length, zone="Europe/Berlin"))
    stands = await standing(room.connection, series)
    assert {end - begin for begin, end in stands} == {length}
    shown = [begin.astimezone(zone) for begin, _ in stands]
    assert [at.date() for at in shown] == [start.date() + DAY * day for day in range(300)]
    unusual = {at.date(): at.time() for at in shown if at.time() != clock}
    assert unusual == ({date(2036, 3, 30): time(3)} if clock == time(2, 30) else {})
    assert {at.utcoffset() for at in shown} == {HOUR, 2 * HOUR}
    assert {at.fold for at in shown} == {0}
    await room.clean()


async def test_a_series_of_bookings_of_a_whole_day_has_their_exact_length(room: Deciding) -> None:
    """Across the change of the clock the next day begins 23 hours later: a series of 24 hours would overlap itself."""
    start = datetime(2036, 3, 24, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    series = await room.made(book_series("FREQ=DAILY;COUNT=10", start, timedelta(hours=23), zone="Europe/Berlin"))
    stands = await standing(room.connection, series)
    gaps = {later[0] - earlier[1] for earlier, later in pairwise(stands)}
    assert gaps == {timedelta(0), HOUR}
    await room.clean()
