"""The hot statements are served by indexes, whatever the planner believes about the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from engine.store import sql
from tests.schema.rows import Connection

ROOMS = 200
BOOKINGS = 100_000
WANTED = 256
SLOTS = 10_000
"""So many of the bookings of rooms claim the time of a slot; each slot has a seat besides."""
PEOPLE = 40_000
EMPTY = 10_000
"""Resources without bookings."""
TABLES = {"booking", "ledger", "idempotency", "slot", "person", "resource"}
MODES = ("force_generic_plan", "auto")
EXECUTIONS = 6
"""So often ``auto`` has chosen between a plan for these arguments and a generic one."""

FILL = """
INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity)
SELECT 'resource ' || number, 'Resource', 'UTC', 1 + 19 * (number % 2), 1 + 19 * (number % 2)
FROM generate_series(1, {rooms}) AS number;

INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)
SELECT gen_random_uuid(), resource.id, resource.exclusive, tstzrange(start, start + interval '1 hour'), 1,
    'confirmed', md5('person ' || (resource.id * 977 + number * 13) % {people})::uuid::text, number,
    gen_random_uuid(), now()
FROM resource
CROSS JOIN generate_series(1, {each}) AS number
CROSS JOIN LATERAL (SELECT timestamptz '2036-01-01Z' + number * interval '1 hour') AS place (start)
WHERE resource_id LIKE 'resource %';

INSERT INTO slot (id, resource, kind, host, during, capacity, initial_capacity, created_at)
SELECT id, resource, 'slot', 'host', during, 1, 1, now()
FROM booking
WHERE exclusive AND ticket % 5 = 1;

UPDATE booking SET slot = id WHERE exclusive AND ticket % 5 = 1;

INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, slot)
SELECT gen_random_uuid(), resource, true, during, 1, 'confirmed', caller, ticket, gen_random_uuid(), now(), id
FROM booking
WHERE slot = id;

INSERT INTO person (id, email, email_key, name, time_zone, roles)
SELECT md5('person ' || number)::uuid, number || '@example.org', number || '@example.org', 'Person', 'UTC', '{{guest}}'
FROM generate_series(0, {people} - 1) AS number;

INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity)
SELECT 'empty ' || number, 'Resource', 'UTC', 1, 1
FROM generate_series(1, {empty}) AS number;

INSERT INTO ledger (resource, ticket, request_id, kind, start_time, end_time, places, outcome, booking, joined_at,
    decided_at, row_hash)
SELECT resource, ticket, request_id, 'book', lower(during), upper(during), places, 'confirmed', id, now(), now(),
    decode(repeat('00', 32), 'hex')
FROM booking
WHERE NOT exclusive OR live;

INSERT INTO idempotency (caller, key, body_hash, request_id, resource, ticket)
SELECT 'anonymous', request_id::text, '\\x00', request_id, resource, ticket
FROM booking
WHERE NOT exclusive OR live;

