"""Series that stand are changed: one occurrence, those from it on, or all that have not begun."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from engine.commands import (
    Book,
    BookingStatus,
    CancelOccurrence,
    CancelSeries,
    Clash,
    Reason,
    RestoreOccurrence,
    Scope,
)
from engine.rules.recurrence import starts_between
from engine.store.series import recurrence_of
from tests.clients import NINE
from tests.series import DAY, HOUR, WEEK, Deciding, book_series, monday, move, occurrences, standing

YEARS_AHEAD = 3 * 52 * WEEK
FOLLOWING = Scope.THIS_AND_FOLLOWING
SHIFT = """
WITH moved AS (
    UPDATE booking
    SET during = tstzrange(lower(during) - $2::interval, upper(during) - $2::interval), occurrence = occurrence - $2
    WHERE series = $1
)
UPDATE series SET wall_clock = wall_clock - $2::interval WHERE id = $1
"""


async def weekly(room: Deciding, count: int = 4) -> UUID:
    """Book some Mondays from NINE on."""
    return await room.made(book_series(f"FREQ=WEEKLY;COUNT={count}", NINE))


async def endless(room: Deciding, start: datetime) -> UUID:
    """Book every week from an instant on, without end."""
    return await room.made(book_series("FREQ=WEEKLY", start))


async def begun(room: Deciding, weeks: int = 2) -> tuple[UUID, datetime]:
    """A series of four weeks that began with a Monday some weeks ago. Returns it and its first start.

    What the ledger says of it is not true any more, so that the audit would find fault with it.
    """
    start = monday(0)
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=4", start))
    await room.connection.execute(SHIFT, series, (2 + weeks) * WEEK)
    return series, start - (2 + weeks) * WEEK


async def starts(room: Deciding, series: UUID) -> list[datetime]:
    """Where a series stands."""
    return [start for start, _ in await standing(room.connection, series)]


# ---------------------------------------------------------------------------- the whole series is cancelled


async def test_a_cancelled_series_gives_its_times_back_near_and_far(room: Deciding) -> None:
    start = monday()
    series = await endless(room, start)
    outcome = await room.yes(CancelSeries(series, "moved away"))
    assert outcome.booking is not None
    assert outcome.detail is not None
    assert (outcome.booking.booking, outcome.booking.status) == (series, BookingStatus.CANCELLED)
    assert outcome.detail.occurrences == len(await occurrences(room.connection, series))
    row = await room.series(series)
    assert (row["status"], row["cancellation_reason"], row["version"]) == ("cancelled", "moved away", 2)
    assert await room.horizon() is None
    await room.yes(Book(start, start + HOUR))
    await room.yes(Book(start + YEARS_AHEAD, start + YEARS_AHEAD + HOUR))
    await room.clean()


async def test_a_series_is_cancelled_once(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelSeries(series))
    ended = (await room.series(series))["ended_at"]
    again = await room.yes(CancelSeries(series, if_version=99))
    assert again.detail is not None
    assert again.detail.occurrences == 0
    assert (await room.series(series))["ended_at"] == ended
    await room.clean()


async def test_what_is_past_of_a_cancelled_series_stays(room: Deciding) -> None:
    series, first = await begun(room)
    outcome = await room.yes(CancelSeries(series))
    assert outcome.detail is not None
    assert outcome.detail.occurrences == 1
    assert await starts(room, series) == [first + week * WEEK for week in range(3)]


async def test_an_older_version_cancels_nothing(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelOccurrence(series, NINE, if_version=1))
    for command in (
        CancelSeries(series, if_version=1),
        CancelOccurrence(series, NINE + WEEK, if_version=1),
        RestoreOccurrence(series, NINE, if_version=1),
        move(series, NINE + WEEK, NINE + WEEK + HOUR, if_version=1),
        move(series, NINE + WEEK, NINE + WEEK + HOUR, scope=FOLLOWING, if_version=1),
    ):
        await room.no(command, Reason.STALE_VERSION)
    await room.yes(CancelSeries(series, if_version=2))
    await room.clean()


async def test_a_cancelled_series_is_not_changed_any_more(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelOccurrence(series, NINE))
    await room.yes(CancelSeries(series))
    await room.no(RestoreOccurrence(series, NINE), Reason.ALREADY_CANCELLED)
    await room.no(RestoreOccurrence(series, NINE + WEEK), Reason.ALREADY_CANCELLED)
    for scope in (FOLLOWING, Scope.ALL):
        await room.no(move(series, NINE + WEEK, NINE + WEEK + HOUR, scope=scope), Reason.ALREADY_CANCELLED)
    await room.no(move(series, NINE + WEEK, NINE + WEEK + HOUR), Reason.OCCURRENCE_CANCELLED)
    await room.clean()


# ---------------------------------------------------------------------------- one occurrence is cancelled and restored


async def test_a_cancelled_occurrence_is_free_for_others(room: Deciding) -> None:
    series = await weekly(room)
    outcome = await room.yes(CancelOccurrence(series, NINE + WEEK, "ill"))
    row = (await occurrences(room.connection, series))[1]
    assert outcome.booking is not None
    assert (outcome.booking.booking, outcome.booking.status) == (row["id"], BookingStatus.CANCELLED)
    assert (row["status"], row["cancellation_reason"], outcome.subject) == ("cancelled", "ill", series)
    again = await room.yes(CancelOccurrence(series, NINE + WEEK))
    assert again.booking == outcome.booking
    single = await room.made(Book(NINE + WEEK, NINE + WEEK + HOUR))
    refused = await room.no(RestoreOccurrence(series, NINE + WEEK), Reason.CONFLICT)
    assert refused.clashes == (Clash(single, NINE + WEEK, NINE + WEEK + HOUR),)
    await room.clean()


async def test_a_cancelled_occurrence_comes_back_as_another_row(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelOccurrence(series, NINE))
    outcome = await room.yes(RestoreOccurrence(series, NINE))
    rows = await occurrences(room.connection, series)
    assert outcome.booking is not None
    assert [(row["status"], row["ticket"]) for row in rows[:2]] == [("cancelled", 1), ("confirmed", 3)]
    assert outcome.booking.booking == rows[1]["id"]
    assert (await room.yes(RestoreOccurrence(series, NINE))).booking == outcome.booking
    await room.yes(CancelOccurrence(series, NINE))
    await room.yes(RestoreOccurrence(series, NINE))
    assert await starts(room, series) == [NINE + week * WEEK for week in range(4)]
    await room.clean()


async def test_an_exception_can_be_taken_back(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=4", NINE, excluded=[NINE + WEEK]))
    await room.no(CancelOccurrence(series, NINE + WEEK), Reason.NOT_AN_OCCURRENCE)
    await room.no(move(series, NINE + WEEK, NINE + WEEK + HOUR), Reason.NOT_AN_OCCURRENCE)
    await room.yes(RestoreOccurrence(series, NINE + WEEK))
    assert await starts(room, series) == [NINE + week * WEEK for week in range(4)]
    await room.yes(CancelOccurrence(series, NINE + WEEK))
    await room.clean()


async def test_what_the_rule_does_not_give_is_no_occurrence(room: Deciding) -> None:
    series = await weekly(room)
    for name in (NINE + HOUR, NINE - WEEK, NINE + 4 * WEEK):
        await room.no(CancelOccurrence(series, name), Reason.NOT_AN_OCCURRENCE)
        await room.no(RestoreOccurrence(series, name), Reason.NOT_AN_OCCURRENCE)
        for scope in Scope:
            await room.no(move(series, name, NINE + 2 * HOUR, scope=scope), Reason.NOT_AN_OCCURRENCE)
    await room.clean()


async def test_what_has_begun_stays_as_it_was(room: Deciding) -> None:
    series, first = await begun(room)
    await room.no(CancelOccurrence(series, first), Reason.OCCURRENCE_IN_PAST)
    await room.no(move(series, first, monday(12)), Reason.OCCURRENCE_IN_PAST)
    await room.no(move(series, first, first + HOUR, scope=FOLLOWING), Reason.OCCURRENCE_IN_PAST)
    await room.connection.execute(
        "UPDATE booking SET status = 'cancelled', ended_at = now() WHERE occurrence = $1", first
    )
    await room.no(RestoreOccurrence(series, first), Reason.OCCURRENCE_IN_PAST)


async def test_years_ahead_an_occurrence_is_cancelled_and_restored(room: Deciding) -> None:
    """Nothing of it is stored before: now it has a row of its own, and the rule claims it no more."""
    start = monday()
    far = start + YEARS_AHEAD
    series = await endless(room, start)
    harmless = await room.yes(RestoreOccurrence(series, far))
    assert harmless.booking is not None
    assert harmless.booking.booking == series
    stored = len(await occurrences(room.connection, series))
    await room.yes(CancelOccurrence(series, far))
    assert len(await occurrences(room.connection, series)) == stored + 1
    single = await room.made(Book(far, far + HOUR / 2))
    refused = await room.no(RestoreOccurrence(series, far), Reason.CONFLICT)
    assert [clash.booking for clash in refused.clashes] == [single]
    await room.yes(CancelOccurrence(series, far + WEEK))
    await room.yes(RestoreOccurrence(series, far + WEEK))
    refused = await room.no(Book(far + WEEK, far + WEEK + HOUR), Reason.CONFLICT)
    assert [clash.booking for clash in refused.clashes] == [(await occurrences(room.connection, series))[-1]["id"]]
    await room.clean()


# ---------------------------------------------------------------------------- one occurrence is moved


async def test_a_moved_occurrence_keeps_its_name(room: Deciding) -> None:
    series = await weekly(room)
    outcome = await room.yes(move(series, NINE + WEEK, NINE + 3 * HOUR, 2 * HOUR))
    _, old, new, *_ = await occurrences(room.connection, series)
    assert outcome.booking is not None
    assert outcome.booking.booking == new["id"]
    assert (old["status"], old["rescheduled_to"], new["rescheduled_from"]) == ("rescheduled", new["id"], old["id"])
    assert (old["occurrence"], new["occurrence"]) == (NINE + WEEK, NINE + WEEK)
    assert (new["start_time"], new["end_time"]) == (NINE + 3 * HOUR, NINE + 5 * HOUR)
    await room.yes(Book(NINE + WEEK, NINE + WEEK + HOUR))
    await room.yes(move(series, NINE + WEEK, NINE + 4 * HOUR))
    await room.no(move(series, NINE + WEEK, NINE + WEEK), Reason.CONFLICT)
    assert await starts(room, series) == [NINE, NINE + 4 * HOUR, NINE + 2 * WEEK, NINE + 3 * WEEK]
    await room.clean()


async def test_an_occurrence_is_moved_onto_a_part_of_itself_but_not_onto_its_neighbour(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=DAILY;COUNT=3", NINE, 20 * HOUR))
    await room.yes(move(series, NINE + DAY, NINE + DAY + HOUR, 20 * HOUR))
    refused = await room.no(move(series, NINE + DAY, NINE + DAY + 5 * HOUR, 20 * HOUR), Reason.CONFLICT)
    assert [clash.start_time for clash in refused.clashes] == [NINE + 2 * DAY]
    assert await starts(room, series) == [NINE, NINE + DAY + HOUR, NINE + 2 * DAY]
    await room.clean()


async def test_an_occurrence_is_not_moved_into_the_past(room: Deciding) -> None:
    series = await weekly(room)
    await room.no(move(series, NINE, monday(weeks=-1)), Reason.SLOT_IN_PAST)
    assert await starts(room, series) == [NINE + week * WEEK for week in range(4)]
    await room.clean()


async def test_a_cancelled_occurrence_is_restored_where_it_stood_last(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(move(series, NINE, NINE + 2 * HOUR))
    await room.yes(CancelOccurrence(series, NINE))
    await room.no(move(series, NINE, NINE + 3 * HOUR), Reason.OCCURRENCE_CANCELLED)
    await room.yes(RestoreOccurrence(series, NINE))
    assert (await starts(room, series))[0] == NINE + 2 * HOUR
    await room.clean()


async def test_years_ahead_an_occurrence_is_moved(room: Deciding) -> None:
    start = monday()
    far = start + YEARS_AHEAD
    series = await endless(room, start)
    await room.no(move(series, far, far + WEEK - HOUR / 2), Reason.CONFLICT)
    outcome = await room.yes(move(series, far, far + HOUR / 2))
    assert outcome.booking is not None
    refused = await room.no(Book(far + HOUR, far + 2 * HOUR), Reason.CONFLICT)
    assert refused.clashes == (Clash(outcome.booking.booking, far + HOUR / 2, far + 1.5 * HOUR),)
    await room.yes(Book(far, far + HOUR / 2))
    await room.yes(move(series, far, far + 3 * HOUR))
    await room.yes(Book(far + HOUR / 2, far + HOUR))
    await room.clean()


async def test_what_was_moved_years_ahead_stands_in_the_way_of_a_series_without_end(room: Deciding) -> None:
    start = monday()
    far = start + YEARS_AHEAD
    series = await endless(room, start)
    outcome = await room.yes(move(series, far, far + DAY))
    refused = await room.no(book_series("FREQ=WEEKLY", start + DAY), Reason.CONFLICT)
    assert outcome.booking is not None
    assert refused.detail is not None
    assert [clash.booking for clash in refused.detail.clashes] == [outcome.booking.booking]
    await room.clean()


# ---------------------------------------------------------------------------- the following ones are moved


async def test_the_following_occurrences_become_a_series_of_their_own(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=8", NINE))
    pivot = NINE + WEEK
    outcome = await room.yes(move(series, pivot, pivot + DAY + HOUR, 2 * HOUR, scope=FOLLOWING))
    assert outcome.booking is not None
    assert outcome.detail is not None
    made = outcome.booking.booking
    assert (outcome.booking.start_time, outcome.booking.end_time) == (pivot + DAY + HOUR, pivot + DAY + 3 * HOUR)
    assert outcome.detail.occurrences == 6
    assert await starts(room, series) == [NINE, NINE + 2 * DAY]
    tuesdays = [NINE + week * WEEK + DAY + HOUR for week in (1, 2, 3)]
    assert await starts(room, made) == sorted([*tuesdays, *(start + 2 * DAY for start in tuesdays)])
    old, new = await room.series(series), await room.series(made)
    assert (old["status"], old["rescheduled_to"], new["rescheduled_from"]) == ("confirmed", made, series)
    assert (old["rule"], new["rule"]) == (
        "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20360818T085959Z",
        "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6",
    )
    gone = [row for row in await occurrences(room.connection, series) if not row["live"]]
    heirs = {row["id"]: row["rescheduled_from"] for row in await occurrences(room.connection, made)}
    assert {row["rescheduled_to"]: row["id"] for row in gone} == heirs
    await room.no(CancelOccurrence(series, pivot), Reason.NOT_AN_OCCURRENCE)
    await room.yes(Book(pivot, pivot + HOUR))
    await room.clean()


async def test_the_following_occurrences_move_over_their_own_time(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=DAILY", monday(), 3 * HOUR))
    pivot = monday() + 3 * DAY
    made = await room.made(move(series, pivot, pivot + HOUR, 4 * HOUR, scope=FOLLOWING))
    until = (await room.series(made))["materialised_until"]
    assert (await room.series(series))["materialised_until"] is None
    assert await room.horizon() == until
    assert await starts(room, series) == [monday() + day * DAY for day in range(3)]
    far = pivot + YEARS_AHEAD
    refused = await room.no(Book(far + 4 * HOUR, far + 6 * HOUR), Reason.CONFLICT)
    assert refused.clashes == (Clash(made, far + HOUR, far + 5 * HOUR),)
    await room.yes(Book(far, far + HOUR))
    await room.clean()


async def test_what_was_cancelled_by_itself_is_left_out_of_the_new_series(room: Deciding) -> None:
    series = await weekly(room, 6)
    await room.yes(CancelOccurrence(series, NINE + 2 * WEEK))
    await room.yes(move(series, NINE + 3 * WEEK, NINE + 3 * WEEK + 5 * HOUR))
    await room.yes(CancelOccurrence(series, NINE + 3 * WEEK))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + 2 * HOUR, scope=FOLLOWING))
    assert await starts(room, made) == [NINE + week * WEEK + 2 * HOUR for week in (1, 4, 5)]
    for week in (1, 2, 3):
        await room.no(RestoreOccurrence(series, NINE + week * WEEK), Reason.NOT_AN_OCCURRENCE)
    for week in (2, 3):
        await room.yes(RestoreOccurrence(made, NINE + week * WEEK + 2 * HOUR))
    assert await starts(room, made) == [NINE + week * WEEK + 2 * HOUR for week in (1, 2, 3, 4, 5)]
    await room.clean()


@pytest.mark.parametrize("scope", [FOLLOWING, Scope.ALL])
async def test_what_was_moved_by_itself_stays_where_it_is_and_goes_along_by_its_name(
    room: Deciding, scope: Scope
) -> None:
    """Decision 19."""
    series = await weekly(room, 5)
    elsewhere = NINE + 3 * WEEK + 5 * HOUR
    await room.yes(move(series, NINE + 3 * WEEK, elsewhere, 2 * HOUR))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + 2 * HOUR, scope=scope))
    assert elsewhere not in await starts(room, series)
    assert elsewhere in await starts(room, made)
    await room.no(CancelOccurrence(series, NINE + 3 * WEEK), Reason.NOT_AN_OCCURRENCE)
    again = await room.made(move(made, NINE + 4 * WEEK + 2 * HOUR, NINE + 4 * WEEK + 3 * HOUR, scope=Scope.ALL))
    (kept,) = [row for row in await occurrences(room.connection, again) if row["start_time"] == elsewhere]
    assert (kept["occurrence"], kept["end_time"]) == (NINE + 3 * WEEK + 3 * HOUR, elsewhere + 2 * HOUR)
    await room.clean()
    await room.yes(CancelSeries(again))
    await room.yes(Book(elsewhere, elsewhere + HOUR))
    await room.clean()


async def test_what_was_moved_by_itself_stands_in_the_way_of_its_own_series(room: Deciding) -> None:
    series = await weekly(room, 4)
    await room.yes(move(series, NINE + 3 * WEEK, NINE + 2 * WEEK + 2 * HOUR))
    refused = await room.no(move(series, NINE, NINE + 2 * HOUR, scope=Scope.ALL), Reason.CONFLICT)
    assert refused.detail is not None
    assert [clash.wanted_start for clash in refused.detail.clashes] == [NINE + 2 * WEEK + 2 * HOUR]
    await room.clean()


async def test_years_ahead_what_was_moved_by_itself_goes_along(room: Deciding) -> None:
    start = monday()
    far = start + YEARS_AHEAD
    series = await endless(room, start)
    await room.yes(move(series, far, far + 5 * HOUR))
    made = await room.made(move(series, start, start + HOUR, scope=Scope.ALL))
    await room.yes(Book(far + HOUR, far + 2 * HOUR))
    assert far + 5 * HOUR in await starts(room, made)
    await room.clean()
    await room.yes(CancelSeries(made))
    assert await standing(room.connection, made) == []
    await room.yes(Book(far + 5 * HOUR, far + 6 * HOUR))
    await room.clean()


async def test_a_series_is_stored_on_where_only_what_was_moved_by_itself_comes_first(room: Deciding) -> None:
    """The first occurrence after those goes beyond what would be stored."""
    start = monday()
    rule = "FREQ=MONTHLY;INTERVAL=30"
    series = await room.made(book_series(rule, start))
    await room.yes(move(series, start, start + 5 * HOUR))
    following = starts_between(recurrence_of(await room.series(series)), start + DAY, start + 3 * 365 * DAY)[0]
    made = await room.made(move(series, following, following + HOUR, scope=Scope.ALL))
    assert await starts(room, made) == [start + 5 * HOUR, following + HOUR]
    await room.clean()


async def test_what_was_restored_goes_along(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=5", NINE, excluded=[NINE + 3 * WEEK]))
    await room.yes(CancelOccurrence(series, NINE + 2 * WEEK))
    await room.yes(RestoreOccurrence(series, NINE + 2 * WEEK))
    await room.yes(RestoreOccurrence(series, NINE + 3 * WEEK))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + 2 * HOUR, scope=FOLLOWING))
    assert await starts(room, made) == [NINE + week * WEEK + 2 * HOUR for week in (1, 2, 3, 4)]
    assert await starts(room, series) == [NINE]
    await room.clean()


async def test_an_exception_that_was_restored_leads_the_others(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=4", NINE, excluded=[NINE + WEEK]))
    await room.yes(RestoreOccurrence(series, NINE + WEEK))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + HOUR, scope=FOLLOWING))
    assert await starts(room, made) == [NINE + week * WEEK + HOUR for week in (1, 2, 3)]
    await room.clean()


async def test_an_occurrence_that_was_moved_by_itself_leads_the_others(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(move(series, NINE + WEEK, NINE + WEEK + 5 * HOUR))
    made = await room.made(move(series, NINE + WEEK, NINE + WEEK + HOUR, scope=FOLLOWING))
    assert await starts(room, series) == [NINE]
    assert await starts(room, made) == [NINE + week * WEEK + HOUR for week in (1, 2, 3)]
    await room.yes(Book(NINE + WEEK + 5 * HOUR, NINE + WEEK + 6 * HOUR))
    await room.clean()


async def test_what_was_restored_years_ahead_goes_along(room: Deciding) -> None:
    start = monday()
    far = start + YEARS_AHEAD
    series = await endless(room, start)
    await room.yes(CancelOccurrence(series, far))
    await room.yes(RestoreOccurrence(series, far))
    made = await room.made(move(series, start + WEEK, start + WEEK + HOUR, scope=FOLLOWING))
    assert await starts(room, series) == [start]
    assert (await starts(room, made))[-1] == far + HOUR
    await room.yes(Book(far, far + HOUR))
    refused = await room.no(Book(far + HOUR, far + 2 * HOUR), Reason.CONFLICT)
    assert [clash.start_time for clash in refused.clashes] == [far + HOUR]
    refused = await room.no(Book(far + WEEK + HOUR, far + WEEK + 2 * HOUR), Reason.CONFLICT)
    assert [clash.booking for clash in refused.clashes] == [made]
    await room.clean()
    await room.yes(CancelSeries(made))
    await room.yes(Book(far + HOUR, far + 2 * HOUR))
    await room.clean()


async def test_an_exception_that_was_restored_moves_with_all_of_them(room: Deciding) -> None:
    """Also where it comes before the first that the rule gives."""
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=4", NINE, excluded=[NINE + WEEK]))
    await room.yes(CancelOccurrence(series, NINE))
    await room.yes(RestoreOccurrence(series, NINE + WEEK))
    made = await room.made(move(series, NINE + 2 * WEEK, NINE + 2 * WEEK + HOUR, scope=Scope.ALL))
    assert await starts(room, made) == [NINE + week * WEEK + HOUR for week in (1, 2, 3)]
    assert await starts(room, series) == []
    await room.clean()


async def test_where_one_of_the_following_cannot_be_had_nothing_moves(room: Deciding) -> None:
    series = await weekly(room)
    single = await room.made(Book(NINE + 3 * WEEK + 2 * HOUR, NINE + 3 * WEEK + 3 * HOUR))
    refused = await room.no(move(series, NINE + WEEK, NINE + WEEK + 2 * HOUR, scope=FOLLOWING), Reason.CONFLICT)
    assert refused.detail is not None
    assert [clash.booking for clash in refused.detail.clashes] == [single]
    assert await starts(room, series) == [NINE + week * WEEK for week in range(4)]
    assert (await room.series(series))["version"] == 1
    await room.clean()


async def test_the_following_ones_of_a_series_without_end_meet_others_years_ahead(room: Deciding) -> None:
    start = monday()
    series = await endless(room, start)
    far = start + YEARS_AHEAD
    single = await room.made(Book(far + 2 * HOUR, far + 3 * HOUR))
    refused = await room.no(move(series, start + WEEK, start + WEEK + 2 * HOUR, scope=FOLLOWING), Reason.CONFLICT)
    assert refused.detail is not None
    assert [clash.booking for clash in refused.detail.clashes] == [single]
    await room.yes(move(series, start + WEEK, start + WEEK + HOUR, scope=FOLLOWING))
    await room.clean()


async def test_the_rest_of_a_series_may_begin_behind_what_is_stored(room: Deciding) -> None:
    """What is left has an end then, and is not stored up to it."""
    start = monday()
    series = await endless(room, start)
    far = start + YEARS_AHEAD
    made = await room.made(move(series, far, far + HOUR, scope=FOLLOWING))
    old = await room.series(series)
    assert (old["status"], old["materialised_until"] is not None) == ("confirmed", True)
    assert len(await occurrences(room.connection, made)) >= 1
    for taken in (far - WEEK, far + HOUR, far + WEEK + HOUR):
        await room.no(Book(taken, taken + HOUR), Reason.CONFLICT)
    await room.yes(Book(far, far + HOUR))
    await room.clean()


async def test_from_the_first_one_on_nothing_is_left_of_the_old_series(room: Deciding) -> None:
    series = await weekly(room)
    made = await room.made(move(series, NINE, NINE + HOUR, scope=FOLLOWING))
    old = await room.series(series)
    assert (old["status"], old["rescheduled_to"]) == ("rescheduled", made)
    await room.no(CancelSeries(series), Reason.ALREADY_RESCHEDULED)
    await room.no(move(series, NINE, NINE + HOUR, scope=FOLLOWING), Reason.ALREADY_RESCHEDULED)
    await room.no(RestoreOccurrence(series, NINE), Reason.ALREADY_RESCHEDULED)
    await room.yes(CancelSeries(made))
    await room.clean()


async def test_a_series_is_parted_again_and_again(room: Deciding) -> None:
    series = await weekly(room, 8)
    second = await room.made(move(series, NINE + 6 * WEEK, NINE + 6 * WEEK + HOUR, scope=FOLLOWING))
    third = await room.made(move(series, NINE + 3 * WEEK, NINE + 3 * WEEK + HOUR, scope=FOLLOWING))
    await room.yes(CancelSeries(series))
    assert [len(await starts(room, each)) for each in (series, second, third)] == [0, 2, 3]
    await room.clean()


async def test_no_rule_gives_the_day_after_each_second_monday(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=MONTHLY;BYDAY=2MO", monday()))
    second = (await starts(room, series))[1]
    await room.no(move(series, second, second + DAY, scope=FOLLOWING), Reason.RULE_CANNOT_MOVE)
    await room.yes(move(series, second, second + HOUR, scope=FOLLOWING))
    await room.clean()


async def test_occurrences_that_would_overlap_each_other_are_refused(room: Deciding) -> None:
    series = await room.made(book_series("FREQ=DAILY;COUNT=10", NINE))
    await room.no(move(series, NINE + DAY, NINE + DAY, 25 * HOUR, scope=FOLLOWING), Reason.SERIES_OVERLAPS_ITSELF)
    await room.yes(move(series, NINE + DAY, NINE + DAY, 24 * HOUR, scope=FOLLOWING))
    await room.clean()


async def test_a_cancelled_occurrence_leads_no_others(room: Deciding) -> None:
    series = await weekly(room)
    await room.yes(CancelOccurrence(series, NINE + WEEK))
    await room.no(move(series, NINE + WEEK, NINE + WEEK + HOUR, scope=FOLLOWING), Reason.OCCURRENCE_CANCELLED)
    await room.clean()


# ---------------------------------------------------------------------------- all are moved


async def test_all_that_have_not_begun_are_moved(room: Deciding) -> None:
    series, first = await begun(room)
    made = await room.made(move(series, first, first + 2 * HOUR, scope=Scope.ALL))
    assert await starts(room, series) == [first + week * WEEK for week in range(3)]
    assert await starts(room, made) == [first + 3 * WEEK + 2 * HOUR]


async def test_nothing_is_left_to_move_of_a_series_that_is_over(room: Deciding) -> None:
    series, first = await begun(room, weeks=3)
    await room.no(move(series, first, first + HOUR, scope=Scope.ALL), Reason.OCCURRENCE_IN_PAST)


async def test_the_distance_counts_on_the_wall(room: Deciding) -> None:
    """Across the change of the clock: an hour later on the wall, in winter and in summer."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2036, 3, 3, 9, tzinfo=zone)
    series = await room.made(book_series("FREQ=WEEKLY;COUNT=8", start, zone="Europe/Berlin"))
    name = start.astimezone(UTC)
    made = await room.made(move(series, name, name + HOUR, scope=Scope.ALL))
    shown = [at.astimezone(zone) for at in await starts(room, made)]
    assert {at.time() for at in shown} == {time(10)}
    assert {at.utcoffset() for at in shown} == {HOUR, 2 * HOUR}
    await room.clean()


