"""Callers of the engine, and what they look at afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import asyncpg
import msgspec
from redis.asyncio import Redis

from engine.commands import Book, Command, Outcome, Queued, Request, Status
from engine.config import Config
from engine.errors import EngineError
from engine.identifiers import uuid7
from engine.intake import Intake
from engine.queue.entries import HEADER
from engine.queue.intake import QueuedIntake
from engine.store.pools import Pool, open_pool
from engine.verify import Report, verify
from tests.connections import connected
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until

NINE = datetime(2036, 8, 11, 9, tzinfo=UTC)
"""A Monday far enough in the future for the life of these tests."""
DRAINED_WITHIN_S = 60.0


def hour(start: float = 0, length: float = 1, places: int = 1) -> Book:
    """A command that claims an interval beginning ``start`` hours after NINE."""
    begin = NINE + timedelta(hours=start)
    return Book(begin, begin + timedelta(hours=length), places)


def request(
    resource: int, command: Command | None = None, *, key: str | None = None, caller: str = "anonymous"
) -> Request:
    """A request as the API makes it."""
    wanted = hour() if command is None else command
    body_hash = blake2b(msgspec.msgpack.encode((resource, wanted)), digest_size=16).digest()
    return Request(uuid7(), resource, caller, key, body_hash, wanted)


@asynccontextmanager
async def open_intake(redis_url: str, database_url: str, *, queue_limit: int = 100_000) -> AsyncIterator[QueuedIntake]:
    """The queue's way in, as an API process has it."""
    config = Config(database_url=database_url, redis_url=redis_url, queue_limit=queue_limit)
    pool = await open_pool(database_url, size=4, name="test")
    intake = QueuedIntake(config, pool)
    try:
        await intake.start()
        yield intake
    finally:
        await intake.stop()
        await pool.close()


@asynccontextmanager
async def pool_of(database_url: str, size: int = 4) -> AsyncIterator[Pool]:
    """Connections as a worker's."""
    pool = await open_pool(database_url, size=size, name="test")
    try:
        yield pool
    finally:
        await pool.close()


async def decide_all(intake: Intake, requests: Iterable[Request], *, wait_s: float = 30) -> list[Outcome]:
    """Bring all at once, wait for each. Nobody may be sent away without an outcome."""
    found = await asyncio.gather(*(intake.decide(item, wait_s=wait_s) for item in requests))
    return [decided(item) for item in found]


async def ask_until_decided(intake: Intake, item: Request, *, within_s: float = 30) -> Outcome:
    """Bring a request as a patient caller does: again after trouble, and again when it was sent away."""
    answer: Outcome | Queued | None = None
    deadline = asyncio.get_running_loop().time() + within_s
    while not isinstance(answer, Outcome):
        assert asyncio.get_running_loop().time() < deadline, f"no outcome: {answer!r}"
        with suppress(EngineError):  # 503: nothing is known, so it is sent again
            answer = await intake.decide(item, wait_s=5)
    return answer


async def outcome_at_address(intake: Intake, request_id: UUID) -> Outcome:
    """Look at the address of a request until its outcome is there."""

    async def found() -> Outcome | None:
        answer = await intake.find(request_id)
        return answer if isinstance(answer, Outcome) else None

    outcome = await wait_until(found)
    assert outcome is not None
    return outcome


def decided(answer: Outcome | Queued | None) -> Outcome:
    """An answer that must be an outcome."""
    assert isinstance(answer, Outcome), answer
    return answer


def queued(answer: Outcome | Queued | None) -> Queued:
    """An answer that must be an address."""
    assert isinstance(answer, Queued), answer
    return answer


def statuses(outcomes: Iterable[Outcome]) -> Counter[Status]:
    return Counter(outcome.status for outcome in outcomes)


@dataclass(frozen=True)
class Row:
    """A ledger row, in what does not differ from run to run."""

    ticket: int
    outcome: str
    reason: str | None


async def winners(connection: Connection, resource: int) -> list[Row]:
    """The outcomes of a resource in ticket order."""
    rows = await connection.fetch(
        "SELECT ticket, outcome, reason FROM ledger WHERE resource = $1 ORDER BY ticket", resource
    )
    return [Row(*row) for row in rows]


async def ledger(connection: Connection, resource: int) -> list[asyncpg.Record]:
    """Every row of a resource, whole, in ticket order."""
    return await connection.fetch("SELECT * FROM ledger WHERE resource = $1 ORDER BY ticket", resource)


async def add_resources(connection: Connection, count: int, *, capacity: int = 1) -> list[int]:
    return [await add_resource(connection, capacity=capacity) for _ in range(count)]


async def clean(database_url: str) -> Report:
    """Audit a database of its own connection; what is promised must hold."""
    async with connected(database_url) as connection:
        report = await verify(connection)
    assert report.violations == [], report.text()
    assert report.clean
    return report


async def waiting_tickets(redis: Redis, resource: int) -> list[int]:
    """The tickets in a queue, head first."""
    entries: list[bytes] = await redis.lrange(f"fc:queue:{resource}", 0, -1)  # type: ignore[misc]
    return [HEADER.unpack_from(entry)[1] for entry in entries]


async def waiting_requests(redis: Redis, resource: int) -> list[UUID]:
    """The request ids in a queue, head first."""
    entries: list[bytes] = await redis.lrange(f"fc:queue:{resource}", 0, -1)  # type: ignore[misc]
    return [UUID(bytes=HEADER.unpack_from(entry)[3]) for entry in entries]


async def drained(redis: Redis, resources: Sequence[int], within_s: float = DRAINED_WITHIN_S) -> None:
    """Wait until nothing is queued and nobody owns anything."""

    async def empty() -> bool:
        async with redis.pipeline(transaction=True) as pipeline:
            for resource in resources:
                pipeline.exists(f"fc:queue:{resource}")
                pipeline.hexists(f"fc:state:{resource}", "owner")
            return not any(await pipeline.execute())

    await wait_until(empty, within_s)
