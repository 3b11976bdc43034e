"""PostgreSQL restarts in the middle of load: nobody's command is given up, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import time

import asyncpg
from redis.asyncio import Redis

from engine.embedded import Stack
from tests.clients import add_resources, drained, open_intake
from tests.faults.load import HOURS, KILLS, Load, check, tell
from tests.faults.matrix import Recoveries
from tests.processes import Processes

ENOUGH = 200
KILLED = "PostgreSQL is killed and restarted"


async def test_postgresql_restarts_and_crashes_in_the_middle_of_load_and_nothing_is_given_up(
    own_stack: Stack, stack_processes: Processes, recoveries: Recoveries
) -> None:
    connection = await asyncpg.connect(own_stack.database_url)
    rooms = await add_resources(connection, 5)
    await connection.close()
    await asyncio.gather(stack_processes.worker(), stack_processes.worker())
    async with (
        open_intake(own_stack.redis_url, own_stack.database_url) as intake,
        Redis.from_url(own_stack.redis_url) as redis,
    ):
        load = Load(intake, rooms, hours=HOURS)
        load.start()
        back: list[float] = []
        for crash in (False, *[True] * (KILLS or 2)):
            await load.more(ENOUGH)
            await asyncio.to_thread(own_stack.primary.kill if crash else own_stack.primary.stop)
            await asyncio.to_thread(own_stack.primary.start)
            back.append(time.monotonic())
        await load.more(ENOUGH)
        await load.stop()
        await drained(redis, rooms)
    spans = [load.held_up_s(since) for since in back]
    tell(KILLED, spans)
    for span in spans:
        recoveries.note(KILLED, span)
    connection = await asyncpg.connect(own_stack.database_url)
    try:
        report = await check(load, connection, own_stack.database_url)
        assert await connection.fetchval("SELECT count(*) FROM ledger WHERE outcome = 'failed'") == 0
    finally:
        await connection.close()
    assert report.jumps == []
    assert not any(child.ended for child in stack_processes.all), "a worker outlives its database"
