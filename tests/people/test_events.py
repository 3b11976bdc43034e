"""Events and seats over HTTP: made, changed, reserved; one seat a person, and never more than there are."""

from __future__ import annotations

import asyncio

from engine.identifiers import uuid7
from tests.people.company import HOUR, MONDAY, Company, Person, at_once, outcome_of, times


async def taken(company: Company, event: str) -> tuple[int, int]:
    """How many seats are taken: as the event counts them, and as they are."""
    counted = await company.connection.fetchval("SELECT taken FROM slot WHERE id = $1", event)
    held = await company.connection.fetchval(
        "SELECT count(*) FROM booking WHERE slot = $1 AND status = 'confirmed'", event
    )
    return counted, held


async def test_25_callers_for_5_seats(company: Company) -> None:
    organiser, guests = await company.host(), await company.guests(25)
    event = await organiser.make_event(5, MONDAY)
    outcomes = await at_once([guest.book(event_id=event) for guest in guests])
    assert outcomes == {"201": 5, "no_seats_left": 20}
    refused = await (await company.person()).post("/bookings/reserve", {"event_id": event})
    assert (refused.status_code, refused.json()["detail"]) == (409, f"No available seats for event {event}")
    assert (await organiser.get(f"/events/{event}")).json()["seats_left"] == 0
    assert await taken(company, event) == (5, 5)
    await company.audit()


async def test_one_person_20_times_at_once_has_one_seat(company: Company) -> None:
    organiser, guest = await company.host(), await company.person()
    event = await organiser.make_event(20)
    outcomes = await at_once([guest.book(event_id=event) for _ in range(20)])
    assert outcomes == {"201": 1, "already_booked": 19}
    again = await guest.post("/bookings/reserve", {"event_id": event})
    assert again.json()["detail"] == f"User {guest.id} already booked for event {event}"
    (booking,) = (await guest.get("/bookings")).json()["items"]
    await guest.delete(f"/bookings/{booking['booking_id']}")
    await guest.booked(event_id=event)  # a seat that was given back can be had again
    assert await taken(company, event) == (1, 1)
    await company.audit()


async def test_an_event_without_a_date(company: Company) -> None:
    organiser, guest = await company.host(), await company.person()
    event = await organiser.make_event(2)
    dated = await organiser.make_event(2, MONDAY)
    found = (await guest.get(f"/events/{event}")).json()
    assert (found["start_time"], found["end_time"], found["seats_left"]) == (None, None, 2)
    assert (found["host_id"], found["name"]) == (str(organiser.id), "Open day")
    seat = (await guest.book(event_id=event)).json()
    assert (seat["start_time"], seat["end_time"], seat["event_id"]) == (None, None, event)
    assert seat["resource_id"] == f"event-{event}"
    read = (await guest.get(f"/bookings/{seat['booking_id']}")).json()
    assert (read["start_time"], read["event_id"], read["host_id"]) == (None, event, str(organiser.id))
    assert [item["event_id"] for item in (await guest.get("/events")).json()["items"]] == [dated, event]
    page = (await guest.get("/events", limit=1)).json()
    following = (await guest.get("/events", limit=1, cursor=page["next"])).json()
    assert ([item["event_id"] for item in following["items"]], following["next"]) == ([event], None)


async def test_what_an_event_cannot_be(company: Company) -> None:
    organiser, guest = await company.host(), await company.person()
    assert outcome_of(await guest.post("/events", {"name": "Mine", "total_seats": 1})) == "role_required"
    for body, status in (
        ({"total_seats": 0}, 400),
        ({"total_seats": -1}, 400),
        ({"name": " "}, 400),
        ({"start_time": MONDAY.isoformat()}, 400),
        (times(MONDAY, -HOUR), 400),
        (times(MONDAY.replace(year=2020)), 400),
        ({"seats_left": 3}, 400),
    ):
        answer = await organiser.post("/events", {"name": "Open day", "total_seats": 1} | body)
        assert answer.status_code == status, body
    assert await company.connection.fetchval("SELECT count(*) FROM resource") == 0, "nothing is made in part"


