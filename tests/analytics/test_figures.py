"""The figures equal a count of every row, however far the counts reach."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine.analytics import Analyst, Figures, Question
from engine.folding import fold_due
from engine.reader import Reader
from engine.store.analytics import fold
from engine.store.pools import Pool
from migrations.runner import FILES, down, up
from tests.analytics.history import CHANGES, FIRST, MONTH, ZONES, History
from tests.schema.rows import Connection

ATTEMPTS = 1_000
BEHIND = datetime(2026, 9, 1, tzinfo=UTC)
"""By then everything of the history is over."""
CUTS = (FIRST, datetime(2025, 3, 29, 23, 7, 3, 1, tzinfo=UTC), datetime(2025, 10, 5, 13, 30, tzinfo=UTC), BEHIND)
"""How far the counts reach when they are asked; and before all of it."""
CANCELLED = [
    "SELECT quarter, attempts FROM attempt_total WHERE result = 'cancelled' ORDER BY 1",
    "SELECT month, attempts FROM attempt_month WHERE result = 'cancelled' ORDER BY 1",
]
YEAR = (date(2025, 1, 1), date(2025, 12, 31))


def questions() -> list[Question]:
    """A year and a bit of a month in every zone, and the days around a change of the clocks."""
    found = [Question(*YEAR, zone) for zone in ZONES]
    found += [Question(date(2025, 5, 3), date(2025, 5, 20), zone, hosts=2) for zone in ZONES]
    found += [Question(day, day, zone) for zone, days in CHANGES.items() for day in days]
    return found


def told(figures: Figures) -> dict[str, Any]:
    return {
        "days": figures.days,
        "refusals": figures.refusals,
        "attempts": figures.attempts,
        "cancelled": figures.cancelled,
        "rate": figures.cancellation_rate,
        "hosts": [(host.host, host.bookings) for host in figures.hosts],
    }


@pytest.fixture
async def history(database: Connection) -> History:
    made = History(seed=20_250_330)
    await made.write(database, ATTEMPTS)
    return made


async def test_figures_equal_a_count_of_every_row(
    history: History, reader: Reader, pool: Pool, database: Connection
) -> None:
    analyst, expected = Analyst(reader), {question: history.figures(question) for question in questions()}

    async def compare() -> None:
        for question, figures in expected.items():
            assert told((await analyst.ask(question)).value) == figures, question

    await compare()
    reached = FIRST - MONTH
    for cut in CUTS:
        async with database.transaction():
            await fold(database, reached, cut, within_s=5)
        reached = cut
        await compare()
    for _ in range(2):  # note how far, and fold
        await fold_due(pool)
    assert await database.fetchval("SELECT folded_until > $1 FROM fold", BEHIND)
    await compare()
    whole = expected[Question(*YEAR)]
    assert min(whole["cancelled"], len(whole["hosts"]), len(whole["refusals"])) > 2, "the history says something"


@pytest.mark.usefixtures("history")
async def test_the_migration_that_says_which_cancellations_count_counts_them_again(
    database: Connection, database_url: str
) -> None:
    async with database.transaction():
        await fold(database, FIRST - MONTH, CUTS[2], within_s=5)  # what was cancelled later is not counted yet
    right = [await database.fetch(statement) for statement in CANCELLED]
    assert min(len(counts) for counts in right) > 2, "the history says something"
    await database.execute("UPDATE attempt_total SET attempts = attempts + 1 WHERE result = 'cancelled'")
    await database.execute("UPDATE attempt_month SET result = 'none' WHERE result = 'cancelled'")
    newer = [path for path in FILES.glob("*.sql") if path.stem >= "0007"]
    await down(database_url, steps=len(newer))
    await up(database_url)
    assert [await database.fetch(statement) for statement in CANCELLED] == right


async def test_a_report_has_a_row_for_each_resource_and_day(
    history: History, reader: Reader, database: Connection
) -> None:
    async with database.transaction():
        await fold(database, FIRST - MONTH, BEHIND, within_s=5)
    question = Question(date(2025, 10, 20), date(2025, 11, 4), "America/New_York")
    found = [
        (day, row.resource, row.results)
        async for page in Analyst(reader).report(question, resources_at_once=2)
        for day, row in page
    ]
    expected, of_day = [], history.by_day(question.time_zone)
    for number in range(16):
        day = question.first + timedelta(days=number)
        attempts = of_day[day]
        for resource in sorted({attempt.resource for attempt in attempts}):
            results = Counter(attempt.result for attempt in attempts if attempt.resource == resource)
            expected.append((day, resource, dict(results)))
    assert found == expected
    assert len(found) > 30
