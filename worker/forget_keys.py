"""Clock job: forget idempotency keys that are older than they need to be."""

from __future__ import annotations

import asyncio
import logging

from engine.store.idempotency import forget_keys
from engine.store.pools import Pool

EVERY_S = 600.0
AT_ONCE = 5_000
"""Keys that one statement deletes, so that it never holds much."""

logger = logging.getLogger(__name__)


async def forget_keys_forever(pool: Pool, *, hours: int) -> None:
    """Forget keys older than ``hours`` hours, every ten minutes."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            forgotten = AT_ONCE
            while forgotten == AT_ONCE:
                async with pool.acquire(timeout=5) as connection:
                    forgotten = await forget_keys(connection, hours=hours, limit=AT_ONCE)
        except Exception as error:  # noqa: BLE001  # whatever it was, it is done again in ten minutes
            logger.warning("old keys were not forgotten", extra={"error": repr(error)})