async def test_the_same_key_makes_one_event(company: Company) -> None:
    organiser = await company.host()
    body, key = {"name": "Open day", "total_seats": 3}, {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(organiser.post("/events", body, key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({(answer.text, answer.headers["location"]) for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
    other = await organiser.post("/events", body | {"total_seats": 4}, key)
    assert outcome_of(other) == "key_reused"


async def test_seats_are_raised_and_lowered_while_they_are_booked(company: Company) -> None:
    """Never below what is taken, whoever comes in between, and each answer is true when it is given."""
    organiser, guests = await company.host(), await company.guests(24)
    event = await organiser.make_event(4, MONDAY)

    async def resize() -> list[tuple[int, str]]:
        found = []
        for seats in (1, 8, 2, 12, 10, 3):
            answer = await organiser.patch(f"/events/{event}", {"total_seats": seats})
            found.append((seats, outcome_of(answer)))
        return found

    async def try_twice(guest: Person) -> str:
        first = await guest.book(event_id=event)
        return outcome_of(first if first.status_code == 201 else await guest.book(event_id=event))

    outcomes, resized = await asyncio.gather(asyncio.gather(*map(try_twice, guests)), resize())
    counted, held = await taken(company, event)
    assert counted == held == outcomes.count("201") > 0
    assert {outcome for _, outcome in resized} <= {"200", "capacity_below_taken"}
    seats = [seats for seats, outcome in resized if outcome == "200"][-1]
    found = (await organiser.get(f"/events/{event}")).json()
    assert (found["total_seats"], found["seats_left"]) == (seats, seats - held)
    assert outcome_of(await organiser.patch(f"/events/{event}", {"total_seats": held - 1 or 1})) == (
        "capacity_below_taken" if held > 1 else "200"
    )
    await company.audit()


async def test_only_whose_event_it_is_changes_it_and_only_the_version_they_saw(company: Company) -> None:
    organiser, other, operator = await company.host(), await company.host(), await company.person("operator")
    event = await organiser.make_event(4)
    seen = (await organiser.get(f"/events/{event}")).headers["etag"]
    assert outcome_of(await other.patch(f"/events/{event}", {"name": "Mine"})) == "not_yours"
    changed = await operator.patch(f"/events/{event}", {"name": "Closed day"})
    assert (changed.status_code, changed.json()["name"], changed.json()["version"]) == (200, "Closed day", 2)
    stale = await organiser.patch(f"/events/{event}", {"name": "Open"}, {"If-Match": seen})
    assert (stale.status_code, outcome_of(stale)) == (412, "stale_version")
    assert outcome_of(await organiser.patch(f"/events/{event}", {})) == "invalid_request"
    # Neither an event nor a calendar is changed, or booked, as a resource.
    await organiser.publish(MONDAY)
    for name, read, change in ((f"event-{event}", 404, 404), (f"calendar-{organiser.id}", 200, 403)):
        assert (await organiser.get(f"/resources/{name}")).status_code == read
        assert (await organiser.patch(f"/resources/{name}", {"capacity": 9})).status_code == change
    direct = await organiser.post("/bookings", {"resource_id": f"event-{event}", **times(MONDAY)})
    assert outcome_of(direct) == "resource_unknown"
    assert (await organiser.get("/resources")).json()["items"] == []
    reserved = await organiser.post("/resources", {"resource_id": f"event-{uuid7()}", "name": "Mine"})
    assert reserved.json()["errors"][0]["code"] == "reserved_name"


async def test_a_seat_for_somebody_else_takes_an_operator(company: Company) -> None:
    organiser, guest, operator = await company.host(), await company.person(), await company.person("operator")
    event = await organiser.make_event(3)
    body = {"event_id": event, "user_id": str(guest.id)}
    assert outcome_of(await organiser.post("/bookings/reserve", body)) == "not_yours"
    made = await operator.post("/bookings/reserve", body)
    assert made.status_code == 201
    assert [item["booking_id"] for item in (await guest.get("/bookings")).json()["items"]] == [
        made.json()["booking_id"]
    ]
    again = await operator.post("/bookings/reserve", body)
    assert again.json()["detail"] == f"User {guest.id} already booked for event {event}"
    assert outcome_of(await operator.post("/bookings/reserve", body | {"user_id": str(uuid7())})) == "user_unknown"
    assert outcome_of(await guest.post("/bookings/reserve", {"event_id": str(uuid7())})) == "event_unknown"
    assert outcome_of(await guest.post("/bookings/reserve", body | {"user_id": str(guest.id)})) == "already_booked"
    noted = await company.connection.fetch("SELECT action, subject FROM audit WHERE actor = $1", str(operator.id))
    assert ("booking.create", str(guest.id)) in {tuple(row) for row in noted}
    await company.audit()


async def test_a_seat_of_an_event_without_a_date_is_no_entry_of_a_calendar(company: Company) -> None:
    host, guest = await company.host(), await company.person()
    undated = await guest.booked(event_id=await host.make_event(1))
    dated = await guest.booked(event_id=await host.make_event(1, MONDAY))
    assert outcome_of(await guest.get(f"/bookings/{undated}.ics")) == "no_date"
    assert f"DTSTART:{MONDAY:%Y%m%dT%H%M%SZ}" in (await guest.get(f"/bookings/{dated}.ics")).text
