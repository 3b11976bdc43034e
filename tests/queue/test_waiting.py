"""How many may wait in one API process, whatever they wait for."""

from __future__ import annotations

import asyncio

import pytest

from engine.errors import TooManyWaiting
from tests.clients import add_resources, open_intake, request
from tests.schema.rows import Connection
from tests.support import wait_until

LIMIT = 10


async def test_who_waits_for_an_equal_request_counts_among_those_who_wait(
    monkeypatch: pytest.MonkeyPatch, database: Connection, database_url: str, redis_url: str
) -> None:
    monkeypatch.setattr("engine.queue.intake.WAITING_LIMIT", LIMIT)
    (room,) = await add_resources(database, 1)
    async with open_intake(redis_url, database_url) as intake:
        calls = [asyncio.create_task(intake.decide(request(room, key="a"), wait_s=30)) for _ in range(LIMIT)]
        await wait_until(lambda: sum(map(len, intake._joined.values())) == LIMIT - 1)
        with pytest.raises(TooManyWaiting):
            await intake.decide(request(room, key="a"), wait_s=30)
        calls[0].cancel()
        await asyncio.wait(calls[:1])
        calls.append(asyncio.create_task(intake.decide(request(room, key="a"), wait_s=30)))
        await wait_until(lambda: sum(map(len, intake._joined.values())) == LIMIT - 1)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
