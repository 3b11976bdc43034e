"""``firstcome chaos``: several faults at once, at random, under a mixed load; then everything is checked.

Callers book, cancel, move and look, each with an idempotency key, and ask again until they are told; meanwhile
processes die and freeze, cables are cut, servers are lost and come back (``loadtest.faults``). When the last fault is
over, everyone must be answered and every queue be empty within ten seconds. Then what callers were told is held
against ledger and bookings (``loadtest.audit``), and the database against itself (``engine.verify``).
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import floor
from pathlib import Path

import asyncpg
import msgspec
import redis.asyncio as redis
import uvloop
from redis.exceptions import RedisError

from engine.errors import StartupRefused
from engine.tasks import end_tasks
from engine.verify import verify
from loadtest.arena import READY_WITHIN_S, Arena
from loadtest.audit import audit
from loadtest.behaviour import (
    AVAILABILITY,
    BOOK,
    BOOKINGS,
    CANCEL,
    FIRST,
    HOUR,
    LENGTH,
    MOVE,
    READ,
    RESOURCES,
    SERIES,
    SERIES_RULE,
    Ask,
    Heard,
    booking_body,
    entry_of,
)
from loadtest.caller import Caller, NoAnswer, Reply
from loadtest.faults import Chaos, carry_out, plan
from loadtest.record import CONFIRMED, Entry, Head, Recorder

CALLERS = 40
"""Unless another number is given."""
PAUSE_S = 2.0
"""Between the beginnings of two faults, on average, unless another number is given: several are under way at once."""
ROOMS, COURSES, CLUBS = 16, 4, 4
"""Resources with one place, with several, and with several that are booked by the series alone: those keep the others
within what the audit's model replays. A series is decided alone, so that one club would hold everyone up."""
PLACES = 3
"""Of a course, and of a club."""
TIMES = 400
"""Hours of each resource that are wished for: few enough that callers want the same one."""
OPERATIONS_AN_HOUR = 200
"""After so many the first of these hours goes by and a new one opens, so that there is something to be had at the end
of a long run as at its beginning."""
WAIT_S = 1.0
ANSWER_WITHIN_S = 2.0
"""A caller who hears nothing for this long asks elsewhere, with the same key."""
AGAIN_S = 0.05
THINK_S = 0.005
WEIGHTS = {BOOK: 11, CANCEL: 3, MOVE: 2, SERIES: 1, READ: 3}
UNDECIDED = frozenset({202, 429, 502, 503, 504})
SOON_S = 5.0
"""A definite answer within this is soon."""
HEALED_WITHIN_S = 10.0
"""When the last fault is over, everything that was accepted has its outcome within this (P6)."""
AFTERMATH_S = 2.0
"""After a server came back, callers may wait this much longer before it counts."""
OWN_AT_MOST = 50


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run found.

    minutes, pause_s  how long after the beginning the last fault began, at most, and how far apart they were.
    fired, missed  faults by kind: those that were seen to happen, and those that were not.
    soon           share of the operations that had a definite answer within SOON_S, those left out that a server's
                   absence touched.
    healed_s       from the end of the last fault to the last answer and an empty queue; None: it was too long.
    wrong          every promise that was broken, in a sentence.
    """

    seed: int
    minutes: float
    pause_s: float
    callers: int
    fired: dict[str, int]
    missed: dict[str, int]
    operations: int
    requests: int
    tickets: int
    soon: float
    healed_s: float | None
    violations: int
    wrong: list[str]

    @property
    def clean(self) -> bool:
        """Whether everything held."""
        return not self.wrong

    def text(self) -> str:
        """Say it to a person."""
        width = max(map(len, [*self.fired, *self.missed, ""]))
        lines = [
            f"{kind:<{width}}  {self.fired.get(kind, 0):4d} times"
            + (f", and {self.missed[kind]} that were not seen to happen" if kind in self.missed else "")
            for kind in sorted({*self.fired, *self.missed})
        ]
        healed = "not within" if self.healed_s is None else f"{self.healed_s:.1f} s, promised are"
        lines += [
            f"{sum(self.fired.values())} faults of {len(self.fired)} kinds",
            f"{self.operations:,} operations in {self.requests:,} requests, {self.tickets:,} tickets",
            f"{self.soon:.2%} had a definite answer within {SOON_S:g} s, the absence of servers left out",
            f"everything was answered after the last fault: {healed} {HEALED_WITHIN_S:g} s",
            *(f"broken  {why}" for why in self.wrong),
            f"{self.violations:,} violations" if self.violations else "no violations",
        ]
        if not self.clean:
            lines.append(
                f"again: firstcome chaos --minutes {self.minutes:g} --pause {self.pause_s:g} "
                f"--callers {self.callers} --seed {self.seed}"
            )
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to do.

    minutes     for how long faults are injected.
    pause_s     between the beginnings of two faults, on average.
    operations  so many are enough, though the minutes are not over; None: they are never.
    history     where the requests are written to; None: nobody keeps them.
    """

    seed: int
    minutes: float
    pause_s: float = PAUSE_S
    callers: int = CALLERS
    operations: int | None = None
    history: Path | None = None


