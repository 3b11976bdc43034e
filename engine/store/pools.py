"""Connections to PostgreSQL: what every session of ours sets, and how long anything may wait."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg

from engine.store.fair_pool import FairPool
from engine.store.startup import told_in_a_sentence

READ_TIMEOUT_S = 5.0
"""A read of the API that takes longer is ended by the server and answered 503."""
COMMAND_TIMEOUT_S = READ_TIMEOUT_S + 1
"""When a connection is given up whose server says nothing, not even that a statement took too long."""
ACQUIRE_TIMEOUT_S = 1.0
"""A request that gets no connection within this is answered 503."""
STARTING_S = 10.0
"""A server that says that it is starting up is waited for this long."""
STARTING_PAUSE_S = 0.1
KEEPALIVE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
}

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


DECIDING = {
    # The hot statements have one good plan each (their tests hold them to it); planning them anew costs as
    # much as running them.
    "plan_cache_mode": "force_generic_plan",
    # A plan that is made while a table is empty would read it whole, and stay when it has grown.
    "enable_seqscan": "off",
}
"""Settings of every session that decides."""


async def open_pool(url: str, *, size: int, name: str, settings: dict[str, str] | None = None) -> Pool:
    """Open a pool for reads and short writes of an API process.

    name  shown as ``application_name`` to whoever looks at the server.

    Raises StartupRefused, in one sentence, where the server takes no connection.
    """
    options: dict[str, Any] = {
        "application_name": name,
        "statement_timeout": str(int(READ_TIMEOUT_S * 1000)),
        "idle_in_transaction_session_timeout": "5000",
        "lock_timeout": "2000",
        "jit": "off",
        **KEEPALIVE,
        **(settings or {}),
    }
    with told_in_a_sentence(url):
        return await _once_started(
            url,
            min_size=1,
            max_size=size,
            timeout=5.0,
            command_timeout=COMMAND_TIMEOUT_S,
            max_inactive_connection_lifetime=60.0,
            server_settings=options,
            reset=_nothing_to_reset,
        )


async def _once_started(url: str, **options: Any) -> Pool:
    """Open a pool as soon as the server, which may be starting up, takes connections."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STARTING_S
    while True:
        try:
            return await FairPool(url, **options)
        except asyncpg.CannotConnectNowError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(STARTING_PAUSE_S)


async def _nothing_to_reset(_: object) -> None:
    """Hand a connection on as it is: we change no setting of a session, listen to nothing and keep no cursor, and
    asyncpg's own reset costs every transaction of one request another round trip.
    """
