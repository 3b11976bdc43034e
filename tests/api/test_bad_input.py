"""Bad input: every field of every body, and every way to get it wrong. 4xx, every bad field named, nothing done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest

from api.http import LARGEST_BODY
from tests.api.steps import ROOT, booked, hours, make_resource, series_booked

WRONG_TYPES: list[Any] = [True, 1.5, [], {}, ["x"], {"a": {"b": None}}, [[[[[[]]]]]]]
BAD_TEXTS: list[Any] = [None, 5, *WRONG_TYPES, "", " ", "\u3000", "x" * 256, "a\x00b", "a\nb", "\x7f", "\x85", "\ud800"]
BAD_NAMES: list[Any] = [*BAD_TEXTS, ".", ".."]
BAD_INSTANTS: list[Any] = [
    None,
    5,
    1_786_348_800,
    *WRONG_TYPES,
    "",
    "tomorrow",
    "2036-08-11",
    "2036-08-11T09:00:00",
    "2036-08-11T09:00Z",
    "2036-13-01T09:00:00Z",
    "2036-02-30T09:00:00Z",
    "2036-08-11T09:00:00.0001Z",
    "1969-12-31T23:59:59Z",
    "10000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-01:00",
    "2036-08-11T09:00:00Z\x00",
    "x" * 100_000,
]
BAD_NUMBERS: list[Any] = [None, "5", *WRONG_TYPES, 0, -1, 1_000_001, 2**31, 2**63, 10**400, 1.0]
BAD_PROSE: list[Any] = [5, *WRONG_TYPES, "x" * 2_001, "a\x00b", "\x07", "\ud800"]
BAD_ZONES: list[Any] = [None, 5, *WRONG_TYPES, "", "Mars/Olympus", "+02:00", "Europe/Berlin\x00", "x" * 10_000]
BAD_RULES: list[Any] = [
    5,
    *WRONG_TYPES,
    "",
    " ",
    "RRULE:",
    "FREQ=",
    "FREQ=SECONDLY",
    "FREQ=MINUTELY;BYSECOND=1",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;INTERVAL=1001",
    "FREQ=DAILY;COUNT=0",
    "FREQ=DAILY;COUNT=5;UNTIL=20361231",
    "FREQ=DAILY;FREQ=DAILY",
    "FREQ=DAILY;BYEASTER=0",
    "FREQ=DAILY;X-PART=1",
    "FREQ=DAILY;COUNT=٣",
    "FREQ=DAILY;UNTIL=20360230",
    "FREQ=WEEKLY;BYDAY=1MO",
    "FREQ=MONTHLY;BYSETPOS=1",
    "FREQ=DAILY\r\nRRULE:FREQ=DAILY",
    "FREQ=DAILY;COUNT=1\x00",
    "\ud800",
    "x" * 1_001,
    ";" * 1_000,
    "BYMONTHDAY=" + "1," * 490,
]
BAD_LISTS: list[Any] = [
    None,
    5,
    "2036-08-18T14:00:00Z",
    True,
    {},
    {"0": "2036-08-18T14:00:00Z"},
    [None],
    [5],
    [[]],
    [[[[[["2036-08-18T14:00:00Z"]]]]]],
    ["2036-08-18T14:00:00Z", "2036-08-18T14:00:00"],
    ["2036-08-18"],
    ["2036-08-18T14:00:00.5Z"],
    ["x" * 100_000],
    ["2036-08-18T14:00:00Z"] * 501,
    ["\x00"],
]
BAD_WORDS: list[Any] = [None, 5, *WRONG_TYPES, "", "Fail", "THIS", "none", "this\x00", "\ud800", "x" * 100_000]

OPERATIONS: dict[str, tuple[str, str, dict[str, Any], dict[str, list[Any]]]] = {
    "make a resource": (
        "POST",
        "/resources",
        {"name": "Room 9", "resource_id": "room-9", "time_zone": "UTC", "capacity": 2},
        {"name": BAD_TEXTS, "resource_id": BAD_NAMES, "time_zone": BAD_ZONES, "capacity": BAD_NUMBERS},
    ),
    "change a resource": (
        "PATCH",
        "/resources/room-1",
        {"name": "Room 9", "capacity": 2},
        {"name": BAD_TEXTS, "capacity": BAD_NUMBERS},
    ),
    "book": (
        "POST",
        "/bookings",
        {"resource_id": "room-1", **hours(5), "places": 1, "recurrence_rule": None},
        {
            "resource_id": BAD_NAMES,
            "start_time": BAD_INSTANTS,
            "end_time": BAD_INSTANTS,
            "places": BAD_NUMBERS,
            "recurrence_rule": BAD_RULES,
        },
    ),
    "book a series": (
        "POST",
        "/bookings",
        {
            "resource_id": "room-1",
            **hours(5),
            "places": 1,
            "recurrence_rule": "RRULE:FREQ=WEEKLY;COUNT=3",
            "exdates": ["2036-08-18T14:00:00Z"],
            "rdates": ["2036-08-20T14:00:00Z"],
            "time_zone": "Europe/Berlin",
            "on_conflict": "skip",
        },
        {
            "resource_id": BAD_TEXTS,
            "start_time": [*BAD_INSTANTS, "2036-08-11T14:00:00.5Z"],
            "end_time": BAD_INSTANTS,
            "places": BAD_NUMBERS,
            "recurrence_rule": BAD_RULES,
            "exdates": BAD_LISTS,
            "rdates": BAD_LISTS,
            "time_zone": BAD_ZONES,
            "on_conflict": BAD_WORDS,
        },
    ),
    "cancel": ("POST", "/bookings/{booking_id}/cancel", {"reason": "x"}, {"reason": BAD_PROSE}),
    "reschedule": (
        "PUT",
        "/bookings/{booking_id}/reschedule",
        hours(5),
        {"start_time": BAD_INSTANTS, "end_time": BAD_INSTANTS},
    ),
    "move an occurrence": (
        "PUT",
        "/bookings/{series_id}/occurrences/20360818T090000Z",
        hours(5) | {"scope": "this"},
        {"start_time": BAD_INSTANTS, "end_time": BAD_INSTANTS, "scope": BAD_WORDS},
    ),
}
REQUIRED = {
    "make a resource": ["name"],
    "book": ["resource_id", "start_time", "end_time"],
    "book a series": ["resource_id", "start_time", "end_time"],
    "reschedule": list(hours()),
    "move an occurrence": list(hours()),
}
NOT_JSON = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"5",
    b'"x"',
    b"{",
    b'{"a":}',
    b"{'a': 1}",
    b"{} {}",
    b"\xff\xfe{\x00}\x00",
    b'{"name": "\xff"}',
    b'{"places": NaN}',
    b"[" * 100_000,
    b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
]

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Target:
    """An operation, and a way to send it bad bodies."""

    def __init__(self, client: httpx.AsyncClient, operation: str, **known: str) -> None:
        self.name = operation
        self.method, path, self.body, self.bad = OPERATIONS[operation]
        self.address = ROOT + path.format(**known)
        self._client = client

    async def send(self, body: bytes, content_type: str | None = "application/json") -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4())} | ({"Content-Type": content_type} if content_type else {})
        return await self._client.request(self.method, self.address, content=body, headers=headers)

    def bad_bodies(self) -> Iterator[tuple[str, bytes]]:
        """Bodies with one bad field each."""
        for name, values in self.bad.items():
            for value in values:
                yield name, json.dumps(self.body | {name: value}).encode()
        for name in REQUIRED.get(self.name, []):
            yield name, json.dumps({other: value for other, value in self.body.items() if other != name}).encode()
        for name in ("unknown", "", "Name", "resource_id ", "__proto__", "a/b"):
            yield name.replace("/", "~1"), json.dumps(self.body | {name: 1}).encode()
        for name, value in self.body.items():
            twice = json.dumps(self.body)[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}"
            yield name, twice.encode()


async def everything(database: Database) -> list[Any]:
    """Every row there is."""
    tables = ("resource", "booking", "series", "ledger", "idempotency", "dead_letter")
    return [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in tables]


@pytest.fixture(params=list(OPERATIONS))
async def target(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> Target:
    await make_resource(client)
    made = await booked(client)
    series = await series_booked(client, "FREQ=WEEKLY;COUNT=3", 24 * 7)
    return Target(client, request.param, booking_id=made["booking_id"], series_id=series["booking_id"])


async def test_a_bad_field_is_named_and_nothing_is_done(target: Target, database: Database) -> None:
    before = await everything(database)
    for name, body in target.bad_bodies():
        answer = await target.send(body)
        assert answer.status_code == 400, (body[:200], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == 400
        assert problem["errors"], body[:200]
        assert {fault["pointer"] for fault in problem["errors"]} == {f"/{name}"}, (body[:200], problem)
        assert all(fault["code"] and fault["detail"] for fault in problem["errors"])
        assert len(answer.content) < 5_000
    assert await everything(database) == before


async def test_every_bad_field_is_named_at_once(target: Target, database: Database) -> None:
    before = await everything(database)
    for turn in range(20):
        worst = {name: values[turn % len(values)] for name, values in target.bad.items()} | {"other": 1}
        answer = await target.send(json.dumps(worst).encode())
        assert answer.status_code == 400
        pointers = {fault["pointer"] for fault in answer.json()["errors"]}
        assert pointers == {f"/{name}" for name in worst}
    assert await everything(database) == before


async def test_what_is_no_json_object_is_refused(target: Target, database: Database) -> None:
    before = await everything(database)
    for body in NOT_JSON:
        if not body and target.name == "cancel":
            continue  # its body may be left out
        answer = await target.send(body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json"), body[:50]
    assert await everything(database) == before


async def test_a_body_over_the_limit_is_refused(target: Target, database: Database) -> None:
    before = await everything(database)
    good = json.dumps(target.body).encode()
    padded = good + b" " * (LARGEST_BODY + 1 - len(good))
    answer = await target.send(padded)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert await everything(database) == before
    assert (await target.send(padded[:-1])).status_code in {200, 201}


async def test_a_body_of_another_type_is_refused(target: Target, database: Database) -> None:
    before = await everything(database)
    body = json.dumps(target.body).encode()
    for content_type in (
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/msgpack",
    ):
        answer = await target.send(body, content_type)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), content_type
    assert await everything(database) == before
    for content_type in (
        "application/json;charset=utf-8",
        'Application/JSON ; charset="UTF-8"',
        "application/merge-patch+json",
    ):
        assert (await target.send(body, content_type)).status_code in {200, 201, 409}, content_type


@pytest.mark.parametrize(
    "interval",
    [
        {"start_time": "2036-08-11T10:00:00Z", "end_time": "2036-08-11T09:00:00Z"},
        {"start_time": "2036-08-11T10:00:00Z", "end_time": "2036-08-11T10:00:00Z"},
        {"start_time": "2036-08-11T10:00:00Z", "end_time": "2036-08-11T12:00:00+02:00"},
    ],
)
async def test_an_end_that_is_not_after_the_start_is_refused(
    client: httpx.AsyncClient, database: Database, interval: dict[str, str]
) -> None:
    await make_resource(client)
    made = await booked(client)
    before = await everything(database)
    for answer in (
        await client.post(f"{ROOT}/bookings", json={"resource_id": "room-1"} | interval),
        await client.put(f"{ROOT}/bookings/{made['booking_id']}/reschedule", json=interval),
    ):
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "invalid_interval")
        assert problem["detail"] == "start_time must be before end_time"
        assert problem["errors"][0]["pointer"] == "/start_time"
    assert await everything(database) == before


async def test_a_time_without_offset_is_named_as_that(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    body = {"resource_id": "room-1", "start_time": "2036-08-11T09:00:00", "end_time": "2036-08-11T10:00:00"}
    answer = await client.post(f"{ROOT}/bookings", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "timezone_required")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/start_time", "/end_time"]


async def test_a_bad_key_is_refused_everywhere(target: Target, client: httpx.AsyncClient, database: Database) -> None:
    before = await everything(database)
    for key in ("", "x" * 256, "tab\tkey", "ü"):
        answer = await client.request(
            target.method, target.address, json=target.body, headers=[(b"Idempotency-Key", key.encode())]
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key"), key
    assert await everything(database) == before


BAD_ADDRESSES = [
    ("/resources?limit=0&cursor=%00", {"/limit", "/cursor"}),
    ("/resources?limit=101", {"/limit"}),
    ("/resources?limit=ten", {"/limit"}),
    ("/resources?page=2", {"/page"}),
    ("/resources/room-1/ledger?after=x&limit=-1", {"/after", "/limit"}),
    ("/resources/room-1/ledger?after=9223372036854775808", {"/after"}),
    ("/availability", {"/resource_id", "/start_date", "/end_date"}),
    ("/availability?resource_id=room-1&start_date=x&end_date=y&places=0", {"/start_date", "/end_date", "/places"}),
    ("/bookings/not-an-id", {"/booking_id"}),
    ("/requests/not-an-id", {"/request_id"}),
    ("/bookings/not-an-id/occurrences?start_date=2036-08-01&end_date=2036-08-02", {"/booking_id"}),
    ("/bookings/{series}/occurrences", {"/start_date", "/end_date"}),
    ("/bookings/{series}/occurrences?start_date=x&end_date=y&limit=0&cursor=%00&places=1", None),
    ("/bookings/{series}/occurrences?start_date=2036-08-01&end_date=2037-08-02", {"/end_date"}),
    ("/bookings/{series}/occurrences?start_date=2036-08-01&end_date=2036-07-31", {"/start_date"}),
    ("/bookings/{series}/occurrences?start_date=2036-08-01&end_date=2036-08-02T00:00:00Z", {"/end_date"}),
    ("/bookings/{series}/occurrences?start_date=2036-08-01&end_date=2036-08-02&cursor=abc", {"/cursor"}),
    ("/bookings/{series}/occurrences?start_date=2036-08-01&end_date=2036-08-02&cursor=MQ", {"/cursor"}),
    ("/bookings/{series}/occurrences?start_date=2036-08-01&end_date=2036-08-02&cursor=" + "OTk5" * 40, {"/cursor"}),
]
WORST = {"/start_date", "/end_date", "/limit", "/cursor", "/places"}


async def test_a_bad_query_or_path_is_named(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    series = (await series_booked(client, "FREQ=WEEKLY;COUNT=3"))["booking_id"]
    for path, pointers in BAD_ADDRESSES:
        answer = await client.get(ROOT + path.format(series=series))
        assert answer.status_code == 400, path
        assert {fault["pointer"] for fault in answer.json()["errors"]} == (pointers or WORST)


BAD_NAMES = [
    "x",
    "20360818",
    "20360818T090000",
    "20360818T090000z",
    "2036-08-18T09:00:00Z",
    "20361318T090000Z",
    "20360230T090000Z",
    "20360818T240000Z",
    "20360818T090060Z",
    "00000101T000000Z",
    "19691231T235959Z",
    "\u0662\u0660360818T090000Z",
    "20360818T090000Z%0A",
    "%00",
    "x" * 5_000,
]


async def test_a_bad_name_of_an_occurrence_is_named(client: httpx.AsyncClient, database: Database) -> None:
    await make_resource(client)
    series = (await series_booked(client, "FREQ=WEEKLY;COUNT=3"))["booking_id"]
    before = await everything(database)
    for name in BAD_NAMES:
        address = f"{ROOT}/bookings/{series}/occurrences/{name}"
        for answer in (
            await client.delete(address),
            await client.post(f"{address}/restore"),
            await client.put(address, json=hours(3)),
        ):
            assert answer.status_code == 400, (name, answer.text)
            assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/start"]
    answer = await client.delete(f"{ROOT}/bookings/not-an-id/occurrences/20360818T090000Z")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/booking_id"]
    assert await everything(database) == before
