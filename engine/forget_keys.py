"""Clock job: forget idempotency keys that are older than they need to be."""

from __future__ import annotations

from functools import partial

from engine.steps import delete_all
from engine.store import idempotency as store
from engine.store.pools import Pool

EVERY_S = 600.0
AT_ONCE = 5_000
"""Keys that one statement deletes, so that it never holds much."""


async def forget_keys(pool: Pool, *, hours: int) -> None:
    """Forget all keys that are older than ``hours`` hours."""
    await delete_all(pool, partial(store.forget_keys, hours=hours, limit=AT_ONCE), at_once=AT_ONCE)
