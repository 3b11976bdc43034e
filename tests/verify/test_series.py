"""The audit knows series: it passes a history that the engine made, and names exactly what somebody damaged."""

from __future__ import annotations

import msgspec
import pytest

from engine.rules.series import GUARANTEED_YEARS
from engine.verify import FAR, OCCURRENCES, verify
from engine.verify_series import check_far
from tests.verify.damages import Damage
from tests.verify.findings import check_damage
from tests.verify.history import History, unprotect
from tests.verify.series_damages import SERIES_DAMAGES


async def bookings_behind(story: History) -> list[int]:
    """How many bookings end behind what is stored of the two series without end that the room and the course have.

    There are two and four of them, and one more while an occurrence lasts of which only the start is stored yet.
    """
    counts = [
        await story.connection.fetchval(
            "SELECT count(*) FROM booking JOIN resource ON resource.id = booking.resource"
            " WHERE resource.id = $1 AND live AND upper(during) > series_horizon",
            resource,
        )
        for resource in (story.room, story.course)
    ]
    assert counts[0] in {2, 3}
    assert counts[1] in {4, 5, 6}
    return counts


async def test_a_history_of_series_is_clean(story: History) -> None:
    database = story.connection
    report = await verify(database)
    assert report.violations == []
    assert report.clean
    checked = {check.rule: check.checked for check in report.checks}
    assert (checked["series_are_in_ledger"], checked[OCCURRENCES]) == (11, 11)
    assert checked[FAR] == sum(1 + 2 * behind for behind in await bookings_behind(story))
    statuses = {row[0] for row in await database.fetch("SELECT DISTINCT status FROM booking WHERE series IS NOT NULL")}
    assert statuses == {"confirmed", "cancelled", "rescheduled"}
    assert await database.fetchval("SELECT count(*) FROM series WHERE status = 'rescheduled'") == 1
    assert {"skipping last", "finite 3b"} <= story.bookings.keys()


@pytest.mark.parametrize("damage", SERIES_DAMAGES, ids=lambda damage: damage.name)
async def test_damage_to_series_is_found_and_its_rows_are_named(story: History, damage: Damage) -> None:
    await check_damage(story, damage)


async def test_an_occurrence_may_lose_its_time_once_the_promised_years_are_over(story: History) -> None:
    database = story.connection
    await unprotect(database)
    clashed = story.bookings["daily one last"]
    await database.execute("UPDATE booking SET status = 'clashed', ended_at = now() WHERE id = $1", clashed)
    for days, found in ((1, 0), (-2, 1)):
        await database.execute(
            "UPDATE series SET wall_clock = lower(during) AT TIME ZONE 'UTC' - make_interval(years => $2, days => $3)"
            " FROM booking WHERE booking.id = $1 AND series.id = booking.series",
            clashed,
            GUARANTEED_YEARS,
            days,
        )
        report = await verify(database)
        ended = [v.bookings for v in report.violations if v.rule == "ends_are_in_ledger"]
        assert ended == [[clashed]] * found


async def test_pairs_beyond_the_bound_are_left_out_and_it_is_told(story: History) -> None:
    database = story.connection
    room, course = await bookings_behind(story)
    all_but_the_last = 1 + 2 * room + course
    async with database.transaction():
        walk = await check_far(database, named=10, pairs=all_but_the_last)
    assert (walk.checked, walk.left_out) == (all_but_the_last, 1)
    report = await verify(database)
    assert report.left_out == 0
    assert "note" not in report.text()
    assert "note    2 series without end" in msgspec.structs.replace(report, left_out=2).text()
