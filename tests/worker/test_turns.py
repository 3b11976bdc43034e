"""What a turn does with what it cannot decide, and whom it serves first."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import asyncpg
import msgspec
import pytest

from engine.commands import Command, Reason, Status
from engine.queue import scripts
from engine.queue.entries import VERSION, decode_replies
from engine.queue.keys import reply_channel
from tests.clients import (
    NINE,
    add_resources,
    clean,
    decided,
    drained,
    hour,
    ledger,
    open_intake,
    outcome_at_address,
    request,
    waiting_tickets,
)
from tests.schema.rows import ROW, Connection, add_resource
from tests.support import wait_until
from tests.turns import ask_of, enqueue, turning

HOT = 50_000
BATCH = 256


async def test_a_resource_with_fifty_thousand_tickets_does_not_starve_others(
    database: Connection, database_url: str, redis_url: str
) -> None:
    hot, quiet = await add_resources(database, 2)
    async with turning(redis_url, database_url, batch_limit=BATCH) as worker:
        for first in range(0, HOT, 5_000):
            await enqueue(worker.redis, [request(hot, hour(number % 7)) for number in range(first, first + 5_000)])
        worker.start()
        for number in range(5):
            await enqueue(worker.redis, [request(quiet, hour(number))])

            async def served(number: int = number) -> bool:
                return len(await ledger(database, quiet)) == number + 1

            await wait_until(served)
        assert len(await waiting_tickets(worker.redis, hot)) > HOT / 2, "it never was the only one"
        await worker.stop()
    for row in await ledger(database, quiet):
        between = await database.fetchval(
            "SELECT count(*) FROM ledger WHERE resource = $1 AND decided_at > $2 AND decided_at < $3",
            hot,
            row["joined_at"],
            row["decided_at"],
        )
        assert between <= 2 * BATCH, "it waits for the batch under way, and at most one more"
    await clean(database_url)


async def test_many_ready_resources_share_a_batch(database: Connection, database_url: str, redis_url: str) -> None:
    rooms = await add_resources(database, 100)
    async with turning(redis_url, database_url, batch_limit=BATCH) as worker:
        await enqueue(worker.redis, [request(room, hour(at)) for at in range(2) for room in rooms])
        await worker.serve_all()
    assert await database.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger") == 1, "one transaction"
    await clean(database_url)


async def test_who_joins_while_a_batch_is_decided_is_told_too(
    database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    first = request(room, key="a")
    async with turning(redis_url, database_url) as worker, worker.redis.pubsub() as channel:
        await channel.subscribe(reply_channel("late"))
        await enqueue(worker.redis, [first])

        async def join() -> None:
            await enqueue(worker.redis, [request(room, key="a")], api="late")

        worker.redis.before["trim"] = join
        await worker.serve_all()

        async def told() -> bytes | None:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=0.05)
            return message["data"] if message else None

        message = await wait_until(told)
    assert message is not None
    ((request_id, outcome),) = decode_replies(message)
    assert (request_id, outcome.status) == (first.request_id, Status.CONFIRMED)
    assert len(await ledger(database, room)) == 1


async def test_a_turn_that_waits_is_woken(
    database: Connection, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for a minute; whatever puts a resource into ready pushes a token."""
    monkeypatch.setattr("worker.turn.IDLE_S", 60.0)
    rooms = await add_resources(database, 2)
    async with turning(redis_url, database_url) as worker:
        looked = asyncio.Event()

        async def look() -> None:
            looked.set()

        worker.redis.after["take"] = look
        worker.start()
        await looked.wait()
        for number in range(5):
            await enqueue(worker.redis, [request(room, hour(number)) for room in rooms])
            await drained(worker.redis, rooms, within_s=20)
        worker.turns.stopping = True
        await enqueue(worker.redis, [request(rooms[0], hour(9))])  # so that it looks, and sees that it is to stop
    await clean(database_url)


