"""Rate limits of calls that do not go through a queue: reads, log-ins. Commands are counted by the enqueue script.

What comes while a call of the script is under way is counted by the next one, so a thousand reads at once cost a few
calls of Redis. Where Redis does not answer within ANSWER_WITHIN_S, or there is none (direct mode), this process
counts for itself: nobody is refused who is within the limits, and who guesses passwords is still slowed, by each
process alone. Redis is asked again AWAY_S later, so it costs a caller a quarter of a second at most, once.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence

from engine.queue import scripts
from engine.queue.client import TROUBLE, open_client
from engine.rules.rate import SECOND_US, Bucket, Verdict, debt_after, level_of

ANSWER_WITHIN_S = 0.25
"""How long a call may wait to be counted in Redis."""
AWAY_S = 1.0
"""How long Redis is not asked after it did not answer."""
COUNTED_AT_ONCE = 256
"""Calls in one run of the script: Redis does nothing else meanwhile."""
PENDING_LIMIT = 20_000
"""Calls that may wait to be counted in Redis; more are counted here."""
REMEMBERED = 10_000
"""Buckets that a process counts for itself; past that the one that was made first is forgotten."""

logger = logging.getLogger(__name__)


class LocalCounts:
    """Buckets of this process alone."""

    def __init__(self) -> None:
        self._full_at_us: dict[str, int] = {}

    def take(self, buckets: Sequence[Bucket], *, now_us: int) -> Verdict:
        """Count a call in all of its buckets, or in none where one has no room.

        now_us  of a clock that does not go back.
        """
        debts = [max(0, self._full_at_us.get(bucket.name, 0) - now_us) for bucket in buckets]
        after = [debt_after(bucket.rate, debt) for bucket, debt in zip(buckets, debts, strict=True)]
        room = None not in after
        for bucket, debt in zip(buckets, after, strict=True):
            if room and debt is not None:
                self._remember(bucket.name, now_us + debt)
        shown = [debt if debt is not None and room else before for before, debt in zip(debts, after, strict=True)]
        return Verdict(room, tuple(level_of(bucket, debt) for bucket, debt in zip(buckets, shown, strict=True)))

    def _remember(self, name: str, full_at_us: int) -> None:
        if name not in self._full_at_us and len(self._full_at_us) >= REMEMBERED:
            del self._full_at_us[next(iter(self._full_at_us))]
        self._full_at_us[name] = full_at_us


class RateLimiter:
    """Counts the calls of one API process. ``url`` is that of Redis; None: there is none."""

    def __init__(self, url: str | None) -> None:
        self._redis = None if url is None else open_client(url)
        self._local = LocalCounts()
        self._pending: list[tuple[Sequence[Bucket], asyncio.Future[Verdict]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._ask_from = 0.0

    async def stop(self) -> None:
        """Close the connections once what waits was counted, here."""
        self._ask_from = math.inf
        if self._sending is not None:
            await self._sending
        if self._redis is not None:
            await self._redis.aclose()

    async def take(self, buckets: Sequence[Bucket]) -> Verdict:
        """Count a call in all of its buckets, or in none where one has no room. Never fails."""
        away = self._redis is None or time.monotonic() < self._ask_from
        if away or len(self._pending) >= PENDING_LIMIT:
            return self._take_here(buckets)
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._pending.append((buckets, future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await future

    def _take_here(self, buckets: Sequence[Bucket]) -> Verdict:
        return self._local.take(buckets, now_us=time.monotonic_ns() * SECOND_US // 10**9)

    async def _send(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:COUNTED_AT_ONCE], self._pending[COUNTED_AT_ONCE:]
                verdicts = await self._count([buckets for buckets, _ in batch])
                for (_, future), verdict in zip(batch, verdicts, strict=True):
                    if not future.done():
                        future.set_result(verdict)
        finally:
            self._sending = None

    async def _count(self, calls: Sequence[Sequence[Bucket]]) -> list[Verdict]:
        assert self._redis is not None
        if time.monotonic() >= self._ask_from:
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    return await scripts.limit(self._redis, calls)
            except TROUBLE as error:
                self._ask_from = time.monotonic() + AWAY_S
                logger.warning("this process counts calls for itself", extra={"error": repr(error), "for_s": AWAY_S})
        return [self._take_here(buckets) for buckets in calls]