def run(wish: Wish, say: Callable[[str], None]) -> Result:
    """Set everything up, do what the seed says, check, and take it all down again."""
    with tempfile.TemporaryDirectory(prefix="firstcome-chaos-") as folder:
        return uvloop.run(_run(wish, wish.history or Path(folder) / "history.jsonl", say))


async def _run(wish: Wish, history: Path, say: Callable[[str], None]) -> Result:
    say("Starting servers, two APIs and two workers, with a cable on every edge.")
    async with Arena() as arena:
        crowd = Crowd([place.address for place in arena.apis], wish.seed, wish.callers, wish.operations)
        await crowd.make_resources()
        chaos = Chaos(arena)
        head = Head(profile="chaos", began=datetime.now().astimezone(), whole=True)
        with Recorder(history, head) as recorder:
            crowd.start(recorder)
            say(f"Seed {wish.seed}: faults for {wish.minutes:g} minutes.")
            minutes, wrong = await _rage(chaos, crowd, wish, say)
            healed_s = await _heal(arena, crowd)
            if healed_s is None:
                wrong.append(f"not everything was answered {HEALED_WITHIN_S:g} s after the last fault")
        say("Checking.")
        return await _check(chaos, crowd, history, replace(wish, minutes=minutes), healed_s=healed_s, wrong=wrong)


async def _rage(chaos: Chaos, crowd: Crowd, wish: Wish, say: Callable[[str], None]) -> tuple[float, list[str]]:
    """Do what was planned, until enough was asked for.

    Returns for how many minutes a plan has the same faults, and what went wrong with the faults themselves.
    """
    began = time.monotonic()
    under_way: list[asyncio.Task[None]] = []
    told_at, minutes = began, wish.minutes
    for planned in plan(wish.seed, wish.minutes * 60, wish.pause_s):
        if await crowd.had_enough(within_s=began + planned.at_s - time.monotonic()):
            minutes = floor(planned.at_s / 60 * 1_000) / 1_000  # before this one, and behind the one before it
            break
        under_way.append(asyncio.create_task(carry_out(chaos, planned)))
        if time.monotonic() - told_at > 15:
            told_at = time.monotonic()
            say(f"  {told_at - began:5.0f} s  {chaos.fired.total()} faults  {len(crowd.spans):,} operations")
    ended = await asyncio.gather(*under_way, return_exceptions=True)
    return minutes, [f"a fault could not be injected: {error!r}" for error in ended if isinstance(error, BaseException)]


