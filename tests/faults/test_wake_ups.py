"""A wake-up that never arrives: whoever was to be woken looks by itself soon."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from engine.queue.keys import WAKE_TURNS, WAKE_WORKERS
from tests.clients import add_resources, clean, drained, hour, ledger, request
from tests.faults.matrix import Recoveries
from tests.processes import Processes
from tests.schema.rows import Connection
from tests.support import wait_until
from tests.turns import enqueue

LOST = "a wake-up is lost"
ROUNDS = 5


class Unheard(Redis):
    """A client whose every script takes the wake tokens away that it gave, in the same step."""

    async def evalsha(self, sha: str, numkeys: int, *arguments: Any) -> Any:
        async with self.pipeline(transaction=True) as step:
            step.evalsha(sha, numkeys, *arguments)
            step.delete(WAKE_TURNS, WAKE_WORKERS)
            answer, taken_away = await step.execute()
        assert taken_away >= 1, "nobody was to be woken"
        return answer


async def test_a_wake_up_that_is_lost_costs_a_sweep(
    processes: Processes, database: Connection, database_url: str, redis_url: str, recoveries: Recoveries
) -> None:
    """Whether a turn waits for the token, or none is alive and the job that was to begin one was never enqueued."""
    rooms = await add_resources(database, 2)
    await processes.worker()
    async with Redis.from_url(redis_url) as redis, Unheard.from_url(redis_url) as unheard:

        async def no_turn_is_alive() -> bool:
            return bool(await redis.zcard("fc:turns") == 0)

        await enqueue(redis, [request(rooms[0], hour(1_000))])
        await drained(redis, rooms)
        for number in range(ROUNDS):
            for alive in (True, False):
                if not alive:
                    await wait_until(no_turn_is_alive)
                since = await database.fetchval("SELECT clock_timestamp()")
                await enqueue(unheard, [request(rooms[alive], hour(number))])
                await drained(redis, rooms)
                decided_at: datetime = (await ledger(database, rooms[alive]))[-1]["decided_at"]
                case = "a turn waits" if alive else "no turn is alive"
                recoveries.note(LOST, (decided_at - since).total_seconds(), case)
    await clean(database_url)
