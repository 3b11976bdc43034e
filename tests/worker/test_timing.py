"""The spans that depend on each other are in force where they are meant to be."""

from __future__ import annotations

from redis.asyncio import Redis

from engine.queue import scripts
from engine.queue.scripts import ANNOUNCED_S, LEASE_S
from engine.store.pools import open_pool
from tests.clients import request
from tests.turns import enqueue
from worker import timing
from worker.main import SESSION
from worker.turn import GIVEN_UP_AT

MICROSECONDS = 1_000_000


async def test_the_session_of_a_worker_has_the_spans_of_the_table(database_url: str) -> None:
    wanted = {
        "idle_in_transaction_session_timeout": timing.IDLE_IN_TRANSACTION_MS,
        "lock_timeout": timing.LOCK_TIMEOUT_MS,
        "statement_timeout": timing.STATEMENT_TIMEOUT_MS,
        "client_connection_check_interval": timing.CONNECTION_CHECK_MS,
    }
    pool = await open_pool(database_url, size=1, name="test", settings=SESSION)
    rows = await pool.fetch("SELECT name, setting::int, unit FROM pg_settings WHERE name = ANY ($1)", list(wanted))
    await pool.close()
    assert {row["name"]: row["setting"] for row in rows} == wanted
    assert {row["unit"] for row in rows} == {"ms"}


async def test_a_lease_and_an_announcement_last_as_long_as_the_table_says(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        announced, _ = await enqueue(redis, [request(7)])
        assert announced
        left = {"fc:announced": (await left_s(redis, "fc:announced"), ANNOUNCED_S)}
        await scripts.beat(redis, "worker", turns=1, tokens=())
        left["fc:workers"] = (await left_s(redis, "fc:workers"), LEASE_S)
        await scripts.take(redis, "turn", limit=1)
        left["fc:turns"] = (await left_s(redis, "fc:turns"), LEASE_S)
    for key, (seconds, span) in left.items():
        assert span / 2 < seconds <= span, key


async def left_s(redis: Redis, key: str) -> float:
    """How many seconds the only member of a set has left, by the clock of Redis."""
    ((_, at),) = await redis.zrange(key, 0, -1, withscores=True)
    seconds, microseconds = await redis.time()
    return float((at - seconds * MICROSECONDS - microseconds) / MICROSECONDS)


def test_a_command_is_given_up_after_as_many_failures_as_the_table_reckons_with() -> None:
    batches = 2
    assert batches + GIVEN_UP_AT - 1 == timing.FAILURES_AT_MOST
