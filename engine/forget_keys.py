"""Clock job: forget idempotency keys that are older than they need to be."""

from __future__ import annotations

from engine.store import idempotency as store
from engine.store.pools import Pool

EVERY_S = 600.0
AT_ONCE = 5_000
"""Keys that one statement deletes, so that it never holds much."""
ACQUIRE_TIMEOUT_S = 5.0


async def forget_keys(pool: Pool, *, hours: int) -> None:
    """Forget all keys that are older than ``hours`` hours."""
    forgotten = AT_ONCE
    while forgotten == AT_ONCE:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            forgotten = await store.forget_keys(connection, hours=hours, limit=AT_ONCE)
