"""What one person may have, and until when a seat can be given back: over HTTP, at the bounds, many at once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.people.company import DAY, MONDAY, Company, at_once, outcome_of, times


async def test_a_sixth_active_booking_is_refused_whatever_it_is_of(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    await host.post("/resources", {"resource_id": "room", "name": "Room"})
    weekly = {"resource_id": "room", "recurrence_rule": "RRULE:FREQ=WEEKLY;COUNT=9", **times(MONDAY)}
    assert (await guest.post("/bookings", weekly)).status_code == 201  # a series is one
    first = (await guest.post("/bookings", {"resource_id": "room", **times(MONDAY + DAY)})).json()
    for _ in range(3):
        await guest.booked(event_id=await host.make_event(1))
    slot = (await host.publish(MONDAY + 2 * DAY))["slot_id"]
    sixth = await guest.book(slot_id=slot)
    assert (sixth.status_code, outcome_of(sixth)) == (409, "max_active_bookings")
    told = sixth.json()
    assert (told["rule"], told["count"], told["limit"]) == ("max_active_bookings", 5, 5)
    assert told["resets_at"] == first["end_time"], "events without a date end later, and the series, too"
    assert outcome_of(await guest.post("/bookings", {"resource_id": "room", **times(MONDAY + 3 * DAY)})) == (
        "max_active_bookings"
    )
    # What it says stands at the request's address as well.
    assert (await guest.get(told["instance"].removeprefix("/api/v1"))).json()["outcome"] == told
    assert (await guest.delete(f"/bookings/{first['booking_id']}")).status_code == 200
    await guest.booked(slot_id=slot)
    await company.audit()


async def test_of_ten_at_once_at_four_active_one_is_granted(company: Company) -> None:
    """Ten slots of ten hosts: ten calendars, ten queues, and one person."""
    guest = await company.person()
    for _ in range(4):
        await guest.booked(event_id=await (await company.host()).make_event(1))
    slots = [(await (await company.host()).publish(MONDAY))["slot_id"] for _ in range(10)]
    outcomes = await at_once([guest.book(slot_id=slot) for slot in slots])
    assert outcomes == {"201": 1, "max_active_bookings": 9}
    await company.audit()


async def test_of_each_host_one_slot(company: Company) -> None:
    first, second, guest = await company.host(), await company.host(), await company.person()
    slots = [(await host.publish(MONDAY + number * DAY))["slot_id"] for host in (first, second) for number in range(3)]
    outcomes = await at_once([guest.book(slot_id=slot) for slot in slots])
    assert outcomes == {"201": 2, "max_bookings_with_host": 4}
    again = (await guest.book(slot_id=slots[0])).json()
    if again["code"] == "max_bookings_with_host":
        assert (again["rule"], again["count"], again["limit"]) == ("max_bookings_with_host", 1, 1)
    hosts = Counter(item["host_id"] for item in (await guest.get("/bookings")).json()["items"])
    assert hosts == {str(first.id): 1, str(second.id): 1}
    # Events of the same host do not count, and what was cancelled counts no more.
    await guest.booked(event_id=await first.make_event(1))
    booking = next(
        item for item in (await guest.get("/bookings")).json()["items"] if item.get("host_id") == str(second.id)
    )
    await guest.delete(f"/bookings/{booking['booking_id']}")
    await guest.booked(slot_id=slots[4])
    await company.audit()


async def test_when_a_limit_lets_one_more_pass(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    await host.post("/resources", {"resource_id": "room", "name": "Room"})
    endless = {"resource_id": "room", "recurrence_rule": "RRULE:FREQ=WEEKLY", **times(MONDAY)}
    series = (await guest.post("/bookings", endless)).json()
    for _ in range(3):
        await guest.booked(event_id=await host.make_event(1))
    far, near, other = [await host.publish(MONDAY + number * DAY) for number in (9, 2, 4)]
    taken = await guest.booked(slot_id=far["slot_id"])
    refused = (await guest.book(slot_id=near["slot_id"])).json()
    assert (refused["code"], refused["resets_at"]) == ("max_active_bookings", far["end_time"])

    assert (await guest.delete(f"/bookings/{series['booking_id']}")).status_code == 200
    of_host = (await guest.book(slot_id=near["slot_id"])).json()
    assert (of_host["code"], of_host["resets_at"]) == ("max_bookings_with_host", far["end_time"])
    address = refused["instance"].removeprefix("/api/v1")
    assert (await guest.get(address)).json()["outcome"]["resets_at"] is None, "by now four are left, of five"

    await guest.booked(event_id=await host.make_event(1))
    assert (await guest.delete(f"/bookings/{taken}")).status_code == 200
    await guest.booked(event_id=await host.make_event(1))
    endless_ones = (await guest.book(slot_id=other["slot_id"])).json()
    assert (endless_ones["code"], endless_ones["resets_at"]) == ("max_active_bookings", None)


async def test_operators_are_not_limited(company: Company) -> None:
    host, operator = await company.host(), await company.person("operator", "guest")
    for number in range(7):
        await operator.booked(slot_id=(await host.publish(MONDAY + number * DAY))["slot_id"])


async def test_a_guest_cancels_until_an_hour_before_and_the_host_at_any_time(company: Company) -> None:
    host, guest, operator = await company.host(), await company.person(), await company.person("operator")
    slot = (await host.publish(MONDAY, capacity=3))["slot_id"]
    booking = await guest.booked(slot_id=slot)
    await company.move_slot(slot, await company.now() + timedelta(minutes=60))  # by now it is less
    late = await guest.delete(f"/bookings/{booking}")
    assert (late.status_code, outcome_of(late)) == (400, "too_late_to_cancel")
    assert (late.json()["rule"], late.json()["count"], late.json()["limit"]) == ("cancel_notice_minutes", 59, 60)
    assert (await host.delete(f"/bookings/{booking}")).status_code == 200
    assert (await guest.delete(f"/bookings/{booking}")).status_code == 200  # nothing happens twice
    second = await guest.booked(slot_id=slot)
    assert (await operator.delete(f"/bookings/{second}")).status_code == 200
    third = await guest.booked(slot_id=slot)
    await company.move_slot(slot, await company.now() + timedelta(minutes=61))
    assert (await guest.delete(f"/bookings/{third}")).status_code == 200
    noted = await company.connection.fetch("SELECT actor, subject FROM audit WHERE action = 'booking.cancel'")
    assert {tuple(row) for row in noted} == {(str(host.id), booking), (str(operator.id), second)}
