"""A question reads the counts, and of the ledger only what is not in them yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.analytics import day_boundaries, whole_months
from engine.store import analytics, sql
from engine.store.analytics import bound_read, fold
from tests.batch.test_plans import nodes
from tests.schema.rows import Connection

ROWS = 100_000
RESOURCES = 300
FRESH = 500
"""So many rows are not folded."""
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(days=365) / ROWS
FILL = f"""
INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, owner)
SELECT 'room ' || number, 'Room', 'UTC', 9, 9, 'host ' || number % 40 FROM generate_series(1, {RESOURCES}) AS number;

INSERT INTO ledger (resource, ticket, request_id, kind, outcome, reason, joined_at, decided_at, row_hash)
SELECT 1 + number * 7 % {RESOURCES}, number, gen_random_uuid(), 'book',
    CASE WHEN number % 5 = 0 THEN 'refused' ELSE 'confirmed' END, CASE WHEN number % 5 = 0 THEN 'conflict' END,
    at, at, decode(repeat('00', 32), 'hex')
FROM generate_series(1, {ROWS}) AS number
CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01Z' + number * interval '365 days' / {ROWS}) AS place (at);
"""
DETAILS = {"ledger", "booking", "series"}
COUNTS = {"attempt_total", "attempt_count", "attempt_month", "host_month"}


async def explained(database: Connection, name: str, *arguments: Any) -> list[dict[str, Any]]:
    answer = await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql(name)}", *arguments)
    return list(nodes(json.loads(answer)[0]["Plan"]))


def read_of(found: list[dict[str, Any]], tables: set[str]) -> float:
    """How many rows were read of the tables, which an index must have served."""
    of_tables = [node for node in found if node.get("Relation Name") in tables]
    assert of_tables
    assert all(node["Node Type"] != "Seq Scan" for node in of_tables), of_tables
    read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in of_tables)
    return float(sum(rows * node["Actual Loops"] for rows, node in zip(read, of_tables, strict=True)))


async def test_a_year_is_read_from_the_counts(database: Connection) -> None:
    await database.execute(FILL)
    folded = FIRST + (ROWS - FRESH) * STEP
    for statistics in ("none", "fresh"):
        if statistics == "fresh":
            async with database.transaction():
                await fold(database, FIRST, folded, within_s=60)
            await database.execute("ANALYZE")
        async with database.transaction():
            await bound_read(database, within_s=30)
            days = day_boundaries(FIRST.date(), FIRST.date() + timedelta(days=364), "Europe/Berlin")
            window = days[0], days[-1]
            by_day = await explained(database, "count_attempts", days, folded, *window, *whole_months(*window))
            assert read_of(by_day, DETAILS) <= FRESH + 1, statistics
            assert read_of(by_day, COUNTS) <= 1.5 * 366 * 24 * 4, "bookings by quarters, the others by months"
            if statistics == "fresh":
                assert "attempt_total_booked" in {node.get("Index Name") for node in by_day}
            top = await explained(database, "top_hosts", *window, *whole_months(*window), folded, 10)
            assert read_of(top, DETAILS) <= FRESH + 1, statistics
            assert read_of(top, COUNTS) <= ROWS / 12 * 2, "a month at the ends, and the others by hosts"
            day = await explained(database, "count_resources", days[0], days[1], 0, 2_000)
            assert read_of(day, COUNTS) <= ROWS / 365 * 2
    assert (
        sum(
            row.attempts for row in await analytics.count_attempts(database, days, whole_months(*window), folded=folded)
        )
        > ROWS * 0.99
    )
