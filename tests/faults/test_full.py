"""Redis is full: callers are told so at once, nothing is half done, and what is queued still drains."""

from __future__ import annotations

import asyncio
import contextlib
import time
from uuid import UUID

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from engine.commands import Status
from engine.embedded import Valkey
from engine.errors import StorageFull, Unavailable
from engine.queue.intake import QueuedIntake
from tests.clients import (
    add_resources,
    clean,
    decided,
    drained,
    hour,
    ledger,
    open_intake,
    queued,
    request,
    waiting_tickets,
)
from tests.faults.matrix import Recoveries
from tests.processes import Processes
from tests.proxy import Link, proxied
from tests.schema.rows import Connection
from tests.support import wait_until

FULL = "Redis is full"


async def fill(redis: Redis) -> None:
    """Leave no memory for anything new."""
    await redis.config_set("maxmemory", 1)


def has_ticket(intake: QueuedIntake, request_id: UUID) -> bool:
    """Whether a request that waits stands in its queue."""
    waiter = intake._waiters.get(request_id)
    return waiter is not None and waiter.ticket is not None


async def make_room(redis: Redis) -> None:
    await redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("turn", ["alive", "none"])
async def test_a_full_redis_takes_nothing_and_gives_everything_back(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str, turn: str
) -> None:
    """Whether a turn is alive when it fills up, or none, and arq cannot write down a job for one."""
    rooms = await add_resources(database, 3)
    async with open_intake(valkey.url, database_url) as intake, Redis.from_url(valkey.url) as redis:
        if turn == "alive":
            await own_processes.worker()
            decided(await intake.decide(request(rooms[0], hour(1_000)), wait_s=20))
        requests = [request(room, hour(at)) for at in range(40) for room in rooms]
        tasks = {item.request_id: asyncio.create_task(intake.decide(item, wait_s=30)) for item in requests}

        await wait_until(lambda: all(waiting.done() or has_ticket(intake, item) for item, waiting in tasks.items()))
        await fill(redis)
        for room in rooms:
            with pytest.raises(StorageFull):
                await intake.decide(request(room, hour(500)), wait_s=20)
        if turn == "none":
            assert [len(await waiting_tickets(redis, room)) for room in rooms] == [40] * 3, "nothing was added"
            await own_processes.worker()
        outcomes = [decided(outcome) for outcome in await asyncio.gather(*tasks.values())]
        assert {outcome.status for outcome in outcomes} == {Status.CONFIRMED}
        await drained(redis, rooms)

        await make_room(redis)
        after = [decided(await intake.decide(request(room, hour(500)), wait_s=20)) for room in rooms]
        assert {outcome.status for outcome in after} == {Status.CONFIRMED}
    for room in rooms:
        tickets = [row["ticket"] for row in await ledger(database, room)]
        assert tickets == list(range(1, len(tickets) + 1)), "what was refused has no ticket"
    await clean(database_url)


async def test_a_full_redis_is_no_certain_no_to_a_call_whose_reply_was_cut(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    """The first call gave the ticket. The second finds Redis full, and cannot know."""
    (room,) = await add_resources(database, 1)
    cut_off, filled = request(room, hour(2), key="k"), asyncio.Event()
    with contextlib.closing(SyncRedis.from_url(valkey.url)) as filling:

        def fill_and_cut(link: Link, _said: bytes) -> bool:
            if filled.is_set() or cut_off.request_id.bytes not in link.asked:
                return False
            filled.set()
            filling.config_set("maxmemory", 1)
            link.cut()
            return True

        async with proxied(valkey.url) as proxy, open_intake(proxy.url, database_url) as intake:
            queued(await intake.decide(request(room, hour(1)), wait_s=0))
            proxy.swallow = fill_and_cut
            with pytest.raises(Unavailable):
                await intake.decide(cut_off, wait_s=20)
            filling.config_set("maxmemory", 0)
            await own_processes.worker()
            outcome = decided(await intake.decide(request(room, hour(2), key="k"), wait_s=20))
    assert (outcome.ticket, outcome.request_id) == (2, cut_off.request_id)
    await clean(database_url)


async def test_a_full_redis_is_503_over_http(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    api, _ = await asyncio.gather(own_processes.api(), own_processes.worker())
    wanted = hour()
    body = {
        "resource_id": "room",
        "start_time": wanted.start_time.isoformat(),
        "end_time": wanted.end_time.isoformat(),
    }
    async with api.client() as client, Redis.from_url(valkey.url) as redis:
        await client.post("/resources", json={"resource_id": "room", "name": "Room"})
        await fill(redis)
        refused = await client.post("/bookings", json=body, headers={"Idempotency-Key": "a"})
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_full")
        assert int(refused.headers["retry-after"]) >= 1
        await make_room(redis)
        since = time.monotonic()
        made = await client.post("/bookings", json=body, headers={"Idempotency-Key": "a"})
        recoveries.note(FULL, time.monotonic() - since)
        assert (made.status_code, made.json()["ticket"]) == (201, 1)
    assert await database.fetchval("SELECT count(*) FROM ledger") == 1
    await clean(database_url)
