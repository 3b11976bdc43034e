"""The replica is away or behind: availability goes on, and nobody sees a time free that he has booked."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import httpx

from engine.embedded import Stack
from tests.clients import clean
from tests.faults.http import book, booking, make_rooms
from tests.faults.matrix import Recoveries
from tests.processes import Processes

AWAY = "the replica is stopped, or behind"
READS = 20


async def test_availability_goes_on_while_the_replica_is_away_and_own_bookings_are_seen(
    own_stack: Stack, stack_processes: Processes, recoveries: Recoveries
) -> None:
    api, _ = await asyncio.gather(
        stack_processes.api(REPLICA_URL=own_stack.replica_url, FIRSTCOME_REPLICA_LAG_BOUND_MS="60000"),
        stack_processes.worker(),
    )
    replica = await asyncpg.connect(own_stack.replica_url)
    async with api.client() as client:
        await make_rooms(client)
        await replica.execute("SELECT pg_wal_replay_pause()")
        made = await book(client, 0)
        assert made.status_code == 201
        seen = {"Firstcome-Seen": made.headers["firstcome-seen"]}
        for _ in range(READS):
            since = time.monotonic()
            assert not await is_free(client, headers=seen), "it is his own booking"
            recoveries.note(AWAY, time.monotonic() - since, "behind")
        await replica.close(timeout=5)
        await asyncio.to_thread(own_stack.replica.kill)
        for _ in range(READS):
            since = time.monotonic()
            assert not await is_free(client), "the primary knows"
            recoveries.note(AWAY, time.monotonic() - since, "stopped")
        assert (await book(client, 4)).status_code == 201, "who books needs no replica"
    await clean(own_stack.database_url)


async def is_free(client: httpx.AsyncClient, headers: dict[str, str] | None = None) -> bool:
    """Whether the hour with number 0 is shown as free."""
    wanted = booking(0)
    answer = await client.get(
        "/availability",
        params={
            "resource_id": wanted["resource_id"],
            "start_date": wanted["start_time"],
            "end_date": wanted["end_time"],
        },
        headers=headers or {},
    )
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["available_slots"])
