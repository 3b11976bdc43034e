"""What chaos does to an installation: each fault, how it is seen to have happened, and the plan that a seed makes.

A fault says afterwards whether it was seen to fire: a process found dead of the signal, pieces lost by a cable, a
server whose number changed. One that was not seen is counted apart, as a fault that never happens proves nothing.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis.asyncio as redis
from redis.exceptions import RedisError

from loadtest.arena import Arena, Place
from loadtest.wire import Direction, Wire

FIRED_WITHIN_S = 20.0
"""A point at which a process is to die is reached within this, if it is reached at all."""
POLL_S = 0.02
STEPS = {
    "worker": ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10"),
    "api": ("A1", "A2", "A3", "A4", "A5", "A6", "A7"),
}
WAYS: tuple[tuple[Direction, ...], ...] = (("there",), ("back",), ("there", "back"))


@dataclass
class Chaos:
    """What faults work on, and what they leave behind.

    dice   of the fault that is under way; its plan's own, so that a seed repeats it.
    down   spans of the monotonic clock in which a server was away.
    """

    arena: Arena
    fired: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    down: list[tuple[float, float]] = field(default_factory=list)
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def lock(self, target: str) -> asyncio.Lock:
        """Two faults of one target do not mix: the second waits."""
        return self._locks[target]

    @contextmanager
    def server_down(self) -> Iterator[None]:
        """A server is away inside, and for callers a moment longer."""
        since = time.monotonic()
        try:
            yield
        finally:
            self.down.append((since, time.monotonic()))


Inject = Callable[[Chaos, random.Random], Awaitable[bool]]


@dataclass(frozen=True)
class Planned:
    """A fault that is to begin so many seconds after the beginning, with dice of its own."""

    at_s: float
    kind: str
    seed: str


def plan(seed: int, seconds: float, pause_s: float) -> list[Planned]:
    """Every kind in random order, then every kind again. The same seed makes the same plan, faster or slower."""
    dice = random.Random(f"chaos {seed}")
    planned: list[Planned] = []
    at_s, left = 0.0, list[str]()
    while True:
        at_s += dice.uniform(0.25, 1.75) * pause_s
        if at_s > seconds:
            return planned
        if not left:
            left = list(KINDS)
            dice.shuffle(left)
        planned.append(Planned(at_s, left.pop(), f"{seed} {len(planned)}"))


async def carry_out(chaos: Chaos, planned: Planned) -> None:
    """Do it, and count whether it was seen to fire."""
    seen = await KINDS[planned.kind](chaos, random.Random(planned.seed))
    (chaos.fired if seen else chaos.missed)[planned.kind] += 1


async def seen(predicate: Callable[[], bool], within_s: float = FIRED_WITHIN_S) -> bool:
    """Wait until something shows, for a bounded time."""
    deadline = time.monotonic() + within_s
    while not predicate():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


# ---------------------------------------------------------------------- processes


def _killed(kind: str) -> Inject:
    async def inject(chaos: Chaos, dice: random.Random) -> bool:
        place = _place(chaos, kind, dice)
        async with chaos.lock(place.name):
            before = place.deaths
            return place.signal(signal.SIGKILL) and await seen(lambda: place.deaths > before)

    return inject


def _frozen(kind: str) -> Inject:
    async def inject(chaos: Chaos, dice: random.Random) -> bool:
        place = _place(chaos, kind, dice)
        async with chaos.lock(place.name):
            if not place.signal(signal.SIGSTOP):
                return False
            stopped = await seen(lambda: place.is_stopped)
            await asyncio.sleep(dice.uniform(0.5, 5.0))
            return place.signal(signal.SIGCONT) and stopped

    return inject


def _dies_at_a_step(kind: str) -> Inject:
    """The process is replaced by one that dies when it comes to a step."""

    async def inject(chaos: Chaos, dice: random.Random) -> bool:
        place = _place(chaos, kind, dice)
        step = dice.choice(STEPS[kind])
        async with chaos.lock(place.name):
            await _arm(place, f"{step}=kill")
            before = place.deaths
            return await seen(lambda: place.deaths > before) or not await _disarm(place)

    return inject


async def _freezes_at_a_step(chaos: Chaos, dice: random.Random) -> bool:
    """A worker that stands still with the rows locked, or with replies sent and heads still there."""
    place = _place(chaos, "worker", dice)
    async with chaos.lock(place.name):
        await _arm(place, f"{dice.choice(STEPS['worker'])}=freeze")
        frozen = await seen(lambda: place.is_stopped)
        await asyncio.sleep(dice.uniform(1.0, 5.0))
        await _disarm(place)
        return frozen


async def _arm(place: Place, failpoints: str) -> None:
    place.failpoints = failpoints
    place.signal(signal.SIGKILL)
    await seen(lambda: place.armed == failpoints)


async def _disarm(place: Place) -> bool:
    """Let another take its place. Returns True."""
    before = place.deaths
    place.signal(signal.SIGCONT)
    place.signal(signal.SIGKILL)
    await seen(lambda: place.deaths > before)
    return True


def _place(chaos: Chaos, kind: str, dice: random.Random) -> Place:
    return dice.choice(chaos.arena.workers if kind == "worker" else chaos.arena.apis)


# ---------------------------------------------------------------------- cables


async def _wire_cut(chaos: Chaos, dice: random.Random) -> bool:
    name, wire = _wire(chaos, dice)
    async with chaos.lock(name):
        before = wire.lost
        wire.cut(*dice.choice(WAYS))
        await asyncio.sleep(dice.uniform(0.5, 4.0))
        wire.mend()
        return wire.lost > before


async def _wire_slow(chaos: Chaos, dice: random.Random) -> bool:
    name, wire = _wire(chaos, dice)
    async with chaos.lock(name):
        before = wire.delayed
        wire.slow(dice.uniform(0.01, 0.1))
        await asyncio.sleep(dice.uniform(0.5, 3.0))
        wire.mend()
        return wire.delayed > before


async def _wire_severed(chaos: Chaos, dice: random.Random) -> bool:
    name, wire = _wire(chaos, dice)
    async with chaos.lock(name):
        before = wire.broken
        wire.sever()
        return wire.broken > before


def _wire(chaos: Chaos, dice: random.Random) -> tuple[str, Wire]:
    return dice.choice(list(chaos.arena.wires()))


# ---------------------------------------------------------------------- Redis


async def _redis_killed(chaos: Chaos, _: random.Random) -> bool:
    """It comes back with its file."""
    return await _redis_again(chaos, lambda: None)


async def _redis_lost(chaos: Chaos, _: random.Random) -> bool:
    """It comes back knowing nothing."""
    return await _redis_again(chaos, chaos.arena.stack.valkey.empty)


async def _redis_older(chaos: Chaos, dice: random.Random) -> bool:
    """It comes back as it was some moments before."""
    valkey = chaos.arena.stack.valkey
    copy = valkey.data.with_name("valkey.copy")
    async with chaos.lock("Redis"):
        shutil.rmtree(copy, ignore_errors=True)
        await asyncio.to_thread(shutil.copytree, valkey.data, copy)
        await asyncio.sleep(dice.uniform(0.2, 1.0))

    def put_back() -> None:
        shutil.rmtree(valkey.data)
        shutil.copytree(copy, valkey.data)

    return await _redis_again(chaos, put_back)


async def _redis_again(chaos: Chaos, meanwhile: Callable[[], None]) -> bool:
    valkey = chaos.arena.stack.valkey
    async with chaos.lock("Redis"):
        before = valkey.pid
        with chaos.server_down():
            await asyncio.to_thread(valkey.kill)
            await asyncio.to_thread(meanwhile)
            await asyncio.to_thread(valkey.start)
        return valkey.pid != before


async def _redis_emptied(chaos: Chaos, _: random.Random) -> bool:
    """Emptied under connections that stand."""
    async with chaos.lock("Redis"), _asking(chaos) as asked:
        before = await asked.get("fc:memory")
        await asked.flushall()
        return before is not None


async def _redis_full(chaos: Chaos, dice: random.Random) -> bool:
    """It refuses whatever needs memory."""
    async with chaos.lock("Redis"), _asking(chaos) as asked:
        with chaos.server_down():
            await asked.config_set("maxmemory", 1)
            await asyncio.sleep(dice.uniform(0.3, 1.5))
            try:
                await asked.set("fc:none", "1")
                refused = False
            except RedisError:
                refused = True
            await asked.config_set("maxmemory", 0)
        return refused


async def _redis_frozen(chaos: Chaos, dice: random.Random) -> bool:
    process = chaos.arena.stack.valkey.process
    async with chaos.lock("Redis"):
        with chaos.server_down():
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.3, 3.0))
            process.signal(signal.SIGCONT)
        return process.alive


def _asking(chaos: Chaos) -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(chaos.arena.stack.redis_url, socket_timeout=5)
    return client


# ---------------------------------------------------------------------- PostgreSQL


def _primary(end: str) -> Inject:
    async def inject(chaos: Chaos, _: random.Random) -> bool:
        primary = chaos.arena.stack.primary
        async with chaos.lock("primary"):
            before = primary.pid
            with chaos.server_down():
                await asyncio.to_thread(getattr(primary, end))
                await asyncio.to_thread(primary.start)
            return primary.pid != before

    return inject


async def _replica_killed(chaos: Chaos, dice: random.Random) -> bool:
    replica = chaos.arena.stack.replica
    async with chaos.lock("replica"):
        before = replica.pid
        await asyncio.to_thread(replica.kill)
        await asyncio.sleep(dice.uniform(0.2, 3.0))
        await asyncio.to_thread(replica.start)
        return replica.pid != before


KINDS: dict[str, Inject] = {
    "an API is killed": _killed("api"),
    "a worker is killed": _killed("worker"),
    "an API is frozen": _frozen("api"),
    "a worker is frozen": _frozen("worker"),
    "an API dies at a step": _dies_at_a_step("api"),
    "a worker dies at a step": _dies_at_a_step("worker"),
    "a worker freezes at a step": _freezes_at_a_step,
    "a cable is cut, one way or both": _wire_cut,
    "a cable is slow": _wire_slow,
    "a cable is severed": _wire_severed,
    "Redis is killed": _redis_killed,
    "Redis comes back empty": _redis_lost,
    "Redis comes back older": _redis_older,
    "Redis is emptied": _redis_emptied,
    "Redis is full": _redis_full,
    "Redis is frozen": _redis_frozen,
    "the primary is killed": _primary("kill"),
    "the primary is restarted": _primary("stop"),
    "the replica is killed": _replica_killed,
}
"""By the names in the report."""
