"""Direct mode: the same rules and rows under the same row lock, decided in the API's own process.

There is no queue and no Redis. The ticket is given under the lock, so the order is that of the lock:
what "come" means in "first come, first served" is not promised here. It is the comparison that shows
what the queue brings, and a way to run small installations.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from engine.batch import Decisions, Forced, decide_locked
from engine.clock_jobs import POOL_SIZE, start_clock_jobs
from engine.commands import Entry, Outcome, Queued, Request
from engine.errors import NotFound, Unavailable
from engine.intake import Count
from engine.store import decisions as store
from engine.store.outcomes import outcomes_by_request
from engine.store.pools import DECIDING, READ_TIMEOUT_S, Pool, open_pool
from engine.store.reading import ask
from engine.store.trouble import backstop_fired, is_stale_plan, passes
from engine.tasks import end_tasks

ATTEMPTS = 5
ACQUIRE_TIMEOUT_S = 10.0
BACK_OFF_S = 0.02
AT_ONCE = 2
"""Transactions of one resource that this process has under way."""

logger = logging.getLogger(__name__)


class DirectIntake:
    """Decides under the row lock. Implements ``engine.intake.Intake``."""

    def __init__(self, database_url: str, *, pool_size: int, idempotency_hours: int) -> None:
        self._database_url = database_url
        self._idempotency_hours = idempotency_hours
        self._pool_size = pool_size
        self._pool: Pool | None = None
        self._clock_pool: Pool | None = None
        self._clock_jobs: list[asyncio.Task[None]] = []
        # Requests of this process for one resource queue up here: waiting for its row, each would hold a connection
        # that others need. One may wait while another is decided, so that the row is never idle.
        self._turns: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    async def start(self) -> None:
        """Connect."""
        settings = {
            "statement_timeout": "2000",
            "lock_timeout": "1500",
            "idle_in_transaction_session_timeout": "1000",
            **DECIDING,
        }
        self._pool = await open_pool(
            self._database_url, size=self._pool_size, name="firstcome direct", settings=settings
        )

        # There are no workers, so what they do on a clock is done here, where no request waits for a connection.
        self._clock_pool = await open_pool(
            self._database_url, size=POOL_SIZE, name="firstcome clock", settings=settings
        )
        self._clock_jobs = start_clock_jobs(self._clock_pool, idempotency_hours=self._idempotency_hours)

    async def stop(self) -> None:
        """Close the connections once the transactions under way have ended."""
        await end_tasks(self._clock_jobs)
        pools, self._pool, self._clock_pool = (self._pool, self._clock_pool), None, None
        for pool in pools:
            if pool is not None:
                await pool.close()

    async def ready(self) -> bool:
        """Whether commands can be taken."""
        return self._pool is not None

    async def decide(
        self,
        request: Request,
        *,
        wait_s: float,
        count: Count | None = None,  # noqa: ARG002  # there is no queue to count in
    ) -> Outcome | Queued:
        """Decide now. Raises Unavailable where the database cannot, or the resource's turn does not come in time."""
        forced: Forced | None = None
        for attempt in range(ATTEMPTS):
            try:
                async with self._turn(request.resource, within_s=wait_s or ACQUIRE_TIMEOUT_S):
                    return await self._transact(request, forced)
            except Exception as error:
                if backstop_fired(error) and forced is None:
                    logger.critical("the schema refused what the rules granted", extra={"error": str(error)})
                    forced = Forced(str(error), backstop=True)
                elif passes(error) or is_stale_plan(error):
                    logger.warning("deciding is tried again", extra={"error": repr(error), "attempt": attempt})
                    await asyncio.sleep(BACK_OFF_S * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
                else:
                    raise
        raise Unavailable("the database did not take the transaction; nothing was decided")

    async def find(self, request_id: UUID, *, caller: str | None = None) -> Outcome | Queued | None:
        """Look a request up in the ledger."""
        assert self._pool is not None
        found = await ask(
            self._pool,
            lambda connection: outcomes_by_request(connection, [request_id], caller=caller),
            within_s=READ_TIMEOUT_S,
        )
        return found.get(request_id)

    async def withdraw(self, request_id: UUID, *, caller: str | None = None) -> Outcome | Queued | None:
        """Nothing waits here, so nothing can be withdrawn: the outcome, if there is one."""
        return await self.find(request_id, caller=caller)

    @asynccontextmanager
    async def _turn(self, resource: int, *, within_s: float) -> AsyncIterator[None]:
        turn = self._turns.setdefault(resource, asyncio.Semaphore(AT_ONCE))
        try:
            async with asyncio.timeout(within_s):
                await turn.acquire()
        except TimeoutError:
            raise Unavailable("too many requests wait for this resource; nothing was decided") from None
        try:
            yield
        finally:
            turn.release()

    async def _transact(self, request: Request, forced: Forced | None) -> Outcome:
        assert self._pool is not None
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
            locked, clock = await store.lock(connection, [request.resource], wait=True)
            if clock is None:
                raise NotFound("resource", str(request.resource))
            row = locked[request.resource]
            entry = Entry(row.last_ticket + 1, max(clock, row.last_decided_at), request)
            decided = Decisions()
            await decide_locked(connection, locked, clock, {request.resource: [entry]}, decided, forced=forced)
            return decided.answers[request.resource][0][1]
