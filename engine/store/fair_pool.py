"""A pool whose waiters get their connections in the order in which they came."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from asyncpg.protocol import Record

MAX_QUERIES = 50_000
"""After so many a connection is replaced, as in ``asyncpg.create_pool``: what a session gathers goes with it."""

if TYPE_CHECKING:
    RecordPool = asyncpg.Pool[Record]
else:
    RecordPool = asyncpg.Pool  # which takes no type when it runs


class FairPool(RecordPool):
    """asyncpg's pool, with a line before it.

    In asyncpg's own queue, who comes just after a connection was given back takes it before the one who was woken for
    it, and that one goes to the end of those who wait. Where more ask than there are connections, some then wait
    until their time is up while others do not wait at all. The semaphore of asyncio hands its turns on in order.
    """

    __slots__ = ("_lent", "_turns")

    def __init__(self, url: str, *, max_size: int, **options: Any) -> None:
        super().__init__(
            url,
            max_size=max_size,
            max_queries=MAX_QUERIES,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=Record,
            **options,
        )
        self._turns = asyncio.Semaphore(max_size)
        self._lent: set[PoolConnectionProxy[Record]] = set()

    async def _acquire(self, timeout: float | None) -> PoolConnectionProxy[Record]:  # noqa: ASYNC109  # as asyncpg
        """Wait for a turn, then take a connection, which is there or has to be made.

        Raises TimeoutError after ``timeout`` seconds in all.
        """
        async with asyncio.timeout(timeout):
            await self._turns.acquire()
            try:
                connection: PoolConnectionProxy[Record] = await super()._acquire(timeout)  # type: ignore[misc]  # not typed
            except BaseException:
                self._turns.release()
                raise
        self._lent.add(connection)
        return connection

    async def release(
        self,
        connection: PoolConnectionProxy[Record],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # as asyncpg
    ) -> None:
        """Give a connection back, and the turn to who waited longest. Once given back, nothing happens."""
        try:
            await super().release(connection, timeout=timeout)
        finally:
            if connection in self._lent:
                self._lent.remove(connection)
                self._turns.release()
