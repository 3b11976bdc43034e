"""What the availability statement finds, and which indexes it finds it by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.store import sql
from engine.store.availability import ClaimsQuery, StandingClaims, standing_claims
from tests.schema.rows import MIDNIGHT, Connection, add_resource, book, cancel, hours
from tests.series import DAY, HOUR, MILLISECOND, WEEK, Deciding, book_series, monday

BOOKINGS = """
INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)
SELECT gen_random_uuid(), resource.id, resource.exclusive, tstzrange(start, start + interval '1 hour'), 1,
    'confirmed', 'anonymous', number, gen_random_uuid(), now()
FROM resource
CROSS JOIN generate_series(1, $1) AS number
CROSS JOIN LATERAL (SELECT timestamptz '2030-01-01' + number * interval '2 hours') AS place (start)
"""


async def test_claims_of_a_room_are_those_that_overlap_and_live(database: Connection) -> None:
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    await book(database, room, hours(6, 9))
    await book(database, room, hours(10, 11))
    await book(database, room, hours(12, 13))
    await book(database, room, hours(8, 20), status="cancelled")
    await cancel(database, await book(database, room, hours(9, 10)))
    await book(database, other, hours(9, 10))

    found = await claims_of(database, room, start=MIDNIGHT + timedelta(hours=8), end=MIDNIGHT + timedelta(hours=12))
    assert found is not None
    assert sorted(found.taken) == [(*ends(6, 9), 1), (*ends(10, 11), 1)]


@pytest.mark.parametrize(
    ("booked", "stretches"),
    [
        ([], []),
        ([(9, 10), (10, 11), (12, 13)], [(9, 11)]),
        ([(11, 12), (8, 9), (9, 11)], [(8, 12)]),
        ([(8, 9), (10, 11)], [(8, 9), (10, 11)]),
        ([(6, 7), (7, 9)], [(7, 9)]),
        ([(7, 8), (8, 9)], [(8, 9)]),
        ([(2, 18)], [(2, 18)]),
        ([(6, 8), (12, 13)], []),
    ],
)
async def test_claims_of_a_room_that_touch_are_one_stretch(
    database: Connection, booked: list[tuple[float, float]], stretches: list[tuple[float, float]]
) -> None:
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    await book(database, other, hours(0, 24))
    await cancel(database, await book(database, room, hours(7, 13)))
    for start, end in booked:
        await book(database, room, hours(start, end))

    found = await claims_of(database, room, start=MIDNIGHT + timedelta(hours=8), end=MIDNIGHT + timedelta(hours=12))
    assert found is not None
    assert found.taken == [(*ends(*stretch), 1) for stretch in stretches]


async def test_claims_of_a_class_with_one_interval_are_summed(database: Connection) -> None:
    course = await add_resource(database, capacity=20)
    for places in (1, 2, 3):
        await book(database, course, hours(9, 10), places=places)
    await book(database, course, hours(9, 11), places=4)

    found = await claims_of(database, course, start=MIDNIGHT, end=MIDNIGHT + timedelta(days=1))
    assert found is not None
    assert sorted(found.taken) == [(*ends(9, 10), 6), (*ends(9, 11), 4)]


async def test_a_resource_is_found_by_number_and_by_its_public_id(database: Connection) -> None:
    number = await add_resource(database, capacity=7)
    await database.execute("UPDATE resource SET resource_id = 'hall:1', last_ticket = 41 WHERE id = $1", number)
    window = {"start": MIDNIGHT, "end": MIDNIGHT + timedelta(days=1)}

    by_number, by_name = [await claims_of(database, name, **window) for name in (number, "hall:1")]
    assert by_number is not None
    assert by_name is not None
    assert (by_name.resource, by_name.resource_id, by_name.time_zone) == (number, "hall:1", "UTC")
    assert (by_name.capacity, by_name.last_ticket, by_name.taken) == (7, 41, [])
    assert by_number.resource_id == "hall:1"


async def test_years_ahead_what_ends_as_the_window_begins_is_not_in_it(database: Connection) -> None:
    room = Deciding(database, await add_resource(database, capacity=1))
    start = monday()
    await room.yes(book_series("FREQ=WEEKLY", start))
    far = start + 3 * 52 * WEEK
    for begins, found in ((far + HOUR, []), (far + HOUR - MILLISECOND, [(far, far + HOUR, 1)])):
        claims = await claims_of(database, room.resource, start=begins, end=far + DAY)
        assert claims is not None
        assert claims.taken == found
    claims = await claims_of(database, room.resource, start=far - DAY, end=far)
    assert claims is not None
    assert claims.taken == []


async def test_an_unknown_resource_is_none(database: Connection) -> None:
    window = {"start": MIDNIGHT, "end": MIDNIGHT + timedelta(days=1)}
    assert await claims_of(database, "nobody", **window) is None
    assert await claims_of(database, 4_711, **window) is None


async def test_many_are_answered_at_once_each_for_its_own_window(database: Connection) -> None:
    room, course = [await add_resource(database, capacity=kind) for kind in (1, 3)]
    for hour in range(10):
        await book(database, room, hours(2 * hour, 2 * hour + 1))
    await book(database, course, hours(3, 5), places=2)
    queries = [
        ClaimsQuery(resource, MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 2) * HOUR)
        for hour in range(12)
        for resource in (course, 4_711, room, "nobody")
    ]
    found = await standing_claims(database, queries)
    assert set(found) == {query for query in queries if query.resource in (room, course)}
    for query, claims in found.items():
        alone = await claims_of(database, query.resource, start=query.start, end=query.end)
        assert alone == replace(claims, now=alone.now if alone else claims.now), query
    assert [len(found[query].taken) for query in queries if query.resource == course] == [0, 0, 1, 1, 1] + [0] * 7
    assert await standing_claims(database, []) == {}


async def test_the_index_serves_among_a_hundred_thousand_bookings(database: Connection) -> None:
    await database.execute("ALTER TABLE booking SET (autovacuum_enabled = off)")
    room, course = [[await add_resource(database, capacity=kind) for _ in range(50)][25] for kind in (1, 20)]
    await database.execute(BOOKINGS, 1_000)
    reads = {
        room: [("booking_start", 1), ("booking_start", 24)],  # the one that may reach into the window, and those in it
        course: [("booking_shared_during", 24)],
    }

    for statistics in ("none", "fresh"):
        if statistics == "fresh":
            await database.execute("ANALYZE")
        for plan in ("force_custom_plan", "force_generic_plan"):
            await database.execute(f"SET plan_cache_mode = {plan}")
            for resource, expected in reads.items():
                assert await booking_scans(database, resource) == expected, (statistics, plan)


async def claims_of(
    database: Connection, resource: int | str, *, start: datetime, end: datetime
) -> StandingClaims | None:
    """What is taken of one resource."""
    query = ClaimsQuery(resource, start, end)
    return (await standing_claims(database, [query])).get(query)


async def booking_scans(database: Connection, resource: int) -> list[tuple[str, float]]:
    """The scans of bookings that two days need: by which index, and how many rows each reads."""
    two_days = MIDNIGHT + timedelta(days=10), MIDNIGHT + timedelta(days=12)
    explained = await database.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {sql('availability')}", [resource], [None], *([bound] for bound in two_days)
    )
    return sorted(
        (node.get("Index Name", node["Node Type"]), node["Actual Rows"] * node["Actual Loops"])
        for node in nodes(json.loads(explained)[0]["Plan"])
        if node["Actual Loops"] > 0 and "booking" in f"{node.get('Index Name')} {node.get('Relation Name')}"
    )


def ends(start: float, end: float) -> tuple[Any, Any]:
    span = hours(start, end)
    return span.lower, span.upper


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node of a plan and all below it."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)
