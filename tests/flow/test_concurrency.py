"""Many callers at once: exactly as many get what they want as there is."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from engine.commands import Reason, Status
from tests.api.steps import hours
from tests.clients import add_resources, clean, decide_all, hour, ledger, open_intake, request, statuses
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource

RUNS = 50


@pytest.mark.parametrize("callers", [5, 10, 30, 200])
async def test_callers_for_one_time_one_is_confirmed(
    processes: Processes, database: Connection, database_url: str, redis_url: str, callers: int
) -> None:
    await processes.worker()
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake:
        outcomes = await decide_all(intake, [request(room) for _ in range(callers)])
    assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: callers - 1}
    first = min(outcomes, key=lambda outcome: outcome.ticket)
    assert first.booking is not None, "first come must be first served"
    for outcome in outcomes:
        if outcome is not first:
            assert outcome.reason is Reason.CONFLICT
            assert [clash.booking for clash in outcome.clashes] == [first.booking.booking]
    assert sorted(outcome.ticket for outcome in outcomes) == list(range(1, callers + 1))
    await clean(database_url)


async def test_twenty_callers_over_http_one_201_and_nineteen_409(processes: Processes, database_url: str) -> None:
    _, api = await asyncio.gather(processes.worker(), processes.api())
    body = {"resource_id": "room", **hours()}
    async with api.client() as client:
        assert (await client.post("/resources", json={"resource_id": "room", "name": "Room"})).status_code == 201
        answers = await asyncio.gather(*(client.post("/bookings", json=body) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
        (won,) = [answer.json() for answer in answers if answer.status_code == 201]
        assert won["ticket"] == 1
        for answer in answers:
            if answer.status_code == 409:
                assert [clash["booking_id"] for clash in answer.json()["conflicts"]] == [won["booking_id"]]
        items = (await client.get("/resources/room/ledger", params={"limit": 100})).json()["items"]
    assert [(item["ticket"], item["outcome"]) for item in items] == [
        (1, "confirmed"),
        *((ticket, "refused") for ticket in range(2, 21)),
    ]
    await clean(database_url)


async def test_a_thousand_callers_for_a_hundred_places_a_hundred_are_confirmed(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await asyncio.gather(processes.worker(), processes.worker())
    classes = await add_resources(database, RUNS, capacity=100)
    async with open_intake(redis_url, database_url) as intake:
        for course in classes:
            outcomes = await decide_all(intake, [request(course) for _ in range(1_000)])
            assert statuses(outcomes) == {Status.CONFIRMED: 100, Status.REFUSED: 900}
            confirmed = [outcome.ticket for outcome in outcomes if outcome.status is Status.CONFIRMED]
            assert sorted(confirmed) == list(range(1, 101)), "first come must be first served"
    report = await clean(database_url)
    assert {check.checked for check in report.checks if check.rule == "no_gap"} == {1_000 * RUNS}


async def test_the_ledger_is_in_the_order_of_arrival(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await asyncio.gather(processes.worker(), processes.worker())
    rooms = await add_resources(database, 4)
    async with open_intake(redis_url, database_url) as intake, asyncio.TaskGroup() as group:
        for step in range(50):
            for room in rooms:
                group.create_task(intake.decide(request(room, hour(step % 7)), wait_s=30))
    for room in rooms:
        rows = await ledger(database, room)
        assert [row["ticket"] for row in rows] == list(range(1, 51))
        for before, after in pairwise(rows):
            assert before["joined_at"] <= after["joined_at"]
            assert before["decided_at"] <= after["decided_at"]
        assert [row["ticket"] for row in rows if row["outcome"] == "confirmed"] == list(range(1, 8))
    await clean(database_url)
