"""202: who is sent away has an address, and finds the outcome there, whatever happens to Redis meanwhile."""

from __future__ import annotations

import asyncio

from engine.commands import Queued, Status
from engine.embedded import Valkey
from engine.identifiers import uuid7
from tests.api.steps import hours
from tests.clients import add_resources, clean, decided, hour, open_intake, outcome_at_address, queued, request
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until


async def test_a_request_that_does_not_wait_gets_ticket_and_position_and_finds_its_outcome(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake:
        requests = [request(room, hour(at)) for at in range(5)]
        for number, item in enumerate(requests, start=1):
            place = queued(await intake.decide(item, wait_s=0))
            assert (place.request_id, place.ticket, place.position) == (item.request_id, number, number)
            assert await intake.find(item.request_id) == place
        await processes.worker()
        for number, item in enumerate(requests, start=1):
            outcome = await outcome_at_address(intake, item.request_id)
            assert (outcome.status, outcome.ticket) == (Status.CONFIRMED, number)
        assert await intake.find(uuid7()) is None
    await clean(database_url)


async def test_positions_never_rise(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake:
        for at in range(40):
            last = request(room, hour(at))
            queued(await intake.decide(last, wait_s=0))
        assert queued(await intake.find(last.request_id)).position == 40
        processes.start_worker(FIRSTCOME_BATCH_LIMIT="5")
        seen: list[int] = []
        while isinstance(found := await intake.find(last.request_id), Queued):
            seen.append(found.position)
        assert decided(found).ticket == 40
    assert seen == sorted(seen, reverse=True)
    assert set(seen) <= {40, 35, 30, 25, 20, 15, 10, 5}, "it moves on by batches"


async def test_what_was_accepted_is_decided_although_redis_crashed_right_after(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    rooms = await add_resources(database, 3)
    async with open_intake(valkey.url, database_url) as intake:
        requests = [request(room, hour(at)) for at in range(10) for room in rooms]
        places = await asyncio.gather(*(intake.decide(item, wait_s=0) for item in requests))
        await asyncio.to_thread(valkey.kill)
    assert [queued(place).request_id for place in places] == [item.request_id for item in requests]
    await asyncio.to_thread(valkey.start)
    await own_processes.worker()
    async with open_intake(valkey.url, database_url) as intake:
        for place in map(queued, places):
            outcome = await outcome_at_address(intake, place.request_id)
            assert (outcome.status, outcome.ticket) == (Status.CONFIRMED, place.ticket)
    report = await clean(database_url)
    assert report.jumps == []


async def test_a_request_withdrawn_before_its_turn_is_withdrawn_and_the_next_gets_the_time(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake:
        first, second, third = (request(room) for _ in range(3))
        for item in (first, second, third):
            queued(await intake.decide(item, wait_s=0))
        assert queued(await intake.withdraw(first.request_id)).ticket == 1
        assert await intake.withdraw(uuid7()) is None
        await processes.worker()
        assert (await outcome_at_address(intake, first.request_id)).status is Status.WITHDRAWN
        assert (await outcome_at_address(intake, second.request_id)).status is Status.CONFIRMED
        assert (await outcome_at_address(intake, third.request_id)).status is Status.REFUSED
        # Too late: it is what it was.
        assert decided(await intake.withdraw(second.request_id)).status is Status.CONFIRMED
        assert decided(await intake.find(second.request_id)).status is Status.CONFIRMED
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == 1
    await clean(database_url)


async def test_the_address_over_http_leads_from_queued_to_the_outcome(processes: Processes, database_url: str) -> None:
    api = await processes.api()
    body = {"resource_id": "room", **hours()}
    async with api.client() as client:
        await client.post("/resources", json={"resource_id": "room", "name": "Room"})
        accepted = await client.post("/bookings", json=body, headers={"Prefer": "respond-async"})
        assert accepted.status_code == 202
        assert accepted.headers["preference-applied"] == "respond-async"
        place = accepted.json()
        assert (place["ticket"], place["position"], place["status"]) == (1, 1, "queued")
        address = accepted.headers["location"].removeprefix("/api/v1")
        assert (await client.get(address)).json()["status"] == "queued"
        impatient = await client.post("/bookings", json=body, headers={"Prefer": "wait=1"})
        assert (impatient.status_code, impatient.json()["ticket"]) == (202, 2)
        withdrawn = await client.delete(impatient.headers["location"].removeprefix("/api/v1"))
        assert withdrawn.status_code == 202
        await processes.worker()

        async def is_final() -> bool:
            return bool((await client.get(address)).json()["status"] != "queued")

        await wait_until(is_final)
        final = (await client.get(address)).json()
        assert (final["status"], final["outcome"]["ticket"]) == ("confirmed", 1)
        other = (await client.get(impatient.headers["location"].removeprefix("/api/v1"))).json()
        assert (other["status"], other["outcome"]["code"]) == ("withdrawn", "withdrawn")
        assert (await client.get(f"/requests/{uuid7()}")).json()["code"] == "request_unknown"
    await clean(database_url)
