"""Queue mode: join the resource's queue, wait for the outcome, answer.

All that came in while the previous call was under way goes to Redis in one script, in arrival order.
Three things make sure that nobody waits for nothing, each enough when the others fail:

- replies come on a channel, a batch in one message;
- the ledger is asked for whoever has waited for half a second, all in one query;
- after every reconnect, and when Redis names another memory id, the open requests are enqueued again.

A request that is repeated gets the ticket that it has. A reply that is lost costs half a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from uuid import UUID, uuid4

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from engine import failpoints
from engine.commands import Outcome, Queued, Request
from engine.config import Config
from engine.errors import EngineError, OverRate, QueueFull, StorageFull, TooManyWaiting, Unavailable
from engine.intake import Count
from engine.queue import scripts
from engine.queue.client import TROUBLE, open_client
from engine.queue.entries import decode_replies, encode_body, field_of
from engine.queue.flushing import ask_server
from engine.queue.jobs import enqueue_turn, open_jobs
from engine.queue.keys import reply_channel
from engine.queue.promise import Promiser
from engine.rules.rate import over_rate
from engine.store.memory import claim_memory
from engine.store.outcomes import outcomes_by_request
from engine.store.pools import ACQUIRE_TIMEOUT_S, READ_TIMEOUT_S, Pool
from engine.store.reading import ask
from engine.tasks import end_tasks

TICK_S = 0.05
"""How often waits are looked at; a wait may end this much late."""
ASK_LEDGER_AFTER_S = 0.4
"""Whoever has waited this long since he came, or since it was last asked for him, is looked up: with TICK_S and the
query itself, a reply that is lost costs half a second."""
ASKED_AT_ONCE = 1_000
"""Requests in one query to the ledger."""
SENT_AT_ONCE = 256
"""Commands in one call of the enqueue script: Redis does nothing else meanwhile."""
WAITING_LIMIT = 20_000
"""Requests that may wait in one API process; more are answered 503 at once."""
NUMBER_AGAIN_S = 0.01
BACK_OFF_S = 0.05
SILENCE_S = 3.0
"""A reply channel that does not answer a ping for this long is opened anew."""

logger = logging.getLogger(__name__)


class Waiter:
    """A request under way.

    count      what it counts against; filled in when it is counted.
    immediate  the caller wants its ticket only.
    waits_for  request id of the entry that will be answered: another than its own where an equal one is queued.
    ticket     None until the enqueue script answered.
    asked_at   when the ledger was asked for it last; at first, when it came.
    unsure     a call of the script that had this in it was cut off: it may have a ticket that nobody told us.
    """

    __slots__ = (
        "ask",
        "asked_at",
        "count",
        "deadline",
        "decided",
        "future",
        "immediate",
        "queued",
        "request",
        "ticket",
        "unsure",
        "waits_for",
    )

    def __init__(
        self, request: Request, *, api: str, wait_s: float, count: Count, future: asyncio.Future[Outcome | None]
    ) -> None:
        self.request = request
        self.ask = scripts.Ask(
            request.resource, field_of(request), request.request_id, encode_body(api, request), buckets=count.buckets
        )
        self.count = count
        self.future = future
        self.asked_at = time.monotonic()
        self.immediate = wait_s <= 0
        self.deadline = self.asked_at + (wait_s if wait_s > 0 else ACQUIRE_TIMEOUT_S + 4)
        self.waits_for = request.request_id
        self.ticket: int | None = None
        self.decided = 0
        self.queued = True
        self.unsure = False

    def resolve(self, outcome: Outcome | None) -> None:
        """End the wait; None means that it was too long."""
        if not self.future.done():
            self.future.set_result(outcome)

    def refuse(self, error: EngineError | OverRate) -> None:
        """End the wait because nothing was enqueued, where that is certain."""
        self.fail(Unavailable("an earlier call may have enqueued it; send the request again") if self.unsure else error)

    def fail(self, error: EngineError | OverRate) -> None:
        """End the wait with trouble."""
        if not self.future.done():
            self.future.set_exception(error)


class QueuedIntake:
    """Joins the queues of one API process. Implements ``engine.intake.Intake``."""

    def __init__(self, config: Config, pool: Pool) -> None:
        assert config.redis_url is not None
        self._api = uuid4().hex[:12]
        self._limit = config.queue_limit
        self._failpoints = config.failpoints
        self._pool = pool
        self._redis = open_client(config.redis_url)
        self._listening = open_client(config.redis_url)
        self._jobs = open_jobs(self._redis)
        self._promiser = Promiser(config.redis_url)
        self._memory: bytes | None = None
        self._pending: list[Waiter] = []
        self._kick = asyncio.Event()
        self._waiters: dict[UUID, Waiter] = {}
        self._joined: dict[UUID, list[Waiter]] = {}
        self._waiting = 0
        self._heard = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------ the interface

    async def start(self) -> None:
        """Listen for replies, then take requests. Raises Unavailable where Redis does not answer."""
        failpoints.arm(self._failpoints)
        try:
            self._promiser.start(await ask_server(self._redis))
        except TROUBLE as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
        for work in (self._listen(), self._send(), self._tick(), self._ask_ledger()):
            self._spawn(work)
        await asyncio.wait_for(self._heard.wait(), 5)

    async def stop(self) -> None:
        """Stop listening. Whoever still waits is told that nothing is known."""
        await end_tasks(self._tasks)
        for waiter in [*self._waiters.values(), *(w for joined in self._joined.values() for w in joined)]:
            waiter.fail(Unavailable("this process stops; send the request again"))
        await self._promiser.stop()
        await self._redis.aclose()
        await self._listening.aclose()

    async def ready(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(await self._redis.ping())
        except TROUBLE:
            return False

    async def decide(self, request: Request, *, wait_s: float, count: Count | None = None) -> Outcome | Queued:
        """Join the queue and wait; see ``engine.intake.Intake.decide``."""
        if self._waiting >= WAITING_LIMIT:
            raise TooManyWaiting("as many requests wait in this process as may; nothing was enqueued")
        failpoints.reach("A2")
        future: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        waiter = Waiter(request, api=self._api, wait_s=wait_s, count=count or Count(()), future=future)
        self._waiters[request.request_id] = waiter
        self._pending.append(waiter)
        self._kick.set()
        self._waiting += 1
        try:
            outcome = await future
        finally:
            self._waiting -= 1
            self._forget(waiter)
        failpoints.reach("A6")
        if outcome is not None:
            return outcome
        if waiter.ticket is None:
            raise Unavailable("the queue did not answer in time; send the request again with the same key")
        return await self._promise(waiter)

    async def find(self, request_id: UUID, *, caller: str | None = None) -> Outcome | Queued | None:
        """Look in the queue first, then in the ledger: a command moves from the one to the other only."""
        return await self._find(request_id, caller, withdraw=False)

    async def withdraw(self, request_id: UUID, *, caller: str | None = None) -> Outcome | Queued | None:
        """Mark a queued request; see ``engine.intake.Intake.withdraw``."""
        return await self._find(request_id, caller, withdraw=True)

    # ------------------------------------------------------------------ helpers of the interface

    async def _promise(self, waiter: Waiter) -> Queued:
        assert waiter.ticket is not None
        await self._promiser.promise(waiter.waits_for, waiter.ask.resource, waiter.ask.field, waiter.request.caller)
        return Queued(waiter.waits_for, waiter.ticket, max(1, waiter.ticket - waiter.decided))

    async def _find(self, request_id: UUID, caller: str | None, *, withdraw: bool) -> Outcome | Queued | None:
        unseen: Exception | None = None
        try:
            place = await scripts.find(self._redis, request_id, caller=caller, withdraw=withdraw)
            if place is not None:
                return Queued(request_id, place[0], max(1, place[0] - place[1]))
        except TROUBLE as error:
            unseen = error
        found = await self._outcomes([request_id], caller)
        outcome = found.get(request_id)
        if outcome is None and unseen is not None:
            raise Unavailable(f"the queue cannot be asked: {unseen}") from unseen
        return outcome

    def _forget(self, waiter: Waiter) -> None:
        self._waiters.pop(waiter.request.request_id, None)
        joined = self._joined.get(waiter.waits_for)
        if joined and waiter in joined:
            joined.remove(waiter)
            if not joined:
                del self._joined[waiter.waits_for]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.critical("a task of the intake ended", exc_info=task.exception())

    # ------------------------------------------------------------------ joining

    async def _send(self) -> None:
        while True:
            await self._kick.wait()
            self._kick.clear()
            while self._pending:
                batch, self._pending = self._pending[:SENT_AT_ONCE], self._pending[SENT_AT_ONCE:]
                batch = [waiter for waiter in batch if not waiter.future.done()]
                try:
                    if batch:
                        await self._enqueue(batch)
                except OutOfMemoryError:
                    for waiter in batch:
                        waiter.queued = False
                        if waiter.ticket is None:  # one that has its ticket only repeated its call
                            waiter.refuse(StorageFull("Redis is full; nothing was enqueued"))
                except TROUBLE as error:
                    logger.warning("enqueueing is tried again", extra={"error": repr(error)})
                    for waiter in batch:
                        waiter.unsure = True
                    self._pending[:0] = batch
                    await asyncio.sleep(BACK_OFF_S)

    async def _enqueue(self, batch: list[Waiter]) -> None:
        failpoints.reach("A3")
        memory, announced, places = await scripts.enqueue(
            self._redis, [waiter.ask for waiter in batch], api=self._api, limit=self._limit, candidate=uuid4().hex
        )
        failpoints.reach("A4")
        if announced:
            self._spawn(self._start_turn())
        numberless: list[Waiter] = []
        for waiter, place in zip(batch, places, strict=True):
            waiter.count.levels = place.levels or waiter.count.levels
            if place.ticket is None:
                numberless.append(waiter)
            elif place.ticket == scripts.QUEUE_FULL:
                waiter.refuse(QueueFull("the resource's queue is full; nothing was enqueued"))
            elif place.ticket == scripts.OVER_RATE:
                waiter.refuse(over_rate(place.levels))
            else:
                self._placed(waiter, place)
        if numberless:
            self._spawn(self._number(numberless, memory))
        if memory != self._memory:
            known, self._memory = self._memory, memory
            if known is not None:
                logger.error("Redis lost its memory; open requests are enqueued again")
                self._enqueue_again()
        failpoints.reach("A5")

    def _placed(self, waiter: Waiter, place: scripts.Place) -> None:
        waiter.ticket, waiter.decided, waiter.queued = place.ticket, place.decided, False
        if place.request_id != waiter.waits_for:
            self._forget(waiter)
            waiter.waits_for = place.request_id
            if waiter.future.done():
                return
            if place.request_id == waiter.request.request_id:
                self._waiters[place.request_id] = waiter
            else:
                self._joined.setdefault(place.request_id, []).append(waiter)
        if waiter.immediate:
            waiter.resolve(None)

    async def _start_turn(self) -> None:
        try:
            await enqueue_turn(self._jobs)
        except TROUBLE as error:
            logger.warning("a turn was not enqueued; the sweep will", extra={"error": repr(error)})

    async def _number(self, waiters: list[Waiter], memory: bytes) -> None:
        """Learn from the primary where the numbers go on, and enqueue again with that."""
        while waiters:
            resources = sorted({waiter.ask.resource for waiter in waiters})
            try:
                tickets = await self._last_tickets(resources, memory.decode())
            except Exception as error:  # noqa: BLE001  # whatever it was, the callers wait and it is tried again
                logger.warning("a queue's number is asked for again", extra={"error": repr(error)})
                tickets = {}
                await asyncio.sleep(BACK_OFF_S)
            numbered = [waiter for waiter in waiters if waiter.ask.resource in tickets]
            for waiter in numbered:
                waiter.ask = _numbered(waiter.ask, tickets[waiter.ask.resource], memory)
            self._pending.extend(numbered)
            self._kick.set()
            waiters = [w for w in waiters if w.ask.resource not in tickets and not w.future.done()]
            if waiters:
                await asyncio.sleep(NUMBER_AGAIN_S)

    async def _last_tickets(self, resources: list[int], memory: str) -> dict[int, int]:
        return await ask(
            self._pool, lambda connection: claim_memory(connection, resources, memory), within_s=READ_TIMEOUT_S
        )

    def _enqueue_again(self) -> None:
        """Enqueue what was acknowledged once more: Redis may have come back without it."""
        for waiter in self._all_waiters():
            if not waiter.queued and waiter.ticket is not None:
                waiter.queued = True
                waiter.ask = replace(waiter.ask, buckets=())  # it was counted with its ticket, and must not lose it now
                self._pending.append(waiter)
        self._kick.set()

    def _all_waiters(self) -> list[Waiter]:
        return [*self._waiters.values(), *(waiter for joined in self._joined.values() for waiter in joined)]

    # ------------------------------------------------------------------ hearing

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except TROUBLE as error:
                logger.warning("the reply channel is opened anew", extra={"error": repr(error)})
                await asyncio.sleep(BACK_OFF_S)

    async def _hear(self) -> None:
        async with self._listening.pubsub() as channel:
            await channel.subscribe(reply_channel(self._api))
            heard_at = time.monotonic()
            while True:
                message = await channel.get_message(timeout=1.0)
                now = time.monotonic()
                if message is None:
                    if now - heard_at > SILENCE_S:
                        raise RedisConnectionError("the reply channel is silent")
                    await channel.ping()
                    continue
                heard_at = now
                if message["type"] == "message":
                    self._take_replies(message["data"])
                elif message["type"] == "subscribe":
                    self._heard.set()
                    self._enqueue_again()

    def _take_replies(self, message: bytes) -> None:
        try:
            replies = decode_replies(message)
        except msgspec.DecodeError:
            logger.exception("a reply cannot be read; the ledger will be asked")
            return
        for request_id, outcome in replies:
            self._deliver(request_id, outcome)

    def _deliver(self, request_id: UUID, outcome: Outcome) -> None:
        waiter = self._waiters.get(request_id)
        if waiter is not None:
            waiter.resolve(outcome)
        joined = self._joined.get(request_id)
        if joined:
            repeated = msgspec.structs.replace(outcome, repeated=True)
            for waiter in joined:
                waiter.resolve(repeated)

    async def _tick(self) -> None:
        """End the waits whose time is over."""
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            for waiter in self._all_waiters():
                if waiter.deadline <= now:
                    waiter.resolve(None)

    async def _ask_ledger(self) -> None:
        """Ask for the outcomes of those who have waited long: their reply may be lost."""
        while True:
            await asyncio.sleep(TICK_S)
            late = self._late(time.monotonic())
            try:
                for first in range(0, len(late), ASKED_AT_ONCE):
                    await self._ask(late[first : first + ASKED_AT_ONCE])
                if late:
                    await self._look_at_memory()
            except Exception as error:  # noqa: BLE001  # whatever it was, it is asked again
                logger.warning("the ledger could not be asked", extra={"error": repr(error)})

    def _late(self, now: float) -> list[UUID]:
        """Whom to ask for. They are asked for again when they have waited as long once more."""
        waiting = [w for w in self._all_waiters() if w.asked_at + ASK_LEDGER_AFTER_S <= now]
        for waiter in waiting:
            waiter.asked_at = now
        return sorted({waiter.waits_for for waiter in waiting})

    async def _ask(self, request_ids: Iterable[UUID]) -> None:
        for request_id, outcome in (await self._outcomes(request_ids)).items():
            self._deliver(request_id, outcome)

    async def _outcomes(self, request_ids: Iterable[UUID], caller: str | None = None) -> dict[UUID, Outcome]:
        return await ask(
            self._pool,
            lambda connection: outcomes_by_request(connection, request_ids, caller=caller),
            within_s=READ_TIMEOUT_S,
        )

    async def _look_at_memory(self) -> None:
        """Redis may have been emptied under a connection that stands; nobody else would notice."""
        memory = await scripts.memory(self._redis)
        if self._memory is not None and memory != self._memory:
            self._enqueue_again()


def _numbered(ask: scripts.Ask, last_ticket: int, memory: bytes) -> scripts.Ask:
    return replace(ask, last_ticket=last_ticket, memory=memory)
