"""Callers who hang up, and callers who are too many: nobody is kept waiting for, nothing too much is kept."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from redis.asyncio import Redis

from engine.commands import Status
from engine.errors import QueueFull, TooManyWaiting, Unavailable
from engine.queue import intake as intake_module
from tests.api.steps import hours
from tests.clients import (
    add_resources,
    clean,
    decide_all,
    decided,
    drained,
    hour,
    ledger,
    open_intake,
    queued,
    request,
    waiting_tickets,
)
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until

CALLERS = 10_000


async def test_ten_thousand_callers_hang_up_and_leave_no_waiter_behind(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    rooms = await add_resources(database, 10)
    async with open_intake(redis_url, database_url) as intake, Redis.from_url(redis_url) as redis:
        requests = [request(rooms[at % 10], hour(at), key="shared" if at % 10 == 0 else None) for at in range(CALLERS)]
        calls = [asyncio.create_task(intake.decide(item, wait_s=30)) for item in requests]

        async def half_are_queued() -> bool:
            return sum([len(await waiting_tickets(redis, room)) for room in rooms]) > CALLERS / 2

        await wait_until(half_are_queued, 30)
        for call in calls:
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(end) for end in ended} == {asyncio.CancelledError}
        await wait_until(lambda: not intake._pending)
        assert intake._waiters == {}
        assert intake._joined == {}

        # What had joined is decided all the same: a ticket is a ticket.
        await processes.worker()
        await drained(redis, rooms)
        assert await redis.keys("fc:waiting:*") == []
        assert decided(await intake.decide(request(rooms[0], hour(-1)), wait_s=20)).status is Status.CONFIRMED
        assert intake._waiters == {}
    await clean(database_url)


async def test_a_caller_who_hangs_up_over_http_leaves_no_waiter_behind(
    processes: Processes, database: Connection, database_url: str
) -> None:
    api = await processes.api()
    body = {"resource_id": "room", **hours()}
    async with api.client() as client:
        await client.post("/resources", json={"resource_id": "room", "name": "Room"})
        async with api.client() as hasty:
            for _ in range(20):
                with pytest.raises(httpx.TimeoutException):
                    await hasty.post("/bookings", json=body, timeout=0.05)
        await processes.worker()
        answer = await client.post("/bookings", json=body)
        assert answer.status_code == 409, "those who hung up were there before"
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
    await clean(database_url)


async def test_nothing_is_enqueued_beyond_the_limit_of_a_queue(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room, other = await add_resources(database, 2)
    async with (
        open_intake(redis_url, database_url, queue_limit=50) as intake,
        Redis.from_url(redis_url) as redis,
    ):
        answers = await asyncio.gather(
            *(intake.decide(request(room, hour(at)), wait_s=0) for at in range(80)), return_exceptions=True
        )
        full = [answer for answer in answers if isinstance(answer, QueueFull)]
        assert len(full) == 30
        assert {answer.retry_after_s for answer in full} == {5}
        assert await waiting_tickets(redis, room) == list(range(1, 51))
        assert queued(await intake.decide(request(other), wait_s=0)).ticket == 1, "another queue is not full"
        await processes.worker()
        await drained(redis, [room, other])
        late = decided(await intake.decide(request(room, hour(90)), wait_s=20))
        assert (late.ticket, late.status) == (51, Status.CONFIRMED), "what was refused has no ticket"
    assert len(await ledger(database, room)) == 51
    await clean(database_url)


async def test_an_equal_request_is_let_in_although_the_queue_is_full(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url, queue_limit=1) as intake:
        first = queued(await intake.decide(request(room, key="a"), wait_s=0))
        again = queued(await intake.decide(request(room, key="a"), wait_s=0))
        assert again == first
        with pytest.raises(QueueFull):
            await intake.decide(request(room, key="b"), wait_s=0)
        await processes.worker()
        assert decided(await intake.decide(request(room, key="a"), wait_s=20)).request_id == first.request_id
    await clean(database_url)


async def test_more_callers_than_may_wait_are_told_so_at_once(
    processes: Processes,
    database: Connection,
    database_url: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_LIMIT", 10)
    room = await add_resource(database, capacity=100)
    async with open_intake(redis_url, database_url) as intake:
        calls = [asyncio.create_task(intake.decide(request(room), wait_s=30)) for _ in range(15)]
        await wait_until(lambda: sum(call.done() for call in calls) == 5)
        assert [type(call.exception()) for call in calls[10:]] == [TooManyWaiting] * 5
        await processes.worker()
        assert [decided(answer).ticket for answer in await asyncio.gather(*calls[:10])] == list(range(1, 11))
        assert (await decide_all(intake, [request(room)]))[0].ticket == 11
    await clean(database_url)


async def test_whoever_waits_when_a_process_stops_is_told_to_send_again(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake, Redis.from_url(redis_url) as redis:
        waiting = asyncio.create_task(intake.decide(request(room, key="a"), wait_s=30))

        async def is_queued() -> bool:
            return await waiting_tickets(redis, room) == [1]

        await wait_until(is_queued)
    with pytest.raises(Unavailable):
        await waiting
    async with open_intake(redis_url, database_url) as successor:
        again = asyncio.create_task(successor.decide(request(room, key="a"), wait_s=30))
        await processes.worker()
        assert decided(await again).ticket == 1
    await clean(database_url)
