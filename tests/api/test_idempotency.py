"""The same key and body: the same outcome. Another body: 422."""

from __future__ import annotations

import asyncio

import asyncpg
import httpx

from tests.api.steps import ROOT, book, booked, hours, make_resource

KEY = {"Idempotency-Key": "k-1"}
ALIAS = {"X-Idempotency-Key": "k-1"}


async def test_a_repeated_booking_is_the_same_booking(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    first = await book(client, headers=KEY)
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    for headers in (KEY, ALIAS, KEY | ALIAS):
        again = await book(client, headers=headers)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
    ledger = (await client.get(f"{ROOT}/resources/room-1/ledger")).json()
    assert len(ledger["items"]) == 1


async def test_the_same_instants_written_otherwise_are_the_same_body(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    first = await book(client, headers=KEY)
    same = (
        b'{ "end_time": "2036-08-11T12:00:00.000+02:00", "places": 1, "recurrence_rule": null,'
        b' "start_time": "2036-08-11t09:00:00z", "resource_id": "room-\\u0031" }'
    )
    headers = KEY | {"Content-Type": "application/json; charset=UTF-8"}
    again = await client.post(f"{ROOT}/bookings", content=same, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    other = await client.post(f"{ROOT}/bookings", content=same.replace(b"+02:00", b"+01:00"), headers=headers)
    assert other.json()["code"] == "key_reused"


async def test_a_refusal_is_kept_as_well(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await booked(client)
    refused = await book(client, headers=KEY)
    await client.delete(f"{ROOT}/bookings/{made['booking_id']}")
    again = await book(client, headers=KEY)
    assert (refused.status_code, again.status_code) == (409, 409)
    assert again.headers["idempotency-replayed"] == "true"
    advice = "next_available_slots"
    assert {k: v for k, v in again.json().items() if k != advice} == {
        k: v for k, v in refused.json().items() if k != advice
    }


async def test_another_request_with_the_key_is_refused(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    await make_resource(client, "room-2")
    made = (await book(client, headers=KEY)).json()
    address = f"{ROOT}/bookings/{made['booking_id']}"
    for answer in (
        await book(client, 1, headers=KEY),
        await book(client, resource_id="room-2", headers=KEY),
        await client.delete(address, headers=KEY),
        await client.post(f"{address}/cancel", headers=KEY),
        await client.put(f"{address}/reschedule", json=hours(2), headers=KEY),
        await client.patch(f"{ROOT}/resources/room-1", json={"name": "x"}, headers=KEY),
        await client.post(f"{ROOT}/resources", json={"name": "x"}, headers=KEY),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused"), answer.request.url
    assert (await client.get(address)).json()["status"] == "confirmed"
    assert len((await client.get(f"{ROOT}/resources")).json()["items"]) == 2


async def test_a_body_that_could_not_be_read_does_not_use_the_key_up(client: httpx.AsyncClient) -> None:
    assert (await book(client, places=0, headers=KEY)).status_code == 400
    assert (await book(client, headers=KEY)).status_code == 404
    await make_resource(client)
    assert (await book(client, headers=KEY)).status_code == 201


async def test_a_cancel_and_a_move_are_replayed(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await booked(client)
    moved = await client.put(f"{ROOT}/bookings/{made['booking_id']}/reschedule", json=hours(3), headers=KEY)
    again = await client.put(f"{ROOT}/bookings/{made['booking_id']}/reschedule", json=hours(3), headers=KEY)
    assert (again.status_code, again.content) == (200, moved.content)
    address = f"{ROOT}/bookings/{moved.json()['booking_id']}"
    other = {"Idempotency-Key": "k-2"}
    cancelled = await client.delete(address, headers=other)
    again = await client.delete(address, headers=other)
    assert (again.status_code, again.content) == (200, cancelled.content)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_resource_is_made_once(client: httpx.AsyncClient) -> None:
    answers = [await client.post(f"{ROOT}/resources", json={"name": "Room"}, headers=KEY) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true", "true"]
    assert len({answer.headers["location"] for answer in answers}) == 1
    refused = await client.post(f"{ROOT}/resources", json={"name": "Other"}, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    assert len((await client.get(f"{ROOT}/resources")).json()["items"]) == 1


async def test_a_resource_id_that_was_taken_stays_taken_for_the_key(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    body = {"resource_id": "room-1", "name": "Other"}
    answers = [await client.post(f"{ROOT}/resources", json=body, headers=KEY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["content-type"] == "application/problem+json"
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_equal_requests_at_once_have_one_outcome(
    client: httpx.AsyncClient, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    await make_resource(client)
    booked = await asyncio.gather(*(book(client, headers=KEY) for _ in range(20)))
    assert {answer.status_code for answer in booked} == {201}
    assert len({answer.content for answer in booked}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in booked) == 1
    made = await asyncio.gather(
        *(client.post(f"{ROOT}/resources", json={"name": "x"}, headers={"Idempotency-Key": "k-2"}) for _ in range(20))
    )
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.content for answer in made}) == 1
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
    assert await database.fetchval("SELECT count(*) FROM resource") == 2
