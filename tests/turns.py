"""Turns in this process, without a beat, a sweep or arq: what they leave undone stays undone, and shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from engine.commands import Request
from engine.queue import scripts
from engine.queue.client import open_client
from engine.queue.entries import encode_body, field_of
from engine.store.pools import Pool, open_pool
from worker.main import SESSION
from worker.turn import Turns, _Turn

API = "test"
"""Who waits for the replies of commands that nobody waits for."""
Hook = Callable[[], Awaitable[None]]


class SteppedRedis(Redis):
    """A client that does something of the test's own before or after a script."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}

    async def evalsha(self, sha: str, numkeys: int, *arguments: Any) -> Any:
        """Run a script with what was planned around it. A plan is carried out once."""
        name = next(name for name, digest in scripts._DIGESTS.items() if digest == sha)
        if hook := self.before.pop(name, None):
            await hook()
        answer = await super().evalsha(sha, numkeys, *arguments)  # type: ignore[misc]
        if hook := self.after.pop(name, None):
            await hook()
        return answer


class Turning:
    """A worker's turns, run one after another when they are announced."""

    def __init__(self, redis: SteppedRedis, blocking: Redis, pool: Pool, *, batch_limit: int) -> None:
        self.redis = redis
        self.pool = pool
        self.turns = Turns(redis, blocking, pool, batch_limit=batch_limit)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> asyncio.Task[None]:
        """Run a turn, and its successors."""

        async def run() -> None:
            while await self.turns.run() and not self.turns.stopping:
                pass

        task = asyncio.create_task(run())
        self._tasks.add(task)
        return task

    async def bring(self, requests: Sequence[Request]) -> list[scripts.Place]:
        """Enqueue as an API process does, and start the turn if one was announced."""
        announced, places = await enqueue(self.redis, requests)
        if announced:
            self.start()
        return places

    async def serve(self, token: str, taken: list[scripts.Taken]) -> None:
        """Go through the steps of a turn with what it has taken."""
        turn = _Turn(self.turns, token, self.pool)
        await turn._serve(taken)
        await turn._session.close()

    async def serve_all(self) -> None:
        """Serve, in one turn, until nothing is ready."""
        token = uuid4().hex
        while taken := await scripts.take(self.redis, token, limit=256):
            await self.serve(token, taken)
        ended, _ = await scripts.end_turn(self.redis, token, slice_over=False)
        assert ended

    async def stop(self) -> None:
        self.turns.stopping = True
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def turning(redis_url: str, database_url: str, *, batch_limit: int = 256) -> AsyncIterator[Turning]:
    """Turns on these servers; when it ends, those under way finish."""
    pool = await open_pool(database_url, size=4, name="test turns", settings=SESSION)
    redis = SteppedRedis.from_url(redis_url, socket_timeout=5, protocol=2)
    blocking = open_client(redis_url, timeout_s=None)
    made = Turning(redis, blocking, pool, batch_limit=batch_limit)
    try:
        yield made
    finally:
        await made.stop()
        await redis.aclose()
        await blocking.aclose()
        await pool.close()


async def enqueue(
    redis: Redis, requests: Sequence[Request], *, api: str = API, limit: int = 100_000, last_ticket: int = 0
) -> tuple[bool, list[scripts.Place]]:
    """Give requests their tickets, telling a queue without state where its numbers go on.

    Returns whether a turn was announced, and the places.
    """
    memory = (await scripts.memory(redis)) or uuid4().hex.encode()
    asks = [ask_of(item, api=api, last_ticket=last_ticket, memory=memory) for item in requests]
    _, announced, places = await scripts.enqueue(redis, asks, api=api, limit=limit, candidate=memory.decode())
    return announced, places


def ask_of(
    item: Request, *, api: str = API, last_ticket: int | None = None, memory: bytes | None = None
) -> scripts.Ask:
    """A request as the enqueue script takes it."""
    return scripts.Ask(item.resource, field_of(item), item.request_id, encode_body(api, item), last_ticket, memory)
