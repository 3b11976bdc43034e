"""Direct mode: the same rules and rows, under the row lock in the API's own process, without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.commands import BookSeat, Cancel, Reason, Reschedule, Status, UpdateResource
from engine.direct import DirectIntake
from engine.errors import Unavailable
from engine.identifiers import uuid7
from tests.api.steps import hours
from tests.clients import add_resources, clean, decide_all, decided, hour, ledger, request, statuses
from tests.processes import Processes, started
from tests.schema.rows import Connection, add_resource
from tests.seats import FIVE, add_calendar, add_people, add_person, ask, publish
from tests.support import wait_until


@asynccontextmanager
async def direct(database_url: str, *, pool_size: int = 16) -> AsyncIterator[DirectIntake]:
    """The way in of direct mode, as an API process has it."""
    intake = DirectIntake(database_url, pool_size=pool_size, idempotency_hours=48)
    await intake.start()
    try:
        yield intake
    finally:
        await intake.stop()


@pytest.fixture
def direct_processes(tmp_path: Path, database_url: str) -> Iterator[Processes]:
    """API processes in direct mode."""
    yield from started(tmp_path, database_url=database_url, redis_url=None, BOOKING_MODE="direct")


async def test_thirty_callers_for_one_time_one_is_confirmed(database: Connection, database_url: str) -> None:
    room = await add_resource(database, capacity=1)
    async with direct(database_url) as one, direct(database_url) as other:
        halves = await asyncio.gather(
            *(decide_all(intake, [request(room) for _ in range(15)]) for intake in (one, other))
        )
    outcomes = [outcome for half in halves for outcome in half]
    assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: 29}
    assert {outcome.reason for outcome in outcomes} == {None, Reason.CONFLICT}
    assert sorted(outcome.ticket for outcome in outcomes) == list(range(1, 31))
    await clean(database_url)


async def test_a_thousand_callers_for_a_hundred_places_a_hundred_are_confirmed(
    database: Connection, database_url: str
) -> None:
    course = await add_resource(database, capacity=100)
    async with direct(database_url) as intake:
        outcomes = await decide_all(intake, [request(course) for _ in range(1_000)])
    assert statuses(outcomes) == {Status.CONFIRMED: 100, Status.REFUSED: 900}
    rows = await ledger(database, course)
    assert [row["ticket"] for row in rows] == list(range(1, 1_001))
    assert [row["outcome"] for row in rows] == ["confirmed"] * 100 + ["refused"] * 900, "in the order of the lock"
    assert all(row["joined_at"] <= row["decided_at"] for row in rows)
    await clean(database_url)


async def test_twenty_callers_over_http_at_two_processes_one_201_and_nineteen_409(
    direct_processes: Processes, database_url: str
) -> None:
    one, other = await asyncio.gather(direct_processes.api(), direct_processes.api())
    body = {"resource_id": "room", **hours()}
    async with one.client() as first, other.client() as second:
        await first.post("/resources", json={"resource_id": "room", "name": "Room"})
        answers = await asyncio.gather(
            *(client.post("/bookings", json=body) for _ in range(10) for client in (first, second))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    await clean(database_url)


async def test_fifty_equal_requests_with_one_key_are_one_booking(database: Connection, database_url: str) -> None:
    course = await add_resource(database, capacity=100)
    async with direct(database_url) as one, direct(database_url) as other:
        outcomes = await asyncio.gather(
            *((one, other)[at % 2].decide(request(course, key="a key"), wait_s=10) for at in range(50))
        )
        found = [decided(outcome) for outcome in outcomes]
        assert len({(outcome.request_id, outcome.ticket, outcome.booking) for outcome in found}) == 1
        assert sum(not outcome.repeated for outcome in found) == 1
        reused = decided(await one.decide(request(course, hour(3), key="a key"), wait_s=10))
        assert (reused.status, reused.reason) == (Status.REFUSED, Reason.KEY_REUSED)
    assert await database.fetchval("SELECT count(*) FROM booking") == 1
    await clean(database_url)


async def test_every_kind_of_command_is_decided_and_found_at_its_address(
    database: Connection, database_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with direct(database_url) as intake:
        made = decided(await intake.decide(request(room), wait_s=0))
        assert made.booking is not None
        later = hour(0.5)
        move = Reschedule(made.booking.booking, later.start_time, later.end_time)
        moved = decided(await intake.decide(request(room, move), wait_s=0))
        assert moved.booking is not None
        ended = decided(await intake.decide(request(room, Cancel(moved.booking.booking, "rain")), wait_s=0))
        grown = decided(await intake.decide(request(room, UpdateResource(capacity=3)), wait_s=0))
        for outcome in (made, moved, ended, grown):
            assert outcome.status is Status.CONFIRMED
            assert await intake.find(outcome.request_id) == outcome
            assert await intake.withdraw(outcome.request_id) == outcome
        assert await intake.find(uuid7()) is None
    await clean(database_url)


async def test_a_row_that_is_held_for_long_is_waited_for_and_nobody_is_told_of_a_bug(
    database: Connection, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    room = await add_resource(database, capacity=1)
    async with direct(database_url) as intake:
        async with database.transaction():
            await database.execute("SELECT FROM resource WHERE id = $1 FOR UPDATE", room)
            waiting = asyncio.create_task(intake.decide(request(room, hour(100)), wait_s=30))
            await wait_until(lambda: "deciding is tried again" in caplog.text)
            with pytest.raises(Unavailable, match="nothing was decided"):
                await asyncio.gather(*(intake.decide(request(room), wait_s=0.05) for _ in range(3)))
        assert decided(await waiting).status is Status.CONFIRMED


async def test_twenty_callers_for_one_slot_at_two_processes_one_has_the_seat(
    database: Connection, database_url: str
) -> None:
    host, *guests = await add_people(database, 21)
    calendar = await add_calendar(database, host)
    async with direct(database_url) as one, direct(database_url) as other:
        published = decided(await one.decide(ask(calendar, publish(0), caller=host), wait_s=10))
        assert published.booking is not None
        slot = published.booking.booking
        requests = [ask(calendar, BookSeat(slot), caller=guest, limits=FIVE) for guest in guests]
        halves = await asyncio.gather(decide_all(one, requests[:10]), decide_all(other, requests[10:]))
        outcomes = [outcome for half in halves for outcome in half]
        assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: 19}
        assert {outcome.reason for outcome in outcomes} == {None, Reason.NO_SEATS_LEFT}
        for outcome in (published, *outcomes[:3]):
            assert await other.find(outcome.request_id) == outcome
    await clean(database_url)


async def test_ten_at_once_for_one_person_on_ten_resources_at_two_processes_find_room_once(
    database: Connection, database_url: str
) -> None:
    guest = await add_person(database)
    rooms = await add_resources(database, 14)
    async with direct(database_url) as one, direct(database_url) as other:
        await decide_all(one, [ask(room, hour(), caller=guest, limits=FIVE) for room in rooms[:4]])
        requests = [ask(room, hour(), caller=guest, limits=FIVE) for room in rooms[4:]]
        halves = await asyncio.gather(decide_all(one, requests[:5]), decide_all(other, requests[5:]))
    outcomes = [outcome for half in halves for outcome in half]
    assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: 9}
    refused = {(outcome.reason, outcome.counted, outcome.counted_limit) for outcome in outcomes if outcome.reason}
    assert refused == {(Reason.MAX_ACTIVE_BOOKINGS, 5, 5)}
    await clean(database_url)


async def test_what_workers_do_on_a_clock_is_done_without_them(database: Connection, database_url: str) -> None:
    await database.execute(
        "INSERT INTO idempotency (caller, key, body_hash, request_id, created_at)"
        " SELECT 'caller', hours::text, '', gen_random_uuid(), now() - make_interval(hours => hours)"
        " FROM unnest(ARRAY[1, 47, 49, 1000]) AS hours"
    )
    person = await add_person(database)
    await database.execute(
        "INSERT INTO session (id, person, expires_at) VALUES (gen_random_uuid(), $1::uuid, now() - '1 s'::interval)",
        person,
    )

    async def forgotten() -> bool:
        keys = await database.fetch("SELECT key FROM idempotency ORDER BY key")
        sessions = await database.fetchval("SELECT count(*) FROM session")
        return ([row["key"] for row in keys], sessions) == (["1", "47"], 0)

    async with direct(database_url):
        await wait_until(forgotten)
