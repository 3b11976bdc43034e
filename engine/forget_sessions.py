"""Clock job: forget sessions whose time is over, with their refresh tokens."""

from __future__ import annotations

from engine.store import people as store
from engine.store.pools import Pool

EVERY_S = 3_600.0
AT_ONCE = 20
"""Sessions that one statement deletes. Each may have a refresh token for every quarter of an hour of its days."""
ACQUIRE_TIMEOUT_S = 5.0


async def forget_sessions(pool: Pool) -> None:
    """Forget all that are over."""
    forgotten = AT_ONCE
    while forgotten == AT_ONCE:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            forgotten = await store.forget_sessions(connection, limit=AT_ONCE)