async def _heal(arena: Arena, crowd: Crowd) -> float | None:
    """Mend everything, and wait until everyone is answered and nothing is queued. Returns how long that took."""
    for _, wire in arena.wires():
        wire.mend()
    since = time.monotonic()
    try:
        async with asyncio.timeout(HEALED_WITHIN_S):
            await crowd.stop()
            async with redis.Redis.from_url(arena.stack.redis_url, socket_timeout=5) as client:
                while not await _drained(client):  # noqa: ASYNC110  # nobody tells when a queue is empty
                    await asyncio.sleep(AGAIN_S)
    except TimeoutError:
        await crowd.give_up()
        return None
    return time.monotonic() - since


async def _drained(client: redis.Redis) -> bool:
    """Whether nothing is queued, and nobody holds anything."""
    try:
        async for key in client.scan_iter("fc:queue:*", count=1_000):
            if await client.exists(key):
                return False
        return not await client.llen("fc:ready")  # type: ignore[misc]
    except RedisError:
        return False


async def _check(
    chaos: Chaos, crowd: Crowd, history: Path, wish: Wish, *, healed_s: float | None, wrong: list[str]
) -> Result:
    """Hold everything against everything."""
    stack = chaos.arena.stack
    alarms = [line for place in chaos.arena.places for line in place.alarms_so_far()]
    told = await audit(history, stack.database_url, replica_url=stack.replica_url, alarms=alarms)
    connection = await asyncpg.connect(stack.database_url)
    try:
        held = await verify(connection)
        dead = await connection.fetch("SELECT resource, ticket, error FROM dead_letter")
    finally:
        await connection.close()
    broken = [f"{one.rule}: {one.resource_id}: {one.detail}" for one in told.violations]
    broken += [f"{one.rule}: {one.resource_id}: {one.detail}" for one in held.violations]
    broken += [f"an innocent command was given up: resource {row[0]}, ticket {row[1]}: {row[2]}" for row in dead]
    broken += crowd.unexpected
    return Result(
        seed=wish.seed,
        minutes=wish.minutes,
        pause_s=wish.pause_s,
        callers=wish.callers,
        fired=dict(chaos.fired),
        missed=dict(chaos.missed),
        operations=len(crowd.spans),
        requests=told.operations,
        tickets=told.tickets,
        soon=share_soon(crowd.spans, chaos.down),
        healed_s=healed_s,
        violations=len(broken),
        wrong=wrong + broken,
    )


def share_soon(spans: Sequence[tuple[float, float]], down: Sequence[tuple[float, float]]) -> float:
    """Of the spans that no server's absence touched, the share that took at most SOON_S.

    spans, down  of the monotonic clock: from when to when.
    """
    away = sorted((since, until + AFTERMATH_S) for since, until in down)
    starts = [since for since, _ in away]
    longest: list[float] = []
    for _, until in away:
        longest.append(max(until, longest[-1] if longest else until))
    counted = soon = 0
    for since, until in spans:
        before = bisect_right(starts, min(until, since + SOON_S))
        if before and longest[before - 1] >= since:
            continue
        counted += 1
        soon += until - since <= SOON_S
    return soon / counted if counted else 1.0


@dataclass
class Own:
    """A booking that stands, of one caller."""

    booking: str
    resource: str
    start: datetime
    ticket: int


