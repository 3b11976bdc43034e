"""The atomic steps: each script in ``lua/`` with its typed function. Nothing else writes the queues.

States of a resource, and the only steps between them::

    no state ──enqueue (with the number from the primary)──> ready
    idle     ──enqueue──> ready          idle ──a day──> no state
    ready    ──take──> owned             (on the ready list, once; a wake token is pushed)
    owned    ──release, sweep, end──> ready if an entry is left, else idle

Invariants: an entry leaves a queue only through ``trim``, by the turn that answered it; a resource with
entries is ready or owned; an owned one is held by a living turn, or by one whose deadline will pass.

When a step dies: before ``enqueue``, nothing happened; after it, the entry stands and a repeated call
gets the same ticket. Before the commit, the next turn reads the same heads. After the commit and before
``trim``, the next turn finds their tickets at or below the fence and answers from the ledger. Before
``release``, the turn's deadline passes and ``sweep`` gives back what it held, or ``bury`` does it before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from struct import Struct
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from engine.queue.keys import MEMORY
from engine.rules.rate import Bucket, Level, Verdict, level_of

LEASE_S = 1.0
"""How long a turn, or a worker, is thought alive after it was heard of, by Redis's clock."""
ANNOUNCED_S = 0.5
"""How long a turn that was announced is waited for."""
QUEUE_FULL = -1
OVER_RATE = -2

_BUCKET = Struct(">IIB")
_LUA = Path(__file__).parent / "lua"
_SPANS = f"local LEASE, ANNOUNCED = {LEASE_S * 1_000_000:.0f}, {ANNOUNCED_S * 1_000_000:.0f}\n"
_SHARED = _SPANS + "\n".join(
    (_LUA / f"{name}.lua").read_text(encoding="utf-8") for name in ("announce", "give_back", "rate", "run_id")
)
MAY_EXCEED_MEMORY = frozenset(
    {"take", "attempt", "trim", "release", "restamp", "beat", "sweep", "bury", "end_turn", "address", "find"}
    | {"lock_flush", "mark_flush", "unlock_flush"}
)
"""Scripts that must run when Redis is full: they are how it gets empty. ``enqueue`` and ``limit`` are refused then."""


def _source(name: str) -> bytes:
    flags = "#!lua flags=allow-oom" if name in MAY_EXCEED_MEMORY else "#!lua"
    return f"{flags}\n{_SHARED}\n{(_LUA / f'{name}.lua').read_text(encoding='utf-8')}".encode()


_SOURCES = {name: _source(name) for name in ("enqueue", "limit", *sorted(MAY_EXCEED_MEMORY))}
_DIGESTS = {name: sha1(source, usedforsecurity=False).hexdigest() for name, source in _SOURCES.items()}


async def run(redis: Redis, name: str, *arguments: bytes | str | int) -> Any:
    """Run a script by its digest; a server that does not know it (any more) is given its source."""
    try:
        return await redis.evalsha(_DIGESTS[name], 0, *arguments)  # type: ignore[arg-type, misc]
    except NoScriptError:
        return await redis.eval(_SOURCES[name], 0, *arguments)  # type: ignore[arg-type, misc]


@dataclass(slots=True, frozen=True)
class Ask:
    """A command that asks for a ticket.

    last_ticket, memory  from the primary, after the queue had no state.
    buckets              where it counts when it is given its ticket; one that has its ticket counts no more.
    """

    resource: int
    field: bytes
    request_id: UUID
    body: bytes
    last_ticket: int | None = None
    memory: bytes | None = None
    buckets: Sequence[Bucket] = ()


@dataclass(slots=True, frozen=True)
class Place:
    """Where a command stands.

    ticket      None: the queue has no state, ask the primary. QUEUE_FULL, OVER_RATE: nothing was enqueued.
    request_id  that of the entry: another than the command's own where an equal one is queued.
    decided     the resource's last ticket that was decided and trimmed.
    levels      what is left in its buckets; empty where it did not come to counting.
    """

    ticket: int | None
    request_id: UUID
    decided: int
    levels: tuple[Level, ...] = ()


@dataclass(slots=True, frozen=True)
class Taken:
    """A resource that a turn holds.

    tries    more than 0 where the head is suspect: it was taken before without moving, or stood in batches that failed.
    entries  the raw heads.  waiting, withdrawn  for each, or empty where nobody joined or withdrew.
    """

    resource: int
    tries: int
    entries: Sequence[bytes]
    waiting: Sequence[bytes]
    withdrawn: Sequence[int]


async def enqueue(
    redis: Redis, asks: Sequence[Ask], *, api: str, limit: int, candidate: str
) -> tuple[bytes, bool, list[Place]]:
    """Give each command its ticket, in order. Safe to repeat.

    candidate  the memory id that an empty Redis takes.

    Returns the memory id, whether a turn must be enqueued now, and the places in the same order.
    """
    arguments: list[bytes | str | int] = [candidate, limit]
    for ask in asks:
        last_ticket = "" if ask.last_ticket is None else ask.last_ticket
        arguments += (ask.resource, ask.field, ask.request_id.bytes, api, ask.body, last_ticket, ask.memory or b"")
        arguments.append(_packed(ask.buckets))
    answer = await run(redis, "enqueue", *arguments)
    places = [
        Place(
            answer[at] or None,
            UUID(bytes=answer[at + 1]),
            answer[at + 2],
            _levels(ask.buckets, answer[at + 3]) if answer[at + 3] else (),
        )
        for at, ask in zip(range(2, len(answer), 4), asks, strict=True)
    ]
    return answer[0], bool(answer[1]), places


