"""Availability over HTTP, with the replica beside the primary: what is booked is not free."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.availability import seen_ticket
from engine.config import Config
from tests.api.steps import NINE, ROOT, book, booked, make_resource
from tests.application import running
from tests.support import wait_until

ADDRESS = f"{ROOT}/availability"
DAY = NINE.replace(hour=0)


@asynccontextmanager
async def client_of(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    app: Any = create_app(config)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with running(app), httpx.AsyncClient(transport=transport, base_url="http://firstcome") as client:
        yield client


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An application without a replica."""
    async with client_of(Config(database_url=database_url, booking_mode="direct", auth_mode="open")) as client:
        yield client


@pytest.fixture
async def with_replica(database_url: str, replica_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An application whose replica is near."""
    config = Config(database_url=database_url, replica_url=replica_url, booking_mode="direct", auth_mode="open")
    async with client_of(config) as client:
        await make_resource(client, "probe")
        await wait_until(lambda: answers_from_replica(client))
        yield client


async def answers_from_replica(client: httpx.AsyncClient) -> bool:
    answer = await free(client, resource_id="probe")
    return bool(answer.json()["source"] == "replica")


async def free(client: httpx.AsyncClient, headers: dict[str, str] | None = None, **query: Any) -> httpx.Response:
    """Ask for the free time of the day that the bookings of these tests are in."""
    asked = {"resource_id": "room-1", "start_date": "2036-08-11", "end_date": "2036-08-11"} | query
    given = {name: value for name, value in asked.items() if value is not None}
    return await client.get(ADDRESS, params=given, headers=headers)


def slots(answer: httpx.Response) -> list[tuple[float, float]]:
    """The free times, in hours of the day."""
    assert answer.status_code == 200, answer.text
    hour = timedelta(hours=1)
    return [
        (
            (datetime.fromisoformat(slot["start_time"]) - DAY) / hour,
            (datetime.fromisoformat(slot["end_time"]) - DAY) / hour,
        )
        for slot in answer.json()["available_slots"]
    ]


async def test_what_is_booked_is_not_free_and_what_is_cancelled_is(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    first = await booked(client, 0)
    await booked(client, 1)
    assert slots(await free(client)) == [(0, 9), (11, 24)]
    cancelled = await client.delete(f"{ROOT}/bookings/{first['booking_id']}")
    assert cancelled.status_code == 200
    assert slots(await free(client)) == [(0, 10), (11, 24)]


async def test_a_course_is_free_while_so_many_places_are_left(client: httpx.AsyncClient) -> None:
    await make_resource(client, capacity=3)
    await booked(client, 0, places=2)
    assert slots(await free(client)) == [(0, 24)]
    assert slots(await free(client, places=1)) == [(0, 24)]
    assert slots(await free(client, places=2)) == [(0, 9), (10, 24)]
    assert slots(await free(client, places=4)) == []


async def test_instants_are_a_window_of_their_own(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    await booked(client, 0)
    answer = await free(client, start_date="2036-08-11T10:30:00+02:00", end_date="2036-08-11T13:00:00+02:00")
    assert slots(answer) == [(8.5, 9), (10, 11)]
    assert answer.json()["start_date"] == "2036-08-11T08:30:00.000Z"
    assert answer.json()["end_date"] == "2036-08-11T11:00:00.000Z"


async def test_a_plus_sign_that_nobody_escaped_is_understood(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    query = "resource_id=room-1&start_date=2036-08-11T10:30:00+02:00&end_date=2036-08-11T13:00:00+02:00"
    assert slots(await client.get(f"{ADDRESS}?{query}")) == [(8.5, 11)]


@pytest.mark.parametrize(
    ("day", "zone", "begins", "hours_long"),
    [
        ("2036-08-11", "Europe/Berlin", "2036-08-10T22:00:00.000Z", 24),
        ("2036-03-30", "Europe/Berlin", "2036-03-29T23:00:00.000Z", 23),
        ("2036-10-26", "Europe/Berlin", "2036-10-25T22:00:00.000Z", 25),
        ("2036-08-11", "Pacific/Kiritimati", "2036-08-10T10:00:00.000Z", 24),
        ("2036-08-11", "Pacific/Pago_Pago", "2036-08-11T11:00:00.000Z", 24),
    ],
)
async def test_plain_dates_are_days_of_the_resources_zone(
    client: httpx.AsyncClient, day: str, zone: str, begins: str, hours_long: int
) -> None:
    await make_resource(client, time_zone=zone)
    answer = await free(client, start_date=day, end_date=day)
    (slot,) = answer.json()["available_slots"]
    assert slot["start_time"] == begins
    ends = datetime.fromisoformat(begins) + timedelta(hours=hours_long)
    assert datetime.fromisoformat(slot["end_time"]) == ends
    assert (answer.json()["start_date"], answer.json()["end_date"]) == (day, day)


async def test_a_booking_at_the_border_of_a_far_zones_day_is_seen(client: httpx.AsyncClient) -> None:
    await make_resource(client, time_zone="Pacific/Kiritimati")
    begins = {"start_time": "2036-08-10T10:00:00Z", "end_time": "2036-08-10T11:00:00Z"}
    answer = await client.post(f"{ROOT}/bookings", json={"resource_id": "room-1", **begins})
    assert answer.status_code == 201
    assert slots(await free(client)) == [(-13, 10)]


async def test_nothing_before_now_is_free(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    before = datetime.now(UTC)
    year = timedelta(days=100)
    answer = await free(client, start_date=(before - year).isoformat()[:23] + "Z", end_date="2036-08-11T00:00:00Z")
    assert answer.status_code == 400
    answer = await free(
        client, start_date=(before - year).isoformat()[:23] + "Z", end_date=(before + year).isoformat()[:23] + "Z"
    )
    (slot,) = answer.json()["available_slots"]
    assert (
        before - timedelta(milliseconds=1)
        <= datetime.fromisoformat(slot["start_time"])
        <= datetime.now(UTC) + timedelta(milliseconds=1)
    )
    past = await free(client, start_date="2020-01-01", end_date="2020-12-31")
    assert slots(past) == []


async def test_an_unknown_resource_is_404(client: httpx.AsyncClient, with_replica: httpx.AsyncClient) -> None:
    for api in (client, with_replica):
        answer = await free(api, resource_id="nobody")
        assert (answer.status_code, answer.json()["code"]) == (404, "resource_unknown")


@pytest.mark.parametrize(
    ("query", "pointers", "codes"),
    [
        (
            {"resource_id": None, "start_date": None, "end_date": None},
            ["/resource_id", "/start_date", "/end_date"],
            ["required"] * 3,
        ),
        ({"start_date": "2036-08-12"}, ["/start_date"], ["invalid_interval"]),
        (
            {"start_date": "2036-08-11T09:00:00Z", "end_date": "2036-08-11T09:00:00Z"},
            ["/start_date"],
            ["invalid_interval"],
        ),
        (
            {"start_date": "2036-08-11T09:00:00", "end_date": "2036-08-11T10:00:00"},
            ["/start_date", "/end_date"],
            ["timezone_required"] * 2,
        ),
        ({"start_date": "2036-02-30", "places": "0"}, ["/start_date", "/places"], ["invalid_date", "out_of_range"]),
        (
            {"start_date": "monday", "end_date": "", "places": "x", "resource_id": "a\x00b"},
            ["/resource_id", "/start_date", "/end_date", "/places"],
            ["invalid_text", "invalid_instant", "invalid_instant", "wrong_type"],
        ),
        ({"start_date": "2036-08-11T09:00:00Z"}, ["/end_date"], ["mixed_window"]),
        ({"end_date": "2036-08-11T09:00:00Z"}, ["/end_date"], ["mixed_window"]),
        ({"end_date": "2037-08-12"}, ["/end_date"], ["interval_too_long"]),
        (
            {"start_date": "2036-08-11T00:00:00Z", "end_date": "2037-08-12T00:00:00.001Z"},
            ["/end_date"],
            ["interval_too_long"],
        ),
        ({"end_date": "9999-12-31"}, ["/end_date"], ["out_of_range"]),
        ({"start_date": "1969-12-31"}, ["/start_date"], ["out_of_range"]),
        ({"page": "2"}, ["/page"], ["unknown_field"]),
    ],
)
async def test_every_bad_field_of_the_query_is_named(
    client: httpx.AsyncClient, query: dict[str, Any], pointers: list[str], codes: list[str]
) -> None:
    answer = await free(client, **query)
    assert answer.status_code == 400
    errors = {error["pointer"]: error["code"] for error in answer.json()["errors"]}
    assert errors == dict(zip(pointers, codes, strict=True))
    if codes == ["invalid_interval"]:
        assert answer.json()["detail"] == "start_date must be before end_date"


async def test_the_longest_window_is_366_days_and_the_last_ones_are_served(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    assert (await free(client, end_date="2037-08-11")).status_code == 200
    assert (await free(client, start_date="1970-01-01", end_date="1970-12-31")).status_code == 200
    assert (await free(client, start_date="9998-12-31", end_date="9998-12-31")).status_code == 200
    last = await free(client, start_date="9999-12-31T00:00:00Z", end_date="9999-12-31T23:59:59.999Z")
    assert len(slots(last)) == 1


async def test_the_etag_changes_with_what_is_free_and_with_nothing_else(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    before = await free(client)
    assert before.headers["etag"].startswith('W/"')
    await booked(client, 100)

    unchanged = await free(client, {"If-None-Match": before.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == before.headers["etag"]

    await booked(client, 0)
    changed = await free(client, {"If-None-Match": before.headers["etag"]})
    assert slots(changed) == [(0, 9), (10, 24)]
    assert changed.headers["etag"] != before.headers["etag"]


async def test_the_etag_of_a_window_that_has_begun_stands_while_time_goes_on(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    now = datetime.now(UTC)
    window: dict[str, Any] = {
        "start_date": (now - timedelta(days=1)).isoformat(timespec="milliseconds"),
        "end_date": (now + timedelta(days=1)).isoformat(timespec="milliseconds"),
    }
    one = await free(client, **window)

    async def a_later_one() -> httpx.Response | None:
        later = await free(client, **window)
        return later if later.json()["available_slots"] != one.json()["available_slots"] else None

    later: httpx.Response | None = await wait_until(a_later_one)
    assert later is not None
    assert later.headers["etag"] == one.headers["etag"]


async def test_without_a_replica_the_primary_answers_and_says_so(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    answer = (await free(client)).json()
    assert (answer["source"], answer["staleness_ms"]) == ("primary", 0)
    assert before <= datetime.fromisoformat(answer["as_of"]) <= datetime.now(UTC)


async def test_the_replica_answers_and_says_how_old_that_may_be(with_replica: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)
    answer = (await free(with_replica, resource_id="probe")).json()
    assert answer["source"] == "replica"
    assert 0 < answer["staleness_ms"] <= 1_000
    oldest = before - timedelta(milliseconds=answer["staleness_ms"] + 1)
    assert oldest <= datetime.fromisoformat(answer["as_of"]) <= datetime.now(UTC)


@asynccontextmanager
async def paused(replica: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """The replica receives the primary's log, but replays none of it."""
    await replica.execute("SELECT pg_wal_replay_pause()")
    try:
        await wait_until(lambda: replica.fetchval("SELECT pg_get_wal_replay_pause_state() = 'paused'"))
        yield
    finally:
        await replica.execute("SELECT pg_wal_replay_resume()")


@pytest.fixture
async def patient(database_url: str, replica_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An application that takes any replica for near, however far behind it is."""
    config = Config(
        database_url=database_url,
        replica_url=replica_url,
        booking_mode="direct",
        auth_mode="open",
        replica_lag_bound_ms=600_000,
    )
    async with client_of(config) as client:
        await make_resource(client, "probe")
        await make_resource(client, "room-1")
        await wait_until(lambda: answers_from_replica(client))
        yield client


@pytest.fixture
async def replica(replica_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(replica_url)
    yield connection
    await connection.close()


async def test_who_brings_what_was_seen_sees_it_and_who_does_not_may_wait(
    patient: httpx.AsyncClient, replica: asyncpg.Connection[Any]
) -> None:
    await wait_until(lambda: arrived(replica))
    async with paused(replica):
        seen = (await book(patient, 0)).headers["firstcome-seen"]
        without = await free(patient)
        assert (without.json()["source"], slots(without)) == ("replica", [(0, 24)])
        bringing = await free(patient, {"Firstcome-Seen": seen})
        assert (bringing.json()["source"], slots(bringing)) == ("primary", [(0, 9), (10, 24)])
        of_another = await free(patient, {"Firstcome-Seen": "probe:4711"})
        assert of_another.json()["source"] == "replica"


async def test_a_replica_that_catches_up_in_time_is_waited_for(
    patient: httpx.AsyncClient, replica: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.reader.SEEN_WAIT_S", 60)
    await wait_until(lambda: arrived(replica))
    async with paused(replica):
        seen = (await book(patient, 0)).headers["firstcome-seen"]
        before = await last_read(replica)
        reading = asyncio.create_task(free(patient, {"Firstcome-Seen": f"probe:0, {seen}"}))
        await wait_until(lambda: read_after(replica, before))
        assert not reading.done()
    answer = await reading
    assert (answer.json()["source"], slots(answer)) == ("replica", [(0, 9), (10, 24)])


async def arrived(replica: asyncpg.Connection[Any]) -> bool:
    """Whether the replica has the room."""
    return bool(await replica.fetchval("SELECT count(*) FROM resource WHERE resource_id = 'room-1'"))


async def read_after(replica: asyncpg.Connection[Any], instant: datetime) -> bool:
    """Whether a read of the API reached the replica after an instant."""
    return await last_read(replica) > instant


async def last_read(replica: asyncpg.Connection[Any]) -> datetime:
    """When a read of the API was last begun or ended on the replica."""
    at: datetime = await replica.fetchval(
        "SELECT max(state_change) FROM pg_stat_activity"
        " WHERE application_name = 'firstcome read' AND datname = current_database()"
    )
    return at


async def test_a_resource_that_was_just_made_is_found_behind_a_replica_that_lacks_it(
    patient: httpx.AsyncClient, replica: asyncpg.Connection[Any]
) -> None:
    async with paused(replica):
        await make_resource(patient, "new: room, 1")
        answer = await free(patient, resource_id="new: room, 1")
        assert (answer.json()["source"], slots(answer)) == ("primary", [(0, 24)])


@pytest.mark.parametrize("seen", ["room-1", "room-1:", ":5", "room-1:x", "room-1:-1", "room-1:9223372036854775808", ""])
async def test_a_seen_header_that_cannot_be_read_is_named(client: httpx.AsyncClient, seen: str) -> None:
    await make_resource(client)
    answer = await free(client, {"Firstcome-Seen": seen})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/Firstcome-Seen"]


async def test_a_seen_header_comes_back_as_it_was_given_whatever_the_name(client: httpx.AsyncClient) -> None:
    await make_resource(client, "a:b, Käfer/%41:9")
    seen = (await book(client, 0, resource_id="a:b, Käfer/%41:9")).headers["firstcome-seen"]
    assert seen_ticket({b"firstcome-seen": seen.encode()}, "a:b, Käfer/%41:9") == 1
    assert seen_ticket({b"firstcome-seen": f"other:7, {seen}".encode()}, "a:b, Käfer/%41:9") == 1
    assert seen_ticket({b"firstcome-seen": seen.encode()}, "a:b, Käfer/A:9") is None


async def test_a_refused_booking_is_told_the_next_free_times(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    for hour in (0, 1, 3):
        await booked(client, hour)
    refused = await book(client, 0)
    assert refused.status_code == 409
    suggested = refused.json()["next_available_slots"]
    begins = [(datetime.fromisoformat(slot["start_time"]) - NINE) / timedelta(hours=1) for slot in suggested]
    assert begins == [2, 4, 5, 6, 7]
    assert (await booked(client, 2))["start_time"] == suggested[0]["start_time"]