@dataclass
class Crowd:
    """Callers who ask until they are told.

    operations  so many are enough; None: they never are.
    spans       of every operation, by the monotonic clock: when it was first asked for, and when it was decided.
    unexpected  answers that no fault excuses.
    """

    addresses: Sequence[str]
    seed: int
    callers: int
    operations: int | None = None
    spans: list[tuple[float, float]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False
    _calls: list[asyncio.Task[None]] = field(default_factory=list)

    async def make_resources(self) -> None:
        """Make rooms, courses and clubs. Raises StartupRefused where the API does not come up."""
        caller = Caller(self.addresses[0])
        deadline = time.monotonic() + READY_WITHIN_S
        wanted = [(f"room-{number:02d}", 1) for number in range(ROOMS)]
        wanted += [(f"course-{number:02d}", PLACES) for number in range(COURSES)]
        wanted += [(f"club-{number:02d}", PLACES) for number in range(CLUBS)]
        for name, capacity in wanted:
            body = {"resource_id": name, "name": name, "time_zone": "UTC", "capacity": capacity}
            while not await self._made(caller, body):
                if time.monotonic() > deadline:
                    raise StartupRefused(f"The API takes no request within {READY_WITHIN_S:.0f} s.")
                await asyncio.sleep(AGAIN_S)
        caller.close()

    def start(self, recorder: Recorder) -> None:
        """Let them begin."""
        self._calls = [asyncio.create_task(_Person(self, number, recorder).live()) for number in range(self.callers)]

    def count(self, since: float) -> None:
        """Note that what was asked for since then is decided."""
        self.spans.append((since, time.monotonic()))
        if len(self.spans) == self.operations:
            self._enough.set()

    async def had_enough(self, *, within_s: float) -> bool:
        """Wait until so many operations were decided as are wished for, or so long."""
        try:
            async with asyncio.timeout(within_s):
                return await self._enough.wait()
        except TimeoutError:
            return False

    async def stop(self) -> None:
        """Let everyone have the answer that he waits for."""
        self._stopping = True
        await asyncio.gather(*self._calls)

    async def give_up(self) -> None:
        """Send everyone away."""
        await end_tasks(self._calls)

    @property
    def stopping(self) -> bool:
        """Whether nobody is to begin anything new."""
        return self._stopping

    @staticmethod
    async def _made(caller: Caller, body: dict[str, object]) -> bool:
        try:
            return (await caller.ask("POST", RESOURCES, body, within_s=ANSWER_WITHIN_S)).status in (201, 409)
        except NoAnswer:
            return False


class _Person:
    """One caller, with the bookings that he made."""

    def __init__(self, crowd: Crowd, number: int, recorder: Recorder) -> None:
        self._crowd = crowd
        self._name = f"caller-{number}"
        self._dice = random.Random(f"{crowd.seed} {number}")
        self._recorder = recorder
        self._callers = [Caller(address) for address in crowd.addresses]
        self._at = 0
        self._own: list[Own] = []
        self._asked = 0

    async def live(self) -> None:
        """Ask for one thing after another, each until it is decided."""
        try:
            while not self._crowd.stopping:
                ask, start = self._next()
                since = time.monotonic()
                entry = await self._until_decided(ask)
                self._crowd.count(since)
                self._learn(ask, start, entry)
                await asyncio.sleep(self._dice.uniform(0, 2 * THINK_S))
        finally:
            for caller in self._callers:
                caller.close()

    async def _until_decided(self, ask: Ask) -> Entry:
        self._at = self._dice.randrange(len(self._callers))
        while True:
            entry = await self._send(ask)
            if entry.status and entry.status not in UNDECIDED:
                return entry
            self._at = (self._at + 1) % len(self._callers)
            await asyncio.sleep(self._dice.uniform(AGAIN_S, 3 * AGAIN_S))

    async def _send(self, ask: Ask) -> Entry:
        headers = {**ask.headers, "prefer": f"wait={WAIT_S:g}"}
        headers.pop("content-type", None)
        body = None if ask.body is None else json.loads(ask.body)
        sent = time.monotonic()
        try:
            reply = await self._callers[self._at].ask(
                ask.method, ask.path, body, headers=headers, within_s=ANSWER_WITHIN_S
            )
        except NoAnswer:
            entry = entry_of(ask, None, sent=sent, answered=sent)
        else:
            entry = entry_of(ask, _heard(reply), sent=sent, answered=time.monotonic())
            if ask.operation == CANCEL:  # the body is the booking's, and names the request that made it
                entry.request_id = _request_id(reply)
            self._judge(ask, reply)
        self._recorder.write(entry)
        return entry

    def _judge(self, ask: Ask, reply: Reply) -> None:
        """No fault excuses a 500, nor the words that a request was wrong."""
        if reply.status not in {200, 201, 409} | UNDECIDED:
            told = reply.content[:300].decode(errors="replace")
            self._crowd.unexpected.append(f"{ask.operation} was answered {reply.status}: {told}")

    def _next(self) -> tuple[Ask, datetime]:
        """What he asks for now, and the time that it is about."""
        self._asked += 1
        (operation,) = self._dice.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        if operation in (CANCEL, MOVE) and self._own:
            return self._change(operation, self._own.pop(self._dice.randrange(len(self._own))))
        if operation == READ:
            return self._read()
        return self._book(series=operation == SERIES)

    def _book(self, *, series: bool) -> tuple[Ask, datetime]:
        if series:
            club, start = f"club-{self._dice.randrange(CLUBS):02d}", self._hour()
            body = booking_body(club, start, LENGTH, recurrence_rule=SERIES_RULE)
            return Ask(SERIES, "POST", BOOKINGS, club, body, self._key()), start
        resource, start = self._wish()
        return Ask(BOOK, "POST", BOOKINGS, resource, booking_body(resource, start, LENGTH), self._key()), start

    def _change(self, operation: str, own: Own) -> tuple[Ask, datetime]:
        path = f"{BOOKINGS}/{own.booking}"
        if operation == CANCEL:
            return Ask(CANCEL, "POST", f"{path}/cancel", own.resource, b"{}", self._key()), own.start
        _, start = self._wish()
        times = {"start_time": _text(start), "end_time": _text(start + LENGTH)}
        return Ask(MOVE, "PUT", f"{path}/reschedule", own.resource, json.dumps(times).encode(), self._key()), start

    def _read(self) -> tuple[Ask, datetime]:
        """Look at a day: around an own booking, with its version, where there is one."""
        own = self._dice.choice(self._own) if self._own else None
        resource, start = (own.resource, own.start) if own else self._wish()
        window = f"start_date={_text(start)}&end_date={_text(start + timedelta(days=1))}"
        path = f"{AVAILABILITY}?resource_id={resource}&{window}"
        if own is None or not own.resource.startswith("room"):
            return Ask(READ, "GET", path, resource), start
        times = (_text(start), _text(start + LENGTH))
        return Ask(READ, "GET", path, resource, seen=own.ticket, own=times), start

    def _wish(self) -> tuple[str, datetime]:
        number = self._dice.randrange(ROOMS + COURSES)
        resource = f"room-{number:02d}" if number < ROOMS else f"course-{number - ROOMS:02d}"
        return resource, self._hour()

    def _hour(self) -> datetime:
        gone_by = len(self._crowd.spans) // OPERATIONS_AN_HOUR
        return FIRST + (gone_by + self._dice.randrange(TIMES)) * HOUR

    def _key(self) -> str:
        return f"{self._name}-{self._asked}"

    def _learn(self, ask: Ask, start: datetime, entry: Entry) -> None:
        if ask.operation not in (BOOK, MOVE) or entry.outcome != CONFIRMED:
            return
        if entry.booking is not None and entry.ticket is not None and len(self._own) < OWN_AT_MOST:
            self._own.append(Own(entry.booking, ask.resource, start, entry.ticket))


def _heard(reply: Reply) -> Heard:
    return Heard(
        reply.status,
        reply.content,
        seen=reply.headers.get("firstcome-seen"),
        request_id=_request_id(reply),
        replayed="idempotency-replayed" in reply.headers,
    )


def _request_id(reply: Reply) -> str | None:
    """The id in the header, which names this call. None where the answer is that of an earlier one."""
    return None if "idempotency-replayed" in reply.headers else reply.headers.get("x-request-id")


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S.000Z}"
