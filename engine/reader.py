"""Where a read goes: to the replica while it is near enough to the primary, else to the primary.

How near the replica is, is measured, not believed. Every MEASURE_S the primary is asked how far its
log is written, and the replica how far it has replayed it. The replica holds everything that was
committed at the last instant whose place in the log it has passed: that instant is ``as_of``, and its
age bounds how stale an answer is. The age is taken on this process's monotonic clock, from before the
primary was asked, so clocks that differ cannot make it look younger.

States, of which there are two:

- *near*: ``as_of`` is known and younger than the bound. Reads go to the replica.
- *passed over*: everything else. Reads go to the primary.

What happens when a part dies: a replica whose connections break fails one read, which the primary then
answers, and is passed over at once, until a measurement reaches it again. One that is cut off or frozen
does not answer the next measurement, and is passed over within MEASURE_S + REPLICA_TIMEOUT_S; the reads
until then wait REPLICA_TIMEOUT_S for a connection and as long for an answer, and are answered by the
primary. One that stands still while the primary goes on ages past the bound. Where the primary does not
answer the measurement, nothing shows that the replica is near: it ages too, and the read says that the
primary is unavailable.

A read that takes too long says nothing of the replica: it may be the read that is slow. It is answered by
the primary, and the others stay where they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, Literal, TypeVar

from engine.config import Config
from engine.errors import EngineError, Unavailable, Unreachable
from engine.gathering import Gathering, NoLaneInTime
from engine.store.availability import ClaimsQuery, StandingClaims, standing_claims
from engine.store.pools import ACQUIRE_TIMEOUT_S, READ_TIMEOUT_S, Connection, Pool
from engine.store.reading import ask, open_within, replayed_until, written_until
from engine.tasks import end_tasks

logger = logging.getLogger(__name__)

MEASURE_S = 0.25
"""How often the lag is measured."""
REPLICA_TIMEOUT_S = 0.5
"""How long the replica may take for an answer before the primary is asked instead."""
REPLICA_STATEMENT_S = 0.4
"""A statement that takes longer is ended by the replica itself, so that its connection goes on to be used."""
CONNECT_TIMEOUT_S = 1.0
"""How long the measuring waits for a new connection. No request waits for it."""
SEEN_WAIT_S = 0.2
"""How long a read waits for the replica to reach what the caller has seen."""
SEEN_PAUSE_S = 0.005
"""The first pause between two looks for it; each is twice as long as the one before."""
MARKS = 256
"""How many places in the log are remembered that the replica has not passed yet."""

CLAIMS_AT_ONCE = 8
"""Questions for claims in one statement."""
LONGEST_TOGETHER = timedelta(days=100)
"""A longer window is read alone: it would make the others of its statement wait."""
MANY_CLAIMS = 2_000
"""A resource with more claims in a window is read alone for HEAVY_S."""
HEAVY_S = 60.0
MOST_HEAVY = 1_000
"""How many of those are remembered."""

Value = TypeVar("Value")
Query = Callable[[Connection], Awaitable[Value | None]]
Marked = tuple["Mark | None", Value | None]
"""What a server answered, and how new that is at least; None: as new as can be."""
Asking = Callable[["Source"], Awaitable[Marked[Value]]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the primary's log, and when it was there.

    at        the primary's clock.
    asked_at  this process's monotonic clock, before the primary was asked.
    """

    at: datetime
    asked_at: float
    position: int

    @property
    def age_ms(self) -> int:
        """Milliseconds since then, rounded up."""
        return int((time.monotonic() - self.asked_at) * 1000) + 1


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """What was read, and how old it may be.

    as_of         everything that was committed by then is in it. None: it comes from the primary, and is
                  as new as the clock that was read with it.
    staleness_ms  how long ago ``as_of`` is at most; 0 from the primary.
    """

    value: Value
    source: Literal["replica", "primary"]
    as_of: datetime | None = None
    staleness_ms: int = 0


class PassedOver(Unavailable):
    """The server is too far behind to be asked."""


