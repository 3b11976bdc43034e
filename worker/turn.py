"""A turn: one run over the ready resources, batch after batch, on one database connection.

The order of its steps is the protocol (engine/queue/scripts.py): take, decide in one transaction, commit,
reply, trim, release. Whatever dies between two of them is healed by the next turn, because heads are
read without being removed and the fence is in the database.

A head that has been taken before without moving is suspect: something about it may kill whoever decides
it. It is decided alone, with nothing else under way in this process, and each attempt is counted just
before it is made; the fourth gives it up.

A worker that can reach Redis and not the database would renew its leases and hold what it took for nothing. So a
turn lets its resources go, with their tries, when the database has said nothing for longer than any statement may
take, and takes nothing again before the database has answered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

from redis.asyncio import Redis

from engine import failpoints
from engine.batch import Answers, Decisions, Forced, decide_batch
from engine.commands import Entry, Outcome
from engine.queue import scripts
from engine.queue.client import TROUBLE
from engine.queue.entries import NewerFormatError, decode_entry, encode_replies
from engine.queue.keys import WAKE_TURNS, reply_channel
from engine.store.pools import Connection, Pool, PooledConnection
from engine.store.trouble import CONNECTION, backstop_fired, is_stale_plan, passes
from engine.tasks import end_tasks
from worker.timing import IDLE_S, PROVED_WITHIN_S, SILENT_S, SLICE_S
from worker.watchdog import Watchdog

GIVEN_UP_AT = 4
"""The attempt at which a head is given up."""
TRANSACTION_TRIES = 8
BACK_OFF_S = 0.02
LOCKED_AGAIN_S = 0.01
"""When a resource whose row was locked goes back to ready."""
CONNECT_WITHIN_S = 5.0
PROVE_AGAIN_S = 0.1

logger = logging.getLogger(__name__)


class Turns:
    """The turns of one worker process, and what they share.

    worker    begins the tokens of its turns, so that they are known when it is dead.
    tokens    of the turns that run; kept alive by the worker's beat.
    database_answers  False once it took no batch: nothing is taken before it has answered again.
    watchdog  bounds how long a batch holds the event loop; one that was not started tells it afterwards.
    """

    def __init__(
        self,
        redis: Redis,
        blocking: Redis,
        pool: Pool,
        *,
        batch_limit: int,
        worker: str = "",
        watchdog: Watchdog | None = None,
    ) -> None:
        self._redis = redis
        self._blocking = blocking
        self._pool = pool
        self._batch_limit = batch_limit
        self._worker = worker
        self._gate = _Gate()
        self.watchdog = watchdog or Watchdog()
        self.tokens: set[str] = set()
        self.stopping = False
        self.database_answers = True

    async def run(self) -> bool:
        """Run one turn. Returns whether its successor must be enqueued now."""
        token = f"{self._worker}:{uuid4().hex}"
        self.tokens.add(token)
        try:
            return await _Turn(self, token, self._pool).run()
        finally:
            self.tokens.discard(token)

    async def take(self, token: str) -> list[scripts.Taken]:
        """Take what is ready; where nothing is, wait for it for a while and look again.

        A database that falls silent meanwhile ends the wait: what becomes ready is for others.
        """
        taken = await scripts.take(self._redis, token, limit=self._batch_limit)
        deadline = time.monotonic() + IDLE_S
        while not taken and not self.stopping and (left := deadline - time.monotonic()) > 0:
            await self._blocking.blpop([WAKE_TURNS], timeout=left)  # type: ignore[misc, arg-type]
            if not self.database_answers:
                break
            taken = await scripts.take(self._redis, token, limit=self._batch_limit)
        return taken

    @property
    def redis(self) -> Redis:
        """Where the queues are."""
        return self._redis

    @property
    def gate(self) -> _Gate:
        """Lets a suspect be decided alone."""
        return self._gate


class _Gate:
    """Batches pass together; a suspect passes alone."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone and not (alone and self._inside))
            self._inside += 1
            self._alone = alone
        try:
            yield
        finally:
            async with self._changed:
                self._inside -= 1
                if alone:
                    self._alone = False
                self._changed.notify_all()


class _Silence:
    """How long the database has said nothing to a batch.

    let_go  it was too long, and the resources of the batch were left to others.
    """

    def __init__(self) -> None:
        self._heard_at = time.monotonic()
        self.let_go = False

    def hear(self) -> None:
        """Note that it has said something."""
        self._heard_at = time.monotonic()

    @property
    def left_s(self) -> float:
        """How much longer it may be silent."""
        return self._heard_at + SILENT_S - time.monotonic()


