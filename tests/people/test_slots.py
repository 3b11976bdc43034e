"""Slots over HTTP: published, listed, read, taken back, booked."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.people.company import DAY, HOUR, MONDAY, Company, at_once, outcome_of, times


async def test_a_slot_is_published_found_booked_and_given_back(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    slot = await host.publish(MONDAY)
    assert slot["host_id"] == str(host.id)
    assert (slot["status"], slot["seats_left"]) == ("available", 1)
    found = (await guest.get("/slots")).json()
    assert [item["slot_id"] for item in found["items"]] == [slot["slot_id"]]
    answer = await guest.book(slot_id=slot["slot_id"])
    booking = answer.json()
    assert answer.status_code == 201
    assert (booking["slot_id"], booking["host_id"]) == (slot["slot_id"], str(host.id))
    assert (booking["start_time"], booking["end_time"]) == (slot["start_time"], slot["end_time"])
    assert answer.headers["location"] == f"/api/v1/bookings/{booking['booking_id']}"
    assert answer.headers["firstcome-seen"].startswith(f"calendar-{host.id}:")
    assert (await guest.get(f"/slots/{slot['slot_id']}")).json()["status"] == "booked"
    assert (await guest.get("/slots")).json()["items"] == []
    read = (await guest.get(f"/bookings/{booking['booking_id']}")).json()
    assert (read["slot_id"], read["host_id"], read["status"]) == (slot["slot_id"], str(host.id), "confirmed")
    gone = await guest.delete(f"/bookings/{booking['booking_id']}")
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
    assert (await guest.get(f"/slots/{slot['slot_id']}")).json()["status"] == "available"
    await (await company.person()).booked(slot_id=slot["slot_id"])
    await company.audit()


async def test_what_is_no_hosts_to_do_and_what_is_past(company: Company) -> None:
    host, other, guest = await company.host(), await company.host(), await company.person()
    assert outcome_of(await guest.post("/slots", times(MONDAY))) == "role_required"
    assert outcome_of(await guest.get("/slots/host")) == "role_required"
    assert outcome_of(await host.post("/slots", times(MONDAY.replace(year=2020)))) == "slot_in_past"
    slot = await host.publish(MONDAY)
    assert outcome_of(await host.book(slot_id=slot["slot_id"])) == "own_slot"
    assert outcome_of(await other.delete(f"/slots/{slot['slot_id']}")) == "not_yours"
    assert outcome_of(await host.get("/slots/not-an-id")) == "invalid_request"
    assert outcome_of(await host.get(f"/slots/{guest.id}")) == "slot_unknown"
    await guest.booked(slot_id=slot["slot_id"])
    assert outcome_of(await host.delete(f"/slots/{slot['slot_id']}")) == "slot_booked"
    # The claim of a slot's time is a booking inside, and none outside.
    for answer in (
        await host.get(f"/bookings/{slot['slot_id']}"),
        await host.delete(f"/bookings/{slot['slot_id']}"),
        await host.get(f"/bookings/{slot['slot_id']}/timeline"),
    ):
        assert outcome_of(answer) == "booking_unknown"


async def test_a_slot_that_was_taken_back_is_gone_for_good(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    slot = await host.publish(MONDAY)
    for _ in range(2):  # the second time nothing happens
        gone = await host.delete(f"/slots/{slot['slot_id']}")
        assert (gone.status_code, gone.json()["status"], gone.json()["seats_left"]) == (200, "cancelled", 0)
    assert outcome_of(await guest.book(slot_id=slot["slot_id"])) == "slot_cancelled"
    assert (await guest.get("/slots")).json()["items"] == []
    assert [item["status"] for item in (await host.get("/slots/host")).json()["items"]] == ["cancelled"]
    await host.publish(MONDAY)  # its time is free
    await company.audit()


async def test_of_20_overlapping_slots_posted_at_once_one_is_published(company: Company) -> None:
    host = await company.host()
    posts = [host.post("/slots", times(MONDAY + number * HOUR / 20)) for number in range(20)]
    assert await at_once(posts) == {"201": 1, "conflict": 19}
    # Another engagement on the same calendar cannot overlap one either, and nobody else can make one there.
    busy = {"resource_id": f"calendar-{host.id}", **times(MONDAY + 5 * HOUR)}
    assert outcome_of(await (await company.host()).post("/bookings", busy)) == "not_yours"
    assert (await host.post("/bookings", busy)).status_code == 201
    refused = await host.post("/slots", times(MONDAY + 5.5 * HOUR))
    assert outcome_of(refused) == "conflict"
    assert len(refused.json()["conflicts"]) == 1
    await company.audit()


async def test_a_slot_with_several_seats_is_shared(company: Company) -> None:
    host, guests = await company.host(), await company.guests(6)
    slot = await host.publish(MONDAY, capacity=5)
    outcomes = await at_once([guest.book(slot_id=slot["slot_id"]) for guest in guests])
    assert outcomes == {"201": 5, "no_seats_left": 1}
    assert (await host.get(f"/slots/{slot['slot_id']}")).json()["seats_left"] == 0
    await company.audit()


async def test_who_finds_a_slot_taken_is_told_of_the_next_ones(company: Company) -> None:
    host, (first, second) = await company.host(), await company.guests(2)
    slots = [await host.publish(MONDAY + number * HOUR) for number in range(8)]
    await (await company.host()).publish(MONDAY)
    await host.delete(f"/slots/{slots[2]['slot_id']}")
    await first.booked(slot_id=slots[1]["slot_id"])
    refused = await second.book(slot_id=slots[1]["slot_id"])
    assert (refused.status_code, outcome_of(refused)) == (409, "no_seats_left")
    assert refused.json()["has_conflict"] is True
    assert [item["slot_id"] for item in refused.json()["next_available_slots"]] == [
        slot["slot_id"] for slot in slots[3:8]
    ]


async def test_a_seat_has_the_time_that_it_has(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    booking = await guest.booked(slot_id=(await host.publish(MONDAY))["slot_id"])
    answer = await guest.put(f"/bookings/{booking}/reschedule", times(MONDAY + DAY))
    assert (answer.status_code, outcome_of(answer)) == (409, "not_reschedulable")


async def test_a_booking_is_of_one_thing(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    slot, event = (await host.publish(MONDAY))["slot_id"], await host.make_event(1)
    for body, codes in (
        ({"slot_id": slot, "event_id": event}, {"one_of"}),
        ({"slot_id": slot, "resource_id": "room", **times(MONDAY)}, {"unknown_field"}),
        ({"slot_id": None}, {"wrong_type"}),
        ({"slot_id": "x"}, {"invalid_id"}),
        ({"slot_id": event, "places": 2}, {"unknown_field"}),
        ({}, {"required"}),
    ):
        answer = await guest.post("/bookings", body)
        assert answer.status_code == 400, body
        assert {fault["code"] for fault in answer.json()["errors"]} == codes
    assert outcome_of(await guest.book(slot_id=event)) == "slot_unknown"
    assert outcome_of(await guest.book(event_id=slot)) == "event_unknown"
    # A resource may be called as a field is.
    made = await host.post("/resources", {"resource_id": "slot_id", "name": "Room"})
    assert made.status_code == 201
    assert (await guest.post("/bookings", {"resource_id": "slot_id", **times(MONDAY)})).status_code == 201


async def test_the_same_key_books_once(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    slot = await host.publish(MONDAY, capacity=2)
    body, key = {"slot_id": slot["slot_id"]}, {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(guest.post("/bookings", body, key) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["booking_id"] for answer in answers}) == 1
    assert (await guest.get(f"/slots/{slot['slot_id']}")).json()["seats_left"] == 1


async def test_lists_go_on_where_the_page_before_ended(company: Company) -> None:
    host, other, guest = await company.host(), await company.host(), await company.person()
    slots = [await host.publish(MONDAY + number * DAY) for number in range(5)]
    await other.publish(MONDAY + HOUR, capacity=3)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await guest.get("/slots", host_id=str(host.id), limit=2, **cursor)).json()
        seen += [item["slot_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [slot["slot_id"] for slot in slots]
    assert len((await guest.get("/slots")).json()["items"]) == 6
    days = {"start_date": "2036-08-12", "end_date": "2036-08-13"}
    assert [item["slot_id"] for item in (await guest.get("/slots", **days)).json()["items"]] == seen[1:3]
    assert [item["host_id"] for item in (await guest.get("/slots", seats=2)).json()["items"]] == [str(other.id)]
    for query in ({"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"seats": 0}, {"start_date": "soon"}):
        assert (await guest.get("/slots", **query)).status_code == 400, query


async def test_days_are_those_of_the_hosts_zone(company: Company) -> None:
    host, guest = await company.host("Pacific/Auckland"), await company.person()
    slot = await host.publish(MONDAY.replace(hour=13))  # the next day there
    for day, found in (("2036-08-11", []), ("2036-08-12", [slot["slot_id"]])):
        query = {"host_id": str(host.id), "start_date": day, "end_date": day}
        assert [item["slot_id"] for item in (await guest.get("/slots", **query)).json()["items"]] == found
        own = (await host.get("/slots/host", start_date=day, end_date=day)).json()
        assert [item["slot_id"] for item in own["items"]] == found


async def test_what_is_over_and_was_not_booked_is_in_no_list(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    slots = [await host.publish(MONDAY + number * HOUR) for number in range(3)]
    await guest.booked(slot_id=slots[0]["slot_id"])
    for number in range(2):
        await company.move_slot(slots[number]["slot_id"], MONDAY.replace(year=2020, day=6 + number))
    own = (await host.get("/slots/host", start_date="2020-01-01")).json()["items"]
    assert [item["slot_id"] for item in own] == [slots[0]["slot_id"], slots[2]["slot_id"]]
    assert [item["slot_id"] for item in (await host.get("/slots/host")).json()["items"]] == [slots[2]["slot_id"]]
    assert [item["slot_id"] for item in (await guest.get("/slots")).json()["items"]] == [slots[2]["slot_id"]]
    states = Counter([(await host.get(f"/slots/{slot['slot_id']}")).json()["status"] for slot in slots])
    assert states == {"booked": 1, "past": 1, "available": 1}
    assert outcome_of(await guest.book(slot_id=slots[1]["slot_id"])) == "slot_in_past"
