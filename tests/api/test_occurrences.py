"""The occurrences of a recurring booking over HTTP: listed, cancelled, restored, moved."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.api.steps import ROOT, book, booked, hours, make_resource, occurrences, series_booked

WEEK = 24 * 7
FIRST, SECOND, THIRD = "20360811T090000Z", "20360818T090000Z", "20360825T090000Z"


class Series:
    """A weekly series of three, and its occurrences' addresses."""

    def __init__(self, client: httpx.AsyncClient, made: dict[str, Any]) -> None:
        self.client = client
        self.made = made
        self.id: str = made["booking_id"]
        self.address = f"{ROOT}/bookings/{self.id}"

    def at(self, name: str) -> str:
        return f"{self.address}/occurrences/{name}"

    async def listed(self, **window: str) -> list[tuple[str, str, str]]:
        """Name, start and status of each occurrence."""
        items = await occurrences(self.client, self.id, **window)
        return [(item["occurrence"], item["start_time"][:16], item["status"]) for item in items]


@pytest.fixture
async def series(client: httpx.AsyncClient) -> Series:
    await make_resource(client)
    return Series(client, await series_booked(client, "FREQ=WEEKLY;COUNT=3"))


async def endless(client: httpx.AsyncClient, **more: Any) -> Series:
    await make_resource(client, **more)
    return Series(client, await series_booked(client, "FREQ=WEEKLY"))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_occurrences_of_a_window_are_listed_in_order(client: httpx.AsyncClient, series: Series) -> None:
    items = await occurrences(client, series.id)
    assert [item["occurrence"] for item in items] == [FIRST, SECOND, THIRD]
    assert items[0] == {
        "booking_id": items[0]["booking_id"],
        "parent_booking_id": series.id,
        "start_time": "2036-08-11T09:00:00.000Z",
        "end_time": "2036-08-11T10:00:00.000Z",
        "occurrence": FIRST,
        "status": "confirmed",
    }
    assert len({item["booking_id"] for item in items}) == 3
    assert await series.listed(first="2036-08-18", last="2036-08-18") == [(SECOND, "2036-08-18T09:00", "confirmed")]
    from_then_on = {"first": "2036-08-18T09:00:00Z", "last": "2036-08-25T09:00:00Z"}
    assert [name for name, _, _ in await series.listed(**from_then_on)] == [SECOND], "the window's end is not in it"
    assert await series.listed(first="2036-09-01", last="2036-09-30") == []
    assert await occurrences(client, items[1]["booking_id"]) == items, "an occurrence leads to its series"