class _Turn:
    """One turn, with its token and its connection."""

    def __init__(self, turns: Turns, token: str, pool: Pool) -> None:
        self._turns = turns
        self._redis = turns.redis
        self._token = token
        self._session = _Session(pool)
        # Names of attempts that may be counted and were not made: the row was locked, or Redis did not answer.
        self._attempts: dict[tuple[int, int], str] = {}

    async def run(self) -> bool:
        slice_ends = time.monotonic() + SLICE_S
        try:
            while True:
                over = self._turns.stopping or time.monotonic() > slice_ends
                try:
                    if not over and not self._turns.database_answers:
                        await self._prove_database()
                        continue
                    if not over:
                        taken = await self._turns.take(self._token)
                        if taken:
                            await self._serve(taken)
                            continue
                    ended, successor = await scripts.end_turn(self._redis, self._token, slice_over=over)
                    if ended:
                        return successor
                except NewerFormatError as error:
                    logger.error("this worker is too old for a queue and lets it go", extra={"error": str(error)})
                    slice_ends = 0.0
                except TROUBLE as error:
                    logger.warning("a turn goes on after trouble", extra={"error": repr(error)})
                    if self._turns.stopping:
                        return False
                    await asyncio.sleep(BACK_OFF_S)
        finally:
            await self._session.close()

    # ------------------------------------------------------------------ one taking

    async def _serve(self, taken: list[scripts.Taken]) -> None:
        """Decide what was taken, suspects one by one, and let everything go.

        Raises NewerFormatError once all that could be read was decided.
        """
        failpoints.reach("W1")
        queues = {item.resource: entries for item in taken if (entries := _decode(item))}
        failpoints.reach("W2")
        suspects = [item.resource for item in taken if item.tries > 0 and item.resource in queues]
        together = {resource: entries for resource, entries in queues.items() if resource not in suspects}
        if together:
            async with self._turns.gate.passing(alone=False):
                skipped = await self._settle(together)
            if skipped:
                await asyncio.sleep(LOCKED_AGAIN_S)
            await scripts.release(self._redis, self._token, ((resource, resource in skipped) for resource in together))
        for resource in suspects:
            skipped = await self._attempt(resource, queues[resource])
            await scripts.release(self._redis, self._token, [(resource, resource in skipped)])
        failpoints.reach("W10")
        too_new = [item.resource for item in taken if item.resource not in queues]
        if too_new:
            await scripts.release(self._redis, self._token, ((resource, True) for resource in too_new))
            raise NewerFormatError(f"the heads of {too_new} have a format that this worker does not know")

    async def _attempt(self, resource: int, entries: list[Entry]) -> frozenset[int]:
        """Decide a suspect head alone; give it up at the fourth attempt."""
        async with self._turns.gate.passing(alone=True):
            head = (resource, entries[0].ticket)
            name = self._attempts.setdefault(head, uuid4().hex)
            tries = await scripts.attempt(self._redis, self._token, resource, name=name)
            if tries == 0:
                del self._attempts[head]
                return frozenset()
            forced = Forced(f"given up at attempt {tries}") if tries >= GIVEN_UP_AT else None
            skipped = await self._settle({resource: entries}, forced=forced)
            if not skipped:
                del self._attempts[head]
            return skipped

    async def _settle(self, queues: Mapping[int, list[Entry]], *, forced: Forced | None = None) -> frozenset[int]:
        """Decide, commit, reply, trim. Returns the resources that keep their try: nothing was attempted."""
        try:
            async with self._patience(queues) as silence:
                decided = await self._transact(queues, forced, silence)
        except Exception as error:  # noqa: BLE001  # whatever it was, the heads are suspect and the turn goes on
            if passes(error):
                logger.error("the database takes no batch", extra={"error": repr(error)})
                self._turns.database_answers = False
                return frozenset(queues)
            self._blame(queues, error)
            if backstop_fired(error) and len(queues) == 1 and forced is None and _single(queues):
                return await self._settle(queues, forced=Forced(str(error), backstop=True))
            return frozenset()
        failpoints.reach("W7")
        told = await self._reply(_replies(decided.answers))
        failpoints.reach("W8")
        await self._trim(decided, told)
        failpoints.reach("W9")
        return decided.skipped

    @asynccontextmanager
    async def _patience(self, resources: Iterable[int]) -> AsyncIterator[_Silence]:
        """Let the resources go if the database falls silent inside. What it does later meets the fence."""
        silence = _Silence()
        letting_go = asyncio.create_task(self._let_go(silence, resources))
        try:
            yield silence
        finally:
            await end_tasks([letting_go])

    async def _let_go(self, silence: _Silence, resources: Iterable[int]) -> None:
        while (left_s := silence.left_s) > 0:  # noqa: ASYNC110  # hearing is too frequent for an event
            await asyncio.sleep(left_s)
        silence.let_go, self._turns.database_answers = True, False
        logger.warning("the database says nothing; a batch is left to others", extra={"resources": list(resources)})
        with suppress(*TROUBLE):  # the leases of a worker that cannot reach Redis either pass by themselves
            await scripts.release(self._redis, self._token, ((resource, True) for resource in resources))

    async def _prove_database(self) -> None:
        """Find out whether the database answers, and wait a moment where it does not."""
        try:
            async with asyncio.timeout(PROVED_WITHIN_S):
                transaction = (await self._session.connection()).transaction()
                await transaction.start()
                await transaction.rollback()
        except Exception as error:
            await self._session.discard()
            if not passes(error):
                raise
            await asyncio.sleep(PROVE_AGAIN_S)
        else:
            self._turns.database_answers = True

    async def _transact(self, queues: Mapping[int, list[Entry]], forced: Forced | None, silence: _Silence) -> Decisions:
        """One transaction, tried again while the trouble is the database's. A COMMIT whose answer is lost
        may have happened: then the fence has moved, and the next try answers from the ledger.

        Raises HeldTooLong where the commands held the event loop: however the database takes that, it is not to blame.
        """
        for tried in range(1, TRANSACTION_TRIES + 1):
            try:
                connection = await self._session.connection()
                transaction = connection.transaction()
                await transaction.start()
                decided = await self._turns.watchdog.bounded(
                    decide_batch(connection, queues, forced=forced), step=silence.hear
                )
                silence.hear()
                failpoints.reach("W6")
                await transaction.commit()
            except Exception as error:
                await self._session.discard()
                if tried == TRANSACTION_TRIES or silence.let_go or not (passes(error) or is_stale_plan(error)):
                    raise
                logger.warning("a batch is tried again", extra={"error": repr(error), "tried": tried})
                await asyncio.sleep(BACK_OFF_S * 2**tried)
            else:
                return decided
        raise AssertionError("unreachable")

    def _blame(self, queues: Mapping[int, list[Entry]], error: Exception) -> None:
        level = logging.CRITICAL if backstop_fired(error) else logging.ERROR
        for resource, entries in queues.items():
            head = entries[0]
            logger.log(
                level,
                "a batch failed; its heads are suspect",
                extra={
                    "resource": resource,
                    "ticket": head.ticket,
                    "request_id": str(head.request.request_id),
                    "error": repr(error),
                },
                exc_info=error if len(queues) == 1 else None,
            )

    # ------------------------------------------------------------------ after the commit

    async def _reply(self, replies: Mapping[str, list[tuple[UUID, Outcome]]]) -> set[tuple[str, UUID]]:
        """Send outcomes, one message for each API process. Returns who was told of what."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for api, outcomes in replies.items():
                pipeline.publish(reply_channel(api), encode_replies(outcomes))
            if replies:
                await pipeline.execute()
        return {(api, request_id) for api, outcomes in replies.items() for request_id, _ in outcomes}

    async def _trim(self, decided: Decisions, told: set[tuple[str, UUID]]) -> None:
        """Remove what was answered, tell those who joined since, restamp what an old memory left."""
        answered = {resource: [entry.raw for entry, _ in pairs] for resource, pairs in decided.answers.items()}
        late = await scripts.trim(self._redis, answered) if answered else {}
        if late:
            outcomes = {e.request.request_id: o for pairs in decided.answers.values() for e, o in pairs}
            more: dict[str, list[tuple[UUID, Outcome]]] = {}
            for request_id, apis in late.items():
                for api in apis:
                    if (api, request_id) not in told:
                        more.setdefault(api, []).append((request_id, outcomes[request_id]))
            await self._reply(more)
        for resource, (entry, base) in decided.stale.items():
            count = await scripts.restamp(self._redis, resource, entry.raw, base)
            logger.error(
                "Redis came back with an old memory; a queue has new tickets",
                extra={"resource": resource, "ticket": base, "restamped": count},
            )


class _Session:
    """A turn's database connection, replaced when anything went wrong on it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: PooledConnection | None = None

    async def connection(self) -> Connection:
        if self._connection is None:
            self._connection = await self._pool.acquire(timeout=CONNECT_WITHIN_S)
        return self._connection

    async def discard(self) -> None:
        """Drop the connection, whatever it is doing: the server rolls back what was not committed."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(*CONNECTION):  # the server has ended it: asyncpg has taken it back already
                connection.terminate()
            await self._pool.release(connection)

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._pool.release(connection)


def _decode(item: scripts.Taken) -> list[Entry]:
    """Read the entries of a resource, up to the first that only a newer release can read."""
    entries = []
    for position, raw in enumerate(item.entries):
        waiting = item.waiting[position] if item.waiting else b""
        withdrawn = bool(item.withdrawn[position]) if item.withdrawn else False
        try:
            entries.append(decode_entry(item.resource, raw, waiting=waiting, withdrawn=withdrawn))
        except NewerFormatError:
            break
    return entries


def _single(queues: Mapping[int, list[Entry]]) -> bool:
    return sum(map(len, queues.values())) == 1


def _replies(answers: Answers) -> dict[str, list[tuple[UUID, Outcome]]]:
    replies: dict[str, list[tuple[UUID, Outcome]]] = {}
    for entry, outcome in _pairs(answers):
        for api in entry.waiting:
            replies.setdefault(api, []).append((entry.request.request_id, outcome))
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "decided",
                extra={
                    "resource": outcome.resource,
                    "ticket": entry.ticket,
                    "request_id": str(entry.request.request_id),
                    "kind": outcome.kind,
                    "outcome": outcome.status.value,
                    "reason": outcome.reason,
                },
            )
    return replies


def _pairs(answers: Answers) -> Iterable[tuple[Entry, Outcome]]:
    for pairs in answers.values():
        yield from pairs
