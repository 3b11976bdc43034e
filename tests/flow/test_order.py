"""The same stream of tickets has the same winners, however many decide it, and whatever arq does."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis

from engine.commands import Request
from engine.queue.jobs import QUEUE, enqueue_turn, open_jobs
from tests.clients import Row, add_resources, clean, drained, hour, ledger, request, winners
from tests.processes import Processes
from tests.schema.rows import Connection
from tests.support import wait_until
from tests.turns import enqueue

ROOMS = 5
COMMANDS = 600
SETS = [(1, 1), (2, 1), (2, 4)]
"""Processes and turns in each: one, two and eight turns."""


def stream(rooms: list[int], seed: int = 4) -> list[Request]:
    """Overlapping wishes, the same for every set of rooms."""
    lots = random.Random(seed)
    return [
        request(rooms[lots.randrange(ROOMS)], hour(lots.randrange(0, 200) / 2, lots.choice([0.5, 1, 2, 5])))
        for _ in range(COMMANDS)
    ]


async def test_one_two_and_eight_turns_have_the_same_winners(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    found: list[list[list[Row]]] = []
    async with Redis.from_url(redis_url) as redis:
        for count, turns in SETS:
            rooms = await add_resources(database, ROOMS)
            await enqueue(redis, stream(rooms))
            limits = {"FIRSTCOME_TURNS_PER_WORKER": str(turns), "FIRSTCOME_BATCH_LIMIT": "16"}
            workers = await asyncio.gather(*(processes.worker(**limits) for _ in range(count)))
            await drained(redis, rooms)
            for worker in workers:
                await worker.end()
            found.append([await winners(database, room) for room in rooms])
            await check_order(database, rooms)
    assert sum(map(len, found[0])) == COMMANDS
    assert {row.outcome for rows in found[0] for row in rows} == {"confirmed", "refused"}
    assert found[0] == found[1] == found[2]
    await clean(database_url)


async def test_jobs_that_are_shuffled_and_doubled_change_no_winner(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    lots = random.Random(7)
    found: list[list[list[Row]]] = []
    async with Redis.from_url(redis_url) as redis:
        for meddling in (False, True):
            rooms = await add_resources(database, ROOMS)
            await enqueue(redis, stream(rooms))
            jobs = open_jobs(redis)
            if meddling:
                for _ in range(30):
                    await enqueue_turn(jobs)
                names = [name.decode() for name in await redis.zrange(QUEUE, 0, -1)]
                assert len(names) >= 30
                await redis.zadd(QUEUE, {name: lots.randrange(1, 1_000_000) for name in names})
            workers = await asyncio.gather(*(processes.worker(FIRSTCOME_BATCH_LIMIT="16") for _ in range(2)))
            await drained(redis, rooms)
            for worker in workers:
                await worker.end()
            found.append([await winners(database, room) for room in rooms])
            await check_order(database, rooms)
    assert sum(map(len, found[0])) == COMMANDS
    assert found[0] == found[1]
    await clean(database_url)


@pytest.mark.parametrize("payload", [b"cos\nsystem\n(S'touch {mark}'\ntR.", b"\x80\x04never a pickle", b""])
async def test_a_payload_that_is_none_of_ours_is_refused_and_never_executed(
    processes: Processes, database: Connection, redis_url: str, payload: bytes, tmp_path: Path
) -> None:
    """A pickle is a program: unpickled, the first of these would make a file."""
    mark = tmp_path / "executed"
    (room,) = await add_resources(database, 1)
    async with Redis.from_url(redis_url) as redis:
        await redis.psetex("arq:job:planted", 60_000, payload.replace(b"{mark}", bytes(mark)))
        await redis.zadd(QUEUE, {"planted": 1})
        worker = await processes.worker()
        await enqueue(redis, [request(room)])
        await drained(redis, [room])

        async def is_gone() -> bool:
            return await redis.zscore(QUEUE, "planted") is None

        await wait_until(is_gone)
    assert worker.records("planted"), worker.log.read_text()
    assert not mark.exists()
    assert not worker.ended


async def check_order(connection: Connection, rooms: list[int]) -> None:
    """Tickets have no gap, and the later ticket was not decided earlier."""
    for room in rooms:
        rows = await ledger(connection, room)
        assert [row["ticket"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(before["decided_at"] <= after["decided_at"] for before, after in pairwise(rows))
