"""Every guard taken out, one at a time: a check that finds nothing then would be worth nothing.

The guards are taken out here, in a test, and nowhere else: no setting does it. The last two are the other way round:
of the queue and the constraint each alone suffices, so with the one taken out nothing must be found.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from engine import batch
from engine.batch import Decisions, decide_batch
from engine.commands import Entry, Outcome, Request, Status
from engine.queue import intake as queue_intake
from engine.queue import scripts
from engine.queue.entries import decode_entry
from engine.verify import Report, verify
from loadtest import record
from loadtest.audit import audit
from tests.clients import add_resources, clean, decided, drained, hour, open_intake, request
from tests.faults.load import Load
from tests.processes import Processes, Supervisor
from tests.schema.rows import Connection, add_resource, book, hours
from tests.support import wait_until
from tests.turns import Turning, enqueue, turning
from worker.turn import _replies, _Turn

LOOKED_AGAIN = "redis.call('EXISTS', 'fc:queue:' .. resource) == 1"
STRANDED_S = 2.0
"""Long enough for eight sweeps."""


async def found(database_url: str) -> set[str]:
    """The rules that the audit of the database finds broken."""
    report = await verified(database_url)
    return {check.rule for check in report.checks if check.broken}


async def verified(database_url: str) -> Report:
    connection = await asyncpg.connect(database_url)
    try:
        return await verify(connection)
    finally:
        await connection.close()


async def found_in_answers(
    database_url: str,
    folder: Path,
    told: Sequence[tuple[str, Request, Outcome]],
    *,
    alarms: Sequence[str] = (),
) -> set[str]:
    """The rules that the audit of what callers were told finds broken.

    told    by the public name of the resource.
    alarms  what was logged as critical.
    """
    file = folder / "history.jsonl"
    head = record.Head(profile="sabotage", began=datetime.now(UTC), whole=False)
    record.write_history(file, head, [entry_of(*one) for one in told])
    report = await audit(file, database_url, alarms=alarms)
    return {check.rule for check in report.checks if check.broken}


def entry_of(name: str, asked: Request, outcome: Outcome) -> record.Entry:
    now = time.monotonic()
    return record.Entry(
        operation="book",
        caller=asked.caller,
        resource=name,
        key=asked.key,
        sent=now,
        answered=now,
        status=201,
        outcome=outcome.status.value,
        ticket=outcome.ticket,
        request_id=str(outcome.request_id),
        booking=str(outcome.booking.booking) if outcome.booking else None,
        replayed=outcome.repeated,
    )


async def name_of(database: Connection, resource: int) -> str:
    return str(await database.fetchval("SELECT resource_id FROM resource WHERE id = $1", resource))


async def no_ledger(
    _connection: object, locked: Mapping[int, object], queues: Mapping[int, Sequence[Entry]], _decided: Decisions
) -> dict[int, list[Entry]]:
    """What stands in the place of the fence: everything that was read is decided, whatever its ticket."""
    return {resource: list(queues[resource]) for resource in locked}


async def test_without_the_fence_only_the_schema_keeps_a_ticket_from_being_decided_twice(
    database: Connection,
    database_url: str,
    *,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The schema must never have to refuse what was decided: where it did, the audit says so."""
    course = await add_resource(database, capacity=100)
    monkeypatch.setattr(batch, "_answer_from_ledger", no_ledger)
    async with turning(redis_url, database_url) as worker, turning(redis_url, database_url) as other:
        await enqueue(worker.redis, [request(course, hour(at)) for at in range(3)])
        taken = await scripts.take(worker.redis, "one", limit=64)
        await worker.serve("one", taken)
        await other.serve("two", taken)  # as one that was frozen when it had read the heads
    alarms = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "backstop" in await found_in_answers(database_url, tmp_path, [], alarms=alarms)


