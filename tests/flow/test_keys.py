"""Idempotency keys: the same request is decided once, whoever brings it how often."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from engine.commands import Cancel, Reason, Status
from tests.api.steps import hours
from tests.clients import add_resources, clean, decide_all, decided, hour, ledger, open_intake, request, statuses
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource

EQUAL = 50


async def test_fifty_equal_requests_at_two_api_processes_are_one_booking(
    processes: Processes, database: Connection, database_url: str
) -> None:
    first, second, _ = await asyncio.gather(processes.api(), processes.api(), processes.worker())
    body = {"resource_id": "class", **hours()}
    async with first.client() as one, second.client() as other:
        made = await one.post("/resources", json={"resource_id": "class", "name": "Class", "capacity": 100})
        assert made.status_code == 201
        headers = {"Idempotency-Key": "one key"}
        answers = await asyncio.gather(
            *((one, other)[at % 2].post("/bookings", json=body, headers=headers) for at in range(EQUAL))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1, "fifty equal bodies"
        first_hand = [answer for answer in answers if "idempotency-replayed" not in answer.headers]
        assert len(first_hand) <= 1, "at most one of them was the first"
        assert await database.fetchval("SELECT count(*) FROM booking") == 1

        another = body | {"places": 2}
        reused = await other.post("/bookings", json=another, headers=headers)
        assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")
    assert await database.fetchval("SELECT count(*) FROM ledger WHERE outcome = 'confirmed'") == 1
    await clean(database_url)


async def test_equal_requests_of_two_processes_share_an_entry_and_both_are_answered(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """They join before a worker is there, so all of them wait for the entry of the first."""
    course = await add_resource(database, capacity=100)
    async with (
        open_intake(redis_url, database_url) as one,
        open_intake(redis_url, database_url) as other,
        Redis.from_url(redis_url) as redis,
    ):
        waiting = [
            asyncio.create_task((one, other)[at % 2].decide(request(course, key="one key"), wait_s=30))
            for at in range(EQUAL)
        ]
        await processes.worker()
        outcomes = [decided(outcome) for outcome in await asyncio.gather(*waiting)]
        assert await redis.llen(f"fc:queue:{course}") == 0
    assert len({(outcome.request_id, outcome.ticket, outcome.booking) for outcome in outcomes}) == 1
    assert sum(not outcome.repeated for outcome in outcomes) == 1
    assert len(await ledger(database, course)) == 1, "one entry, so one ticket"
    await clean(database_url)


async def test_a_key_is_the_callers_own(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    course = await add_resource(database, capacity=100)
    await processes.worker()
    async with open_intake(redis_url, database_url) as intake:
        outcomes = await decide_all(intake, [request(course, key="a", caller=f"caller {at}") for at in range(5)])
    assert statuses(outcomes) == {Status.CONFIRMED: 5}
    assert len({outcome.booking for outcome in outcomes}) == 5
    await clean(database_url)


async def test_a_reused_key_is_refused_while_the_first_request_waits_and_after_it(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room, other = await add_resources(database, 2)
    async with open_intake(redis_url, database_url) as intake:
        first = asyncio.create_task(intake.decide(request(room, hour(0), key="a"), wait_s=30))
        same_room = asyncio.create_task(intake.decide(request(room, hour(1), key="a"), wait_s=30))
        await processes.worker()
        assert decided(await first).status is Status.CONFIRMED
        late_room = asyncio.create_task(intake.decide(request(room, hour(2), key="a"), wait_s=30))
        other_room = asyncio.create_task(intake.decide(request(other, hour(0), key="a"), wait_s=30))
        for waiting in (same_room, late_room, other_room):
            refused = decided(await waiting)
            assert (refused.status, refused.reason) == (Status.REFUSED, Reason.KEY_REUSED)
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
    await clean(database_url)


async def test_a_refusal_is_kept_for_its_key_even_when_the_time_is_free_again(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    await processes.worker()
    async with open_intake(redis_url, database_url) as intake:
        taken = decided(await intake.decide(request(room), wait_s=30))
        refused = decided(await intake.decide(request(room, key="late"), wait_s=30))
        assert taken.booking is not None
        assert (
            decided(await intake.decide(request(room, Cancel(taken.booking.booking)), wait_s=30)).status
            is Status.CONFIRMED
        )
        again = decided(await intake.decide(request(room, key="late"), wait_s=30))
        assert (again.status, again.clashes, again.ticket, again.repeated) == (
            Status.REFUSED,
            refused.clashes,
            refused.ticket,
            True,
        )
    await clean(database_url)
