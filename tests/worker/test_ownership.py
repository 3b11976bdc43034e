"""Two turns that hold the same resource: every ticket is decided once, in order, and both say the same."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from engine.batch import decide_batch
from engine.commands import Outcome
from engine.queue import scripts
from engine.queue.entries import decode_entry, decode_replies
from engine.queue.keys import reply_channel
from tests.clients import add_resources, clean, drained, hour, ledger, request, waiting_tickets
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until
from tests.turns import API, Turning, enqueue, turning
from worker.turn import GIVEN_UP_AT

ROUNDS = 15
LONG_PAST = 1


async def expire(redis: Redis, token: str) -> None:
    """Let a turn's deadline pass, and have it swept as any worker would."""
    await redis.zadd("fc:turns", {token: LONG_PAST})
    await scripts.sweep(redis)


async def hold_twice(worker: Turning, other: Turning) -> tuple[list[scripts.Taken], list[scripts.Taken]]:
    """Two turns that both read the same heads: the first was thought dead."""
    mine = await scripts.take(worker.redis, "one", limit=64)
    await expire(worker.redis, "one")
    theirs = await scripts.take(other.redis, "two", limit=64)
    return mine, theirs


async def test_two_turns_with_the_same_resource_decide_every_ticket_once(
    database: Connection, database_url: str, redis_url: str
) -> None:
    rooms = await add_resources(database, 3)
    async with turning(redis_url, database_url) as worker, turning(redis_url, database_url) as other:
        for number in range(ROUNDS):
            await enqueue(worker.redis, [request(room, hour(number + at / 3)) for at in range(5) for room in rooms])
            mine, theirs = await hold_twice(worker, other)
            assert {taken.resource for taken in mine} == {taken.resource for taken in theirs} == set(rooms)
            await asyncio.gather(worker.serve("one", mine), other.serve("two", theirs))
            await worker.serve_all()
            await drained(worker.redis, rooms)
    for room in rooms:
        rows = await ledger(database, room)
        assert [row["ticket"] for row in rows] == list(range(1, 5 * ROUNDS + 1))
        assert {row["outcome"] for row in rows} == {"confirmed", "refused"}
    await clean(database_url)


async def test_the_later_of_two_turns_answers_the_same_and_changes_nothing(
    database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as worker, turning(redis_url, database_url) as other:
        requests = [request(room, hour(at / 2)) for at in range(4)]
        await enqueue(worker.redis, requests)
        mine, theirs = await hold_twice(worker, other)
        async with worker.redis.pubsub() as channel:
            await channel.subscribe(reply_channel(API))
            await other.serve("two", theirs)
            rows = await ledger(database, room)
            assert len(rows) == 1, "a head that was taken before is suspect and decided alone"
            assert await waiting_tickets(worker.redis, room) == [2, 3, 4]

            # The first comes back: it read tickets 1 to 4, and 1 is decided.
            await worker.serve("one", mine)
            again = await ledger(database, room)
            assert again[:1] == rows, "what was decided stays as it is"
            assert [row["ticket"] for row in again] == [1, 2, 3, 4]
            said: list[tuple[object, Outcome]] = []

            async def all_are_said() -> bool:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=0.05)
                if message is not None:
                    said.extend(decode_replies(message["data"]))
                return len(said) == 5

            await wait_until(all_are_said)
        assert said[0] == said[1], "both turns say the same of ticket 1"
        assert await waiting_tickets(worker.redis, room) == [2, 3, 4], "the head was not what it had answered"
        await other.serve_all()
        await drained(worker.redis, [room])
        assert await ledger(database, room) == again
    await clean(database_url)


async def test_a_turn_that_lost_a_resource_cannot_let_it_go(
    database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as worker, turning(redis_url, database_url) as other:
        await enqueue(worker.redis, [request(room), request(room)])
        await hold_twice(worker, other)
        await scripts.release(worker.redis, "one", [(room, False)])
        assert await worker.redis.hget(f"fc:state:{room}", "owner") == b"two"  # type: ignore[misc]
        assert await scripts.take(worker.redis, uuid4().hex, limit=64) == [], "it is owned, so it is not ready"
        assert await scripts.attempt(worker.redis, "one", room, name="a") == 0
        assert await scripts.attempt(worker.redis, "two", room, name="b") == 2


@pytest.mark.parametrize("suspect", [False, True])
async def test_a_resource_whose_row_is_locked_goes_back_and_is_not_given_up(
    database: Connection, database_url: str, redis_url: str, suspect: bool
) -> None:
    held, free = await add_resources(database, 2)
    async with turning(redis_url, database_url) as worker:
        looks = 0

        async def look() -> None:
            nonlocal looks
            looks += 1
            worker.redis.after["take"] = look

        async with database.transaction():
            await database.execute("SELECT FROM resource WHERE id = $1 FOR NO KEY UPDATE", held)
            await enqueue(worker.redis, [request(held)])
            if suspect:
                await scripts.take(worker.redis, "dead", limit=1)
                await expire(worker.redis, "dead")
            worker.redis.after["take"] = look
            worker.start()
            await wait_until(lambda: looks > 5 * GIVEN_UP_AT)
            assert await waiting_tickets(worker.redis, held) == [1]
            await enqueue(worker.redis, [request(free)])
            await drained(worker.redis, [free])
        await drained(worker.redis, [held])
    assert [row["outcome"] for row in await ledger(database, held)] == ["confirmed"]
    await clean(database_url)


async def test_a_batch_whose_fence_has_passed_answers_from_the_ledger(
    database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as worker:
        await enqueue(worker.redis, [request(room, hour(at)) for at in range(3)])
        (taken,) = await scripts.take(worker.redis, "one", limit=64)
        entries = [decode_entry(room, raw) for raw in taken.entries]
        async with database.transaction():
            first = await decide_batch(database, {room: entries})
        before = await ledger(database, room)
        async with database.transaction():
            second = await decide_batch(database, {room: entries})
        assert second.answers == first.answers
        assert await ledger(database, room) == before
    await clean(database_url)
