"""Bodies and queries, decoded: every fault at once, and the quick way agrees with the thorough one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from api.bodies import (
    CANCELLATION,
    NEW_BOOKING,
    NEW_RESOURCE,
    NEW_TIMES,
    OCCURRENCE_QUERY,
    OCCURRENCE_TIMES,
    RESOURCE_CHANGE,
    RESOURCE_QUERY,
    NewBooking,
)
from api.decode import MOST_FAULTS, BadRequest, Shape, UnreadableBody, _members
from api.fields import Fault
from api.offer_bodies import EVENT_CHANGE, NEW_EVENT, NEW_SEAT, NEW_SLOT, NEW_SLOTS, RESERVATION

GOOD: dict[str, Any] = {
    "resource_id": "room-1",
    "start_time": "2036-08-11T09:00:00Z",
    "end_time": "2036-08-11T10:00:00Z",
}


def faults_of(raw: bytes) -> set[tuple[str, str]]:
    with pytest.raises(BadRequest) as caught:
        NEW_BOOKING.decode(raw)
    return {(fault.pointer, fault.code) for fault in caught.value.faults}


def faults_with(**changes: Any) -> set[tuple[str, str]]:
    return faults_of(json.dumps(GOOD | changes).encode())


def start_of(text: str) -> datetime:
    body = NEW_BOOKING.decode(json.dumps(GOOD | {"start_time": text}).encode())
    return body.start_time


def test_a_body_is_decoded() -> None:
    body = NEW_BOOKING.decode(json.dumps(GOOD).encode())
    assert body == NewBooking(
        resource_id="room-1",
        start_time=datetime(2036, 8, 11, 9, tzinfo=UTC),
        end_time=datetime(2036, 8, 11, 10, tzinfo=UTC),
    )
    assert body.places is UNSET


def test_every_fault_is_named_at_once() -> None:
    raw = (
        b'{"resource_id": "a\\u0000b", "start_time": "2036-08-11T09:00:00", "end_time": 5, "places": 0,'
        b' "recurrence_rule": "RRULE:FREQ=HOURLY", "colour/shade~": {"a": 1}, "places": 2}'
    )
    assert faults_of(raw) == {
        ("/resource_id", "invalid_text"),
        ("/start_time", "timezone_required"),
        ("/end_time", "wrong_type"),
        ("/places", "out_of_range"),
        ("/places", "duplicate_field"),
        ("/recurrence_rule", "invalid_rrule"),
        ("/colour~1shade~0", "unknown_field"),
    }


def test_what_is_missing_is_named() -> None:
    assert faults_of(b"{}") == {
        ("/resource_id", "required"),
        ("/start_time", "required"),
        ("/end_time", "required"),
    }


def test_an_interval_is_checked_beside_other_faults() -> None:
    assert faults_with(resource_id=" ", end_time=GOOD["start_time"]) == {
        ("/resource_id", "blank"),
        ("/start_time", "invalid_interval"),
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2036-08-11T09:00:00", "timezone_required"),
        ("2036-08-11T09:00:00.0001Z", "instant_too_fine"),
        ("2036-08-11T09:00:00.0000000000001Z", "instant_too_fine"),
        ("2036-08-11T09:00:00.9999999Z", "instant_too_fine"),
        ("2036-08-11", "invalid_instant"),
        ("2036-08-11T09:00Z", "invalid_instant"),
        ("2036-08-11T09:00:00,5Z", "invalid_instant"),
        ("2036-08-11T09:00:00.Z", "invalid_instant"),
        ("2036-08-11T24:00:00Z", "invalid_instant"),
        ("2036-08-11T09:00:60Z", "invalid_instant"),
        ("2036-02-30T09:00:00Z", "invalid_instant"),
        ("2036-08-11T09:00:00+24:00", "invalid_instant"),
        ("2036-08-11T09:00:00+02", "invalid_instant"),
        ("2036-W33-1T09:00:00Z", "invalid_instant"),
        ("\uff12036-08-11T09:00:00Z", "invalid_instant"),
        ("2036-08-11T09:00:00Z\n", "invalid_instant"),
        ("", "invalid_instant"),
        ("now", "invalid_instant"),
        ("0001-01-01T00:00:00+05:00", "invalid_instant"),
        ("9999-12-31T23:59:59-05:00", "invalid_instant"),
        ("1969-12-31T23:59:59Z", "out_of_range"),
        ("1970-01-01T01:00:00+02:00", "out_of_range"),
    ],
)
def test_an_instant_that_does_not_fit_is_refused(text: str, code: str) -> None:
    assert ("/start_time", code) in faults_with(start_time=text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2036-08-11T09:00:00Z", datetime(2036, 8, 11, 9, tzinfo=UTC)),
        ("2036-08-11t09:00:00z", datetime(2036, 8, 11, 9, tzinfo=UTC)),
        ("2036-08-11 09:00:00Z", datetime(2036, 8, 11, 9, tzinfo=UTC)),
        ("2036-08-11T11:00:00+02:00", datetime(2036, 8, 11, 9, tzinfo=UTC)),
        ("2036-08-11T09:00:00-00:00", datetime(2036, 8, 11, 9, tzinfo=UTC)),
        ("2036-08-11T09:00:00.12Z", datetime(2036, 8, 11, 9, 0, 0, 120_000, UTC)),
        ("2036-08-11T09:00:00.1230000000Z", datetime(2036, 8, 11, 9, 0, 0, 123_000, UTC)),
    ],
)
def test_an_instant_is_read(text: str, instant: datetime) -> None:
    assert start_of(text) == instant


def test_the_first_and_the_last_instant_are_taken() -> None:
    first = GOOD | {"start_time": "1970-01-01T00:00:00Z", "end_time": "1970-01-01T01:00:00Z"}
    last = GOOD | {"start_time": "9999-12-31T22:00:00Z", "end_time": "9999-12-31T23:59:59.999Z"}
    assert NEW_BOOKING.decode(json.dumps(first).encode()).start_time == datetime(1970, 1, 1, tzinfo=UTC)
    assert NEW_BOOKING.decode(json.dumps(last).encode()).end_time.year == 9999


def test_a_booking_may_take_366_days_and_not_more() -> None:
    NEW_BOOKING.decode(json.dumps(GOOD | {"end_time": "2037-08-12T09:00:00Z"}).encode())
    assert faults_with(end_time="2037-08-12T09:00:00.001Z") == {("/end_time", "interval_too_long")}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"resource_id": "\xff"}',
        b'{"places": NaN}',
        b'{"places": Infinity}',
        b'{"places": -Infinity}',
        b'{"resource_id": "a\nb"}',
        b"[" * 100_000,
        b'{"resource_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"other":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_what_is_no_object_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableBody):
        NEW_BOOKING.decode(raw)


def test_a_number_of_any_length_is_a_fault_of_its_field() -> None:
    for digits in (b"9" * 500_000, b"-" + b"9" * 5_000):
        assert ("/places", "out_of_range") in faults_of(b'{"places": ' + digits + b"}")
    assert ("/places", "wrong_type") in faults_of(b'{"places": 1e400}')
    assert ("/places", "wrong_type") in faults_of(b'{"places": 1.0}')
    assert ("/places", "wrong_type") in faults_of(b'{"places": true}')


def test_half_a_surrogate_pair_is_refused_by_its_field() -> None:
    for half in (r"\ud800", r"\udc00 and more text", r"x\ud83dy"):
        raw = json.dumps(GOOD | {"resource_id": "HALF"}).replace("HALF", half).encode()
        assert faults_of(raw) == {("/resource_id", "invalid_text")}


def test_names_of_unknown_fields_do_not_break_the_answer() -> None:
    faults = faults_of(b'{"\\ud800": 1, "' + b"x" * 5_000 + b'": 1, "": 1}')
    assert {code for _, code in faults} == {"required", "unknown_field"}
    assert max(len(pointer) for pointer, _ in faults) < 300
    for pointer, _ in faults:
        pointer.encode()


def test_faults_are_bounded() -> None:
    raw = json.dumps({f"field{number}": number for number in range(5_000)}).encode()
    with pytest.raises(BadRequest) as caught:
        NEW_BOOKING.decode(raw)
    assert len(caught.value.faults) == MOST_FAULTS


def test_a_name_in_any_script_is_taken() -> None:
    for name in ("Größe", "会議室　一", "🏳️‍🌈 room", 'quoted "name"', "a\\b/c"):
        raw = json.dumps({"name": name}).encode()
        assert NEW_RESOURCE.decode(raw).name == name


def test_prose_may_have_lines_and_nothing_else_that_is_invisible() -> None:
    assert CANCELLATION.decode(b'{"reason": "one\\ntwo\\tthree"}').reason == "one\ntwo\tthree"
    assert CANCELLATION.decode(b'{"reason": null}').reason is None
    assert CANCELLATION.decode(b"{}").reason is UNSET
    with pytest.raises(BadRequest):
        CANCELLATION.decode(b'{"reason": "bell\\u0007"}')
    CANCELLATION.decode(json.dumps({"reason": "ü" * 2_000}).encode())
    with pytest.raises(BadRequest):
        CANCELLATION.decode(json.dumps({"reason": "ü" * 2_001}).encode())


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        RESOURCE_CHANGE.decode(b"{}")
    assert [fault.code for fault in caught.value.faults] == ["nothing_to_change"]
    with pytest.raises(BadRequest) as caught:
        RESOURCE_CHANGE.decode(b'{"capacity": 0}')
    assert [fault.code for fault in caught.value.faults] == ["out_of_range"]


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        (b"limit=0", {("/limit", "out_of_range")}),
        (b"limit=101", {("/limit", "out_of_range")}),
        (b"limit=", {("/limit", "wrong_type")}),
        (b"limit=1e1", {("/limit", "wrong_type")}),
        (b"limit=%D9%A3", {("/limit", "wrong_type")}),
        (b"limit=" + b"9" * 5_000, {("/limit", "wrong_type")}),
        (b"limit=1&limit=2", {("/limit", "duplicate_field")}),
        (b"colour=red&cursor=", {("/colour", "unknown_field"), ("/cursor", "blank")}),
        (b"cursor=%00", {("/cursor", "invalid_text")}),
        (b"cursor=%ff", {("", "unreadable_query")}),
        (b"limit=\xff", {("", "unreadable_query")}),
        (b"&".join(b"a%d=1" % number for number in range(60)), {("", "unreadable_query")}),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else "",
)
def test_a_query_that_does_not_fit_is_refused(query: bytes, faults: set[tuple[str, str]]) -> None:
    with pytest.raises(BadRequest) as caught:
        RESOURCE_QUERY.decode_query(query)
    assert {(fault.pointer, fault.code) for fault in caught.value.faults} == faults


@pytest.mark.parametrize("field", ["exdates", "rdates"])
def test_instants_in_a_list_are_read_one_by_one(field: str) -> None:
    def faults_with_list(value: Any) -> list[Fault]:
        with pytest.raises(BadRequest) as caught:
            NEW_BOOKING.decode(json.dumps(SERIES | {field: value}).encode())
        return list(caught.value.faults)

    for value, code, detail in (
        (["2036-08-20T09:00:00Z", 5], "wrong_type", "item 2 must be a string"),
        (["2036-08-20T09:00:00"], "timezone_required", "item 1 must have an offset"),
        (["2036-08-20T09:00:00.5Z"], "whole_second_required", "item 1 must be a whole second"),
        (["2036-08-20T09:00:00Z"] * 501, "too_many", "must have at most 500 instants"),
        ("2036-08-20T09:00:00Z", "wrong_type", "must be a list"),
    ):
        (fault,) = faults_with_list(value)
        assert (fault.pointer, fault.code) == (f"/{field}", code)
        assert fault.detail.startswith(f"{field} {detail}")
    assert len(faults_with_list(["2036-08-20T09:00:00Z"] * 501)) == 1
    most = NEW_BOOKING.decode(json.dumps(SERIES | {field: ["2036-08-20T11:00:00+02:00"] * 500}).encode())
    assert getattr(most, field) == [datetime(2036, 8, 20, 9, tzinfo=UTC)] * 500


def test_what_belongs_to_a_series_is_refused_in_a_single_booking() -> None:
    words = {"exdates": [GOOD["start_time"]], "rdates": [], "time_zone": "UTC", "on_conflict": "fail"}
    for rule in ({}, {"recurrence_rule": None}):
        assert faults_with(**words, **rule) == {(f"/{name}", "recurrence_required") for name in words}
    assert faults_with(on_conflict="fail") == {("/on_conflict", "recurrence_required")}
    for there in ({"recurrence_rule": "FREQ=DAILY"}, {"rdates": [GOOD["start_time"]]}):
        assert NEW_BOOKING.decode(json.dumps(GOOD | words | there).encode()).recurring
    assert faults_with(on_conflict="fail", recurrence_rule=5) == {("/recurrence_rule", "wrong_type")}
    assert faults_with(on_conflict="fail", rdates=5) == {("/rdates", "wrong_type")}
    assert not NEW_BOOKING.decode(json.dumps(GOOD).encode()).recurring


def test_a_series_begins_at_a_whole_second_and_a_single_booking_at_any_millisecond() -> None:
    fine = {"start_time": "2036-08-11T09:00:00.5Z"}
    assert faults_with(**fine, recurrence_rule="FREQ=DAILY") == {("/start_time", "whole_second_required")}
    assert faults_with(**fine, rdates=["2036-08-20T09:00:00Z"]) == {("/start_time", "whole_second_required")}
    assert NEW_BOOKING.decode(json.dumps(GOOD | fine).encode()).start_time.microsecond == 500_000
    times = {"start_time": fine["start_time"], "end_time": GOOD["end_time"]}
    for scope, right in (("this", True), ("this_and_following", False), ("all", False)):
        raw = json.dumps(times | {"scope": scope}).encode()
        if right:
            assert OCCURRENCE_TIMES.decode(raw).scope == scope
        else:
            with pytest.raises(BadRequest):
                OCCURRENCE_TIMES.decode(raw)


def test_the_page_of_a_list_is_asked_for_by_window_size_and_place() -> None:
    query = OCCURRENCE_QUERY.decode_query(b"start_date=2036-08-10&end_date=2036-08-11&limit=5&cursor=abc")
    assert (query.limit, query.cursor) == (5, "abc")
    assert query.window("Europe/Berlin") == (
        datetime(2036, 8, 9, 22, tzinfo=UTC),
        datetime(2036, 8, 11, 22, tzinfo=UTC),
    )


ID = "019e0c3d-33a0-7c11-8f52-4be0d7a3c9f1"
RIGHT: dict[Shape[Any], dict[str, Any]] = {
    NEW_BOOKING: GOOD | {"places": 2},
    NEW_RESOURCE: {"name": "Room", "resource_id": "room-1", "time_zone": "Europe/Berlin", "capacity": 20},
    NEW_TIMES: {"start_time": GOOD["start_time"], "end_time": GOOD["end_time"]},
    RESOURCE_CHANGE: {"name": "Room", "capacity": 20},
    CANCELLATION: {"reason": "Why not?"},
    OCCURRENCE_TIMES: {"start_time": GOOD["start_time"], "end_time": GOOD["end_time"], "scope": "all"},
    NEW_SEAT: {"slot_id": ID},
    RESERVATION: {"event_id": ID, "user_id": ID.upper()},
    NEW_SLOT: {"start_time": GOOD["start_time"], "end_time": GOOD["end_time"], "capacity": 2},
    NEW_SLOTS: {
        "start_time": GOOD["start_time"],
        "end_time": GOOD["end_time"],
        "slot_minutes": 20,
        "gap_minutes": 10,
        "capacity": 2,
        "on_conflict": "skip",
        "horizon_days": 30,
    },
    NEW_EVENT: {
        "name": "Open day",
        "total_seats": 200,
        "start_time": GOOD["start_time"],
        "end_time": GOOD["end_time"],
    },
    EVENT_CHANGE: {"name": "Open day", "total_seats": 20},
}
SERIES = GOOD | {
    "recurrence_rule": "FREQ=DAILY;COUNT=3",
    "exdates": ["2036-08-12T09:00:00Z"],
    "rdates": ["2036-08-20T09:00:00+02:00"],
    "time_zone": "Europe/Berlin",
    "on_conflict": "skip",
    "places": 2,
}
REPEATED = GOOD | {"recurrence_rule": "FREQ=DAILY;COUNT=3"}
INTERVALS = [
    ("2036-08-11T09:00:00Z", "2036-08-11T10:00:00Z"),
    ("2036-08-11T09:00:00Z", "2036-08-11T09:00:00Z"),
    ("2036-08-11T11:00:00+02:00", "2036-08-11T10:00:00Z"),
    ("2036-08-11T09:00:00.0001Z", "2036-08-11T10:00:00Z"),
    ("2036-08-11T09:00:00.00000001Z", "2036-08-11T10:00:00Z"),
    ("2036-08-11T09:00:00.120000Z", "2036-08-11T10:00:00.12Z"),
    ("2036-08-11T09:00:00", "2036-08-11T10:00:00"),
    ("1969-12-31T22:00:00Z", "1969-12-31T23:00:00Z"),
    ("1970-01-01T00:30:00+02:00", "1970-01-01T01:30:00+02:00"),
    ("9999-12-31T22:00:00Z", "9999-12-31T23:59:59.999Z"),
    ("9999-12-31T22:00:00-05:00", "9999-12-31T23:59:59-05:00"),
    ("2036-08-11T09:00:00Z", "2037-08-12T09:00:00Z"),
    ("2036-08-11T09:00:00Z", "2037-08-12T09:00:00.001Z"),
]
ODD_TEXTS = [
    "",
    " ",
    "\u3000",
    "\n",
    "a\nb",
    "\x00",
    "\x85",
    "\u2028",
    "\ud800",
    "x" * 255,
    "x" * 256,
    "x" * 2_001,
    '"',
    "\\",
]
ODD_NUMBERS = [True, -1, 0, 1, 1_000_000, 1_000_001, 10**30, 1.0]
ODD_LISTS: list[Any] = [[], [[]], [None], [5], ["x"], [GOOD["start_time"]], [GOOD["start_time"]] * 501]
ODD_WORDS = ["UTC", "Nowhere", "fail", "this", "RRULE:FREQ=DAILY", "FREQ=DAILY;INTERVAL=0"]
ODD_VALUES: list[Any] = [*ODD_TEXTS, *ODD_NUMBERS, *ODD_LISTS, *ODD_WORDS, None, {}]
ODD_NAMES = ["", "x", "Name", "resource_id ", '"']


def told(decode: Callable[[], object]) -> object:
    """What comes of decoding: the body, or what is wrong with it."""
    try:
        return decode()
    except BadRequest as error:
        return error.faults
    except UnreadableBody as error:
        return str(error)


def assert_both_ways_agree(shape: Shape[Any], members: list[tuple[str, Any]], **style: Any) -> None:
    parts = [f"{json.dumps(name, **style)} : {json.dumps(value, **style)}" for name, value in members]
    raw = f"{{{', '.join(parts)}}}".encode(errors="surrogatepass")
    assert told(lambda: shape.decode(raw)) == told(lambda: shape.read(_members(raw))), raw


@pytest.mark.parametrize(
    ("shape", "right"),
    [*RIGHT.items(), (NEW_BOOKING, SERIES), (NEW_BOOKING, REPEATED)],
    ids=[*(shape.body.__name__ for shape in RIGHT), "a series", "a plain series"],
)
def test_the_quick_way_agrees_with_the_thorough_one_about_each_field(shape: Shape[Any], right: dict[str, Any]) -> None:
    for name, good in right.items():
        others = [(other, value) for other, value in right.items() if other != name]
        assert_both_ways_agree(shape, others)
        for value in ODD_VALUES:
            assert_both_ways_agree(shape, [*others, (name, value)])
            assert_both_ways_agree(shape, [*others, (name, good), (name, value)])
        assert_both_ways_agree(shape, [*others, (name, good), (name, good)])
    for start, end in INTERVALS:
        assert_both_ways_agree(shape, list((right | {"start_time": start, "end_time": end}).items()))


def test_the_quick_way_is_taken_where_a_body_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object, members: object) -> object:
        raise AssertionError(members)

    monkeypatch.setattr(Shape, "read", refuse)
    for shape, right in RIGHT.items():
        if "time_zone" not in right:
            assert shape.decode(json.dumps(right).encode())


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Shape[Any], list[tuple[str, Any]]]:
    """A shape, and members that are right but for a few."""
    shape, right = draw(st.sampled_from([*RIGHT.items(), (NEW_BOOKING, SERIES), (NEW_BOOKING, REPEATED)]))
    body = dict(right)
    if "start_time" in right:
        body["start_time"], body["end_time"] = draw(st.sampled_from(INTERVALS))
    members = [*body.items(), *draw(st.lists(st.tuples(st.sampled_from([*right, *ODD_NAMES]), ODD), max_size=2))]
    return shape, draw(st.permutations(members))[draw(st.integers(0, 2)) :]


ODD = st.sampled_from(ODD_VALUES) | st.text(max_size=4) | st.datetimes().map(datetime.isoformat)


@settings(max_examples=300, deadline=None)
@given(case=bodies(), ascii_only=st.booleans())
def test_the_quick_way_agrees_with_the_thorough_one(
    case: tuple[Shape[Any], list[tuple[str, Any]]], ascii_only: bool
) -> None:
    assert_both_ways_agree(*case, ensure_ascii=ascii_only)
