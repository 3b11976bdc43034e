"""Reads outside a batch: bounded in time, whatever the network does, and with one kind of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from engine.errors import StartupRefused, Unavailable, Unreachable
from engine.store import sql
from engine.store.pools import ACQUIRE_TIMEOUT_S, READ_TIMEOUT_S, Connection, Pool, open_pool
from engine.store.trouble import unanswered, unreachable

Value = TypeVar("Value")


async def ask(pool: Pool, query: Callable[[Connection], Awaitable[Value]], *, within_s: float) -> Value:
    """Run a read on a connection of the pool.

    within_s  how long to wait for the answer, and before that at most as long for a connection.

    A connection that did not answer in time is cut, not cancelled: a cancel request needs the very
    server that does not answer.

    Raises Unreachable where the server is gone, Unavailable where it is too busy or too slow. Any other error is a bug.
    """
    try:
        connection = await pool.acquire(timeout=min(within_s, ACQUIRE_TIMEOUT_S))
        try:
            return await _answer(connection, query, within_s)
        finally:
            await pool.release(connection)
    except Exception as error:
        if unreachable(error):
            raise Unreachable(f"PostgreSQL cannot be reached: {error or type(error).__name__}") from error
        if unanswered(error):
            raise Unavailable(f"PostgreSQL did not answer: {error or type(error).__name__}") from error
        raise


async def _answer(connection: Connection, query: Callable[[Connection], Awaitable[Value]], within_s: float) -> Value:
    try:
        async with asyncio.timeout(within_s):
            return await query(connection)
    except (TimeoutError, asyncio.CancelledError):
        connection.terminate()
        raise


async def open_within(url: str, *, size: int, name: str, within_s: float, answer_s: float = READ_TIMEOUT_S) -> Pool:
    """Open a pool to a server that may be down.

    answer_s  after which the server ends a statement by itself: nobody waits for it any more.

    Raises Unavailable where it is, or where it does not take connections within ``within_s``.
    """
    try:
        async with asyncio.timeout(within_s):
            settings = {"statement_timeout": str(int(answer_s * 1000))}
            return await open_pool(url, size=size, name=name, settings=settings)
    except (StartupRefused, TimeoutError) as error:
        raise Unavailable(f"PostgreSQL takes no connection: {error or type(error).__name__}") from error


async def written_until(connection: Connection) -> tuple[datetime, int]:
    """Read the primary's clock, and the place in its log before which all lies that was visible then."""
    row = await connection.fetchrow(sql("written_until"))
    assert row is not None
    return row["at"], row["position"]


async def replayed_until(connection: Connection) -> int | None:
    """Read how far a replica has replayed the primary's log. None: it is no replica."""
    position: int | None = await connection.fetchval(sql("replayed_until"))
    return position