class Source:
    """A server that reads go to.

    within_s  how long it may take for an answer, and before that for a connection, unless a query says otherwise.
    mark      says how new at least is what it answers from now on. Raises PassedOver.

    Half of its connections at most are asked for claims, for many callers at once where many ask; the other half is
    left to the reads that are made one by one.
    """

    def __init__(self, pool: Pool, *, size: int, within_s: float, mark: Callable[[], Mark | None]) -> None:
        self.pool = pool
        self._within_s = within_s
        self._mark = mark
        self._connect_s = min(within_s, ACQUIRE_TIMEOUT_S)
        lanes = max(1, size // 2)
        self._claims = Gathering(self._look_up, at_once=CLAIMS_AT_ONCE, lanes=lanes, line_s=self._connect_s)

    async def ask(self, query: Query[Value], within_s: float | None = None) -> Marked[Value]:
        """Ask on a connection of its own."""

        async def marked(connection: Connection) -> Marked[Value]:
            return self._mark(), await query(connection)  # the mark first, which then may only be too old

        return await ask(self.pool, marked, within_s=within_s or self._within_s)

    async def claims(self, query: ClaimsQuery) -> Marked[StandingClaims]:
        """Ask together with those who ask at the same time, for as long as a single read may take.

        Where their statement fails it is asked again alone: it may have been another one's fault.
        """
        try:
            async with asyncio.timeout(self._connect_s + self._within_s):
                try:
                    return await self._claims.find(query) or (None, None)
                except (Unreachable, PassedOver, NoLaneInTime):
                    raise
                except Exception:  # noqa: BLE001  # what is wrong with this one by itself shows again
                    return await self.ask(partial(_claims_alone, query=query))
        except TimeoutError as error:
            raise Unavailable("claims were not read in time") from error

    async def _look_up(self, queries: Sequence[ClaimsQuery]) -> dict[ClaimsQuery, Marked[StandingClaims]]:
        async def marked(connection: Connection) -> dict[ClaimsQuery, Marked[StandingClaims]]:
            mark = self._mark()
            found = await standing_claims(connection, queries)
            return {query: (mark, claims) for query, claims in found.items()}

        return await ask(self.pool, marked, within_s=self._within_s)


class Reader:
    """Reads for one API process."""

    def __init__(self, primary: Pool, config: Config) -> None:
        self._config = config
        self._primary = Source(primary, size=config.read_pool_size, within_s=READ_TIMEOUT_S, mark=lambda: None)
        self._replica: Source | None = None
        self._as_of: Mark | None = None
        self._marks: list[Mark] = []
        self._watching: asyncio.Task[None] | None = None
        self._probes: dict[str, Pool] = {}
        self._heavy: dict[int | str, float] = {}
        self._trouble: str | None = None

    async def start(self) -> None:
        """Begin to measure. A replica that cannot be reached does not hold up the start."""
        if self._config.replica_url is not None:
            self._watching = asyncio.create_task(self._watch(self._config.replica_url))

    async def stop(self) -> None:
        """Close the connections that this reader opened."""
        await end_tasks([self._watching])
        self._as_of = None
        for pool in self._probes.values():
            pool.terminate()
        if self._replica is not None:
            self._replica.pool.terminate()

    @property
    def lag_ms(self) -> int | None:
        """How far the replica is behind at most. None: there is none, or it cannot be reached."""
        return None if self._as_of is None else self._as_of.age_ms

    async def read(
        self,
        query: Query[Value],
        *,
        fresh: Callable[[Value], bool] | None = None,
        within_s: float | None = None,
    ) -> Answer[Value | None]:
        """Ask the replica if it is near enough, else the primary.

        query     one statement. None from the replica may be too new for it, so the primary is asked too.
        fresh     says whether an answer holds what the caller has seen before; the replica is given
                  SEEN_WAIT_S to reach it.
        within_s  for a query that is known to be long, and bounds its own statements: how long either server may
                  take. What takes the replica longer is not asked of the primary.

        Raises Unavailable where the primary is needed and does not answer.
        """
        return await self._read(lambda source: source.ask(query, within_s), fresh, gives_up=within_s is not None)

    async def read_claims(
        self, query: ClaimsQuery, *, fresh: Callable[[StandingClaims], bool] | None = None
    ) -> Answer[StandingClaims | None]:
        """Ask what is taken of a resource, as ``read`` does; callers who ask at the same time share statements.

        Raises Unavailable as ``read`` does.
        """
        if self._is_heavy(query):
            answer = await self.read(partial(_claims_alone, query=query), fresh=fresh)
        else:
            answer = await self._read(lambda source: source.claims(query), fresh, gives_up=False)
        if answer.value is not None and len(answer.value.taken) > MANY_CLAIMS:
            self._note_heavy(query.resource)
        return answer

    def _is_heavy(self, query: ClaimsQuery) -> bool:
        noted = self._heavy.get(query.resource)
        return query.end - query.start > LONGEST_TOGETHER or (noted is not None and time.monotonic() - noted < HEAVY_S)

    def _note_heavy(self, resource: int | str) -> None:
        self._heavy.pop(resource, None)
        if len(self._heavy) >= MOST_HEAVY:
            del self._heavy[next(iter(self._heavy))]
        self._heavy[resource] = time.monotonic()

    async def _read(
        self, ask_of: Asking[Value], fresh: Callable[[Value], bool] | None, *, gives_up: bool
    ) -> Answer[Value | None]:
        answer = await self._from_replica(ask_of, fresh, gives_up=gives_up)
        if answer is not None:
            return answer
        _, value = await ask_of(self._primary)
        return Answer(value, source="primary")

    async def _from_replica(
        self, ask_of: Asking[Value], fresh: Callable[[Value], bool] | None, *, gives_up: bool
    ) -> Answer[Value | None] | None:
        """Ask the replica. None: the primary must be asked.

        gives_up  whether what takes the replica too long is not asked of the primary.
        """
        pause, until = SEEN_PAUSE_S, time.monotonic() + SEEN_WAIT_S
        while (replica := self._replica) is not None and self._near() is not None:
            try:
                as_of, value = await ask_of(replica)
            except Unreachable as error:
                await self._pass_over(error)
                return None
            except PassedOver:
                return None
            except Exception as error:
                if gives_up and isinstance(error, Unavailable):
                    raise
                # whatever is wrong with this read, the primary shows it too
                logger.info("a read goes on to the primary", extra={"error": str(error)})
                return None
            if value is not None and as_of is not None and (fresh is None or fresh(value)):
                return Answer(value, source="replica", as_of=as_of.at, staleness_ms=as_of.age_ms)
            if fresh is None or time.monotonic() + pause > until:
                return None
            await asyncio.sleep(pause)
            pause *= 2
        return None

    def _near_enough(self) -> Mark:
        """The mark of an answer that the replica gives from now on. Raises PassedOver."""
        as_of = self._near()
        if as_of is None:
            raise PassedOver("the replica is too far behind")
        return as_of

    def _near(self) -> Mark | None:
        """The mark that bounds how stale the replica is now, or None where it is to be passed over."""
        as_of = self._as_of
        return as_of if as_of is not None and as_of.age_ms <= self._config.replica_lag_bound_ms else None

    async def _pass_over(self, error: Exception) -> None:
        """Send everybody to the primary until the replica is measured again, then on new connections."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            logger.warning("the replica is passed over", extra={"error": str(error)})
        if self._as_of is not None and self._replica is not None:
            await self._replica.pool.expire_connections()
        self._as_of = None

    async def _watch(self, url: str) -> None:
        """Measure for as long as the reader lives."""
        pause_s = min(MEASURE_S, self._config.replica_lag_bound_ms / 1000 / 4)
        while True:
            with contextlib.suppress(EngineError):  # then nothing shows that the replica is near: it ages
                await self._mark()
            try:
                await self._measure(url)
            except Exception as error:  # noqa: BLE001  # whatever is wrong there, the measuring must go on
                await self._pass_over(error)
            await asyncio.sleep(pause_s)

    async def _mark(self) -> None:
        """Note how far the primary's log is written. Where many notes are open, every second one will do."""
        probe = await self._probe("primary", self._config.database_url)
        asked_at = time.monotonic()
        at, position = await ask(probe, written_until, within_s=REPLICA_TIMEOUT_S)
        if len(self._marks) >= MARKS:
            del self._marks[::2]
        self._marks.append(Mark(at=at, asked_at=asked_at, position=position))

    async def _measure(self, url: str) -> None:
        """Find the last mark that the replica has passed."""
        position = await ask(await self._probe("replica", url), replayed_until, within_s=REPLICA_TIMEOUT_S)
        if position is None:
            raise Unavailable("REPLICA_URL names a server that is no replica")
        if self._replica is None:
            size = self._config.read_pool_size
            pool = await open_within(
                url, size=size, name="firstcome read", within_s=CONNECT_TIMEOUT_S, answer_s=REPLICA_STATEMENT_S
            )
            self._replica = Source(pool, size=size, within_s=REPLICA_TIMEOUT_S, mark=self._near_enough)
        passed = [mark for mark in self._marks if mark.position <= position]
        if passed:
            self._marks = [mark for mark in self._marks if mark.position > position]
            self._as_of = passed[-1]
            self._trouble = None

    async def _probe(self, role: str, url: str) -> Pool:
        """A connection for measuring alone: it must not wait behind reads, which would look like lag."""
        if role not in self._probes:
            self._probes[role] = await open_within(
                url, size=1, name=f"firstcome lag of {role}", within_s=CONNECT_TIMEOUT_S
            )
        return self._probes[role]


async def _claims_alone(connection: Connection, *, query: ClaimsQuery) -> StandingClaims | None:
    return (await standing_claims(connection, [query])).get(query)
