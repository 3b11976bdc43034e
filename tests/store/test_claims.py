"""Which standing claims a batch looks at: the first few of a wanted time, however much is booked in it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.batch import decide_batch
from engine.commands import MAX_CLASHES, Book, Cancel, Command, Entry, Outcome, Reason, Reschedule, Status
from engine.store import sql
from tests.clients import request
from tests.schema.rows import MIDNIGHT, Connection, add_resource, book, book_all, hours
from tests.store.test_availability import nodes

DENSE = 5_000
"""Bookings of a quarter of an hour each, one after another."""
QUARTER = timedelta(minutes=15)
YEAR = timedelta(days=366)

FILL = """
INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)
SELECT gen_random_uuid(), $1, true, tstzrange(start, start + $4::interval), 1, 'confirmed', 'anonymous', number,
    gen_random_uuid(), now()
FROM generate_series(1, $2) AS number
CROSS JOIN LATERAL (SELECT $3::timestamptz + number * $4::interval) AS place (start)
"""


async def fill(database: Connection, room: int) -> None:
    """Book a room from MIDNIGHT on, without a gap. The first begins a quarter of an hour later."""
    await database.execute(FILL, room, DENSE, MIDNIGHT, QUARTER)
    await database.execute("UPDATE resource SET last_ticket = $2 WHERE id = $1", room, DENSE)


async def decide(database: Connection, room: int, *commands: Command) -> list[Outcome]:
    """Have one batch decide commands for a room."""
    last: int = await database.fetchval("SELECT last_ticket FROM resource WHERE id = $1", room)
    entries = [Entry(last + place, MIDNIGHT, request(room, command)) for place, command in enumerate(commands, start=1)]
    async with database.transaction():
        decided = await decide_batch(database, {room: entries})
    return [outcome for _, outcome in decided.answers[room]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    booked=st.sets(st.integers(0, 40), max_size=12),
    wanted=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), min_size=1, max_size=5, unique=True),
    most=st.integers(1, 4),
)
async def test_the_first_claims_of_each_time_are_found_and_no_later_ones(
    database: Connection, booked: set[int], wanted: list[tuple[int, int]], most: int
) -> None:
    """Times are whole hours. Between two numbers of ``booked`` that follow each other lies a booking."""
    room, other = await add_resource(database, capacity=1), await add_resource(database, capacity=1)
    edges = sorted(booked)
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    await book_all(database, [(room, hours(*span), 1) for span in spans])
    await book(database, other, hours(0, 60))
    starts, ends = ([MIDNIGHT + timedelta(hours=at) for at in part] for part in zip(*lengths(wanted), strict=True))
    rows = await database.fetch(sql("claims_exclusive"), [room] * len(wanted), starts, ends, most)

    found = {(row["start_time"], row["end_time"]) for row in rows}
    there = {(hours(*span).lower, hours(*span).upper) for span in spans}
    assert found <= there
    for start, end in lengths(wanted):
        overlapping = [span for span in spans if span[0] < end and start < span[1]]
        first = [(hours(*span).lower, hours(*span).upper) for span in overlapping[:most]]
        assert found >= set(first)
    assert len(rows) <= len(wanted) * (most + 1)


def lengths(wanted: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Starts and lengths as starts and ends."""
    return [(start, start + length) for start, length in wanted]


@pytest.mark.parametrize("statistics", ["none", "fresh"])
async def test_a_year_that_is_booked_densely_costs_a_look_at_its_first_claims(
    database: Connection, statistics: str
) -> None:
    await database.execute("ALTER TABLE booking SET (autovacuum_enabled = off)")
    room = await add_resource(database, capacity=1)
    await fill(database, room)
    if statistics == "fresh":
        await database.execute("ANALYZE")
    wanted = [room], [MIDNIGHT + timedelta(minutes=20)], [MIDNIGHT + YEAR]
    plan = json.loads(await database.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql('claims_exclusive')}", *wanted, 7))
    scans: list[dict[str, Any]] = [node for node in nodes(plan[0]["Plan"]) if "Index Name" in node]
    assert [(node["Index Name"], node["Actual Rows"]) for node in scans] == [("booking_start", 1), ("booking_start", 7)]


async def test_a_year_over_a_dense_calendar_is_refused_with_its_first_claims(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    await fill(database, room)
    (outcome,) = await decide(database, room, Book(MIDNIGHT + timedelta(minutes=20), MIDNIGHT + YEAR))
    assert (outcome.status, outcome.reason) == (Status.REFUSED, Reason.CONFLICT)
    assert [clash.start_time for clash in outcome.clashes] == [
        MIDNIGHT + number * QUARTER for number in range(1, MAX_CLASHES + 1)
    ]


async def test_what_a_batch_frees_does_not_hide_what_stands_behind_it(database: Connection) -> None:
    """As many of the first claims go as were read beyond those that an outcome names."""
    room = await add_resource(database, capacity=1)
    await fill(database, room)
    first = await database.fetch("SELECT id FROM booking ORDER BY during LIMIT 9")
    year = Book(MIDNIGHT + QUARTER, MIDNIGHT + YEAR)
    away = MIDNIGHT + 2 * YEAR
    moved = [
        Reschedule(row["id"], away + number * QUARTER, away + (number + 1) * QUARTER)
        for number, row in enumerate(first[:4])
    ]
    outcomes = await decide(database, room, *moved, *(Cancel(row["id"]) for row in first[4:]), year)
    assert [outcome.status for outcome in outcomes] == [Status.CONFIRMED] * 9 + [Status.REFUSED]
    assert [clash.start_time for clash in outcomes[-1].clashes] == [
        MIDNIGHT + number * QUARTER for number in range(10, 10 + MAX_CLASHES)
    ]


async def test_a_time_is_free_when_a_batch_freed_all_that_stood_in_it(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    bookings = [await book(database, room, hours(at, at + 1)) for at in range(8)]
    await database.execute("UPDATE resource SET last_ticket = 1 WHERE id = $1", room)
    wanted = Book(MIDNIGHT + timedelta(hours=0.5), MIDNIGHT + timedelta(hours=7.5))
    first, *_, second = await decide(database, room, wanted, *map(Cancel, bookings[:-1]), wanted)
    assert [clash.booking for clash in first.clashes] == bookings[:MAX_CLASHES]
    assert [clash.booking for clash in second.clashes] == bookings[-1:]
    _, third = await decide(database, room, Cancel(bookings[-1]), wanted)
    assert third.status is Status.CONFIRMED
