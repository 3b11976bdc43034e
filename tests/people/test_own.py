"""One's own bookings, and what befell them. Of those of others nothing is told."""

from __future__ import annotations

from tests.people.company import DAY, HOUR, MONDAY, Company, outcome_of, times


async def test_own_bookings_are_listed_with_what_they_are_of(company: Company) -> None:
    host, guest, other = await company.host(), await company.person(), await company.person()
    await host.post("/resources", {"resource_id": "room", "name": "Room"})
    slot = (await host.publish(MONDAY))["slot_id"]
    event = await host.make_event(2)
    seats = [await guest.booked(event_id=event), await guest.booked(slot_id=slot)]
    room = (await guest.post("/bookings", {"resource_id": "room", **times(MONDAY - DAY)})).json()["booking_id"]
    series = {"resource_id": "room", "recurrence_rule": "RRULE:FREQ=DAILY;COUNT=3", **times(MONDAY - 9 * DAY)}
    parent = (await guest.post("/bookings", series)).json()["booking_id"]
    await other.booked(event_id=event)
    listed = (await guest.get("/bookings")).json()["items"]
    assert [item["booking_id"] for item in listed[:3]] == [*seats, room]
    assert [item["parent_booking_id"] for item in listed[3:]] == [parent] * 3
    assert ("event_id" in listed[0], "slot_id" in listed[1]) == (True, True)
    # A host's slots are in the list of slots, not among the bookings.
    assert (await host.get("/bookings")).json()["items"] == []
    page = (await guest.get("/bookings", limit=2)).json()
    pages = page["items"]
    while page["next"] is not None:
        page = (await guest.get("/bookings", limit=2, cursor=page["next"])).json()
        pages += page["items"]
    assert pages == listed
    window = {"start_date": "2036-08-10", "end_date": "2036-08-11"}
    assert [item["booking_id"] for item in (await guest.get("/bookings", **window)).json()["items"]] == [seats[1], room]
    await guest.delete(f"/bookings/{room}")
    cancelled = (await guest.get("/bookings", status="cancelled")).json()["items"]
    assert [item["booking_id"] for item in cancelled] == [room]
    for query in ({"status": "open"}, {"limit": 0}, {"start_date": "2036-08-12", "end_date": "2036-08-11"}):
        assert (await guest.get("/bookings", **query)).status_code == 400


async def test_a_persons_bookings_are_told_to_them_and_to_operators(company: Company) -> None:
    host, guest, operator = await company.host(), await company.person(), await company.person("operator")
    booking = await guest.booked(event_id=await host.make_event(2))
    path = f"/users/{guest.id}/bookings"
    for who in (guest, operator):
        assert [item["booking_id"] for item in (await who.get(path)).json()["items"]] == [booking]
    assert outcome_of(await host.get(path)) == "user_unknown"
    assert outcome_of(await guest.get(f"/users/{host.id}/bookings")) == "user_unknown"


async def test_a_timeline_says_what_befell_a_booking_and_who_asked(company: Company) -> None:
    owner, guest, operator = await company.host(), await company.person(), await company.person("operator")
    await owner.post("/resources", {"resource_id": "room", "name": "Room"})
    made = await guest.post("/bookings", {"resource_id": "room", **times(MONDAY)})
    moved = await guest.put(f"/bookings/{made.json()['booking_id']}/reschedule", times(MONDAY + HOUR))
    assert (await owner.post(f"/bookings/{moved.json()['booking_id']}/cancel")).status_code == 200
    old, new = made.json()["booking_id"], moved.json()["booking_id"]

    async def told(who: object, booking: str) -> list[tuple[int, str, str, str]]:
        answer = await who.get(f"/bookings/{booking}/timeline")  # type: ignore[attr-defined]
        assert answer.status_code == 200, answer.text
        return [(item["ticket"], item["kind"], item["status"], item["actor"]) for item in answer.json()["items"]]

    assert await told(guest, old) == [(1, "book", "confirmed", "you"), (2, "reschedule", "rescheduled", "you")]
    assert await told(guest, new) == [(2, "reschedule", "confirmed", "you"), (3, "cancel", "cancelled", "host")]
    assert await told(owner, new) == [(2, "reschedule", "confirmed", "guest"), (3, "cancel", "cancelled", "you")]
    items = (await operator.get(f"/bookings/{old}/timeline")).json()["items"]
    assert [item["actor_id"] for item in items] == [str(guest.id)] * 2
    assert items[0]["request_id"] == made.json()["request_id"]
    assert items[1]["rescheduled_to"] == new
    assert items[1]["start_time"] == moved.json()["start_time"]
    assert outcome_of(await (await company.host()).get(f"/bookings/{old}/timeline")) == "booking_unknown"
    page = (await guest.get(f"/bookings/{old}/timeline", limit=1)).json()
    assert ([item["ticket"] for item in page["items"]], page["next"]) == ([1], 1)
    page = (await guest.get(f"/bookings/{old}/timeline", limit=1, after=1)).json()
    assert ([item["ticket"] for item in page["items"]], page["next"]) == ([2], None)


async def test_the_timeline_of_an_occurrence_leaves_out_the_others(company: Company) -> None:
    owner, guest = await company.host(), await company.person()
    await owner.post("/resources", {"resource_id": "room", "name": "Room"})
    series = {"resource_id": "room", "recurrence_rule": "RRULE:FREQ=DAILY;COUNT=3", **times(MONDAY)}
    parent = (await guest.post("/bookings", series)).json()["booking_id"]
    listed = (await guest.get(f"/bookings/{parent}/occurrences", start_date="2036-08-11", end_date="2036-08-13")).json()
    names = [item["occurrence"] for item in listed["items"]]
    for name in names[:2]:
        assert (await guest.delete(f"/bookings/{parent}/occurrences/{name}")).status_code == 200

    async def tickets(booking: str) -> list[int]:
        return [item["ticket"] for item in (await guest.get(f"/bookings/{booking}/timeline")).json()["items"]]

    assert await tickets(parent) == [1, 2, 3]
    assert [await tickets(item["booking_id"]) for item in listed["items"]] == [[1, 2], [1, 3], [1]]


async def test_the_timeline_of_a_seat_names_its_host(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    slot = (await host.publish(MONDAY, capacity=2))["slot_id"]
    booking = await guest.booked(slot_id=slot)
    await (await company.person()).booked(slot_id=slot)
    assert (await host.delete(f"/bookings/{booking}")).status_code == 200
    items = (await guest.get(f"/bookings/{booking}/timeline")).json()["items"]
    assert [(item["kind"], item["status"], item["actor"]) for item in items] == [
        ("book_seat", "confirmed", "you"),
        ("cancel", "cancelled", "host"),
    ]
