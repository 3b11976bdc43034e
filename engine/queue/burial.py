"""When a worker is known to be dead: what its turns held goes back at once, and nobody waits for their deadlines.

Whoever watches the processes of a machine knows of a death in an instant; Redis only learns of it when a deadline
passes. A lease is for liveness only, so a burial that was wrong costs a batch, and decides nothing.
"""

from __future__ import annotations

import logging

from engine.queue import scripts
from engine.queue.client import TROUBLE, open_client

logger = logging.getLogger(__name__)


async def bury(redis_url: str, worker: str) -> None:
    """Give back what a dead worker's turns held. Where Redis does not answer, the sweep will.

    worker  what it called itself.
    """
    redis = open_client(redis_url)
    try:
        turns = await scripts.bury(redis, worker)
        logger.info("a dead worker was buried", extra={"worker": worker, "turns": turns})
    except TROUBLE as error:
        logger.warning("a dead worker was not buried; the sweep will", extra={"worker": worker, "error": repr(error)})
    finally:
        await redis.aclose()
