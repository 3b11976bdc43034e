"""Redis that says nothing for three seconds, or says everything late: the API goes on, and answers in time."""

from __future__ import annotations

import asyncio
import signal
import time

import httpx

from engine.embedded import Valkey
from engine.tasks import end_tasks
from loadtest.wire import wire_to
from tests.clients import clean
from tests.faults.http import ask_until_answered, book, make_rooms
from tests.faults.matrix import Recoveries
from tests.processes import Api, Processes
from tests.schema.rows import Connection

FROZEN = "Redis is frozen for three seconds, or slow"
FROZEN_S = 3.0
WAIT_S = 1.0
LATE_S = 0.4
"""How much later than it may an answer come here: two processors are shared by everything that runs."""
CALLERS = 20


async def longest_silence(api: Api, silences: list[float]) -> None:
    """Ask again and again whether the process lives, and keep how long each answer took."""
    async with api.client() as client:
        while True:
            since = time.monotonic()
            assert (await client.get("/health/live")).status_code == 200
            silences.append(time.monotonic() - since)
            await asyncio.sleep(0.02)


async def test_a_redis_that_is_frozen_for_three_seconds_holds_up_no_loop(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    api, _ = await asyncio.gather(own_processes.api(), own_processes.worker())
    silences: list[float] = []
    async with api.client() as client:
        await make_rooms(client)
        assert (await book(client, 0)).status_code == 201
        listening = asyncio.create_task(longest_silence(api, silences))
        valkey.process.signal(signal.SIGSTOP)
        try:
            thawing = asyncio.create_task(asyncio.sleep(FROZEN_S))
            answers, spans = await crowd(client, range(1, CALLERS + 1))
            assert {answer.status_code for answer in answers} <= {202, 503}
            assert max(spans) < WAIT_S + LATE_S
            assert (await client.get("/resources/room-0")).status_code == 200, "what needs no queue is served"
            await thawing
        finally:
            valkey.process.signal(signal.SIGCONT)
        since = time.monotonic()
        answer = await ask_until_answered([client], "after", 1_000)
        recoveries.note(FROZEN, time.monotonic() - since, "frozen")
        assert answer.status_code == 201
        for number in range(1, CALLERS + 1):
            again = await ask_until_answered([client], f"key {number}", number)
            assert again.status_code == 201, "nobody else wanted it"
    await end_tasks([listening])
    assert len(silences) > 50
    assert max(silences) < LATE_S, "the loop stood still"
    assert await database.fetchval("SELECT count(*) FROM booking") == CALLERS + 2
    await clean(database_url)


async def crowd(client: httpx.AsyncClient, numbers: range) -> tuple[list[httpx.Response], list[float]]:
    """Book at once, each waiting for WAIT_S. Returns the answers, and how long each took."""

    async def one(number: int) -> tuple[httpx.Response, float]:
        since = time.monotonic()
        answer = await book(client, number, f"key {number}", wait_s=WAIT_S)
        return answer, time.monotonic() - since

    found = await asyncio.gather(*map(one, numbers))
    return [answer for answer, _ in found], [span for _, span in found]


async def test_a_slow_redis_makes_answers_late_and_not_wrong(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """Each word takes a twentieth of a second, both ways and for everybody: a lease is renewed in time all the same."""
    async with wire_to(redis_url) as wire:
        slow = {"REDIS_URL": wire.url}
        api, _ = await asyncio.gather(processes.api(**slow), processes.worker(**slow))
        async with api.client() as client:
            await make_rooms(client)
            wire.slow(0.05)
            answers = await asyncio.gather(*(book(client, number % 8, wait_s=20) for number in range(CALLERS)))
    assert sorted(answer.status_code for answer in answers) == [201] * 8 + [409] * (CALLERS - 8)
    assert wire.delayed > 10
    assert await database.fetchval("SELECT count(*) FROM booking") == 8
    await clean(database_url)
