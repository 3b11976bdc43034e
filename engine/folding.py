"""Clock job: fold what was decided into the counts that operators read.

Deciding writes the ledger and nothing else for their sake. What was decided since the last run is added to the counts
here, each ledger row once: a run folds the span of time between how far the counts reach and an instant before which
nothing more can come, and says in the same transaction that it did. Reads add what lies behind it row by row, so the
numbers are exact whenever and however often this runs.

How it is known that nothing more can come: whoever decides reads the clock after the row locks, and so has a
transaction number by then. A run notes an instant, and then a transaction number, which is greater; what was noted may
be folded once every transaction below that number has ended. No span of seconds is trusted.

What happens when a part dies: nothing was folded, or all of it was; the next run, wherever, goes on from there. The
clock of the primary is trusted not to go back behind what was folded: rows that are decided at such times are missing
from the counts until they are made anew (docs/operations.md).
"""

from __future__ import annotations

import logging
from datetime import timedelta

from engine.steps import ACQUIRE_TIMEOUT_S
from engine.store.analytics import fold, lock_fold, mark_fold, read_clock
from engine.store.pools import Pool

EVERY_S = 30.0
"""What is not folded is counted row by row with every read, so this bounds what a read costs after a launch."""
STEP = timedelta(days=1)
"""What one transaction folds at most: after an outage, or over a ledger from before there were counts."""
STATEMENT_S = 60.0
"""How long one statement may take. It holds no lock that anybody else waits for."""

logger = logging.getLogger(__name__)


async def fold_due(pool: Pool) -> None:
    """Fold what was noted by the last run, then note what the next one may fold."""
    while await fold_step(pool):
        pass
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
        await mark_fold(connection, await read_clock(connection))


async def fold_step(pool: Pool) -> bool:
    """Fold one STEP at most, in a transaction of its own. Returns whether there is more."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
        due = await lock_fold(connection)
        if due is None:
            return False
        until = min(due.folded_until + STEP, due.next_until)
        await fold(connection, due.folded_until, until, within_s=STATEMENT_S)
        return until < due.next_until
