"""Processes killed in the middle of load, at every step: nothing is lost, nothing is decided twice."""

from __future__ import annotations

import asyncio
import random
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from tests.clients import add_resources, clean, drained, hour, open_intake
from tests.faults.load import Load, check
from tests.processes import Api, Processes, Supervisor
from tests.schema.rows import Connection
from tests.support import wait_until

ROUNDS = 3


async def test_workers_are_killed_in_the_middle_of_load(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    rooms = await add_resources(database, 5)
    async with (
        Supervisor(processes) as supervisor,
        open_intake(redis_url, database_url) as intake,
        Redis.from_url(redis_url) as redis,
    ):
        await supervisor.start(2)
        load = Load(intake, rooms)
        load.start()
        for round_ in range(ROUNDS):
            before = load.answered
            await wait_until(lambda before=before: load.answered > before + 150)  # type: ignore[misc]
            supervisor.workers[round_ % 2].process.kill()
        before = load.answered
        await wait_until(lambda: load.answered > before + 300, 30)
        await load.stop()
        await drained(redis, rooms)
    assert supervisor.restarts >= ROUNDS
    report = await check(load, database, database_url)
    assert report.jumps == [], "a dead worker costs no ticket"


@pytest.mark.parametrize("step", ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10"])
async def test_a_worker_that_dies_at_a_step_leaves_its_work_to_others(
    processes: Processes, database: Connection, database_url: str, redis_url: str, step: str
) -> None:
    rooms = await add_resources(database, 3)
    healthy = await processes.worker()
    dying = await processes.worker(FIRSTCOME_FAILPOINTS=f"{step}=kill")
    async with open_intake(redis_url, database_url) as intake, Redis.from_url(redis_url) as redis:
        healthy.freeze()  # so that the other one takes the commands
        await wait_until(lambda: healthy.frozen)
        load = Load(intake, rooms, callers=6)
        load.start()
        await wait_until(lambda: dying.ended)
        healthy.resume()
        await wait_until(lambda: load.answered > 60, 30)
        await load.stop()
        await drained(redis, rooms)
    report = await check(load, database, database_url)
    assert report.jumps == []


async def test_an_api_process_is_killed_in_the_middle_of_load_and_its_callers_retry_with_their_keys(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    first, second, _ = await asyncio.gather(processes.api(), processes.api(), processes.worker())
    async with first.client() as client:
        for room in range(4):
            made = await client.post("/resources", json={"resource_id": f"room-{room}", "name": "Room"})
            assert made.status_code == 201
    answers: dict[str, httpx.Response] = {}
    keys = [str(uuid4()) for _ in range(240)]

    async def call(apis: list[Api], mine: list[str]) -> None:
        async with apis[0].client() as one, apis[1].client() as other:
            for number, key in enumerate(mine):
                answers[key] = await ask_until_answered([one, other], key, number)

    lots = [keys[at::12] for at in range(12)]
    calls = [asyncio.create_task(call(random.sample([first, second], 2), lot)) for lot in lots]
    await wait_until(lambda: len(answers) > 60, 30)
    second.process.kill()
    await asyncio.gather(*calls)
    assert second.ended

    assert len(answers) == len(keys)
    assert {answer.status_code for answer in answers.values()} <= {201, 409}
    async with first.client() as client:
        for number, key in enumerate(lots[0]):
            again = await ask_until_answered([client], key, number)
            assert again.status_code == answers[key].status_code
            if again.status_code == 201:
                assert again.json()["booking_id"] == answers[key].json()["booking_id"]
            assert again.headers["idempotency-replayed"] == "true"
    async with Redis.from_url(redis_url) as redis:
        rooms = [row["id"] for row in await database.fetch("SELECT id FROM resource")]
        await drained(redis, rooms)
    decided = await database.fetch(
        "SELECT key FROM idempotency JOIN ledger USING (resource, ticket) WHERE outcome <> 'repeated'"
    )
    assert {row["key"] for row in decided} >= set(keys)
    assert len(decided) == len({row["key"] for row in decided})
    report = await clean(database_url)
    assert report.jumps == []


@pytest.mark.parametrize("step", ["A2", "A3", "A4", "A6"])
async def test_an_api_process_that_dies_at_a_step_books_at_most_once(
    processes: Processes, database: Connection, database_url: str, step: str
) -> None:
    dying, healthy, _ = await asyncio.gather(
        processes.api(FIRSTCOME_FAILPOINTS=f"{step}=kill"), processes.api(), processes.worker()
    )
    async with dying.client() as one, healthy.client() as other:
        for room in range(4):
            await other.post("/resources", json={"resource_id": f"room-{room}", "name": "Room"})
        with pytest.raises(httpx.TransportError):
            await one.post("/bookings", json=booking(0), headers={"Idempotency-Key": "a key"})
        await wait_until(lambda: dying.ended)
        answer = await ask_until_answered([other], "a key", 0)
        again = await ask_until_answered([other], "a key", 0)
    assert (answer.status_code, again.status_code) == (201, 201)
    assert again.json()["booking_id"] == answer.json()["booking_id"]
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
    assert await database.fetchval("SELECT count(*) FROM ledger WHERE outcome <> 'repeated'") == 1
    await clean(database_url)


async def ask_until_answered(clients: list[httpx.AsyncClient], key: str, number: int) -> httpx.Response:
    """Book as a caller does whose connection may break: again with the same key, at whoever answers."""
    for attempt in range(100):
        try:
            answer = await clients[attempt % len(clients)].post(
                "/bookings", json=booking(number), headers={"Idempotency-Key": key}
            )
        except httpx.TransportError:
            continue
        if answer.status_code in {201, 409}:
            return answer
        assert answer.status_code in {202, 503}, answer.text
    raise AssertionError(f"no answer for {key}")


def booking(number: int) -> dict[str, str]:
    """The body of a request for the hour with this number."""
    wanted = hour(number)
    return {
        "resource_id": f"room-{number % 4}",
        "start_time": wanted.start_time.isoformat(),
        "end_time": wanted.end_time.isoformat(),
    }