@pytest.mark.parametrize("scope", [FOLLOWING, Scope.ALL])
async def test_a_series_with_an_occurrence_in_the_missing_hour_is_moved(room: Deciding, scope: Scope) -> None:
    """On 30 March 02:30 does not exist in Berlin, and 03:00 takes its place: an hour later is 03:30 all the same."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2036, 3, 28, 2, 30, tzinfo=zone)
    series = await room.made(book_series("FREQ=DAILY;COUNT=5", start, timedelta(minutes=20), zone="Europe/Berlin"))
    names = await starts(room, series)
    assert names[2].astimezone(zone).time() == time(3)
    await room.yes(CancelOccurrence(series, names[2]))
    made = await room.made(move(series, names[0], names[0] + HOUR, timedelta(minutes=20), scope=scope))
    shown = [at.astimezone(zone) for at in await starts(room, made)]
    assert {at.time() for at in shown} == {time(3, 30)}
    assert [at.date() for at in shown] == [date(2036, 3, day) for day in (28, 29, 31)] + [date(2036, 4, 1)]
    await room.clean()


async def test_the_occurrence_in_the_missing_hour_leads_the_others(room: Deciding) -> None:
    """Whoever moves it says where it shall stand: at 04:00 on the wall. From then on the others stand there, too."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2036, 3, 28, 2, 30, tzinfo=zone)
    series = await room.made(book_series("FREQ=DAILY;COUNT=5", start, timedelta(minutes=20), zone="Europe/Berlin"))
    pivot = (await starts(room, series))[2]
    made = await room.made(move(series, pivot, pivot + HOUR, timedelta(minutes=20), scope=FOLLOWING))
    assert {at.astimezone(zone).time() for at in await starts(room, made)} == {time(4)}
    assert len(await starts(room, made)) == 3
    await room.clean()
