"""A change of capacity: what it counts, and the time that it has to count and rewrite every booking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from engine.commands import Reason, Status, UpdateResource
from engine.store import sql
from tests.schema.rows import Connection, Span, add_resource, book_all, set_capacity
from tests.store.test_claims import decide

TIMEOUT_MS = 1_000
SLOWER = """
CREATE FUNCTION slower() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.3); RETURN NULL; END';
CREATE TRIGGER slower AFTER UPDATE OF capacity ON resource FOR EACH ROW EXECUTE FUNCTION slower();
"""
CHANGED = """
INSERT INTO ledger (resource, ticket, request_id, kind, capacity, outcome, joined_at, decided_at, row_hash)
VALUES ($1, $2, gen_random_uuid(), 'update_resource', $4, 'confirmed', $3, $3, decode(repeat('00', 32), 'hex'))
"""


async def test_a_change_of_capacity_may_outlast_the_time_out_of_a_session(database_url: str) -> None:
    connection = await asyncpg.connect(
        database_url, server_settings={"statement_timeout": str(TIMEOUT_MS)}, command_timeout=TIMEOUT_MS / 1000
    )
    try:
        room = await add_resource(connection, capacity=1)
        await connection.execute(SLOWER)
        with pytest.raises((asyncpg.QueryCanceledError, TimeoutError)):
            await set_capacity(connection, room, 5)
        (outcome,) = await decide(connection, room, UpdateResource(capacity=2))
        assert outcome.status is Status.CONFIRMED
        assert await connection.fetchval("SELECT capacity FROM resource") == 2
        assert await connection.fetchval("SHOW statement_timeout") == "1s", "only this transaction had longer"
    finally:
        await connection.close()


def days_ago(start: float, end: float) -> Span:
    """The interval from some days before now to others; below zero it lies in the future."""
    now = datetime.now(UTC)
    return asyncpg.Range(now - timedelta(days=start), now - timedelta(days=end))


async def change(database: Connection, resource: int, capacity: int) -> Reason | None:
    """Have the engine change a capacity. Returns why it refuses."""
    (outcome,) = await decide(database, resource, UpdateResource(capacity=capacity))
    assert (outcome.status is Status.CONFIRMED) is (outcome.reason is None)
    return outcome.reason


@pytest.mark.parametrize(
    ("booked", "least"),
    [
        ([(3, 2, 4)], 1),
        ([(3, 2, 1), (3, 2, 1)], 2),
        ([(1, -1, 4)], 4),
        ([(3, 1, 2), (2, -1, 2)], 2),
        ([(2, -1, 2), (1, -2, 2)], 4),
        ([(3, 2, 4), (-1, -2, 3)], 3),
    ],
    ids=[
        "places of the past",
        "two at once in the past",
        "one that is under way",
        "one that is over beside it",
        "two that are under way",
        "one to come",
    ],
)
async def test_a_capacity_may_fall_to_what_is_taken_from_now_on(
    database: Connection, booked: list[tuple[float, float, int]], least: int
) -> None:
    course = await add_resource(database, capacity=5)
    await book_all(database, [(course, days_ago(start, end), places) for start, end, places in booked])
    await database.execute("UPDATE resource SET last_ticket = 1")
    if least > 2:
        assert await change(database, course, least - 1) is Reason.CAPACITY_BELOW_TAKEN
        with pytest.raises(asyncpg.ExclusionViolationError):
            await set_capacity(database, course, least - 1)
    assert await change(database, course, max(least, 2)) is None
    assert await change(database, course, 1) is Reason.CAPACITY_BELOW_TAKEN, "a room was never taken twice"
    with pytest.raises((asyncpg.ExclusionViolationError, asyncpg.CheckViolationError)):
        await set_capacity(database, course, 1)


async def test_a_capacity_is_kept_from_the_instant_at_which_its_change_was_decided(database: Connection) -> None:
    """Where the database's clock was set back, now goes on from the last decision, for the rule and the schema."""
    course = await add_resource(database, capacity=5)
    await book_all(database, [(course, days_ago(-1, -2), 4)])
    await database.execute("UPDATE resource SET last_ticket = 1, last_decided_at = now() + interval '3 days'")
    assert await change(database, course, 2) is None


async def test_what_was_taken_is_held_against_the_capacity_of_its_time(database: Connection) -> None:
    """Ten places at first, two from ten days ago on, five from two days ago on, four by now."""
    course = await add_resource(database, capacity=10)
    for ticket, (since, capacity) in enumerate([(10, 2), (2, 5)], start=1):
        await database.execute(CHANGED, course, ticket, days_ago(since, 0).lower, capacity)
    fits = [(12, 11, 10), (9, 8, 2), (1.5, 1.4, 5), (-1, -2, 4)]
    await book_all(database, [(course, days_ago(start, end), places) for start, end, places in fits])
    await set_capacity(database, course, 4)
    assert await database.fetch(sql("verify_excess"), 10) == []

    await database.execute("ALTER TABLE booking DISABLE TRIGGER USER")
    exceeds = [(14, 13, 11), (7, 6, 3), (1.2, 1.1, 6), (-3, -4, 5)]
    made = await book_all(database, [(course, days_ago(start, end), places) for start, end, places in exceeds])
    found = await database.fetch(sql("verify_excess"), 10)
    assert [row["bookings"] for row in found] == [[booking] for booking in made]
    assert [row["detail"].partition(" places")[0] for row in found] == ["11 of 10", "3 of 2", "6 of 5", "5 of 4"]