async def test_an_entry_of_a_newer_format_is_let_go_and_not_lost(
    database: Connection, database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    newer, other = await add_resources(database, 2)
    async with turning(redis_url, database_url) as worker:
        await enqueue(worker.redis, [request(newer, hour(at)) for at in range(3)])
        head = await worker.redis.lindex(f"fc:queue:{newer}", 0)  # type: ignore[misc]
        unknown = bytes([VERSION + 1]) + head[1:]
        await worker.redis.lset(f"fc:queue:{newer}", 0, unknown)  # type: ignore[misc]
        await enqueue(worker.redis, [request(other, hour(at)) for at in range(3)])
        turn = asyncio.create_task(worker.turns.run())
        await drained(worker.redis, [other])
        assert await turn, "the turn ends, and has a successor"
        assert len(await ledger(database, other)) == 3
        assert await waiting_tickets(worker.redis, newer) == [1, 2, 3]
        assert await worker.redis.zcard("fc:turns") == 0
        assert await worker.redis.lrange("fc:ready", 0, -1) == [str(newer).encode()]  # type: ignore[misc]
        assert any("too old" in record.message for record in caplog.records)

        # A worker that knows the format comes: here, the entry becomes one that this one knows.
        await worker.redis.lset(f"fc:queue:{newer}", 0, head)  # type: ignore[misc]
        await worker.serve_all()
        assert [row["outcome"] for row in await ledger(database, newer)] == ["confirmed"] * 3
    await clean(database_url)


async def test_an_entry_whose_body_cannot_be_read_fails_alone(
    database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    broken = request(room)
    async with turning(redis_url, database_url) as worker:
        await enqueue(worker.redis, [request(room, hour(0))])
        ask = ask_of(broken)
        garbage = scripts.Ask(ask.resource, ask.field, ask.request_id, b"\xc1 is never MessagePack")
        await scripts.enqueue(worker.redis, [garbage], api="test", limit=10, candidate="unused")
        await enqueue(worker.redis, [request(room, hour(0)), request(room, hour(1))])
        await worker.serve_all()
    rows = await ledger(database, room)
    assert [(row["kind"], row["outcome"]) for row in rows] == [
        ("book", "confirmed"),
        ("unreadable", "failed"),
        ("book", "refused"),
        ("book", "confirmed"),
    ]
    (letter,) = await database.fetch("SELECT ticket, request_id, command FROM dead_letter")
    assert (letter["ticket"], letter["request_id"]) == (2, broken.request_id)
    assert b"\xc1 is never MessagePack" in letter["command"]
    assert msgspec.msgpack.decode(letter["command"], type=Command).body == garbage.body
    await clean(database_url)


async def test_what_the_schema_refuses_although_the_rules_grant_it_is_a_conflict_and_an_alarm(
    database: Connection, database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody writes past the engine, and commits between its look and its write."""
    room = await add_resource(database, capacity=1)
    outsider = await asyncpg.connect(database_url)
    async with turning(redis_url, database_url) as worker, open_intake(redis_url, database_url) as intake:
        planting = outsider.transaction()
        await planting.start()
        planted = request(room)
        during: asyncpg.Range[datetime] = asyncpg.Range(NINE, hour().end_time)
        await outsider.execute(ROW, planted.request_id, room, True, during)
        wanted = request(room, hour(0))
        waiting = asyncio.create_task(intake.decide(wanted, wait_s=20))

        async def waits_for_the_outsider() -> bool:
            return bool(await database.fetchval("SELECT true FROM pg_locks WHERE NOT granted"))

        worker.start()
        await wait_until(waits_for_the_outsider)
        await planting.commit()
        outcome = decided(await waiting)
        assert (outcome.status, outcome.reason, outcome.clashes) == (Status.REFUSED, Reason.CONFLICT, ())
        assert await outcome_at_address(intake, wanted.request_id) == outcome
        alarms = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert [(record.resource, record.ticket) for record in alarms] == [(room, 1)]  # type: ignore[attr-defined]
        next_one = decided(await intake.decide(request(room, hour(2)), wait_s=20))
        assert (next_one.ticket, next_one.status) == (2, Status.CONFIRMED)
    await outsider.close()
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == 2
