"""Many callers through the queue: an API process and a worker of their own, whoever comes first."""

from __future__ import annotations

from collections import Counter

from tests.people.company import DAY, MONDAY, at_once, gathered
from tests.processes import Processes


async def test_as_many_are_granted_as_there_are_seats(processes: Processes, database_url: str) -> None:
    processes.start_worker()
    api = await processes.api()
    async with gathered(database_url, api.client()) as company:
        hosts = [await company.host() for _ in range(5)]
        guests = await company.guests(30)

        async def slots(count: int, number: int) -> list[str]:
            """Slots of as many hosts, at a time that no round before had."""
            return [(await host.publish(MONDAY + number * DAY))["slot_id"] for host in hosts[:count]]

        for number, callers in enumerate((10, 20, 30)):
            (slot,) = await slots(1, number)
            asking = [guest.book(slot_id=slot) for guest in guests[-callers:]]
            outcomes = await at_once(asking)
            assert outcomes["201"] == 1
            assert outcomes["no_seats_left"] + outcomes["max_bookings_with_host"] == callers - 1

        wanted = (await slots(5, 3)) * 4
        outcomes = await at_once([guest.book(slot_id=slot) for guest, slot in zip(guests[:20], wanted, strict=True)])
        assert outcomes["201"] <= 5
        taken = await company.connection.fetch("SELECT slot FROM booking WHERE slot <> id AND status = 'confirmed'")
        assert max(Counter(row["slot"] for row in taken).values()) == 1, "none twice"

        event = await hosts[0].make_event(5)
        assert await at_once([guest.book(event_id=event) for guest in guests[:25]]) == {"201": 5, "no_seats_left": 20}
        newcomer = await company.person()
        event = await hosts[0].make_event(20)
        assert await at_once([newcomer.book(event_id=event) for _ in range(20)]) == {"201": 1, "already_booked": 19}
        for _ in range(3):
            await newcomer.booked(event_id=await hosts[0].make_event(1))
        slots_of_others = await slots(5, 4)
        outcomes = await at_once([newcomer.book(slot_id=slot) for slot in slots_of_others * 2])
        assert outcomes["201"] == 1
        assert outcomes["max_active_bookings"] + outcomes["already_booked"] == 9
        await company.audit()