async def limit(redis: Redis, calls: Sequence[Sequence[Bucket]]) -> list[Verdict]:
    """Count calls, each in all of its buckets or in none. Repeating it counts them again."""
    answer = await run(redis, "limit", *(_packed(buckets) for buckets in calls))
    return [Verdict(bool(answer[2 * at]), _levels(buckets, answer[2 * at + 1])) for at, buckets in enumerate(calls)]


def _packed(buckets: Sequence[Bucket]) -> bytes:
    """Buckets as ``rate.lua`` takes them."""
    packed = b""
    for bucket in buckets:
        name = bucket.name.encode("ascii")
        packed += _BUCKET.pack(bucket.rate.interval_us, bucket.rate.quota, len(name)) + name
    return packed


def _levels(buckets: Sequence[Bucket], debts: Sequence[int]) -> tuple[Level, ...]:
    return tuple(level_of(bucket, debt) for bucket, debt in zip(buckets, debts, strict=True))


async def take(redis: Redis, token: str, *, limit: int) -> list[Taken]:
    """Take ready resources in rotation, ``limit`` commands in all, and read their heads."""
    answer = await run(redis, "take", token, limit)
    return [
        Taken(int(answer[at]), answer[at + 1], answer[at + 2], answer[at + 3], answer[at + 4])
        for at in range(0, len(answer), 5)
    ]


async def attempt(redis: Redis, token: str, resource: int, *, name: str) -> int:
    """Count an attempt at a suspect head. Safe to repeat under the same name: it counts once.

    Returns its number, 0 if the turn lost the resource.
    """
    return int(await run(redis, "attempt", token, resource, name))


async def trim(redis: Redis, answered: Mapping[int, Sequence[bytes]]) -> dict[UUID, list[str]]:
    """Remove answered heads. Returns who waits for them beside the first, some since the heads were read."""
    arguments: list[bytes | str | int] = []
    for resource, entries in answered.items():
        arguments += (resource, len(entries), *entries)
    late = await run(redis, "trim", *arguments)
    return {UUID(bytes=late[at]): late[at + 1].decode().split() for at in range(0, len(late), 2)}


async def release(redis: Redis, token: str, resources: Iterable[tuple[int, bool]]) -> None:
    """Let resources go; True gives the try back, for a resource whose row was locked."""
    arguments: list[bytes | str | int] = [token]
    for resource, untry in resources:
        arguments += (resource, int(untry))
    if len(arguments) > 1:
        await run(redis, "release", *arguments)


async def restamp(redis: Redis, resource: int, head: bytes, base: int) -> int:
    """Give a queue from an old memory new tickets from ``base`` on. Returns how many."""
    return int(await run(redis, "restamp", resource, head, base))


async def beat(redis: Redis, worker: str, *, turns: int, tokens: Iterable[str]) -> None:
    """Keep a worker that can run ``turns`` turns, and its turns, alive for a second."""
    await run(redis, "beat", f"{turns}:{worker}", *tokens)


async def sweep(redis: Redis) -> bool:
    """Give back what dead turns hold. Returns whether a turn must be enqueued now."""
    return bool(await run(redis, "sweep"))


async def bury(redis: Redis, worker: str) -> int:
    """Give back what the turns of a dead worker hold, at once. Returns how many it had."""
    return int(await run(redis, "bury", worker))


async def end_turn(redis: Redis, token: str, *, slice_over: bool) -> tuple[bool, bool]:
    """End a turn if nothing is ready, or in any case when its slice is over.

    Returns whether it ended, and whether its successor must be enqueued now.
    """
    answer = int(await run(redis, "end_turn", token, int(slice_over)))
    return answer > 0, answer == 2


async def address(redis: Redis, commands: Iterable[tuple[UUID, int, bytes, str]]) -> None:
    """Make queued commands findable by request id: (request id, resource, field, caller)."""
    arguments: list[bytes | str | int] = []
    for request_id, resource, field, caller in commands:
        arguments += (request_id.bytes, resource, field, caller)
    await run(redis, "address", *arguments)


async def lock_flush(redis: Redis, token: str, *, span_ms: int) -> tuple[bool, bool]:
    """Take the lock of whoever is about to force a flush; it goes by itself after ``span_ms``.

    Returns whether it was taken, and whether one that died left the server at ``appendfsync always``.
    """
    answer = int(await run(redis, "lock_flush", token, span_ms))
    return answer > 0, answer == 2


async def mark_flush(redis: Redis, token: str, *, forced: bool) -> bool:
    """Note that ``appendfsync`` is to be set back, or that it was. Returns False where the lock was lost."""
    return bool(await run(redis, "mark_flush", token, int(forced)))


async def unlock_flush(redis: Redis, token: str) -> None:
    """Give the lock back, if it is still held under this token."""
    await run(redis, "unlock_flush", token)


async def find(
    redis: Redis, request_id: UUID, *, caller: str | None = None, withdraw: bool = False
) -> tuple[int, int] | None:
    """Find a queued command.

    caller  whose it must be; None: anyone's.

    Returns (ticket, last ticket decided), None if it is not queued, or another's.
    """
    answer = await run(redis, "find", request_id.bytes, int(withdraw), caller or "")
    return (answer[0], answer[1]) if answer else None


async def memory(redis: Redis) -> bytes | None:
    """The memory id; None where Redis is empty."""
    value: bytes | None = await redis.get(MEMORY)
    return value