UPDATE resource SET last_ticket = {each} WHERE resource_id LIKE 'resource %';
"""


@dataclass(frozen=True)
class Hot:
    """A statement with arguments as SQL expressions, and the indexes that may serve the big tables."""

    name: str
    arguments: tuple[str, ...]
    indexes: frozenset[str]


def array(expression: str, kind: str, source: str) -> str:
    """An argument: an array of what an expression gives for the rows of a source."""
    return f"(SELECT array_agg(({expression})::{kind} ORDER BY number) FROM ({source}) AS row)"


ROOM = (
    "SELECT id, row_number() OVER () AS number"
    " FROM (SELECT id FROM resource WHERE exclusive AND resource_id LIKE 'resource %' ORDER BY id) AS room"
)
COURSE = ROOM.replace("exclusive", "NOT exclusive")
MADE = "SELECT *, row_number() OVER () AS number FROM (SELECT * FROM booking ORDER BY id LIMIT 256) AS made"
SEAT = "SELECT *, row_number() OVER () AS number FROM (SELECT * FROM booking WHERE slot <> id LIMIT 256) AS seat"
START = "timestamptz '2036-01-05Z' + number * interval '30 minutes'"
NEW = f"SELECT number, gen_random_uuid() AS id FROM generate_series(1, {WANTED}) AS number"
NOTHING = "'{}'"

HOT = (
    Hot(
        "lock_resources",
        (array("id", "bigint", ROOM),),
        frozenset(),
    ),
    Hot(
        "claims_exclusive",
        (
            array("id", "bigint", ROOM),
            array(START, "timestamptz", ROOM),
            array(f"{START} + interval '1 hour'", "timestamptz", ROOM),
            "10",
        ),
        frozenset({"booking_start"}),
    ),
    Hot(
        "claims_shared",
        (
            array("id", "bigint", COURSE),
            array(START, "timestamptz", COURSE),
            array(f"{START} + interval '1 hour'", "timestamptz", COURSE),
            "10",
        ),
        frozenset({"booking_shared_during"}),
    ),
    Hot("lock_people", (array("caller", "text", SEAT),), frozenset({"person_pkey"})),
    Hot(
        "active_bookings",
        (array("caller", "text", SEAT), "now()", "1000"),
        frozenset({"booking_caller"}),
    ),
    Hot("find_slots", (array("slot", "uuid", SEAT),), frozenset()),
    Hot("seat_holders", (array("slot", "uuid", SEAT), array("caller", "text", SEAT)), frozenset({"booking_one_seat"})),
    Hot("booking_homes", (array("id", "uuid", SEAT),), frozenset({"booking_pkey"})),
    Hot("named_bookings", (array("id", "uuid", MADE),), frozenset({"booking_pkey"})),
    Hot("clash_times", (array("id", "uuid", MADE),), frozenset({"booking_pkey"})),
    Hot(
        "outcomes_by_request",
        (array("request_id", "uuid", MADE), "'anonymous'"),
        frozenset({"ledger_request_id", "ledger_pkey"}),
    ),
    Hot(
        "outcomes_by_ticket",
        (array("resource", "bigint", MADE), array("ticket", "bigint", MADE)),
        frozenset({"ledger_pkey"}),
    ),
    Hot(
        "find_keys",
        (array("caller", "text", MADE), array("request_id", "text", MADE)),
        frozenset({"idempotency_pkey"}),
    ),
    Hot(
        "insert_keys",
        (
            array("'new'", "text", NEW),
            array("id", "text", NEW),
            array("'\\x00'", "bytea", NEW),
            array("id", "uuid", NEW),
            array("number", "bigint", NEW),
            array("number", "bigint", NEW),
        ),
        frozenset(),
    ),
    Hot(
        "end_bookings",
        (
            array("id", "uuid", MADE),
            array("'cancelled'", "text", MADE),
            array("now()", "timestamptz", MADE),
            array("null", "text", MADE),
            array("null", "uuid", MADE),
        ),
        frozenset({"booking_pkey"}),
    ),
    Hot(
        "write_decisions",
        (
            array("id", "bigint", ROOM),
            array("1000000", "bigint", ROOM),
            array("gen_random_uuid()", "uuid", ROOM),
            array("'book'", "text", ROOM),
            array("timestamptz '2040-01-01Z'", "timestamptz", ROOM),
            array("timestamptz '2040-01-02Z'", "timestamptz", ROOM),
            array("1", "integer", ROOM),
            NOTHING,
            NOTHING,
            array("'confirmed'", "text", ROOM),
            NOTHING,
            array("gen_random_uuid()", "uuid", ROOM),
            NOTHING,
            NOTHING,
            array("now()", "timestamptz", ROOM),
            array("now()", "timestamptz", ROOM),
            array("decode(repeat('00', 32), 'hex')", "bytea", ROOM),
            array("'anonymous'", "text", ROOM),
            array("true", "boolean", ROOM),
            NOTHING,
            array("'anonymous'", "text", ROOM),
            NOTHING,
            NOTHING,
        ),
        frozenset(),
    ),
)


@pytest.fixture(params=["fresh", "stale"])
async def filled(request: pytest.FixtureRequest, database: Connection) -> Connection:
    """Hundred thousand bookings, and statistics of them, or of when there were none yet."""
    for table in sorted(TABLES):
        await database.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    if request.param == "stale":
        await database.execute(FILL.format(rooms=1, each=1, people=1, empty=1))
        await database.execute("ANALYZE")
        await database.execute("DELETE FROM idempotency; DELETE FROM booking; DELETE FROM slot; DELETE FROM person")
        await database.execute("ALTER TABLE ledger DISABLE TRIGGER USER; DELETE FROM ledger")
        await database.execute("ALTER TABLE ledger ENABLE TRIGGER USER; DELETE FROM resource")
    await database.execute(FILL.format(rooms=ROOMS, each=BOOKINGS // ROOMS, people=PEOPLE, empty=EMPTY))
    if request.param == "fresh":
        await database.execute("ANALYZE")
    await database.execute("SET jit = off")
    return database


async def test_the_hot_statements_never_read_a_table_through(filled: Connection) -> None:
    assert await filled.fetchval("SELECT count(*) FROM booking") == BOOKINGS + SLOTS
    for hot in HOT:
        text = sql(hot.name)
        for mode in MODES:
            await filled.execute(f"SET plan_cache_mode = {mode}")
            await filled.execute(f"PREPARE hot AS {text}")
            values = [await filled.fetchval(f"SELECT ({argument})::text") for argument in hot.arguments]
            execute = f"EXECUTE hot ({', '.join(map(quoted, values))})"
            for _ in range(EXECUTIONS):
                async with Undone(filled):
                    explained = await filled.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}")
            await filled.execute("DEALLOCATE hot")
            check(hot, mode, json.loads(explained)[0]["Plan"])


def check(hot: Hot, mode: str, plan: dict[str, Any]) -> None:
    found = set()
    for node in nodes(plan):
        where = (hot.name, mode, node["Node Type"], node.get("Relation Name"))
        if node.get("Relation Name") in TABLES and node["Node Type"] != "ModifyTable":
            assert "Index" in node["Node Type"] or "Bitmap Heap" in node["Node Type"], where
        if "Index Name" in node:
            found.add(node["Index Name"])
            # Nothing near the size of the table is read, not through an index either.
            assert node["Actual Rows"] * node["Actual Loops"] <= 4 * WANTED, where
    assert found >= hot.indexes, (hot.name, mode, found)


class Undone:
    """What was written inside is taken back."""

    def __init__(self, database: Connection) -> None:
        self._transaction = database.transaction()

    async def __aenter__(self) -> None:
        await self._transaction.start()

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