async def test_what_is_removed_before_the_commit_is_lost(
    database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as worker:
        await enqueue(worker.redis, [request(room, hour(at)) for at in range(3)])
        (taken,) = await scripts.take(worker.redis, "dies", limit=2)
        await scripts.trim(worker.redis, {room: taken.entries})
        await scripts.release(worker.redis, "dies", [(room, False)])  # and here it dies
        await worker.serve_all()
    assert "no_gap" in await found(database_url)


async def test_a_reply_before_the_commit_may_be_untrue(
    database: Connection, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as worker, open_intake(redis_url, database_url) as intake:
        wanted = request(room)
        waiting = asyncio.create_task(intake.decide(wanted, wait_s=20))
        await reply_and_die(worker, room)
        told = decided(await waiting)
        await worker.serve_all()
    assert told.status is Status.CONFIRMED
    broken = await found_in_answers(database_url, tmp_path, [(await name_of(database, room), wanted, told)])
    assert "answers_in_ledger" in broken
    assert await found(database_url) == set(), "the database alone cannot show it"


async def reply_and_die(worker: Turning, room: int) -> None:
    """A turn that tells what it decided, and whose transaction is rolled back then."""
    taken = await wait_until(lambda: scripts.take(worker.redis, "dies", limit=64))
    entries = [decode_entry(room, raw, waiting=b"", withdrawn=False) for raw in taken[0].entries]
    turn = _Turn(worker.turns, "dies", worker.pool)
    async with worker.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        answers = (await decide_batch(connection, {room: entries})).answers
        await turn._reply(_replies(answers))
        await transaction.rollback()
    await scripts.release(worker.redis, "dies", [(room, True)])


async def test_without_keys_a_retry_books_twice(
    database: Connection, database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request's own id takes the place of its key, in the queue and in the transaction."""
    course = await add_resource(database, capacity=100)
    monkeypatch.setattr(batch, "key_of", batch.own_key_of)
    monkeypatch.setattr(queue_intake, "field_of", lambda wanted: wanted.request_id.bytes)
    told = []
    async with turning(redis_url, database_url) as worker, open_intake(redis_url, database_url) as intake:
        for _ in range(2):
            wanted = request(course, key="one key")
            turn = worker.start()
            told.append((await name_of(database, course), wanted, decided(await intake.decide(wanted, wait_s=20))))
            await turn
    assert await database.fetchval("SELECT count(*) FROM booking") == 2
    assert "same_key_same_answer" in await found_in_answers(database_url, tmp_path, told)


@pytest.mark.parametrize("looks", [True, False], ids=["with the look", "without"])
async def test_without_another_look_at_the_release_a_command_is_stranded(
    database: Connection,
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    looks: bool,
) -> None:
    """One that comes while its resource is held finds it owned, and is left to whoever lets it go."""
    if not looks:
        blind = scripts._SOURCES["release"].replace(LOOKED_AGAIN.encode(), b"false")
        assert blind != scripts._SOURCES["release"], "the script looks in another way"
        monkeypatch.setitem(scripts._SOURCES, "release", blind)
        monkeypatch.setitem(scripts._DIGESTS, "release", digest_of(blind))
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as worker:
        await enqueue(worker.redis, [request(room, hour(0))])
        (taken,) = await scripts.take(worker.redis, "holds", limit=64)
        await enqueue(worker.redis, [request(room, hour(1))])
        await worker.serve("holds", [taken])
        for _ in range(8):
            await scripts.sweep(worker.redis)
            await worker.serve_all()
        if looks:
            await drained(worker.redis, [room], within_s=STRANDED_S)
        else:
            with pytest.raises(AssertionError, match="still"):
                await drained(worker.redis, [room], within_s=STRANDED_S)
            assert await database.fetchval("SELECT count(*) FROM ledger") == 1


def digest_of(source: bytes) -> str:
    return sha1(source, usedforsecurity=False).hexdigest()


# -------------------------------------------------------------------- what must hold


async def test_with_the_constraint_dropped_the_queue_alone_suffices(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await database.execute("ALTER TABLE booking DROP CONSTRAINT booking_no_overlap")
    await database.execute("ALTER TABLE booking DISABLE TRIGGER USER")
    rooms = [*(await add_resources(database, 2)), *(await add_resources(database, 2, capacity=3))]
    async with (
        Supervisor(processes) as supervisor,
        open_intake(redis_url, database_url) as intake,
        Redis.from_url(redis_url) as redis,
    ):
        await supervisor.start(2)
        load = Load(intake, rooms)
        load.start()
        for worker in (0, 1):
            await load.more(100)
            supervisor.workers[worker].process.kill()
        await load.more(200)
        await load.stop()
        await drained(redis, rooms)
    await clean(database_url)


@pytest.mark.parametrize("capacity", [1, 3])
async def test_with_the_queue_bypassed_the_constraint_alone_suffices(
    database: Connection, database_url: str, capacity: int
) -> None:
    resource = await add_resource(database, capacity=capacity)
    connections = [await asyncpg.connect(database_url) for _ in range(12)]
    try:
        ended = await asyncio.gather(
            *(book_again_and_again(connection, resource, number) for number, connection in enumerate(connections))
        )
    finally:
        for connection in connections:
            await connection.close()
    assert sum(refused for _, refused in ended) > 0, "nobody met anybody"
    assert sum(made for made, _ in ended) == await database.fetchval("SELECT count(*) FROM booking")
    assert await found(database_url) & {"no_overlap", "no_excess"} == set()


async def book_again_and_again(connection: Any, resource: int, number: int) -> tuple[int, int]:
    """Write bookings past the engine. Returns how many were made, and how many the schema refused."""
    made = refused = 0
    for start in range(8):
        try:
            await book(connection, resource, hours(start + number % 3 / 3, start + 1 + number % 2))
        except (asyncpg.ExclusionViolationError, asyncpg.DeadlockDetectedError):
            refused += 1
        else:
            made += 1
    return made, refused
