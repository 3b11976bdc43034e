"""Redis loses its memory, or comes back with an older one, in the middle of load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from engine.commands import Reason, Status
from engine.embedded import Valkey
from tests.clients import (
    add_resources,
    ask_until_decided,
    decided,
    drained,
    hour,
    ledger,
    open_intake,
    request,
    waiting_tickets,
)
from tests.faults.load import HOURS, KILLS, Load, check, tell
from tests.faults.matrix import Recoveries
from tests.faults.memory import copy_memory, lose, put_back
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until

ENOUGH = 200
"""Answers between two faults."""
REMEMBERS, FORGOT = "Redis is killed, and comes back with its file", "Redis comes back empty, or as an older copy"


async def empty_it(valkey: Valkey) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushall()


async def kill_it_and_empty_it(valkey: Valkey) -> None:
    await asyncio.to_thread(lose, valkey)


async def kill_it(valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.kill)
    await asyncio.to_thread(valkey.start)


Loss = Callable[[Valkey], Awaitable[None]]


@pytest.mark.parametrize("loss", [empty_it, kill_it_and_empty_it])
async def test_redis_is_emptied_in_the_middle_of_load(
    own_processes: Processes,
    valkey: Valkey,
    *,
    database: Connection,
    database_url: str,
    recoveries: Recoveries,
    loss: Loss,
) -> None:
    rooms = await add_resources(database, 5)
    await asyncio.gather(own_processes.worker(), own_processes.worker())
    async with open_intake(valkey.url, database_url) as intake, Redis.from_url(valkey.url) as redis:
        load = Load(intake, rooms)
        load.start()
        back: list[float] = []
        for _ in range(2):
            await load.more(ENOUGH)
            await loss(valkey)
            back.append(time.monotonic())
        await load.more(ENOUGH)
        await load.stop()
        await drained(redis, rooms)
    for since in back:
        recoveries.note(FORGOT, load.held_up_s(since), "empty")
    report = await check(load, database, database_url)
    assert report.jumped == 2 * len(rooms), "every loss shows in every ledger"


async def test_redis_is_put_back_to_an_older_copy_in_the_middle_of_load(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    rooms = await add_resources(database, 5)
    await asyncio.gather(own_processes.worker(), own_processes.worker())
    async with open_intake(valkey.url, database_url) as intake, Redis.from_url(valkey.url) as redis:
        load = Load(intake, rooms)
        load.start()
        back: list[float] = []
        for _ in range(2):
            await load.more(ENOUGH)
            old = await copy_memory(valkey)
            await load.more(ENOUGH)
            await asyncio.to_thread(put_back, valkey, old)
            back.append(time.monotonic())
        await load.more(ENOUGH)
        await load.stop()
        await drained(redis, rooms)
    for since in back:
        recoveries.note(FORGOT, load.held_up_s(since), "an older copy")
    report = await check(load, database, database_url)
    assert report.jumped >= len(rooms), "the numbers of the copy were given already"
    restamps = [record for child in own_processes.all for record in child.records("old memory")]
    assert {record["resource"] for record in restamps} == set(rooms)


async def test_redis_crashes_in_the_middle_of_load_and_remembers(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    """The append-only file of a process that was killed is complete: the system still had it."""
    rooms = await add_resources(database, 5)
    await asyncio.gather(own_processes.worker(), own_processes.worker())
    async with open_intake(valkey.url, database_url) as intake, Redis.from_url(valkey.url) as redis:
        load = Load(intake, rooms, hours=HOURS)
        load.start()
        back: list[float] = []
        for _ in range(KILLS or 2):
            await load.more(ENOUGH)
            await kill_it(valkey)
            back.append(time.monotonic())
        await load.more(ENOUGH)
        await load.stop()
        await drained(redis, rooms)
    spans = [load.held_up_s(since) for since in back]
    tell(REMEMBERS, spans)
    for span in spans:
        recoveries.note(REMEMBERS, span)
    await check(load, database, database_url)


async def test_whoever_waits_is_queued_again_when_redis_is_emptied_under_a_standing_connection(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    rooms = await add_resources(database, 3)
    async with open_intake(valkey.url, database_url) as intake, Redis.from_url(valkey.url) as redis:
        waiting = [
            asyncio.create_task(intake.decide(request(room, hour(at)), wait_s=30)) for at in range(20) for room in rooms
        ]

        async def all_are_queued() -> bool:
            return sum([len(await waiting_tickets(redis, room)) for room in rooms]) == len(waiting)

        await wait_until(all_are_queued)
        await redis.flushall()
        await wait_until(all_are_queued)
        await own_processes.worker()
        outcomes = [decided(outcome) for outcome in await asyncio.gather(*waiting)]
    assert {outcome.status for outcome in outcomes} == {Status.CONFIRMED}
    assert {outcome.ticket for outcome in outcomes} == set(range(1_000_000, 1_000_020)), (
        "lost tickets are not given again"
    )


async def test_whoever_waits_is_queued_again_when_redis_was_put_back_to_an_older_copy(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    """The copy has the same memory id, so only the reconnection tells that something happened."""
    room = await add_resource(database, capacity=1)
    async with open_intake(valkey.url, database_url) as intake:
        first = asyncio.create_task(intake.decide(request(room, hour(0)), wait_s=60))
        async with Redis.from_url(valkey.url) as redis:

            async def stand(count: int) -> bool:
                return len(await waiting_tickets(redis, room)) == count

            await wait_until(lambda: stand(1))
            old = await copy_memory(valkey)
            waiting = [asyncio.create_task(intake.decide(request(room, hour(at)), wait_s=60)) for at in range(1, 20)]
            await wait_until(lambda: stand(20))
        await asyncio.to_thread(put_back, valkey, old)
        async with Redis.from_url(valkey.url) as redis:
            await wait_until(lambda: stand(20))
        await own_processes.worker()
        outcomes = [decided(outcome) for outcome in await asyncio.gather(first, *waiting)]
    assert {outcome.status for outcome in outcomes} == {Status.CONFIRMED}
    assert sorted(outcome.ticket for outcome in outcomes) == list(range(1, 21)), "none of them was decided before"


async def test_a_key_is_remembered_when_redis_has_forgotten_everything(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    await own_processes.worker()
    async with open_intake(valkey.url, database_url) as intake:
        first = decided(await intake.decide(request(room, key="a key"), wait_s=20))
        await empty_it(valkey)
        again = await ask_until_decided(intake, request(room, key="a key"))
        assert again.repeated
        assert (again.request_id, again.booking, again.status) == (first.request_id, first.booking, first.status)
        other = await ask_until_decided(intake, request(room, hour(5), key="a key"))
        assert (other.status, other.reason) == (Status.REFUSED, Reason.KEY_REUSED)
    rows = await ledger(database, room)
    assert [(row["ticket"], row["outcome"], row["first_ticket"]) for row in rows] == [
        (1, "confirmed", None),
        (1_000_000, "repeated", 1),
        (1_000_001, "refused", None),
    ]
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
