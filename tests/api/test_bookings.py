"""Bookings over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx

from tests.api.steps import ROOT, book, booked, hours, make_resource


async def test_a_booking_is_made_and_shown(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    answer = await book(client)
    assert answer.status_code == 201
    body = answer.json()
    made = {name: body.pop(name) for name in ("booking_id", "request_id", "created_at")}
    assert body == {
        "resource_id": "room-1",
        "start_time": "2036-08-11T09:00:00.000Z",
        "end_time": "2036-08-11T10:00:00.000Z",
        "recurrence_rule": None,
        "status": "confirmed",
        "places": 1,
        "ticket": 1,
        "has_conflict": False,
        "message": "Booking created",
    }
    assert answer.headers["location"] == f"{ROOT}/bookings/{made['booking_id']}"
    assert answer.headers["firstcome-seen"] == "room-1:1"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["x-request-id"] == made["request_id"]
    assert "idempotency-replayed" not in answer.headers

    read = await client.get(answer.headers["location"])
    assert read.status_code == 200
    assert read.headers["etag"] == '"1"'
    assert read.json() == body | made | {
        "message": "Booking confirmed",
        "ended_at": None,
        "cancellation_reason": None,
        "rescheduled_from": None,
        "rescheduled_to": None,
    }


async def test_a_taken_time_is_a_conflict_with_what_is_free_next(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    first = await booked(client)
    answer = await book(client, 0.5)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["firstcome-seen"] == "room-1:2"
    body = answer.json()
    assert body["code"] == "conflict"
    assert body["has_conflict"] is True
    assert body["conflicts"] == [{name: first[name] for name in ("booking_id", "start_time", "end_time")}]
    assert len(body["next_available_slots"]) == 5
    assert body["next_available_slots"][0] == {
        "start_time": "2036-08-11T10:30:00.000Z",
        "end_time": "2036-08-11T11:30:00.000Z",
    }
    assert body["type"] == "/docs/problems/conflict"
    assert (await client.get(body["instance"])).json()["outcome"] == body


async def test_back_to_back_is_no_conflict(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    await booked(client, 0)
    await booked(client, 1)
    await booked(client, -1)


async def test_a_class_takes_as_many_as_it_has_places(client: httpx.AsyncClient) -> None:
    await make_resource(client, "yoga", capacity=3)
    await booked(client, resource_id="yoga", places=2)
    assert (await book(client, resource_id="yoga", places=2)).status_code == 409
    assert (await booked(client, resource_id="yoga"))["places"] == 1
    refused = await book(client, resource_id="yoga", places=4)
    assert (refused.status_code, refused.json()["code"]) == (409, "places_exceed_capacity")


async def test_the_past_is_refused_by_the_database(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    past: dict[str, Any] = {"start_time": "2001-01-01T00:00:00Z", "end_time": "2001-01-01T01:00:00Z"}
    answer = await book(client, **past)
    assert (answer.status_code, answer.json()["code"]) == (400, "slot_in_past")


async def test_an_offset_is_another_way_to_write_the_same_instant(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    body = await booked(client, start_time="2036-08-11T11:00:00+02:00", end_time="2036-08-11T06:30:00.250-04:00")
    assert body["start_time"] == "2036-08-11T09:00:00.000Z"
    assert body["end_time"] == "2036-08-11T10:30:00.250Z"


async def test_at_the_end_of_the_calendar_a_conflict_is_a_conflict(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    last: dict[str, Any] = {"start_time": "9999-12-31T22:00:00Z", "end_time": "9999-12-31T23:59:59.999Z"}
    await booked(client, **last)
    answer = await book(client, **last)
    assert answer.status_code == 409
    assert answer.json()["next_available_slots"] == []


async def test_what_does_not_exist_is_404_and_gets_no_ticket(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    answer = await book(client, resource_id="no-such-room")
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_unknown")
    address = f"{ROOT}/bookings/{uuid4()}"
    for answer in (
        await client.get(address),
        await client.delete(address),
        await client.post(f"{address}/cancel"),
        await client.put(f"{address}/reschedule", json=hours(3)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "booking_unknown")
    assert (await booked(client))["ticket"] == 1


async def test_a_malformed_id_is_a_bad_request(client: httpx.AsyncClient) -> None:
    for text in ("1", "x" * 36, "{019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a11}", "urn:uuid:019e0c3a", "%00"):
        for answer in (await client.get(f"{ROOT}/bookings/{text}"), await client.delete(f"{ROOT}/bookings/{text}")):
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "/booking_id"


async def test_a_cancel_frees_the_time_and_happens_once(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await booked(client)
    address = f"{ROOT}/bookings/{made['booking_id']}"
    answer = await client.post(f"{address}/cancel", json={"reason": "moved\nto Friday"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["cancellation_reason"]) == ("cancelled", "moved\nto Friday")
    assert body["message"] == "Booking cancelled"
    assert (body["ticket"], body["request_id"]) == (made["ticket"], made["request_id"])
    assert answer.headers["etag"] == '"2"'
    assert answer.headers["firstcome-seen"] == "room-1:2"
    for again in (
        await client.delete(address),
        await client.post(f"{address}/cancel", json={"reason": "another"}),
        await client.post(f"{address}/cancel"),
        await client.post(f"{address}/cancel", json={}),
    ):
        assert (again.status_code, again.json()) == (200, body)
    assert (await client.get(address)).json() == body
    await booked(client)


async def test_a_move_makes_a_new_booking_that_the_old_one_names(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    old = await booked(client, 0)
    address = f"{ROOT}/bookings/{old['booking_id']}"
    answer = await client.put(f"{address}/reschedule", json=hours(0.5))
    assert answer.status_code == 200
    new = answer.json()
    assert new["booking_id"] != old["booking_id"]
    assert (new["start_time"], new["status"]) == ("2036-08-11T09:30:00.000Z", "confirmed")
    assert new["message"] == "Booking rescheduled"
    assert answer.headers["etag"] == '"1"'
    old_now = (await client.get(address)).json()
    assert (old_now["status"], old_now["rescheduled_to"]) == ("rescheduled", new["booking_id"])
    new_now = (await client.get(f"{ROOT}/bookings/{new['booking_id']}")).json()
    assert new_now["rescheduled_from"] == old["booking_id"]
    assert {name: new_now[name] for name in new if name != "message"} == {
        name: new[name] for name in new if name != "message"
    }
    again = await client.put(f"{address}/reschedule", json=hours(3))
    assert (again.status_code, again.json()["code"]) == (409, "already_rescheduled")
    assert (await client.delete(address)).json()["code"] == "already_rescheduled"


async def test_a_move_onto_a_taken_time_leaves_the_booking_as_it_was(client: httpx.AsyncClient) -> None:
    await make_resource(client, capacity=2)
    other = await booked(client, 5)
    made = await booked(client, 0, places=2)
    address = f"{ROOT}/bookings/{made['booking_id']}"
    before = (await client.get(address)).json()
    answer = await client.put(f"{address}/reschedule", json=hours(5))
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert [clash["booking_id"] for clash in answer.json()["conflicts"]] == [other["booking_id"]]
    first_free = answer.json()["next_available_slots"][0]["start_time"]
    assert first_free == "2036-08-11T15:00:00.000Z", "both places must be free for two"
    assert (await client.get(address)).json() == before
    await client.delete(address)
    cancelled = await client.put(f"{address}/reschedule", json=hours(8))
    assert (cancelled.status_code, cancelled.json()["code"]) == (409, "already_cancelled")


async def test_if_match_guards_a_booking(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await booked(client)
    address = f"{ROOT}/bookings/{made['booking_id']}"
    for stale in ('"2"', '"nonsense"', 'W/"1"'):
        answer = await client.delete(address, headers={"If-Match": stale})
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    answer = await client.put(f"{address}/reschedule", json=hours(3), headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    assert (await client.delete(address, headers={"If-Match": "1"})).status_code == 400
    tag = (await client.get(address)).headers["etag"]
    assert (await client.get(address, headers={"If-None-Match": tag})).status_code == 304
    assert (await client.delete(address, headers={"If-Match": tag})).status_code == 200
    changed = await client.get(address, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
