"""Clock job: forget sessions whose time is over, with their refresh tokens."""

from __future__ import annotations

import asyncio
import logging

from engine.store.people import forget_sessions
from engine.store.pools import Pool

EVERY_S = 3_600.0
AT_ONCE = 20
"""Sessions that one statement deletes. Each may have a refresh token for every quarter of an hour of its days."""

logger = logging.getLogger(__name__)


async def forget_sessions_forever(pool: Pool) -> None:
    """Forget what is over, every hour."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await forget_old_sessions(pool)
        except Exception as error:  # noqa: BLE001  # whatever it was, it is done again in an hour
            logger.warning("old sessions were not forgotten", extra={"error": repr(error)})


async def forget_old_sessions(pool: Pool) -> None:
    """Forget all that are over."""
    forgotten = AT_ONCE
    while forgotten == AT_ONCE:
        async with pool.acquire(timeout=5) as connection:
            forgotten = await forget_sessions(connection, limit=AT_ONCE)
