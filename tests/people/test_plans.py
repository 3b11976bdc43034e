"""Lists cost what they show, however much there is: each is served by its index."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from engine.store import sql
from tests.batch.test_plans import MODES, nodes, quoted
from tests.schema.rows import Connection

SLOTS = 20_000
HOSTS = 20
EVENTS = 500
LIMIT = 21
TABLES = {"slot", "booking", "ledger", "resource", "slot_rule"}

FILL = f"""
ALTER TABLE slot DISABLE TRIGGER USER;
ALTER TABLE booking DISABLE TRIGGER USER;

INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, kind, owner)
SELECT 'calendar-' || number, 'Calendar', 'UTC', 1, 1, 'calendar', 'host ' || number
FROM generate_series(1, {HOSTS}) AS number;

INSERT INTO slot (id, resource, kind, host, during, capacity, initial_capacity, taken, created_at)
SELECT gen_random_uuid(), resource.id, 'slot', resource.owner,
    tstzrange(start, start + interval '1 hour'), 2, 2, number % 3, now()
FROM generate_series(1, {SLOTS} / {HOSTS}) AS number
CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01Z' + number * interval '10 days') AS place (start)
CROSS JOIN resource
WHERE resource.kind = 'calendar';

INSERT INTO slot (id, resource, kind, host, name, during, capacity, initial_capacity, created_at)
SELECT gen_random_uuid(), resource.id, 'event', resource.owner, 'Event',
    tstzrange(start, start + interval '1 hour'), 9, 9, now()
FROM generate_series(1, {EVENTS}) AS number
CROSS JOIN LATERAL (SELECT timestamptz '2036-01-01Z' + number * interval '1 day') AS place (start)
JOIN resource ON resource.owner = 'host ' || (1 + number % {HOSTS});

INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at, slot)
SELECT gen_random_uuid(), slot.resource, true, slot.during, 1, 'confirmed',
    'guest ' || (row_number() OVER ()) % 1000, row_number() OVER (), gen_random_uuid(), now(), slot.id
FROM slot
WHERE slot.kind = 'slot';

INSERT INTO ledger (resource, ticket, request_id, kind, places, outcome, booking, subject, joined_at, decided_at,
    row_hash)
SELECT resource, ticket, request_id, CASE WHEN ticket % 10 = 0 THEN 'cancel' ELSE 'book_seat' END, 1, 'confirmed', id,
    CASE WHEN ticket % 10 = 0 THEN id ELSE slot END, now(), now(), decode(repeat('00', 32), 'hex')
FROM booking;
"""


@dataclass(frozen=True)
class Listing:
    """A statement with arguments as SQL expressions, and the index that must serve its big table."""

    name: str
    arguments: tuple[str, ...]
    index: str


MIDDLE = "timestamptz '2036-03-01Z'"
NIL = "'00000000-0000-0000-0000-000000000000'"
FAR = "timestamptz '9999-12-31Z'"
BOOKED = "(SELECT {0} FROM booking WHERE ticket = 5000)"
LISTINGS = (
    Listing("list_open_slots", (MIDDLE, NIL, FAR, "1", str(LIMIT)), "slot_open"),
    Listing("list_open_slots_of_host", ("'host 7'", MIDDLE, NIL, FAR, "1", str(LIMIT)), "slot_host"),
    Listing("list_slots_of_host", ("'host 7'", MIDDLE, NIL, FAR, str(LIMIT)), "slot_host"),
    Listing("next_open_slots", ("(SELECT id FROM slot WHERE host = 'host 7' LIMIT 1)", "5"), "slot_host"),
    Listing("list_events", (MIDDLE, NIL, FAR, str(LIMIT)), "slot_event"),
    Listing(
        "list_own_bookings",
        ("'guest 5'", FAR, NIL, "timestamptz '1970-01-01Z'", FAR, "null", str(LIMIT)),
        "booking_caller",
    ),
    Listing(
        "list_changes",
        (BOOKED.format("resource"), BOOKED.format("ticket"), BOOKED.format("id"), "0", str(LIMIT)),
        "ledger_change",
    ),
    Listing("list_resources", ("0", str(LIMIT)), "resource_listed"),
    Listing("find_calendars", ("ARRAY['host 3']",), "resource_one_calendar"),
)


@pytest.fixture
async def filled(database: Connection) -> Connection:
    await database.execute(FILL)
    await database.execute("ANALYZE")
    return database


async def test_a_page_costs_what_it_shows(filled: Connection) -> None:
    assert await filled.fetchval("SELECT count(*) FROM slot WHERE kind = 'slot'") == SLOTS
    for listing in LISTINGS:
        values = [await filled.fetchval(f"SELECT ({argument})::text") for argument in listing.arguments]
        execute = f"EXECUTE listing ({', '.join('null' if value is None else quoted(value) for value in values)})"
        for mode in MODES:
            await filled.execute(f"SET plan_cache_mode = {mode}")
            await filled.execute(f"PREPARE listing AS {sql(listing.name)}")
            explained = await filled.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}")
            await filled.execute("DEALLOCATE listing")
            found = set()
            for node in nodes(json.loads(explained)[0]["Plan"]):
                where = (listing.name, mode, node["Node Type"], node.get("Relation Name"))
                if node.get("Relation Name") in TABLES - {"resource"}:
                    assert "Index" in node["Node Type"], where
                    # What is full, or of another status, is passed over: some rows for each one that is shown.
                    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    assert read * node["Actual Loops"] <= 8 * LIMIT, where
                found.add(node.get("Index Name"))
            assert listing.index in found or listing.name in {"list_resources", "find_calendars"}, (listing.name, found)
