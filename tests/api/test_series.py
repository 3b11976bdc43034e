"""Recurring bookings over HTTP: made, refused, read, cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.api.steps import ROOT, book, booked, hours, make_resource, occurrences, series_booked
from tests.processes import Processes
from tests.support import wait_until

KEY = {"Idempotency-Key": "k-1"}
WEEK = 24 * 7
HOUR = timedelta(hours=1)


async def series_at(client: httpx.AsyncClient, series: str, **headers: str) -> dict[str, Any]:
    answer = await client.get(f"{ROOT}/bookings/{series}", headers=headers)
    assert answer.status_code == 200
    read: dict[str, Any] = answer.json()
    return read


async def test_a_series_is_made_and_shown(client: httpx.AsyncClient) -> None:
    await make_resource(client, time_zone="Europe/Berlin")
    answer = await book(client, recurrence_rule="rrule:freq=weekly;count=10", places=1)
    assert answer.status_code == 201
    body = answer.json()
    made = {name: body.pop(name) for name in ("booking_id", "request_id", "created_at")}
    created = {name: body.pop(name) for name in ("message", "skipped", "warnings")}
    assert created == {"message": "Recurring booking created with 10 occurrences", "skipped": [], "warnings": []}
    assert body == {
        "resource_id": "room-1",
        "start_time": "2036-08-11T09:00:00.000Z",
        "end_time": "2036-08-11T10:00:00.000Z",
        "recurrence_rule": "RRULE:FREQ=WEEKLY;COUNT=10",
        "status": "confirmed",
        "places": 1,
        "ticket": 1,
        "has_conflict": False,
        "time_zone": "Europe/Berlin",
        "exdates": [],
        "rdates": [],
        "occurrences": 10,
        "summary": "weekly on Mon, 10 times",
    }
    assert answer.headers["location"] == f"{ROOT}/bookings/{made['booking_id']}"
    assert (answer.headers["firstcome-seen"], answer.headers["etag"]) == ("room-1:1", '"1"')
    assert await series_at(client, made["booking_id"]) == body | made | {
        "message": "Recurring booking confirmed",
        "ended_at": None,
        "cancellation_reason": None,
        "rescheduled_from": None,
        "rescheduled_to": None,
    }
    read = (await client.get(f"{ROOT}/requests/{made['request_id']}")).json()
    assert read["outcome"] == body | made | created


async def test_a_series_keeps_its_local_time_across_daylight_saving(client: httpx.AsyncClient) -> None:
    await make_resource(client, time_zone="Europe/Berlin")
    here = await series_booked(client, "FREQ=MONTHLY;COUNT=6")
    assert {item["start_time"][11:16] for item in await occurrences(client, here["booking_id"])} == {"09:00", "10:00"}
    there = await series_booked(client, "FREQ=MONTHLY;COUNT=6", 6, time_zone="Asia/Kolkata")
    assert {item["start_time"][11:16] for item in await occurrences(client, there["booking_id"])} == {"15:00"}
    assert (here["time_zone"], there["time_zone"]) == ("Europe/Berlin", "Asia/Kolkata")


async def test_exceptions_and_further_starts_are_taken(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(
        client,
        "FREQ=WEEKLY;COUNT=3",
        exdates=["2036-08-18T09:00:00Z", "2036-08-18T11:00:00+02:00", "2036-08-19T09:00:00Z"],
        rdates=["2036-08-21T12:00:00Z"],
    )
    assert [item["start_time"] for item in await occurrences(client, made["booking_id"])] == [
        "2036-08-11T09:00:00.000Z",
        "2036-08-21T12:00:00.000Z",
        "2036-08-25T09:00:00.000Z",
    ]
    assert made["exdates"] == ["2036-08-18T09:00:00.000Z"]
    assert made["rdates"] == ["2036-08-21T12:00:00.000Z"]
    assert made["message"] == "Recurring booking created with 3 occurrences"
    assert len(made["warnings"]) == 2, "one was named twice, and one is no occurrence"
    dates = await booked(client, 1, rdates=["2036-08-13T10:00:00Z"])
    assert (dates["recurrence_rule"], dates["occurrences"]) == (None, 2)
    assert len(await occurrences(client, dates["booking_id"])) == 2


async def test_a_start_that_its_rule_does_not_give_moves_to_the_first_that_it_gives(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(client, "FREQ=WEEKLY;BYDAY=WE;COUNT=2")
    assert made["start_time"] == "2036-08-13T09:00:00.000Z"
    assert len(made["warnings"]) == 1
    assert "2036-08-13" in made["warnings"][0]


async def test_a_series_without_end_is_stored_ahead(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(client, "FREQ=WEEKLY")
    assert made["stored_until"] == "2037-09-15T09:00:00.000Z", "it begins later than what is stored from now on"
    assert made["message"] == "Recurring booking created with 58 occurrences until 2037-09-15, and on from there"
    assert made["occurrences"] == 58
    read = await series_at(client, made["booking_id"])
    assert (read["stored_until"], read["occurrences"]) == (made["stored_until"], 58)
    tag = (await client.get(f"{ROOT}/bookings/{made['booking_id']}")).headers["etag"]
    again = await client.get(f"{ROOT}/bookings/{made['booking_id']}", headers={"If-None-Match": tag})
    assert again.status_code == 200, "more of it may be stored than the caller knows"
    finite = await series_booked(client, "FREQ=WEEKLY;COUNT=2", 3)
    again = await client.get(f"{ROOT}/bookings/{finite['booking_id']}", headers={"If-None-Match": '"1"'})
    assert (again.status_code, again.headers["vary"]) == (304, "accept-language")


async def test_of_a_series_without_end_its_first_occurrence_is_stored_however_far_it_is(
    client: httpx.AsyncClient,
) -> None:
    await make_resource(client)
    leap = await series_booked(client, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")
    assert (leap["start_time"], leap["occurrences"]) == ("2040-02-29T09:00:00.000Z", 1)
    start = 24 * 400 + 3
    left_out = [hours(start + 24 * 7 * week)["start_time"] for week in range(60)]
    late = await series_booked(client, "FREQ=WEEKLY", start, exdates=left_out)
    assert (late["start_time"], late["occurrences"]) == (
        hours(start + 24 * 7 * 60)["start_time"].replace("+00:00", ".000Z"),
        58,
    )


async def test_two_series_that_meet_are_one_yes_and_one_no(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    first = await series_booked(client, "FREQ=WEEKLY;COUNT=52")
    answer = await book(client, 24 + 0.5, recurrence_rule="FREQ=DAILY;COUNT=10")
    assert answer.status_code == 409
    body = answer.json()
    assert (body["code"], body["has_conflict"], body["clashing_occurrences"]) == ("conflict", True, 1)
    stands = (await occurrences(client, first["booking_id"]))[1]
    assert body["conflicts"] == [
        {name: stands[name] for name in ("booking_id", "start_time", "end_time")}
        | {"occurrence_start": "2036-08-18T09:30:00.000Z"}
    ]
    assert isinstance(body["next_available_slots"], list)
    assert (await client.get(body["instance"])).json()["outcome"] == body
    ledger = (await client.get(f"{ROOT}/resources/room-1/ledger")).json()["items"]
    assert [(row["kind"], row["outcome"]) for row in ledger] == [
        ("book_series", "confirmed"),
        ("book_series", "refused"),
    ]
    assert len(await occurrences(client, first["booking_id"])) == 51, "a week of it lies behind the window"


async def test_the_first_fifty_clashes_are_named(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    await series_booked(client, "FREQ=DAILY;COUNT=70")
    body = (await book(client, recurrence_rule="FREQ=DAILY;COUNT=70")).json()
    assert (len(body["conflicts"]), body["clashing_occurrences"]) == (50, 70)
    assert [clash["start_time"] for clash in body["conflicts"]] == [
        clash["occurrence_start"] for clash in body["conflicts"]
    ]


async def test_a_clash_with_what_is_not_stored_yet_names_the_series(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    endless = await series_booked(client, "FREQ=WEEKLY;BYDAY=MO")
    single = (await book(client, 24 * 7 * 520)).json()
    assert (single["code"], single["conflicts"][0]["booking_id"]) == ("conflict", endless["booking_id"])
    yearly = await book(client, 24 + 0.5, recurrence_rule="FREQ=YEARLY")
    assert yearly.status_code == 409
    clash = yearly.json()["conflicts"][0]
    assert clash["booking_id"] == endless["booking_id"]
    assert clash["occurrence_start"] == "2041-08-12T09:30:00.000Z", "the first of them that is a Monday"


async def test_what_is_free_is_booked_where_the_caller_wants_that(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    await booked(client, WEEK)
    await booked(client, 3 * WEEK)
    rule = "FREQ=WEEKLY;COUNT=5"
    assert (await book(client, recurrence_rule=rule, on_conflict="fail")).status_code == 409
    answer = await book(client, recurrence_rule=rule, on_conflict="skip", headers=KEY)
    body = answer.json()
    assert (answer.status_code, body["occurrences"]) == (201, 3)
    assert body["message"] == "Recurring booking created with 3 occurrences; 2 were skipped"
    assert body["skipped"] == [
        {"start_time": "2036-08-18T09:00:00.000Z", "reason": "conflict"},
        {"start_time": "2036-09-01T09:00:00.000Z", "reason": "conflict"},
    ]
    assert body["exdates"] == [item["start_time"] for item in body["skipped"]]
    assert len(await occurrences(client, body["booking_id"])) == 3
    none = await book(client, recurrence_rule=rule, on_conflict="skip")
    assert (none.status_code, none.json()["clashing_occurrences"]) == (409, 5)


async def test_a_series_takes_a_place_for_each_occurrence(client: httpx.AsyncClient) -> None:
    await make_resource(client, capacity=3)
    for _ in range(3):
        await series_booked(client, "FREQ=WEEKLY;COUNT=4")
    assert (await book(client, 2 * WEEK)).json()["code"] == "conflict"
    assert (await book(client, 4 * WEEK, places=3)).status_code == 201
    more = await book(client, recurrence_rule="FREQ=DAILY;COUNT=2", places=4)
    assert (more.status_code, more.json()["code"]) == (409, "places_exceed_capacity")


async def test_a_series_that_begins_in_the_past_is_refused(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    past: dict[str, Any] = {"start_time": "2001-01-01T00:00:00Z", "end_time": "2001-01-01T01:00:00Z"}
    for rule in ("FREQ=WEEKLY;COUNT=2", "FREQ=WEEKLY"):
        answer = await book(client, **past, recurrence_rule=rule)
        assert (answer.status_code, answer.json()["code"]) == (400, "slot_in_past")


@pytest.mark.parametrize(
    ("wish", "status", "code", "pointer"),
    [
        ({"recurrence_rule": "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"}, 400, "invalid_rrule", "/recurrence_rule"),
        ({"recurrence_rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, 400, "invalid_rrule", "/recurrence_rule"),
        ({"recurrence_rule": "FREQ=SECONDLY"}, 400, "invalid_rrule", "/recurrence_rule"),
        ({"recurrence_rule": "FREQ=DAILY;COUNT=1001"}, 422, "rrule_too_long", None),
        ({"recurrence_rule": "FREQ=DAILY;UNTIL=20460101"}, 422, "rrule_too_long", None),
        ({"recurrence_rule": "FREQ=YEARLY;COUNT=60"}, 422, "rrule_too_long", None),
        ({"recurrence_rule": "FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR;COUNT=60"}, 422, "rrule_too_expensive", None),
        ({"recurrence_rule": "RSCALE=HEBREW;FREQ=DAILY"}, 422, "unsupported_rscale", None),
        ({"recurrence_rule": "FREQ=DAILY;UNTIL=20350101"}, 422, "no_occurrences", None),
        ({"recurrence_rule": "FREQ=DAILY;COUNT=1", "exdates": ["2036-08-11T09:00:00Z"]}, 422, "no_occurrences", None),
        ({"recurrence_rule": "FREQ=DAILY", "end_time": "2036-08-12T10:00:00Z"}, 422, "series_overlaps_itself", None),
        ({"rdates": ["2036-08-11T09:30:00Z"]}, 422, "series_overlaps_itself", None),
        ({"rdates": ["2036-08-10T09:00:00Z"]}, 400, "invalid_request", "/rdates"),
        (
            {"start_time": "9999-01-01T09:00:00Z", "end_time": "9999-01-01T10:00:00Z", "recurrence_rule": "FREQ=DAILY"},
            400,
            "invalid_request",
            "/start_time",
        ),
    ],
)
async def test_a_rule_is_refused_before_it_gets_a_ticket(
    client: httpx.AsyncClient, wish: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    await make_resource(client)
    answer = await book(client, **wish)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert [fault["pointer"] for fault in body.get("errors", [])] == ([pointer] if pointer else [])
    assert (await client.get(f"{ROOT}/resources/room-1/ledger")).json()["items"] == []


async def test_the_part_that_is_to_blame_is_quoted(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    for rule, quoted in (
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", "BYMONTH=2;BYMONTHDAY=30"),
    ):
        body = (await book(client, recurrence_rule=rule)).json()
        assert quoted in body["detail"]
        assert body["errors"][0]["detail"] == body["detail"]
    assert "COUNT=1001" in (await book(client, recurrence_rule="FREQ=DAILY;COUNT=1001")).json()["detail"]


async def test_a_repeated_series_is_the_same_series(client: httpx.AsyncClient) -> None:
    await make_resource(client, time_zone="Europe/Berlin")
    for number, more in enumerate(({"recurrence_rule": "FREQ=WEEKLY", "exdates": ["2036-08-12T00:00:00Z"]}, {})):
        headers = {"Idempotency-Key": f"key-{number}"}
        wish: dict[str, Any] = {"recurrence_rule": "FREQ=DAILY;COUNT=3"} | more
        first = await book(client, 3 * number, headers=headers, **wish)
        assert (first.status_code, "idempotency-replayed" in first.headers) == (201, False)
        in_other_words = wish | {"recurrence_rule": f"RRULE:{wish['recurrence_rule'].lower()}", "places": 1}
        for same in (wish, in_other_words, wish | {"time_zone": "Europe/Berlin", "on_conflict": "fail"}):
            again = await book(client, 3 * number, headers=headers, **same)
            assert (again.status_code, again.content) == (201, first.content)
            assert again.headers["idempotency-replayed"] == "true"
        others: list[dict[str, Any]] = [{"on_conflict": "skip"}, {"time_zone": "UTC"}, {"places": 2}]
        for other in others:
            answer = await book(client, 3 * number, headers=headers, **wish | other)
            assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert len((await client.get(f"{ROOT}/resources/room-1/ledger")).json()["items"]) == 2


async def test_a_series_from_now_on_is_the_same_whenever_it_is_asked_for(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    times: dict[str, Any] = {"start_time": tomorrow.isoformat(), "end_time": (tomorrow + HOUR).isoformat()}
    first = await book(client, **times, recurrence_rule="FREQ=DAILY", headers=KEY)
    assert (first.status_code, first.json()["occurrences"]) == (201, 400), "as far as 400 days from now"
    again = await book(client, **times, recurrence_rule="FREQ=DAILY", headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)


async def test_the_last_day_that_is_stored_is_told_in_the_series_zone(client: httpx.AsyncClient) -> None:
    await make_resource(client, time_zone="Asia/Tokyo")
    midnight = await series_booked(client, "FREQ=WEEKLY", 6)
    assert midnight["stored_until"] == "2037-09-15T15:00:00.000Z", "where the sixteenth begins"
    assert "until 2037-09-15, and on from there" in midnight["message"]


async def test_a_series_is_summed_up_in_the_callers_language(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    german = await book(client, recurrence_rule="FREQ=WEEKLY;COUNT=10", headers={"Accept-Language": "de-AT,de;q=0.9"})
    english = await series_at(client, german.json()["booking_id"], **{"Accept-Language": "en"})
    assert english["summary"] == "weekly on Mon, 10 times"
    assert german.json()["summary"] != english["summary"]
    again = await series_at(client, german.json()["booking_id"], **{"Accept-Language": "de"})
    assert again["summary"] == german.json()["summary"]
    address = f"{ROOT}/requests/{german.json()['request_id']}"
    told = await client.get(address, headers={"Accept-Language": "de"})
    assert told.json()["outcome"] == german.json()


async def test_a_cancelled_series_frees_its_times_and_stays_as_it_was(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(client, "FREQ=WEEKLY;COUNT=3")
    address = f"{ROOT}/bookings/{made['booking_id']}"
    stale = await client.delete(address, headers={"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    answer = await client.post(f"{address}/cancel", json={"reason": "no more"}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    body = answer.json()
    assert (body["status"], body["cancellation_reason"], body["occurrences"]) == ("cancelled", "no more", 0)
    assert (body["message"], body["summary"]) == ("Recurring booking cancelled", "weekly on Mon, 3 times")
    for again in (await client.delete(address), await client.post(f"{address}/cancel"), await client.get(address)):
        assert (again.status_code, again.json()) == (200, body)
    assert {item["status"] for item in await occurrences(client, made["booking_id"])} == {"cancelled"}
    await series_booked(client, "FREQ=WEEKLY;COUNT=3")


async def test_a_series_is_moved_by_its_occurrences(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(client, "FREQ=WEEKLY;COUNT=3")
    answer = await client.put(f"{ROOT}/bookings/{made['booking_id']}/reschedule", json=hours(1))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_reschedulable")
    assert "/occurrences/" in answer.json()["detail"]
    assert len((await client.get(f"{ROOT}/resources/room-1/ledger")).json()["items"]) == 1


async def test_what_makes_a_series_is_forgotten_where_its_resource_is_unknown(
    client: httpx.AsyncClient, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    answer = await book(client, recurrence_rule="FREQ=WEEKLY", resource_id=str(uuid4()))
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_unknown")
    assert await database.fetchval("SELECT count(*) FROM series") == 0


async def test_through_the_queue_one_of_two_endless_series_gets_the_yes(processes: Processes) -> None:
    api = await processes.api()
    async with httpx.AsyncClient(base_url=api.address, trust_env=False, timeout=40) as client:
        await make_resource(client, time_zone="Europe/Berlin")
        key = {"Idempotency-Key": "k-1"}
        accepted = await book(client, recurrence_rule="FREQ=DAILY", headers=key | {"Prefer": "respond-async"})
        assert accepted.status_code == 202
        others = [asyncio.create_task(book(client, recurrence_rule="FREQ=WEEKLY")) for _ in range(5)]
        await processes.worker()
        assert [(await other).status_code for other in others] == [409] * 5
        found = (await client.get(accepted.headers["location"])).json()
        assert (found["status"], found["outcome"]["occurrences"]) == ("confirmed", 400)
        again = await book(client, recurrence_rule="FREQ=DAILY", headers=key)
        assert (again.status_code, again.json()) == (201, found["outcome"])
        assert again.headers["idempotency-replayed"] == "true"
        series = found["outcome"]["booking_id"]
        cancelled = await client.delete(f"{ROOT}/bookings/{series}/occurrences/20360812T090000Z")
        assert cancelled.status_code == 200
        moved = await client.put(
            f"{ROOT}/bookings/{series}/occurrences/20360813T090000Z", json=hours(49) | {"scope": "this_and_following"}
        )
        assert (moved.status_code, moved.json()["start_time"]) == (200, "2036-08-13T10:00:00.000Z")
        assert moved.json()["message"].startswith("Recurring booking moved with ")
        assert [item["status"] for item in await occurrences(client, series, "2036-08-11", "2036-08-13")] == [
            "confirmed",
            "cancelled",
            "rescheduled",
        ]
        assert (await client.delete(f"{ROOT}/bookings/{moved.json()['booking_id']}")).status_code == 200


async def test_what_is_free_next_is_where_every_occurrence_is(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    await booked(client, 0)
    await booked(client, WEEK + 1)

    async def advised() -> list[dict[str, str]]:  # nobody waits long for advice, so a busy machine may give none
        answer = await book(client, recurrence_rule="FREQ=WEEKLY;COUNT=2")
        assert answer.status_code == 409
        slots: list[dict[str, str]] = answer.json()["next_available_slots"]
        return slots

    slots = await wait_until(advised)
    assert slots[0] == {"start_time": "2036-08-11T11:00:00.000Z", "end_time": "2036-08-11T12:00:00.000Z"}


async def test_a_preview_shows_what_would_be_and_writes_nothing(
    client: httpx.AsyncClient, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    await make_resource(client, time_zone="Europe/Berlin")
    taken = await booked(client, WEEK + 0.5)
    wish: dict[str, Any] = {"resource_id": "room-1", **hours(), "recurrence_rule": "FREQ=WEEKLY;COUNT=4"}
    wish["exdates"] = ["2036-08-25T09:00:00Z"]
    answer = await client.post(f"{ROOT}/recurrence/preview", json=wish, headers={"Accept-Language": "de"})
    body = answer.json()
    assert answer.status_code == 200
    assert [item["occurrence"] for item in body["items"]] == [
        "20360811T090000Z",
        "20360818T090000Z",
        "20360901T090000Z",
    ]
    assert (body["occurrences"], body["has_conflict"], body["clashing_occurrences"]) == (3, True, 1)
    assert body["conflicts"] == [
        {name: taken[name] for name in ("booking_id", "start_time", "end_time")}
        | {"occurrence_start": "2036-08-18T09:00:00.000Z"}
    ]
    assert (body["time_zone"], body["source"], body["exdates"]) == (
        "Europe/Berlin",
        "primary",
        ["2036-08-25T09:00:00.000Z"],
    )
    endless = await client.post(
        f"{ROOT}/recurrence/preview", json=wish | hours(5) | {"recurrence_rule": "FREQ=WEEKLY", "exdates": []}
    )
    assert (endless.json()["occurrences"], endless.json()["has_conflict"]) == (58, False)
    assert endless.json()["stored_until"] == "2037-09-15T14:00:00.000Z"
    assert await database.fetchval("SELECT count(*) FROM series") == 0
    assert await database.fetchval("SELECT count(*) FROM ledger") == 1, "the single booking's"
    made = await book(client, 5, recurrence_rule="FREQ=WEEKLY;COUNT=4")
    assert made.json()["ticket"] == 2


async def test_a_preview_is_refused_as_the_booking_would_be(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    address = f"{ROOT}/recurrence/preview"
    single = await client.post(address, json={"resource_id": "room-1", **hours()})
    assert (single.status_code, single.json()["errors"][0]["pointer"]) == (400, "/recurrence_rule")
    for rule in ("FREQ=SECONDLY", "FREQ=DAILY;COUNT=1001"):
        told = await client.post(address, json={"resource_id": "room-1", **hours(), "recurrence_rule": rule})
        refused = await book(client, recurrence_rule=rule)
        assert (told.status_code, told.json()["code"]) == (refused.status_code, refused.json()["code"])
    nowhere = await client.post(address, json={"resource_id": "x", **hours(), "recurrence_rule": "FREQ=DAILY"})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "resource_unknown")


async def test_a_preview_for_more_places_than_there_are_meets_a_conflict_everywhere(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    wish = {"resource_id": "room-1", **hours(), "recurrence_rule": "FREQ=WEEKLY", "places": 2}
    told = await client.post(f"{ROOT}/recurrence/preview", json=wish)
    assert told.status_code == 200
    assert (told.json()["has_conflict"], told.json()["clashing_occurrences"]) == (True, told.json()["occurrences"])


async def test_a_series_without_end_starts_within_the_years_that_are_compared(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    wish = {"start_time": "2136-08-10T09:00:00Z", "end_time": "2136-08-10T10:00:00Z", "recurrence_rule": "FREQ=YEARLY"}
    for address in ("/recurrence/preview", "/bookings"):
        told = await client.post(ROOT + address, json={"resource_id": "room-1", **wish})
        assert (told.status_code, told.json()["code"]) == (422, "rrule_too_long")
    finite = {"resource_id": "room-1", **wish, "recurrence_rule": "FREQ=YEARLY;COUNT=2"}
    assert (await client.post(f"{ROOT}/bookings", json=finite)).status_code == 201


async def test_a_thousand_occurrences_are_booked_at_once(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(client, "FREQ=DAILY;COUNT=1000")
    assert made["occurrences"] == 1_000
    assert (await series_at(client, made["booking_id"]))["occurrences"] == 1_000
