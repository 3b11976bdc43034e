"""Requests over HTTP: waiting, found again, taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis

from engine.embedded import Valkey
from tests.api.steps import ROOT, book, booked, hours, make_resource
from tests.processes import Processes, started
from tests.support import wait_until

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
async def queued(processes: Processes) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API process that no worker serves: what is queued stays queued until one starts."""
    api = await processes.api()
    async with httpx.AsyncClient(base_url=api.address, trust_env=False, timeout=40) as client:
        yield client


async def outcome_of(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """What stands at the address of a request, once it is decided."""

    async def decided() -> dict[str, Any] | None:
        found: dict[str, Any] = (await client.get(address)).json()
        return found if found["status"] != "queued" else None

    found: dict[str, Any] | None = await wait_until(decided)
    assert found is not None
    return found


async def test_a_caller_who_does_not_wait_gets_the_address_of_the_outcome(queued: httpx.AsyncClient) -> None:
    await make_resource(queued)
    for number in (1, 2):
        answer = await book(queued, headers=ASYNC)
        assert answer.status_code == 202
        assert answer.headers["preference-applied"] == "respond-async"
        body = answer.json()
        request_id = body["request_id"]
        assert body == {"request_id": request_id, "ticket": number, "position": number, "status": "queued"}
        assert answer.headers["location"] == f"{ROOT}/requests/{request_id}"
        assert answer.headers["x-request-id"] == request_id
        found = await queued.get(answer.headers["location"])
        assert (found.status_code, found.json()) == (200, body | {"outcome": None})


async def test_a_wait_ends_with_the_address_of_the_outcome(queued: httpx.AsyncClient) -> None:
    await make_resource(queued)
    answer = await book(queued, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"


async def test_an_equal_request_with_the_same_key_is_the_same_request(queued: httpx.AsyncClient) -> None:
    await make_resource(queued)
    key = ASYNC | {"Idempotency-Key": "k-1"}
    first = await book(queued, headers=key)
    again = await book(queued, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json()["request_id"], again.json()["ticket"]) == (first.json()["request_id"], 1)
    assert again.headers["idempotency-replayed"] == "true"
    assert (await book(queued, 1, headers=ASYNC)).json()["ticket"] == 2


async def test_a_queued_request_can_be_taken_back(queued: httpx.AsyncClient, processes: Processes) -> None:
    await make_resource(queued)
    made = await book(queued, headers=ASYNC)
    kept = await book(queued, headers=ASYNC)
    answer = await queued.delete(made.headers["location"])
    assert answer.status_code == 202
    assert answer.headers["location"] == made.headers["location"]
    assert answer.json() == made.json()
    await processes.worker()
    found = await outcome_of(queued, made.headers["location"])
    assert (found["status"], found["outcome"]["code"], found["outcome"]["status"]) == ("withdrawn", "withdrawn", 409)
    assert (await outcome_of(queued, kept.headers["location"]))["status"] == "confirmed", "its time is free again"


async def test_what_is_left_to_the_queue_is_found_decided(queued: httpx.AsyncClient, processes: Processes) -> None:
    await make_resource(queued)
    key = {"Idempotency-Key": "k-1"}
    accepted = await book(queued, headers=ASYNC | key)
    assert accepted.status_code == 202
    await processes.worker()
    found = await outcome_of(queued, accepted.headers["location"])
    assert (found["status"], found["position"]) == ("confirmed", 0)
    again = await book(queued, headers=key)
    assert (again.status_code, again.json()) == (201, found["outcome"])
    assert again.headers["idempotency-replayed"] == "true"
    made = found["outcome"]
    moved = await queued.put(f"{ROOT}/bookings/{made['booking_id']}/reschedule", json=hours(1), headers=ASYNC)
    assert moved.status_code == 202
    found = await outcome_of(queued, moved.headers["location"])
    cancelled = await queued.delete(f"{ROOT}/bookings/{found['outcome']['booking_id']}", headers=ASYNC)
    assert cancelled.status_code == 202
    assert (await outcome_of(queued, cancelled.headers["location"]))["outcome"]["status"] == "cancelled"
    changed = await queued.patch(f"{ROOT}/resources/room-1", json={"capacity": 7}, headers=ASYNC)
    assert changed.status_code == 202
    assert (await outcome_of(queued, changed.headers["location"]))["outcome"]["capacity"] == 7


async def test_a_decided_request_is_found_with_what_it_was_answered(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await book(client)
    address = f"{ROOT}/bookings/{made.json()['booking_id']}"
    answers = [
        (made, "confirmed"),
        (await book(client), "refused"),
        (await client.put(f"{address}/reschedule", json=hours(4)), "confirmed"),
        (await client.delete(address), "refused"),
        (await client.patch(f"{ROOT}/resources/room-1", json={"name": "Other"}), "confirmed"),
    ]
    moved = answers[2][0].json()["booking_id"]
    answers.append((await client.delete(f"{ROOT}/bookings/{moved}"), "confirmed"))
    for number, (answer, status) in enumerate(answers, start=1):
        request_id = answer.headers["x-request-id"]
        found = (await client.get(f"{ROOT}/requests/{request_id}")).json()
        assert found == {
            "request_id": request_id,
            "ticket": number,
            "status": status,
            "position": 0,
            "outcome": answer.json(),
        }
        too_late = await client.delete(f"{ROOT}/requests/{request_id}")
        assert too_late.status_code == 202
        assert too_late.json() == {"request_id": request_id, "ticket": number, "position": 0, "status": status}


async def test_a_refused_move_shows_the_same_free_times_later(client: httpx.AsyncClient) -> None:
    await make_resource(client, capacity=3)
    await booked(client, 5, places=2)
    made = await booked(client, 0, places=2)
    refused = await client.put(f"{ROOT}/bookings/{made['booking_id']}/reschedule", json=hours(5))
    assert refused.status_code == 409
    found = (await client.get(refused.json()["instance"])).json()
    assert found["outcome"] == refused.json()


async def test_a_ticket_that_is_not_on_disk_is_no_promise_and_keeps_its_place(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    with contextmanager(started)(tmp_path, database_url=database_url, redis_url=valkey.url) as processes:
        api = await processes.api()
        async with api.client() as client, Redis.from_url(valkey.url) as redis:
            await client.post("/resources", json={"resource_id": "room-1", "name": "Room"})
            body = {"resource_id": "room-1"} | hours()
            await redis.config_set("appendonly", "no")
            answers = [await client.post("/bookings", json=body, headers=ASYNC | {"Idempotency-Key": "k-1"})]
            await redis.config_set("appendonly", "yes")
            answers.append(await client.post("/bookings", json=body, headers=ASYNC | {"Idempotency-Key": "k-1"}))
    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [
        (503, "not_promised"),
        (202, None),
    ]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[1].json()["ticket"] == 1, "it is the same request"


async def test_withdrawing_twice_is_as_withdrawing_once_whatever_the_key(queued: httpx.AsyncClient) -> None:
    await make_resource(queued)
    made = await book(queued, headers=ASYNC)
    address = made.headers["location"]
    answers = [await queued.delete(address, headers={"Idempotency-Key": key}) for key in ("a", "a", "b")]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, made.json())] * 3
    wrong = await queued.delete(address, headers={"Idempotency-Key": "x" * 256})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_idempotency_key")


async def test_an_unknown_request_is_safe_to_send_again(client: httpx.AsyncClient) -> None:
    await assert_unknown(client)


async def test_a_request_that_no_queue_knows_is_safe_to_send_again(queued: httpx.AsyncClient) -> None:
    await assert_unknown(queued)


async def assert_unknown(client: httpx.AsyncClient) -> None:
    address = f"{ROOT}/requests/{uuid4()}"
    for answer in (await client.get(address), await client.delete(address)):
        assert (answer.status_code, answer.json()["code"]) == (404, "request_unknown")
