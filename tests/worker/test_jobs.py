"""What a worker makes of jobs that others left behind."""

from __future__ import annotations

from redis.asyncio import Redis

from engine.queue import jobs
from tests.processes import Processes
from tests.support import wait_until

LEFT = b"left-by-a-dead-worker"


async def test_a_job_of_which_only_the_name_is_left_is_forgotten_without_a_word(
    processes: Processes, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.zadd(jobs.QUEUE, {LEFT: 1})
        await redis.set(b"arq:retry:" + LEFT, 1)
        worker = await processes.worker()

        async def is_forgotten() -> bool:
            return not await redis.zcard(jobs.QUEUE) and await redis.keys("arq:*") == []

        await wait_until(is_forgotten)
    assert await worker.end() == 0
    assert [record for record in worker.records() if record["level"] != "info"] == []
