"""A worker process: an arq worker whose jobs are turns, with a wake-up, a beat and a sweep of its own.

arq polls, and ends itself when Redis stumbles; neither is good enough here. ``main`` waits on the wake
list instead, looks for jobs when it is woken (and every half second in any case), and goes on after
trouble. What is lost all the same, the sweep heals.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import uuid4

import uvloop
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.worker import Worker, func
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from engine import failpoints
from engine.clock_jobs import POOL_SIZE, start_clock_jobs
from engine.collector import settle_collector
from engine.config import Config
from engine.opening import check_installation
from engine.queue import jobs, scripts
from engine.queue.client import TROUBLE, open_client
from engine.queue.keys import WAKE_WORKERS
from engine.store.pools import DECIDING, Pool, open_pool
from engine.tasks import end_tasks
from worker.timing import (
    BEAT_EVERY_S,
    BLOCKED_WITHIN_S,
    CONNECTION_CHECK_MS,
    IDLE_IN_TRANSACTION_MS,
    JOB_TIMEOUT_S,
    LOCK_TIMEOUT_MS,
    STATEMENT_TIMEOUT_MS,
)
from worker.turn import Turns
from worker.watchdog import Watchdog

NAME_DIGITS = 12
LOOK_EVERY_S = 0.5
BACK_OFF_S = 0.1
HEALTH_EVERY_S = 3
SESSION = {
    # A frozen or cut-off worker must not hold locks: the server ends its transaction.
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "client_connection_check_interval": str(CONNECTION_CHECK_MS),
    **DECIDING,
}

logger = logging.getLogger(__name__)


class TurnWorker(Worker):
    """An arq worker that is woken, and that outlives trouble with Redis."""

    def __init__(self, config: Config, redis: Redis, blocking: Redis, pool: Pool, *, name: str) -> None:
        self.name = name
        self._watchdog = Watchdog()
        self.turns = Turns(redis, blocking, pool, batch_limit=config.batch_limit, worker=name, watchdog=self._watchdog)
        self._turns_at_once = config.turns_per_worker
        self._redis = redis
        self._blocking = blocking
        super().__init__(
            functions=[func(self._turn, name=jobs.TURN)],  # type: ignore[arg-type]  # arq asks for its own protocol
            queue_name=jobs.QUEUE,
            redis_pool=jobs.open_jobs(redis),
            max_jobs=config.turns_per_worker,
            max_tries=1_000_000,
            keep_result=0,
            job_timeout=JOB_TIMEOUT_S,
            health_check_interval=HEALTH_EVERY_S,
            handle_signals=False,
            job_serializer=jobs.serialize,
            job_deserializer=jobs.deserialize,
        )

    async def _turn(self, _: dict[str, Any]) -> None:
        """Run a turn; its successor, if it has one, is a job of its own."""
        while await self.turns.run() and not await self._enqueue_turn() and not self.turns.stopping:
            logger.warning("Redis is full; a turn goes on without a job")

    async def main(self) -> None:
        """Run jobs until told to stop, then let the turns under way finish their batches."""
        self._watchdog.start()
        background = [asyncio.create_task(work) for work in (self._live(), self._beat())]
        try:
            while not self.turns.stopping:
                try:
                    await self._look_for_jobs()
                    await self._wait_to_be_woken()
                except TROUBLE as error:
                    logger.warning("a worker goes on after trouble", extra={"error": repr(error)})
                    await asyncio.sleep(BACK_OFF_S)
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        finally:
            await end_tasks(background)
            self._watchdog.stop()

    async def _look_for_jobs(self) -> None:
        """Start jobs while there is room.

        arq's own way counts jobs in a semaphore that it does not give back when Redis fails in between.
        """
        for job_id, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[job_id]
                if task.exception() is not None:
                    logger.warning("a job ended in trouble", extra={"error": repr(task.exception())})
        room = self._turns_at_once - len(self.tasks)
        if room <= 0:
            return
        for job, score in await self.pool.zrange(self.queue_name, 0, self.queue_read_limit - 1, withscores=True):
            job_id = job.decode()
            if job_id in self.tasks or not await self._claim(job_id):
                continue
            self.tasks[job_id] = asyncio.create_task(self.run_job(job_id, int(score)))
            room -= 1
            if room == 0:
                break
        await self.record_health()

    async def _claim(self, job_id: str) -> bool:
        """Claim a job for this worker, if nobody else has and it is not over.

        A job whose worker died outlives its payload by name only. Nobody needs it any more: it is forgotten here, as
        arq would tell of it as a failure.
        """
        key = in_progress_key_prefix + job_id
        if not await self.pool.set(key, b"1", nx=True, px=int(self.in_progress_timeout_s * 1000)):
            return False
        async with self.pool.pipeline(transaction=True) as pipeline:
            pipeline.zscore(self.queue_name, job_id)
            pipeline.exists(job_key_prefix + job_id)
            score, payload = await pipeline.execute()
        if score is not None and payload:
            return True
        await self.pool.zrem(self.queue_name, job_id)
        await self.pool.delete(key, retry_key_prefix + job_id)
        return False

    async def _wait_to_be_woken(self) -> None:
        """Wait for a token; while there is no room for a job, for a job to end: others may use the token."""
        if len(self.tasks) < self._turns_at_once:
            await self._blocking.blpop([WAKE_WORKERS], timeout=LOOK_EVERY_S)  # type: ignore[misc, arg-type]
        else:
            await asyncio.wait(self.tasks.values(), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)

    async def _beat(self) -> None:
        """Renew this worker and its turns, and sweep."""
        while True:
            try:
                await scripts.beat(self._redis, self.name, turns=self._turns_at_once, tokens=self.turns.tokens)
                if await scripts.sweep(self._redis) and not await self._enqueue_turn():
                    self._run_turn()
            except TROUBLE as error:
                logger.warning("a beat was missed", extra={"error": repr(error)})
            await asyncio.sleep(BEAT_EVERY_S)

    async def _live(self) -> None:
        """Tell the watchdog that the loop runs, whatever Redis does."""
        while True:
            self._watchdog.alive()
            await asyncio.sleep(BEAT_EVERY_S)

    async def _enqueue_turn(self) -> bool:
        """Enqueue a turn. Returns False where Redis is full: arq can write no job down, and only turns make room."""
        try:
            await jobs.enqueue_turn(self.pool)
        except OutOfMemoryError:
            return False
        return True

    def _run_turn(self) -> None:
        """Run a turn without a job, if there is room for it."""
        if len(self.tasks) < self._turns_at_once and not self.turns.stopping:
            self.tasks[uuid4().hex] = asyncio.create_task(self._turn({}))


async def run_worker(config: Config, *, name: str) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises StartupRefused.

    name  what it calls itself; hexadecimal digits.
    """
    failpoints.arm(config.failpoints)
    assert config.redis_url is not None
    async with AsyncExitStack() as stack:
        pools = []
        # Turns must not stand in line behind a clock job, whose statements may take a minute.
        for size, role in ((config.turns_per_worker + 1, "worker"), (POOL_SIZE, "clock")):
            pool = await open_pool(config.database_url, size=size, name=f"firstcome {role}", settings=SESSION)
            stack.push_async_callback(pool.close)
            pools.append(pool)
        await check_installation(config, pools[0])
        await _work(config, config.redis_url, *pools, name=name)


async def _work(config: Config, redis_url: str, pool: Pool, clock_pool: Pool, *, name: str) -> None:
    redis = open_client(redis_url)
    blocking = open_client(redis_url, timeout_s=BLOCKED_WITHIN_S)
    worker = TurnWorker(config, redis, blocking, pool, name=name)
    _stop_on_signals(worker)
    clock_jobs = start_clock_jobs(clock_pool, idempotency_hours=config.idempotency_hours)
    settle_collector()
    logger.info("worker begins", extra={"worker": worker.name})
    try:
        await worker.main()
    finally:
        await end_tasks(clock_jobs)
        with suppress(*TROUBLE):
            await redis.aclose()
            await blocking.aclose()


def _stop_on_signals(worker: TurnWorker) -> None:
    def stop() -> None:
        worker.turns.stopping = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def run(config: Config, *, name: str | None = None) -> int:
    """Run a worker process. Returns its exit code. Raises StartupRefused.

    name  what it calls itself, where somebody must know that when it is dead; else it chooses.
    """
    uvloop.run(run_worker(config, name=name or uuid4().hex[:NAME_DIGITS]))
    return 0
