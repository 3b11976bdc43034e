"""Processes killed in the middle of load, at every step: nothing is lost, nothing is decided twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from tests.clients import add_resources, clean, drained, open_intake
from tests.faults.http import ask_until_answered, book, booking
from tests.faults.load import HOURS, KILLS, Load, check, tell
from tests.faults.matrix import Recoveries
from tests.processes import Api, Processes, Supervisor, Worker
from tests.schema.rows import Connection
from tests.support import wait_until

ROUNDS = KILLS or 3
DEAD = "a worker dies, at any step (W1 to W10)"
COMMITTED = "a worker dies after its commit (W7 to W10)"
ENQUEUED = "an API process dies after it has enqueued (A3 to A7)"


async def caught(worker: Worker, redis: Redis, rooms: Sequence[int]) -> bool:
    """Freeze a worker while it holds the queue of a room. Returns whether it does; else it goes on."""
    worker.freeze()
    await wait_until(lambda: worker.frozen)
    owners = [await redis.hget(f"fc:state:{room}", "owner") for room in rooms]  # type: ignore[misc]
    if any(owner is not None and owner.decode().startswith(worker.name) for owner in owners):
        return True
    worker.resume()
    return False


async def kill_one(supervisor: Supervisor, place: int, redis: Redis, rooms: Sequence[int]) -> float:
    """Kill a worker that holds a queue, and wait until another has its place. Returns when, by the monotonic clock.

    Until then whoever looks at that place finds the dead one, which Redis takes for alive as long as its lease lasts.
    """
    worker = supervisor.workers[place]
    await wait_until(lambda: caught(worker, redis, rooms))
    worker.kill()
    at = time.monotonic()
    await wait_until(lambda: worker is not supervisor.workers[place])
    return at


@pytest.mark.parametrize("buried", [True, False] if KILLS else [True])
async def test_workers_are_killed_in_the_middle_of_load(
    processes: Processes,
    database: Connection,
    *,
    database_url: str,
    redis_url: str,
    recoveries: Recoveries,
    buried: bool,
) -> None:
    """Where nobody sees their deaths, their leases end."""
    rooms = await add_resources(database, 5)
    killed: list[float] = []
    async with (
        Supervisor(processes, buries=buried) as supervisor,
        open_intake(redis_url, database_url) as intake,
        Redis.from_url(redis_url) as redis,
    ):
        await supervisor.start(2)
        load = Load(intake, rooms, hours=HOURS)
        load.start()
        for round_ in range(ROUNDS):
            for worker in supervisor.workers:
                await worker.begins(redis_url)  # one that dies leaves its work to another, if there is one
            before = load.answered
            await wait_until(lambda before=before: load.answered > before + 150)  # type: ignore[misc]
            killed.append(await kill_one(supervisor, round_ % 2, redis, rooms))
        before = load.answered
        await wait_until(lambda: load.answered > before + 300, 30)
        await load.stop()
        await drained(redis, rooms)
    assert supervisor.restarts >= ROUNDS
    case = "at random, buried" if buried else "at random, leases end"
    spans = [load.held_up_s(since) for since in killed]
    tell(f"a worker is killed {case}", spans)
    for span in spans:
        recoveries.note(DEAD, span, case)
    report = await check(load, database, database_url)
    assert report.jumps == [], "a dead worker costs no ticket"


@pytest.mark.parametrize("step", [f"W{number}" for number in range(1, 11)])
async def test_a_worker_that_dies_at_a_step_leaves_its_work_to_others(
    processes: Processes,
    database: Connection,
    *,
    database_url: str,
    redis_url: str,
    recoveries: Recoveries,
    step: str,
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
        died_at = await database.fetchval("SELECT clock_timestamp()")
        since = time.monotonic()
        healthy.resume()
        await wait_until(lambda: load.answered > 60, 30)
        await load.stop()
        await drained(redis, rooms)
    recoveries.note(DEAD, load.held_up_s(since), step)
    if step in {"W7", "W8", "W9", "W10"}:
        recoveries.note(COMMITTED, load.held_up_s(since, decided_by=died_at), step)
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


@pytest.mark.parametrize("step", ["A1", "A2", "A3", "A4", "A5", "A6"])
async def test_an_api_process_that_dies_at_a_step_books_at_most_once(
    processes: Processes, database: Connection, database_url: str, recoveries: Recoveries, step: str
) -> None:
    dying, healthy, _ = await asyncio.gather(
        processes.api(FIRSTCOME_FAILPOINTS=f"{step}=kill"), processes.api(), processes.worker()
    )
    async with dying.client() as one, healthy.client() as other:
        for room in range(4):
            await other.post("/resources", json={"resource_id": f"room-{room}", "name": "Room"})
        with pytest.raises(httpx.TransportError):
            await one.post("/bookings", json=booking(0), headers={"Idempotency-Key": "a key"})
        since = time.monotonic()
        answer = await ask_until_answered([other], "a key", 0)
        if step not in ("A1", "A2"):
            recoveries.note(ENQUEUED, time.monotonic() - since, step)
        await wait_until(lambda: dying.ended)
        again = await ask_until_answered([other], "a key", 0)
    assert (answer.status_code, again.status_code) == (201, 201)
    assert again.json()["booking_id"] == answer.json()["booking_id"]
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
    assert await database.fetchval("SELECT count(*) FROM ledger WHERE outcome <> 'repeated'") == 1
    await clean(database_url)


async def test_an_answer_that_was_written_is_the_answer_of_every_other_process(
    processes: Processes, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    """A7: the process dies when it has answered, and whoever did not read that asks another."""
    dying, healthy, _ = await asyncio.gather(
        processes.api(FIRSTCOME_FAILPOINTS="A7=kill@/bookings"), processes.api(), processes.worker()
    )
    async with dying.client() as one, healthy.client() as other:
        await one.post("/resources", json={"resource_id": "room-0", "name": "Room"})
        told = await book(one, 0, "a key")
        await wait_until(lambda: dying.ended)
        since = time.monotonic()
        again = await ask_until_answered([one, other], "a key", 0)
        recoveries.note(ENQUEUED, time.monotonic() - since, "A7")
    assert (told.status_code, again.status_code) == (201, 201)
    assert again.content == told.content
    assert again.headers["idempotency-replayed"] == "true"
    assert await database.fetchval("SELECT count(*) FROM ledger") == 1
    await clean(database_url)
