"""How clock jobs do much: in many steps, each a transaction of its own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from engine.store.pools import Connection, Pool

ACQUIRE_TIMEOUT_S = 5.0
"""How long a clock job waits for a connection."""

logger = logging.getLogger(__name__)


async def take_steps(
    pool: Pool, step: Callable[[Connection], Awaitable[int | None]], *, trouble: str, about: dict[str, object]
) -> int:
    """Take one step after the other, on one connection, until nothing is due.

    Trouble holds up nothing else that the job does: it is logged, and what is left is due in the job's next round.

    step     returns how much it did, or None where nothing is due.
    trouble  what the log says then.
    about    the fields that the log has beside it.

    Returns how much was done, before any trouble included.
    """
    done = 0
    try:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            while (taken := await step(connection)) is not None:
                done += taken
    except Exception as error:  # noqa: BLE001  # see above
        logger.warning(trouble, extra={**about, "error": repr(error)})
    return done


async def delete_all(pool: Pool, delete: Callable[[Connection], Awaitable[int]], *, at_once: int) -> None:
    """Delete what is due, ``at_once`` rows with each statement, until one finds fewer.

    delete  returns how many it found.
    """
    deleted = at_once
    while deleted == at_once:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            deleted = await delete(connection)
