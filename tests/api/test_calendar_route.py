"""``/bookings/{booking_id}.ics`` over HTTP: what commands left behind, as a calendar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from api.app import Api
from engine.rules.recurrence import name_of
from tests.api.reading import expanded, read, start_of
from tests.api.steps import NINE, ROOT, booked, make_resource

UNKNOWN = UUID("019e0c3a-6c00-7d3e-9b1f-000000000000")
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
END = datetime(2036, 11, 15, tzinfo=UTC)


@pytest.fixture
async def browser(app: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever follows a link."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://firstcome") as made:
        yield made


async def test_a_booking_can_be_taken_into_a_calendar(browser: httpx.AsyncClient) -> None:
    await make_resource(browser, name="Großer Saal")
    made = await booked(browser)
    answer = await browser.get(f"{ROOT}/bookings/{made['booking_id']}.ics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["content-disposition"] == f'attachment; filename="{made["booking_id"]}.ics"'
    assert answer.headers["x-request-id"]
    (event,) = read(answer.content).events
    assert (event.summary, start_of(event)) == ("Großer Saal", NINE)


async def test_a_calendar_is_described_like_any_other_answer(browser: httpx.AsyncClient) -> None:
    paths = (await browser.get(f"{ROOT}/openapi.json")).json()["paths"]
    described = paths[f"{ROOT}/bookings/{{booking_id}}.ics"]["get"]
    assert described["operationId"] == "show_calendar"
    assert [parameter["name"] for parameter in described["parameters"]] == ["booking_id"]
    (media_type,) = described["responses"]["200"]["content"]
    assert media_type == "text/calendar"
    await make_resource(browser)
    made = await booked(browser)
    answer = await browser.get(f"{ROOT}/bookings/{made['booking_id']}.ics")
    assert answer.headers["content-type"].startswith(media_type)
    (event,) = read(described["responses"]["200"]["content"][media_type]["example"].encode()).events
    assert event.uid == described["parameters"][0]["example"]


async def test_a_calendar_is_sent_again_only_when_something_happened(browser: httpx.AsyncClient) -> None:
    await make_resource(browser)
    address = f"{ROOT}/bookings/{(await booked(browser))['booking_id']}"
    first = await browser.get(f"{address}.ics")
    known = {"if-none-match": first.headers["etag"]}
    unchanged = await browser.get(f"{address}.ics", headers=known)
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", first.headers["etag"])
    await browser.post(f"{address}/cancel", json={"reason": "Ill; sorry"})
    cancelled = await browser.get(f"{address}.ics", headers=known)
    assert cancelled.status_code == 200
    assert cancelled.headers["etag"] != first.headers["etag"]
    (event,) = read(cancelled.content).events
    assert (event.status, event.sequence, event.comment) == ("CANCELLED", 1, ["Ill; sorry"])


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        (str(UNKNOWN), 404, "booking_unknown"),
        ("room-1", 400, "invalid_request"),
        ("", 400, "invalid_request"),
        (f"{{{UNKNOWN}}}", 400, "invalid_request"),
        (f"{UNKNOWN}.ics", 400, "invalid_request"),
    ],
)
async def test_a_calendar_of_nothing(browser: httpx.AsyncClient, name: str, status: int, code: str) -> None:
    answer = await browser.get(f"{ROOT}/bookings/{name}.ics")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert status == 404 or [error["pointer"] for error in answer.json()["errors"]] == ["/booking_id"]


@pytest.mark.parametrize(
    ("zone", "rule"),
    [
        ("Europe/Berlin", "FREQ=DAILY"),
        ("Europe/Berlin", "FREQ=DAILY;COUNT=80"),
        ("America/New_York", "FREQ=DAILY"),
        ("Australia/Lord_Howe", "FREQ=DAILY;UNTIL=20361015"),
        ("Asia/Kolkata", "FREQ=DAILY;COUNT=12"),
        ("America/Santiago", "FREQ=DAILY;UNTIL=20361001T090000Z"),
    ],
)
async def test_a_calendar_shows_the_occurrences_of_a_series(browser: httpx.AsyncClient, zone: str, rule: str) -> None:
    await make_resource(browser, time_zone=zone)
    left_out, beside = NINE + 3 * DAY, NINE + 4 * DAY + 5 * HOUR
    series = await booked(browser, recurrence_rule=rule, exdates=[left_out.isoformat()], rdates=[beside.isoformat()])
    address = f"{ROOT}/bookings/{series['booking_id']}"
    await assert_shown(browser, address)
    for change in (change_one, cancel_one, restore_one, cancel_twice, move_the_rest):
        address = await change(browser, address)
        await assert_shown(browser, address)


async def cancel_one(browser: httpx.AsyncClient, address: str) -> str:
    return await done(browser, "DELETE", address, NINE + DAY)


async def cancel_twice(browser: httpx.AsyncClient, address: str) -> str:
    await done(browser, "DELETE", address, NINE + 5 * DAY)
    return await done(browser, "DELETE", address, NINE + 5 * DAY)


async def restore_one(browser: httpx.AsyncClient, address: str) -> str:
    await done(browser, "POST", address, NINE + DAY, "/restore")
    return await done(browser, "POST", address, NINE + 3 * DAY, "/restore")


async def change_one(browser: httpx.AsyncClient, address: str) -> str:
    return await done(browser, "PUT", address, NINE + 2 * DAY, **times(NINE + 2 * DAY + 2 * HOUR), scope="this")


async def move_the_rest(browser: httpx.AsyncClient, address: str) -> str:
    await done(browser, "PUT", address, NINE + 8 * DAY, **times(NINE + 8 * DAY + HOUR), scope="this_and_following")
    return address


async def done(
    browser: httpx.AsyncClient, method: str, address: str, occurrence: datetime, more: str = "", **body: str
) -> str:
    """Change an occurrence. Returns the series' address."""
    answer = await browser.request(method, f"{address}/occurrences/{name_of(occurrence)}{more}", json=body or None)
    assert answer.status_code == 200, answer.text
    return address


def times(start: datetime) -> dict[str, str]:
    return {"start_time": start.isoformat(), "end_time": (start + HOUR).isoformat()}


async def assert_shown(browser: httpx.AsyncClient, address: str) -> None:
    """The calendar shows what the interface lists, across the change of the clocks."""
    window = {"start_date": "2036-08-01T00:00:00Z", "end_date": END.isoformat(), "limit": "100"}
    page = (await browser.get(f"{address}/occurrences", params=window)).json()
    listed, following = page["items"], page["next"]
    while following is not None:
        page = (await browser.get(f"{address}/occurrences", params=window | {"cursor": following})).json()
        listed, following = listed + page["items"], page["next"]
    standing = sorted(
        (datetime.fromisoformat(item["start_time"]), datetime.fromisoformat(item["end_time"]))
        for item in listed
        if item["status"] == "confirmed"
    )
    text = (await browser.get(f"{address}.ics")).content
    assert standing
    assert [interval for interval in expanded(text, before=END + DAY) if interval[0] < END] == standing


async def test_a_calendar_is_only_read(browser: httpx.AsyncClient) -> None:
    await make_resource(browser)
    address = f"{ROOT}/bookings/{(await booked(browser))['booking_id']}"
    refused = await browser.delete(f"{address}.ics")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    told = await browser.options(f"{address}.ics")
    assert refused.headers["allow"] == told.headers["allow"] == "GET, OPTIONS"
    assert (await browser.get(address)).json()["status"] == "confirmed"
