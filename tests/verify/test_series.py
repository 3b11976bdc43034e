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


async def test_a_history_of_series_is_clean(story: History) -> None:
    database = story.connection
    report = await verify(database)
    assert report.violations == []
    assert report.clean
    checked = {check.rule: check.checked for check in report.checks}
    assert (checked["series_are_in_ledger"], checked[OCCURRENCES]) == (11, 11)
    # In the room and in the course two series without end; behind what is stored of them two bookings, and four.
    assert checked[FAR] == 2 + 2 * 2 + 2 * 4
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
    async with database.transaction():
        walk = await check_far(database, named=10, pairs=9)
    assert (walk.checked, walk.left_out) == (9, 1)
    report = await verify(database)
    assert report.left_out == 0
    assert "note" not in report.text()
    assert "note    2 series without end" in msgspec.structs.replace(report, left_out=2).text()
