"""All connections of an API process are in use: whoever gets none is told so in time, and nobody else is held up."""

from __future__ import annotations

import asyncio
import statistics
import time
from uuid import uuid4

import httpx

from engine.store.pools import ACQUIRE_TIMEOUT_S, READ_TIMEOUT_S
from loadtest.wire import wire_to
from tests.clients import clean
from tests.faults.http import book, make_rooms
from tests.faults.matrix import Recoveries
from tests.processes import Processes

USED_UP = "the connections to the primary are used up"
CALLERS = 30
LATE_S = 1.5
"""How much later than that a refusal may come here: a question that got the connection may need a new one first, and
two processors are shared by everything that runs."""
DELAY_S = 0.5
"""Of each word to and from the primary: one connection answers one question in a second."""


async def test_an_api_without_a_free_connection_says_so_in_time_and_holds_up_no_worker(
    processes: Processes, database_url: str, recoveries: Recoveries
) -> None:
    async with wire_to(database_url) as wire:
        narrow, other, _ = await asyncio.gather(
            processes.api(DATABASE_URL=wire.url, FIRSTCOME_READ_POOL_SIZE="1"), processes.api(), processes.worker()
        )
        async with narrow.client() as client, other.client() as beside:
            await make_rooms(client)
            wire.slow(DELAY_S)
            asking = [asyncio.create_task(timed(client)) for _ in range(CALLERS)]
            decided = await asyncio.gather(*(book(beside, number) for number in range(100, 100 + CALLERS)))
            assert {answer.status_code for answer in decided} == {201}, "the worker is held up by nobody's reads"
            answers = await asyncio.gather(*asking)
            refused = [took_s for status, took_s in answers if status == 503]
            assert len(refused) > CALLERS / 2
            assert {status for status, _ in answers} <= {404, 503}
            assert statistics.median(refused) < ACQUIRE_TIMEOUT_S + LATE_S, "most of them got no connection"
            assert max(refused) < READ_TIMEOUT_S + LATE_S, "some of them got one, on which the answer was too slow"
            wire.mend()
            since = time.monotonic()
            while (answer := await book(client, 1_000, "after")).status_code == 503:
                pass
            recoveries.note(USED_UP, time.monotonic() - since)
            assert answer.status_code == 201
    await clean(database_url)


async def timed(client: httpx.AsyncClient) -> tuple[int, float]:
    """Ask for a request that nobody made, which is one question. Returns the status, and how long it took."""
    since = time.monotonic()
    answer = await client.get(f"/requests/{uuid4()}")
    return answer.status_code, time.monotonic() - since
