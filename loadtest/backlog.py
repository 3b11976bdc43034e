"""The enqueue step, with nobody waiting and with very many: it must not matter."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from uuid import UUID, uuid4

from redis.asyncio import Redis

from engine.queue import keys, scripts
from engine.queue.client import open_client

TOGETHER = 50
"""Commands in one call, about as many as come in while the call before is under way."""
FILL = 1_000
BODY = bytes(120)
EMPTY, FULL = 1, 2
API = "bench"
LIMIT = 1_000_000


async def compare(redis_url: str, *, waiting: int, calls: int) -> tuple[float, float]:
    """Time the enqueue script on a queue that is empty and on one where ``waiting`` commands wait.

    redis_url  an empty database, in which no worker looks.

    Returns the median of one call for each, in milliseconds. The calls take turns.
    """
    redis = open_client(redis_url)
    try:
        memory = await _begin(redis)
        for start in range(0, waiting, FILL):
            await _enqueue(redis, FULL, min(FILL, waiting - start), memory)
        none, many = [], []
        for _ in range(calls):
            none.append(await _enqueue(redis, EMPTY, TOGETHER, memory))
            await _answer_all(redis, EMPTY)
            many.append(await _enqueue(redis, FULL, TOGETHER, memory))
        return median(none), median(many)
    finally:
        await redis.flushdb()
        await redis.aclose()


async def _begin(redis: Redis) -> bytes:
    """Learn the memory id, which the first call makes."""
    memory, _, _ = await scripts.enqueue(redis, [_ask(EMPTY, None)], api=API, limit=LIMIT, candidate=uuid4().hex)
    return memory


def _ask(resource: int, memory: bytes | None) -> scripts.Ask:
    request_id = uuid4()
    return scripts.Ask(resource, request_id.bytes, request_id, BODY, None if memory is None else 0, memory)


async def _enqueue(redis: Redis, resource: int, count: int, memory: bytes) -> float:
    asks = [_ask(resource, memory) for _ in range(count)]
    before = time.perf_counter()
    _, _, places = await scripts.enqueue(redis, asks, api=API, limit=LIMIT, candidate="")
    took_ms = (time.perf_counter() - before) * 1000
    assert all(place.ticket is not None and place.ticket > 0 for place in places), "a command got no ticket"
    return took_ms


async def _answer_all(redis: Redis, resource: int) -> None:
    """Trim a queue as a turn does that has answered all of it."""
    entries: list[bytes] = await redis.lrange(keys.queue(resource), 0, -1)  # type: ignore[misc]
    late: dict[UUID, list[str]] = await scripts.trim(redis, {resource: entries})
    assert not late


def run(redis_url: str, *, waiting: int, calls: int) -> tuple[float, float]:
    """``compare``, on a loop of its own."""
    return asyncio.run(compare(redis_url, waiting=waiting, calls=calls))
