"""Clock job: forget sessions whose time is over, with their refresh tokens."""

from __future__ import annotations

from functools import partial

from engine.steps import delete_all
from engine.store import people as store
from engine.store.pools import Pool

EVERY_S = 3_600.0
AT_ONCE = 20
"""Sessions that one statement deletes. Each may have a refresh token for every quarter of an hour of its days."""


async def forget_sessions(pool: Pool) -> None:
    """Forget all that are over."""
    await delete_all(pool, partial(store.forget_sessions, limit=AT_ONCE), at_once=AT_ONCE)
