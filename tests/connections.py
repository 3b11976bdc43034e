"""Connections to databases, and who holds up whom on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.schema.rows import Connection
from tests.support import wait_until


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Connection]:
    """A connection to a database, closed at the end."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def held_up(
    writing: Coroutine[Any, Any, object], connection: Connection, observer: Connection
) -> asyncio.Task[object]:
    """Start a statement on ``connection`` and return once another transaction holds it up."""
    task = asyncio.create_task(writing)

    async def waits() -> bool:
        blockers = await observer.fetchval("SELECT pg_blocking_pids($1)", connection.get_server_pid())
        return bool(blockers)

    await wait_until(waits)
    assert not task.done()
    return task
