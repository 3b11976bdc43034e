"""Redis comes back and reads its file for a while: it takes connections then, and refuses every command."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.commands import Status
from engine.embedded import Valkey
from engine.errors import StartupRefused
from engine.queue.check import check_redis
from tests.clients import clean, decided, hour, open_intake, request
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until

KEYS = 600
SIZE = 1024
SLOWLY = {"key-load-delay": "50000", "loading-process-events-interval-bytes": str(SIZE)}
"""Fifty milliseconds for each key in the file, and an ear for clients in between: as with a file of gigabytes."""


@asynccontextmanager
async def loading(valkey: Valkey) -> AsyncIterator[None]:
    """The server killed and started again; it goes on loading until the context ends."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.mset({f"key-{number}": secrets.token_bytes(SIZE) for number in range(KEYS)})
        await redis.bgrewriteaof()  # only of a file that was rewritten the server looks up at every key

        async def is_rewritten() -> bool:
            return bool((await redis.info("persistence"))["aof_last_rewrite_time_sec"] >= 0)

        await wait_until(is_rewritten)
        valkey.kill()
        valkey.settings.update(SLOWLY)
        starting = asyncio.create_task(asyncio.to_thread(valkey.start))

        async def loads() -> bool:
            with suppress(RedisError):
                return bool((await redis.info("persistence"))["loading"])
            return False

        await wait_until(loads)
        try:
            yield
        finally:
            await redis.config_set("key-load-delay", "0")
            await starting


async def test_processes_that_start_while_redis_loads_wait_for_it(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with loading(valkey):
        worker, api = own_processes.start_worker(), own_processes.start_api()
        await wait_until(lambda: worker.records("Redis is loading") and api.records("Redis is loading"))
    await asyncio.gather(worker.begins(valkey.url), api.begins())
    async with open_intake(valkey.url, database_url) as intake:
        assert decided(await intake.decide(request(room), wait_s=20)).status is Status.CONFIRMED
    await clean(database_url)


async def test_a_worker_outlives_a_redis_that_comes_back_and_loads(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    worker, api = await asyncio.gather(own_processes.worker(), own_processes.api())
    async with open_intake(valkey.url, database_url) as intake:
        assert decided(await intake.decide(request(room, hour(0)), wait_s=20)).status is Status.CONFIRMED
        async with loading(valkey):
            waiting = asyncio.create_task(intake.decide(request(room, hour(1)), wait_s=30))
            await wait_until(lambda: any("BusyLoading" in record["error"] for record in worker.records("trouble")))
        assert decided(await waiting).status is Status.CONFIRMED
    assert not worker.ended
    assert not api.ended
    await clean(database_url)


async def test_a_redis_that_loads_too_long_is_told_of_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, valkey: Valkey
) -> None:
    monkeypatch.setattr("engine.queue.check.LOADING_S", 0.2)
    async with loading(valkey):
        with pytest.raises(StartupRefused, match="loading"):
            await check_redis(valkey.url)
