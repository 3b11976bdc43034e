"""Cables that are cut one way: nothing is closed, nobody is told, and what was sent may have arrived."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from loadtest.wire import Direction, wire_to
from tests.clients import add_resources, clean, decided, drained, hour, open_intake, request
from tests.faults.http import ask_until_answered, book, make_rooms
from tests.faults.load import Load, check
from tests.faults.matrix import Recoveries
from tests.processes import Processes
from tests.schema.rows import Connection
from tests.support import wait_until

CUT = "a connection is cut one way"
CALLERS = 12
WAYS: tuple[tuple[Direction, ...], ...] = (("there",), ("back",), ("there", "back"))


@pytest.mark.parametrize("ways", WAYS, ids="-".join)
async def test_a_cut_between_api_and_redis_ends_in_the_same_ticket(
    processes: Processes,
    database: Connection,
    *,
    database_url: str,
    redis_url: str,
    recoveries: Recoveries,
    ways: tuple[Direction, ...],
) -> None:
    async with wire_to(redis_url) as wire:
        api, _ = await asyncio.gather(processes.api(REDIS_URL=wire.url), processes.worker())
        async with api.client() as client:
            await make_rooms(client)
            assert (await book(client, 0)).status_code == 201
            wire.cut(*ways)
            numbers = range(1, CALLERS + 1)
            first = await asyncio.gather(*(book(client, number, f"key {number}", wait_s=1) for number in numbers))
            assert {answer.status_code for answer in first} <= {201, 202, 503}
            wire.mend()
            since = time.monotonic()
            last = await asyncio.gather(*(ask_until_answered([client], f"key {number}", number) for number in numbers))
            recoveries.note(CUT, time.monotonic() - since, f"API to Redis, {' and '.join(ways)}")
            assert wire.lost > 0
    assert {answer.status_code for answer in last} == {201}
    for before, after in zip(first, last, strict=True):
        if before.status_code == 201:
            assert after.content == before.content
    decided_rows = await database.fetchval("SELECT count(*) FROM ledger WHERE outcome <> 'repeated'")
    assert decided_rows == CALLERS + 1, "a retry was decided anew"
    report = await clean(database_url)
    assert report.jumps == []


@pytest.mark.parametrize("ways", WAYS[:2], ids="-".join)
@pytest.mark.parametrize("server", ["Redis", "the primary"])
async def test_a_worker_that_is_cut_off_leaves_its_work_to_another(
    processes: Processes,
    database: Connection,
    *,
    database_url: str,
    redis_url: str,
    recoveries: Recoveries,
    server: str,
    ways: tuple[Direction, ...],
) -> None:
    rooms = await add_resources(database, 3)
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(wire_to(redis_url if server == "Redis" else database_url))
        name = "REDIS_URL" if server == "Redis" else "DATABASE_URL"
        healthy = await processes.worker()
        lonely = processes.start_worker(**{name: wire.url})
        await lonely.begins(redis_url)
        intake = await stack.enter_async_context(open_intake(redis_url, database_url))
        redis = await stack.enter_async_context(Redis.from_url(redis_url))
        healthy.freeze()  # so that the other one holds the commands when it is cut off
        await wait_until(lambda: healthy.frozen)
        load = Load(intake, rooms, callers=12)
        load.start()
        await load.more(30)
        wire.cut(*ways)
        await wait_until(lambda: wire.lost > 0)
        since = time.monotonic()
        healthy.resume()
        await load.more(60)
        await load.stop()
        recoveries.note(CUT, load.held_up_s(since), f"worker to {server}, {' and '.join(ways)}")

        # Mended, it does its work again: cut off is not hung.
        wire.mend()
        since = time.monotonic()
        healthy.kill()
        assert not lonely.ended
        decided(await intake.decide(request(rooms[0], hour(500)), wait_s=20))
        recoveries.note(CUT, time.monotonic() - since, f"worker to {server}, mended")
        await drained(redis, rooms)
    report = await check(load, database, database_url)
    assert report.jumps == []


async def test_a_cut_between_api_and_primary_is_a_503_and_no_second_booking(
    processes: Processes, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    async with wire_to(database_url) as wire:
        api, _ = await asyncio.gather(processes.api(DATABASE_URL=wire.url), processes.worker())
        async with api.client() as client:
            await make_rooms(client)
            assert (await book(client, 0, "key 0")).status_code == 201
            wire.cut("back")
            numbers = range(CALLERS)
            during = await asyncio.gather(*(book(client, number, f"key {number}", wait_s=1) for number in numbers))
            assert {answer.status_code for answer in during} == {503}, "whether the key is known cannot be asked"
            wire.mend()
            since = time.monotonic()
            last = await asyncio.gather(*(ask_until_answered([client], f"key {number}", number) for number in numbers))
            recoveries.note(CUT, time.monotonic() - since, "API to the primary")
    assert {answer.status_code for answer in last} == {201}
    assert await database.fetchval("SELECT count(*) FROM ledger WHERE outcome <> 'repeated'") == CALLERS
    await clean(database_url)
