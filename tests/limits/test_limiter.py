"""Calls without a command: counted together, and by each process for itself while Redis does not answer."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from engine.embedded import Valkey
from engine.queue import limits
from engine.queue.limits import LocalCounts, RateLimiter
from engine.rules.rate import Bucket, Rate
from tests.support import wait_until

SLOW = Bucket("logins", Rate(3, 3_600), "ann")


def bucket(who: str) -> Bucket:
    return Bucket("reads", Rate(3, 3_600), who)


async def pause(valkey: Valkey, for_ms: int) -> None:
    """Have the server take calls and answer none of them for a while."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.execute_command("CLIENT", "PAUSE", for_ms, "ALL")


async def counted(limiter: RateLimiter, which: Bucket, times: int) -> int:
    """How many of so many calls at once were counted."""
    verdicts = await asyncio.gather(*(limiter.take([which]) for _ in range(times)))
    return sum(verdict.counted for verdict in verdicts)


async def test_a_thousand_calls_at_once_cost_a_few_calls_of_redis(valkey: Valkey) -> None:
    limiter = RateLimiter(valkey.url)
    async with Redis.from_url(valkey.url) as redis:
        await limiter.take([SLOW])
        await redis.config_resetstat()
        wide = Bucket("reads", Rate(600, 3_600), "ann")
        assert await counted(limiter, wide, 1_000) == 600
        assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] <= 5
    await limiter.stop()


async def test_without_redis_each_process_counts_for_itself_until_it_is_back(valkey: Valkey) -> None:
    limiter = RateLimiter(valkey.url)
    assert await counted(limiter, SLOW, 2) == 2
    valkey.kill()
    begun = time.monotonic()
    assert await counted(limiter, SLOW, 9) == 3, "nobody is refused more, and guessing is slowed"
    assert time.monotonic() - begun < 2
    valkey.start()

    async def in_redis() -> bool:
        await limiter.take([bucket("bob")])
        async with Redis.from_url(valkey.url) as redis:
            return bool(await redis.exists("fc:rate:reads:bob"))

    await wait_until(in_redis)
    await limiter.stop()


async def test_a_redis_that_does_not_answer_costs_a_caller_a_moment_once(valkey: Valkey) -> None:
    limiter = RateLimiter(valkey.url)
    await limiter.take([SLOW])
    await pause(valkey, 2_000)
    begun = time.monotonic()
    assert await counted(limiter, bucket("bob"), 4) == 3
    waited = time.monotonic()
    assert await counted(limiter, bucket("eve"), 4) == 3
    assert limits.ANSWER_WITHIN_S <= waited - begun < 1
    assert time.monotonic() - waited < limits.ANSWER_WITHIN_S / 2, "it is not asked again at once"
    await limiter.stop()


async def test_who_waits_when_the_process_stops_is_counted_here(valkey: Valkey) -> None:
    limiter = RateLimiter(valkey.url)
    await pause(valkey, 1_000)
    calls = [asyncio.create_task(limiter.take([SLOW])) for _ in range(4)]
    await wait_until(lambda: limiter._sending is not None)
    await limiter.stop()
    assert [(await call).counted for call in calls] == [True, True, True, False]


async def test_a_caller_who_hangs_up_takes_the_answer_from_nobody(valkey: Valkey) -> None:
    limiter = RateLimiter(valkey.url)
    await pause(valkey, 150)
    calls = [asyncio.create_task(limiter.take([SLOW])) for _ in range(3)]
    await wait_until(lambda: limiter._sending is not None)
    calls[0].cancel()
    assert [(await call).counted for call in calls[1:]] == [True, True]
    await limiter.stop()


async def test_where_there_is_no_redis_a_process_counts() -> None:
    limiter = RateLimiter(None)
    assert await counted(limiter, SLOW, 5) == 3
    await limiter.stop()


def test_what_a_process_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 3)
    counts = LocalCounts()
    for who in ("a", "b", "c", "a", "d"):
        counts.take([bucket(who)], now_us=0)
    assert set(counts._full_at_us) == {"reads:b", "reads:c", "reads:d"}