async def test_plain_dates_are_days_of_the_series_zone(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = Series(client, await series_booked(client, "FREQ=WEEKLY;COUNT=3", 12, time_zone="Asia/Tokyo"))
    assert made.made["start_time"] == "2036-08-11T21:00:00.000Z"
    assert [start for _, start, _ in await made.listed(first="2036-08-12", last="2036-08-12")] == ["2036-08-11T21:00"]
    assert await made.listed(first="2036-08-11", last="2036-08-11") == []


async def test_a_list_is_read_page_by_page(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await series_booked(client, "FREQ=WEEKLY")
    address = f"{ROOT}/bookings/{made['booking_id']}/occurrences"
    query: dict[str, Any] = {"start_date": "2037-03-01", "end_date": "2038-02-28"}
    whole = await occurrences(client, made["booking_id"], query["start_date"], query["end_date"])
    assert len(whole) == 52
    assert {item["booking_id"] is None for item in whole} == {True, False}, "some of them are not stored yet"
    paged: list[Any] = []
    while True:
        page = (await client.get(address, params=query | {"limit": 7})).json()
        paged += page["items"]
        if page["next"] is None:
            break
        assert len(page["items"]) == 7
        query["cursor"] = page["next"]
    assert paged == whole


async def test_what_is_not_stored_yet_is_listed_as_it_will_be(client: httpx.AsyncClient) -> None:
    made = await endless(client, time_zone="Europe/Berlin")
    far = await occurrences(client, made.id, "2086-03-20", "2086-04-10")
    assert [(item["booking_id"], item["occurrence"]) for item in far] == [
        (None, "20860325T100000Z"),
        (None, "20860401T090000Z"),
        (None, "20860408T090000Z"),
    ]
    answer = await client.delete(made.at("20860401T090000Z"))
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelled"
    moved = await client.put(
        made.at("20860408T090000Z"), json={"start_time": "2086-03-26T09:00:00Z", "end_time": "2086-03-26T10:00:00Z"}
    )
    assert moved.status_code == 200
    assert await made.listed(first="2086-03-20", last="2086-04-10") == [
        ("20860325T100000Z", "2086-03-25T10:00", "confirmed"),
        ("20860408T090000Z", "2086-03-26T09:00", "confirmed"),
        ("20860401T090000Z", "2086-04-01T09:00", "cancelled"),
    ]
    await client.delete(made.address)
    left = await made.listed(first="2086-03-20", last="2086-04-10")
    assert {status for _, _, status in left} == {"cancelled"}, "of a cancelled series nothing more will be stored"
    assert len(left) == 2


async def test_one_occurrence_is_cancelled_and_its_time_is_free(client: httpx.AsyncClient, series: Series) -> None:
    before = (await occurrences(client, series.id))[1]
    answer = await client.delete(series.at(SECOND), headers={"If-Match": '"1"'})
    body = answer.json()
    assert answer.status_code == 200
    assert {name: body[name] for name in ("message", "booking_id", "parent_booking_id", "cancelled_date")} == {
        "message": "Occurrence cancelled",
        "booking_id": before["booking_id"],
        "parent_booking_id": series.id,
        "cancelled_date": "2036-08-18T09:00:00.000Z",
    }
    assert (body["status"], body["recurrence_rule"]) == ("cancelled", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert (answer.headers["etag"], answer.headers["firstcome-seen"]) == ('"2"', "room-1:2")
    again = await client.delete(series.at(SECOND))
    assert (again.status_code, again.json()) == (200, body)
    assert (await series.listed())[1] == (SECOND, "2036-08-18T09:00", "cancelled")
    assert (await client.get(series.address)).json()["occurrences"] == 2
    read = (await client.get(f"{ROOT}/bookings/{body['booking_id']}")).json()
    assert read == {name: value for name, value in body.items() if name != "cancelled_date"}
    await booked(client, WEEK)


async def test_a_cancelled_occurrence_is_restored_where_its_time_is_free(
    client: httpx.AsyncClient, series: Series
) -> None:
    await client.delete(series.at(SECOND))
    other = await booked(client, WEEK + 0.5)
    taken = await client.post(f"{series.at(SECOND)}/restore")
    assert code_of(taken) == (409, "conflict")
    body = taken.json()
    assert body["conflicts"] == [
        {name: other[name] for name in ("booking_id", "start_time", "end_time")}
        | {"occurrence_start": "2036-08-18T09:00:00.000Z"}
    ]
    assert (body["clashing_occurrences"], body["next_available_slots"]) == (1, [])
    await client.delete(f"{ROOT}/bookings/{other['booking_id']}")
    answer = await client.post(f"{series.at(SECOND)}/restore", headers={"Idempotency-Key": "k"})
    restored = answer.json()
    assert answer.status_code == 200
    assert restored == {
        "message": "Occurrence restored",
        "booking_id": restored["booking_id"],
        "parent_booking_id": series.id,
        "restored_date": "2036-08-18T09:00:00.000Z",
    }
    assert (await series.listed())[1] == (SECOND, "2036-08-18T09:00", "confirmed")
    assert (await occurrences(client, series.id))[1]["booking_id"] == restored["booking_id"]
    await client.delete(series.at(SECOND))
    replayed = await client.post(f"{series.at(SECOND)}/restore", headers={"Idempotency-Key": "k"})
    assert (replayed.content, replayed.headers["idempotency-replayed"]) == (answer.content, "true")
    assert (await series.listed())[1][2] == "cancelled", "an answer that is given again does nothing again"


async def test_one_occurrence_is_moved_and_keeps_its_name(client: httpx.AsyncClient, series: Series) -> None:
    key = {"Idempotency-Key": "k"}
    answer = await client.put(series.at(SECOND), json=hours(3) | {"scope": "this"}, headers=key)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["start_time"], body["occurrence_start"]) == ("2036-08-11T12:00:00.000Z", "2036-08-18T09:00:00.000Z")
    assert (body["parent_booking_id"], body["message"]) == (series.id, "Occurrence moved")
    assert await series.listed() == [
        (FIRST, "2036-08-11T09:00", "confirmed"),
        (SECOND, "2036-08-11T12:00", "confirmed"),
        (THIRD, "2036-08-25T09:00", "confirmed"),
    ]
    read = (await client.get(f"{ROOT}/bookings/{body['booking_id']}")).json()
    old = (await client.get(f"{ROOT}/bookings/{read['rescheduled_from']}")).json()
    assert (old["status"], old["rescheduled_to"]) == ("rescheduled", body["booking_id"])
    assert (await client.put(series.at(SECOND), json=hours(4))).json()["start_time"] == "2036-08-11T13:00:00.000Z"
    again = await client.put(series.at(SECOND), json=hours(3) | {"scope": "this"}, headers=key)
    assert (again.content, again.headers["idempotency-replayed"]) == (answer.content, "true")
    await client.delete(series.at(SECOND))
    assert (await series.listed())[1] == (SECOND, "2036-08-11T13:00", "cancelled")
    assert code_of(await client.put(series.at(SECOND), json=hours(5))) == (409, "occurrence_cancelled")


async def test_a_move_onto_a_taken_time_is_a_conflict_with_what_is_free_next(
    client: httpx.AsyncClient, series: Series
) -> None:
    other = await booked(client, 5)
    before = await series.listed()
    answer = await client.put(series.at(SECOND), json=hours(5))
    assert code_of(answer) == (409, "conflict")
    clash = {name: other[name] for name in ("booking_id", "start_time", "end_time")}
    assert answer.json()["conflicts"] == [clash | {"occurrence_start": "2036-08-11T14:00:00.000Z"}]
    assert answer.json()["next_available_slots"][0]["start_time"] == "2036-08-11T15:00:00.000Z"
    told = (await client.get(answer.json()["instance"])).json()["outcome"]
    assert told == answer.json()
    assert await series.listed() == before


async def test_this_and_the_following_move_into_a_series_of_their_own(
    client: httpx.AsyncClient, series: Series
) -> None:
    key = {"Idempotency-Key": "k"}
    wish = hours(WEEK + 1) | {"scope": "this_and_following"}
    answer = await client.put(series.at(SECOND), json=wish, headers=key)
    body = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert (body["start_time"], body["occurrences"]) == ("2036-08-18T10:00:00.000Z", 2)
    assert (body["message"], body["rescheduled_from"]) == ("Recurring booking moved with 2 occurrences", series.id)
    assert await series.listed() == [
        (FIRST, "2036-08-11T09:00", "confirmed"),
        (SECOND, "2036-08-18T09:00", "rescheduled"),
        (THIRD, "2036-08-25T09:00", "rescheduled"),
    ]
    moved = Series(client, body)
    assert [start for _, start, _ in await moved.listed()] == ["2036-08-18T10:00", "2036-08-25T10:00"]
    left = (await client.get(series.address)).json()
    assert (left["status"], left["rescheduled_to"], left["occurrences"]) == ("confirmed", moved.id, 1)
    await client.delete(moved.address)
    again = await client.put(series.at(SECOND), json=wish, headers=key)
    assert (again.content, again.headers["idempotency-replayed"]) == (answer.content, "true")


async def test_all_occurrences_move(client: httpx.AsyncClient) -> None:
    made = await endless(client)
    answer = await client.put(made.at(THIRD), json=hours(2 * WEEK + 24) | {"scope": "all"})
    body = answer.json()
    assert (answer.status_code, body["start_time"]) == (200, "2036-08-12T09:00:00.000Z")
    assert body["message"].startswith("Recurring booking moved with 58 occurrences until 2037-09-")
    old = (await client.get(made.address)).json()
    assert (old["status"], old["rescheduled_to"]) == ("rescheduled", body["booking_id"])
    assert code_of(await client.delete(made.address)) == (409, "already_rescheduled")
    assert code_of(await client.put(made.at(THIRD), json=hours(9) | {"scope": "all"})) == (409, "already_rescheduled")
    assert code_of(await client.post(f"{made.at(THIRD)}/restore")) == (409, "already_rescheduled")


@pytest.mark.parametrize("scope", ["this", "this_and_following", "all"])
async def test_a_move_that_meets_a_clash_changes_nothing(client: httpx.AsyncClient, scope: str) -> None:
    await make_resource(client)
    made = Series(client, await series_booked(client, "FREQ=WEEKLY;COUNT=52"))
    other = await booked(client, 36 * WEEK + 2)
    before = await made.listed()
    name, length = ("20370420T090000Z", 36 * WEEK) if scope == "this" else (FIRST, 0)
    answer = await client.put(made.at(name), json=hours(length + 2) | {"scope": scope})
    assert code_of(answer) == (409, "conflict")
    (clash,) = answer.json()["conflicts"]
    assert (clash["booking_id"], clash["occurrence_start"]) == (other["booking_id"], other["start_time"])
    assert answer.json()["clashing_occurrences"] == 1
    assert await made.listed() == before


async def test_what_no_rule_can_say_is_refused(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = Series(client, await series_booked(client, "FREQ=MONTHLY;BYDAY=-1FR;COUNT=12", 24 * 18))
    assert made.made["start_time"] == "2036-08-29T09:00:00.000Z"
    answer = await client.put(made.at("20360829T090000Z"), json=hours(24 * 19) | {"scope": "all"})
    assert code_of(answer) == (409, "rule_cannot_move")
    weekly = Series(client, await series_booked(client, "FREQ=WEEKLY;COUNT=3"))
    long = hours(0, WEEK + 1) | {"scope": "all"}
    assert code_of(await client.put(weekly.at(FIRST), json=long)) == (422, "series_overlaps_itself")


async def test_what_would_leave_the_calendar_is_refused(client: httpx.AsyncClient) -> None:
    made = await endless(client, time_zone="Pacific/Kiritimati")
    far = "98000106T090000Z"
    assert len(await occurrences(client, made.id, "9800-01-06", "9800-01-06")) == 1
    last = {"start_time": "9999-12-31T23:00:00Z", "end_time": "9999-12-31T23:59:59.999Z"}
    first = {"start_time": "1970-01-01T00:00:00Z", "end_time": "1970-01-01T01:00:00Z"}
    for name, times, scope in (
        (FIRST, last, "all"),
        (SECOND, last, "this_and_following"),
        (far, first, "all"),
        (far, last, "all"),
    ):
        answer = await client.put(made.at(name), json=times | {"scope": scope})
        assert code_of(answer) == (409, "rule_cannot_move"), (name, times, scope)
    assert code_of(await client.put(made.at(far), json=first)) == (400, "slot_in_past")
    assert (await client.put(made.at(far), json=last)).status_code == 200
    window: dict[str, Any] = {
        "start_date": "9999-06-01T00:00:00Z",
        "end_date": "9999-12-31T23:59:59.999Z",
        "limit": 100,
    }
    answer = await client.get(f"{made.address}/occurrences", params=window)
    assert [item["occurrence"] for item in answer.json()["items"]] == [far]


async def test_what_the_series_does_not_give_is_no_occurrence(client: httpx.AsyncClient, series: Series) -> None:
    for name in ("20360812T090000Z", "20360811T090001Z", "20360901T090000Z", "19700101T000000Z"):
        address = series.at(name)
        for answer in (
            await client.delete(address),
            await client.post(f"{address}/restore"),
            *[
                await client.put(address, json=hours(30) | {"scope": scope})
                for scope in ("this", "this_and_following", "all")
            ],
        ):
            assert code_of(answer) == (404, "not_an_occurrence"), name


async def test_a_single_booking_has_no_occurrences(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    single = f"{ROOT}/bookings/{(await booked(client))['booking_id']}/occurrences"
    unknown = f"{ROOT}/bookings/{uuid4()}/occurrences"
    window = {"start_date": "2036-08-01", "end_date": "2036-08-31"}
    for address, code in ((single, "not_recurring"), (unknown, "booking_unknown")):
        for answer in (
            await client.get(address, params=window),
            await client.delete(f"{address}/{FIRST}"),
            await client.post(f"{address}/{FIRST}/restore"),
            await client.put(f"{address}/{FIRST}", json=hours(3)),
        ):
            assert code_of(answer) == (404, code)
    assert len((await client.get(f"{ROOT}/resources/room-1/ledger")).json()["items"]) == 1


async def test_an_occurrence_has_an_address_of_its_own(client: httpx.AsyncClient, series: Series) -> None:
    items = await occurrences(client, series.id)
    address = f"{ROOT}/bookings/{items[1]['booking_id']}"
    answer = await client.get(address)
    assert answer.headers["etag"] == '"1"'
    body = answer.json()
    assert body["parent_booking_id"] == series.id
    assert body["occurrence_start"] == "2036-08-18T09:00:00.000Z"
    assert (body["recurrence_rule"], body["message"]) == ("RRULE:FREQ=WEEKLY;COUNT=3", "Occurrence confirmed")
    moved = await client.put(f"{address}/reschedule", json=hours(WEEK + 2))
    assert (moved.status_code, moved.json()["parent_booking_id"]) == (200, series.id)
    assert (await series.listed())[1] == (SECOND, "2036-08-18T11:00", "confirmed")
    address = f"{ROOT}/bookings/{moved.json()['booking_id']}"
    assert (await client.get(address)).headers["etag"] == '"2"', "an occurrence has its series' version"
    assert code_of(await client.delete(address, headers={"If-Match": '"1"'})) == (412, "stale_version")
    cancelled = await client.post(f"{address}/cancel", json={"reason": "rain"}, headers={"If-Match": '"2"'})
    assert (cancelled.status_code, cancelled.json()["cancellation_reason"]) == (200, "rain")
    assert [status for _, _, status in await series.listed()] == ["confirmed", "cancelled", "confirmed"]


async def test_if_match_guards_every_change(client: httpx.AsyncClient, series: Series) -> None:
    stale = {"If-Match": '"7"'}
    first = (await occurrences(client, series.id))[0]["booking_id"]
    await client.delete(series.at(THIRD))
    for answer in (
        await client.put(f"{ROOT}/bookings/{first}/reschedule", json=hours(3), headers=stale),
        await client.delete(series.at(SECOND), headers=stale),
        await client.post(f"{series.at(THIRD)}/restore", headers=stale),
        *[
            await client.put(series.at(SECOND), json=hours(WEEK + 3) | {"scope": scope}, headers=stale)
            for scope in ("this", "this_and_following", "all")
        ],
    ):
        assert code_of(answer) == (412, "stale_version")


async def test_what_has_begun_stays_as_it_was(
    client: httpx.AsyncClient, series: Series, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    await database.execute("UPDATE resource SET last_decided_at = '2036-08-18 09:30:00Z'")
    for answer in (
        await client.delete(series.at(SECOND)),
        await client.put(series.at(SECOND), json=hours(3 * WEEK)),
        await client.put(series.at(SECOND), json=hours(WEEK + 3) | {"scope": "this_and_following"}),
    ):
        assert code_of(answer) == (409, "occurrence_in_past")
    answer = await client.put(series.at(FIRST), json=hours(1) | {"scope": "all"})
    assert (answer.status_code, answer.json()["occurrences"]) == (200, 1), "the past ones stay"
    assert await series.listed() == [
        (FIRST, "2036-08-11T09:00", "confirmed"),
        (SECOND, "2036-08-18T09:00", "confirmed"),
        (THIRD, "2036-08-25T09:00", "rescheduled"),
    ]
    assert (await book(client, 2 * WEEK)).status_code == 201
