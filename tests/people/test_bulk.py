"""Many slots with one request: a window cut into slots, repeated by a rule; and the job that publishes more."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from engine.publishing import publish_due, publish_step
from engine.rules.slot_windows import cut_windows, published_before, slots_of_window
from engine.store.pools import Pool
from tests.clients import pool_of
from tests.people.company import DAY, HOUR, MONDAY, Company, Person, outcome_of, times

BERLIN = "Europe/Berlin"
MORNING: dict[str, Any] = {"recurrence_rule": "RRULE:FREQ=DAILY;COUNT=3", "slot_minutes": 60}


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with pool_of(database_url) as made:
        yield made


async def publish(host: Person, start: datetime, length: timedelta = 3 * HOUR, **more: Any) -> dict[str, Any]:
    """Publish slots that must be granted."""
    answer = await host.post("/slots/bulk", times(start, length) | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def starts(host: Person, **query: Any) -> list[datetime]:
    """When the host's slots begin, all of them, page after page."""
    found: list[datetime] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await host.get("/slots/host", limit=100, **query, **cursor)).json()
        found += [datetime.fromisoformat(item["start_time"]) for item in page["items"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize(
    ("window", "slot", "step", "count"),
    [(180, 60, 60, 3), (180, 60, 61, 2), (180, 50, 65, 3), (60, 60, 90, 1), (59, 60, 60, 0), (1440, 1, 1, 1440)],
)
def test_a_window_has_room_for_so_many_slots(window: int, slot: int, step: int, count: int) -> None:
    assert slots_of_window(window, slot, step) == count
    cut = cut_windows([MONDAY], window_ms=window, slot_ms=slot, step_ms=step)
    assert len(cut) == count
    assert all(start + timedelta(milliseconds=slot) <= MONDAY + timedelta(milliseconds=window) for start in cut)


@pytest.mark.parametrize(
    ("instant", "days", "until"),
    [
        ("2026-03-28T22:59:59Z", 1, "2026-03-28T23:00:00Z"),
        ("2026-03-28T23:00:00Z", 1, "2026-03-29T22:00:00Z"),  # a day of 23 hours
        ("2026-10-24T22:00:00Z", 1, "2026-10-25T23:00:00Z"),  # one of 25
        ("2026-03-28T12:00:00Z", 0, "2026-03-27T23:00:00Z"),
        ("2026-03-28T12:00:00Z", 60, "2026-05-26T22:00:00Z"),
    ],
)
def test_slots_are_published_until_a_midnight_of_the_zone(instant: str, days: int, until: str) -> None:
    found = published_before(datetime.fromisoformat(instant), BERLIN, days)
    assert found == datetime.fromisoformat(until)


async def test_a_window_is_cut_and_repeated_on_the_wall_clock(company: Company) -> None:
    host = await company.host(BERLIN)
    before_winter = datetime(2036, 10, 24, 9, tzinfo=ZoneInfo(BERLIN))  # summer time ends on the 26th
    made = await publish(
        host,
        before_winter,
        2 * HOUR,
        slot_minutes=50,
        gap_minutes=10,
        recurrence_rule="RRULE:FREQ=DAILY;COUNT=4",
        capacity=2,
    )
    assert (made["created"], made["left_out"], made["rule_id"]) == (8, 0, None)
    assert made["message"] == "8 slots published"
    local = [start.astimezone(ZoneInfo(BERLIN)) for start in await starts(host, start_date="2036-10-01")]
    assert [(at.day, at.hour) for at in local] == [(day, hour) for day in range(24, 28) for hour in (9, 10)]
    await company.audit()


async def test_all_or_nothing_and_what_is_free(company: Company) -> None:
    host = await company.host()
    taken = await host.publish(MONDAY + DAY + HOUR)
    refused = await host.post("/slots/bulk", times(MONDAY, 3 * HOUR) | MORNING)
    assert outcome_of(refused) == "conflict"
    (clash,) = refused.json()["conflicts"]
    assert (clash["booking_id"], clash["occurrence_start"]) == (taken["slot_id"], taken["start_time"])
    assert refused.json()["clashing_occurrences"] == 1
    assert len(await starts(host)) == 1, "nothing is published in part"
    made = await publish(host, MONDAY, on_conflict="skip", **MORNING)
    assert (made["created"], made["left_out"]) == (8, 1)
    assert made["skipped"] == [{"start_time": taken["start_time"], "reason": "conflict"}]
    assert len(await starts(host)) == 9
    everything = await host.post("/slots/bulk", times(MONDAY, 3 * HOUR) | MORNING | {"on_conflict": "skip"})
    assert outcome_of(everything) == "conflict"
    await company.audit()


async def test_a_window_alone_is_published_and_the_same_key_publishes_it_once(company: Company) -> None:
    host = await company.host()
    body, key = times(MONDAY, 2 * HOUR) | {"slot_minutes": 60}, {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(host.post("/slots/bulk", body, key) for _ in range(4)))
    assert {(answer.status_code, answer.json()["created"]) for answer in answers} == {(201, 2)}
    assert len(await starts(host)) == 2
    lone = await publish(host, MONDAY + DAY, HOUR, slot_minutes=60)
    assert (await host.get(f"/slots/{lone['slot_id']}")).json()["status"] == "available"
    assert (await host.get(f"/requests/{lone['request_id']}")).status_code == 200


async def test_what_is_too_much_is_reckoned_before_it_is_made(company: Company) -> None:
    host = await company.host()
    minutes = times(MONDAY, DAY) | {"slot_minutes": 1, "recurrence_rule": "RRULE:FREQ=DAILY;COUNT=1000"}
    tracemalloc.start()
    try:
        refused = await host.post("/slots/bulk", minutes)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome_of(refused) == "too_many_slots"
    assert "1,440,000 slots" in refused.json()["detail"]
    assert peak < 10_000_000, "of the slots that there would have been, none was made"


async def test_what_cannot_be_published(company: Company) -> None:
    host = await company.host()
    for body, status, code in (
        ({"slot_minutes": 0}, 400, "invalid_request"),
        ({"slot_minutes": 181}, 400, "invalid_request"),
        ({"gap_minutes": -1}, 400, "invalid_request"),
        ({"horizon_days": 401}, 400, "invalid_request"),
        ({"time_zone": "Mars/Olympus"}, 400, "unknown_time_zone"),
        ({"recurrence_rule": "RRULE:FREQ=SECONDLY"}, 400, "invalid_rrule"),
        ({"recurrence_rule": "RRULE:FREQ=DAILY", "slot_minutes": 1, "horizon_days": 400}, 422, "too_many_slots"),
        ({"end_time": (MONDAY + 25 * HOUR).isoformat()}, 400, "invalid_request"),
        (times(MONDAY.replace(year=2020), 3 * HOUR), 400, "slot_in_past"),
        ({"start_time": (MONDAY + timedelta(milliseconds=1)).isoformat()}, 400, "invalid_request"),
    ):
        answer = await host.post("/slots/bulk", times(MONDAY, 3 * HOUR) | MORNING | body)
        assert (answer.status_code, outcome_of(answer)) == (status, code), body
    assert await starts(host) == []


async def test_a_guest_publishes_nothing(company: Company) -> None:
    guest = await company.person()
    assert outcome_of(await guest.post("/slots/bulk", times(MONDAY, HOUR) | MORNING)) == "role_required"
    assert outcome_of(await guest.get("/slots/rules")) == "role_required"


async def next_morning(zone: str) -> datetime:
    """Nine o'clock of tomorrow."""
    tomorrow = datetime.now(ZoneInfo(zone)).date() + DAY
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, 9, tzinfo=ZoneInfo(zone))


async def neglect(company: Company, rule: str, days: int) -> None:
    """Let a rule have published only the slots before so many days from now."""
    until = datetime.now(UTC) + days * DAY
    connection = company.connection
    for table, name in (("booking", "slot"), ("slot", "id")):
        await connection.execute(
            f"DELETE FROM {table} WHERE lower(during) >= $1 AND {name} IN (SELECT id FROM slot WHERE rule = $2)",
            until,
            UUID(rule),
        )
    await connection.execute("UPDATE slot_rule SET published_until = $1 WHERE id = $2", until, UUID(rule))


async def test_a_rule_without_end_is_published_ahead_and_made_up_for_after_a_month_off(
    company: Company, pool: Pool
) -> None:
    host = await company.host(BERLIN)
    made = await publish(
        host,
        await next_morning(BERLIN),
        2 * HOUR,
        slot_minutes=30,
        capacity=3,
        horizon_days=45,
        recurrence_rule="RRULE:FREQ=DAILY",
    )
    published = await starts(host)
    assert len(published) == made["created"] == 4 * 44, "of today there are none"
    assert await publish_due(pool) == 0
    await neglect(company, made["rule_id"], 14)
    left = len(await starts(host))
    first, second = await asyncio.gather(publish_due(pool), publish_due(pool))
    assert first + second == len(published) - left > 100
    assert await publish_due(pool) == 0, "a second time nothing is due"
    assert await starts(host) == published
    (rule,) = (await host.get("/slots/rules")).json()["items"]
    assert datetime.fromisoformat(rule["published_until"]) == published_before(datetime.now(UTC), BERLIN, 45)
    assert (rule["rule_id"], rule["slot_minutes"], rule["gap_minutes"], rule["status"]) == (
        made["rule_id"],
        30,
        0,
        "active",
    )
    slot = (await host.get("/slots/host", limit=1, start_date=str(published[-1].date()))).json()["items"][0]
    assert (slot["rule_id"], slot["capacity"], slot["seats_left"]) == (made["rule_id"], 3, 3)
    await company.audit()


async def test_what_is_taken_by_then_is_left_out_and_what_is_past_is_not_made_up_for(
    company: Company, pool: Pool
) -> None:
    host = await company.host()
    morning = await next_morning("UTC")
    made = await publish(host, morning, HOUR, slot_minutes=60, horizon_days=30, recurrence_rule="RRULE:FREQ=DAILY")
    await neglect(company, made["rule_id"], -40)
    busy = {"resource_id": f"calendar-{host.id}", **times(morning + 5 * DAY + 0.5 * HOUR)}
    assert (await host.post("/bookings", busy)).status_code == 201
    weekly = busy | times(morning + 7 * DAY) | {"recurrence_rule": "RRULE:FREQ=WEEKLY"}
    assert (await host.post("/bookings", weekly)).status_code == 201
    await publish_due(pool)
    days = {(start - morning) // DAY for start in await starts(host, start_date="2020-01-01")}
    assert days == set(range(29)) - {5, 7, 14, 21, 28}
    await company.audit()


async def test_a_rule_that_was_ended_publishes_no_more(company: Company, pool: Pool) -> None:
    host, other = await company.host(), await company.host()
    made = await publish(
        host, await next_morning("UTC"), HOUR, slot_minutes=60, horizon_days=10, recurrence_rule="RRULE:FREQ=DAILY"
    )
    path = f"/slots/rules/{made['rule_id']}"
    assert outcome_of(await other.delete(path)) == "slot_rule_unknown"
    assert (await other.get("/slots/rules")).json()["items"] == []
    for _ in range(2):
        ended = await host.delete(path)
        assert (ended.status_code, ended.json()["status"], ended.json()["published_until"]) == (200, "ended", None)
    await company.connection.execute("UPDATE slot_rule SET published_until = now()")
    assert await publish_due(pool) == 0
    rule = await company.connection.fetchrow("SELECT id, resource FROM slot_rule")
    assert rule is not None
    async with pool.acquire() as connection:
        assert await publish_step(connection, rule["resource"], rule["id"]) is None
    assert len(await starts(host)) == made["created"], "what was published stays"


async def test_a_step_publishes_so_many_slots_at_most(
    company: Company, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await company.host()
    made = await publish(
        host, await next_morning("UTC"), 3 * HOUR, slot_minutes=60, horizon_days=20, recurrence_rule="RRULE:FREQ=DAILY"
    )
    published = await starts(host)
    await neglect(company, made["rule_id"], 0)
    monkeypatch.setattr("engine.publishing.MAX_SLOTS", 10)
    rule = await company.connection.fetchrow("SELECT id, resource FROM slot_rule")
    assert rule is not None
    steps = []
    async with pool.acquire() as connection:
        while (step := await publish_step(connection, rule["resource"], rule["id"])) is not None:
            steps.append(step)
    assert steps == [9] * 6 + [3]
    assert await starts(host) == published
