"""PostgreSQL restarts in the middle of load: nobody's command is given up, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from engine.embedded import Stack
from tests.clients import add_resources, drained, open_intake
from tests.faults.load import Load, check
from tests.processes import Processes, started
from tests.support import wait_until

ENOUGH = 200


@pytest.fixture
def stack_processes(tmp_path: Path, own_stack: Stack) -> Iterator[Processes]:
    yield from started(tmp_path, database_url=own_stack.database_url, redis_url=own_stack.redis_url)


async def test_postgresql_restarts_and_crashes_in_the_middle_of_load_and_nothing_is_given_up(
    own_stack: Stack, stack_processes: Processes
) -> None:
    connection = await asyncpg.connect(own_stack.database_url)
    rooms = await add_resources(connection, 5)
    await connection.close()
    await asyncio.gather(stack_processes.worker(), stack_processes.worker())
    async with (
        open_intake(own_stack.redis_url, own_stack.database_url) as intake,
        Redis.from_url(own_stack.redis_url) as redis,
    ):
        load = Load(intake, rooms)
        load.start()
        for crash in (False, True, True):
            await enough(load)
            await asyncio.to_thread(own_stack.primary.kill if crash else own_stack.primary.stop)
            await asyncio.to_thread(own_stack.primary.start)
        await enough(load)
        await load.stop()
        await drained(redis, rooms)
    connection = await asyncpg.connect(own_stack.database_url)
    try:
        report = await check(load, connection, own_stack.database_url)
        assert await connection.fetchval("SELECT count(*) FROM ledger WHERE outcome = 'failed'") == 0
    finally:
        await connection.close()
    assert report.jumps == []
    assert not any(child.ended for child in stack_processes.all), "a worker outlives its database"


async def enough(load: Load) -> None:
    """Wait until many more were answered."""
    before = load.answered
    await wait_until(lambda: load.answered >= before + ENOUGH, 60)
