"""What callers ask for, what they learn from an answer, how many there are when, and what comes of it in figures."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import figures
from loadtest.behaviour import KEYED, RETRIED, Ask, Caller, Habits, Heard, Times, entry_of, is_error
from loadtest.charts import Frame
from loadtest.courses import at_least, at_most, exactly
from loadtest.figures import Ticket
from loadtest.goals import goal_table
from loadtest.light import Channel, heard_of
from loadtest.order import Point, callers_at, percentile
from loadtest.profiles import HURRIED, PROFILES, SPIKE, STEADY, staged
from loadtest.record import Entry

BOOKING = "01a1feb8-426a-7e0c-82a8-f180effdb329"
REQUEST = "01a1feb8-423b-72fb-b377-456280c122d1"


def confirmed(ticket: int = 7) -> Heard:
    body = {"booking_id": BOOKING, "request_id": REQUEST, "ticket": ticket}
    return Heard(201, json.dumps(body).encode(), f"room:{ticket}", REQUEST)


def asked(habits: Habits, number: int, *, yes: bool = False) -> list[Ask]:
    """What a caller asks for who is always refused, or never."""
    caller, asks = Caller(habits, Times("load", 10), number=1), []
    for _ in range(number):
        asks.append(caller.next())
        status = 200 if asks[-1].operation in ("cancel", "move") else 201
        body = b'{"available_slots":[]}' if asks[-1].operation == "availability" else confirmed().body
        heard = Heard(status, body, "room:7", REQUEST) if yes else Heard(409, b'{"code":"conflict"}', "room:7", REQUEST)
        caller.hear(asks[-1], heard, sent=1.0, answered=2.0)
    return asks


def test_a_third_of_a_spike_is_each_operation_and_three_bookings_in_ten_are_fresh() -> None:
    asks = asked(HURRIED, 6_000)
    counted = Counter(ask.operation for ask in asks)
    assert set(counted) == {"book", "series", "availability"}
    assert all(1_700 < number < 2_300 for number in counted.values())
    times = {(ask.resource, ask.body) for ask in asks if ask.operation == "book"}
    assert 0.25 < len(times) / counted["book"] < 0.35
    series = [(ask.resource, ask.body) for ask in asks if ask.operation == "series"]
    assert len(set(series)) == len(series), "series never meet"


def test_callers_cancel_and_move_what_they_have_and_bring_its_version_when_they_look() -> None:
    asks = asked(STEADY, 3_000, yes=True)
    counted = Counter(ask.operation for ask in asks)
    assert min(counted[name] for name in ("cancel", "move", "availability")) > 100
    assert all(BOOKING in ask.path for ask in asks if ask.operation in ("cancel", "move"))
    versions = [ask for ask in asks if ask.operation == "availability" and ask.seen is not None]
    assert versions
    assert {ask.headers["firstcome-seen"].rpartition(":")[2] for ask in versions} == {"7"}
    assert {"cancel", "move"}.isdisjoint(ask.operation for ask in asked(STEADY, 500)), "who has nothing books"


def test_some_bookings_have_a_key_and_some_of_those_are_sent_again() -> None:
    asks = asked(Habits(weights={"book": 1}, fresh=1, think_s=(0, 0)), 20_000)
    keys = Counter(ask.key for ask in asks if ask.key is not None)
    assert len(keys) / len(asks) == pytest.approx(KEYED, rel=0.2)
    again = [key for key, number in keys.items() if number == 2]
    assert len(again) / len(keys) == pytest.approx(RETRIED, rel=0.2)
    assert all(len({ask.body for ask in asks if ask.key == key}) == 1 for key in again[:20])


READ = Ask("availability", "GET", "/", "room", seen=3, own=("2061-01-03T10:00:00.000Z", "2061-01-03T10:30:00.000Z"))
BOOK = Ask("book", "POST", "/", "room", b"{}", key="k")


@pytest.mark.parametrize(
    ("start", "end", "free"),
    [("09:00", "10:00", False), ("10:30", "11:00", False), ("09:00", "10:01", True), ("10:10", "10:20", True)],
)
def test_a_free_time_that_meets_the_own_booking_is_noticed(start: str, end: str, free: bool) -> None:
    slot = {"start_time": f"2061-01-03T{start}:00.000Z", "end_time": f"2061-01-03T{end}:00.000Z"}
    heard = Heard(200, json.dumps({"available_slots": [slot]}).encode())
    assert entry_of(READ, heard, sent=1, answered=2).own_free is free


@pytest.mark.parametrize(
    ("heard", "told", "definite", "error"),
    [
        (confirmed(), ("confirmed", 7, REQUEST, BOOKING), True, False),
        (Heard(409, b'{"code":"conflict"}', "room:8", REQUEST), ("conflict", 8, REQUEST, None), True, False),
        (Heard(202, b'{"ticket":9,"status":"queued"}', None, REQUEST), ("queued", 9, REQUEST, None), False, True),
        (Heard(503, b'{"code":"unavailable"}', None, REQUEST), ("unavailable", None, None, None), False, True),
        (None, (None, None, None, None), False, True),
    ],
)
def test_what_is_written_down_is_what_the_answer_says(
    heard: Heard | None, told: tuple[Any, ...], definite: bool, error: bool
) -> None:
    entry = entry_of(BOOK, heard, sent=1.0, answered=1.25)
    outcome, ticket, request_id, booking = told
    assert (entry.outcome, entry.ticket, entry.definite, is_error(entry)) == (outcome, ticket, definite, error)
    assert entry.request_id == request_id
    assert entry.booking == booking
    assert entry.took_ms == (None if heard is None else 250)
    assert entry.body_hash is not None


@given(st.lists(st.integers(0, 400), max_size=9))
def test_an_answer_is_whole_whatever_pieces_it_comes_in(cuts: list[int]) -> None:
    body = confirmed().body
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(body)}\r\nFirstcome-Seen: room:7\r\nx-request-id: {REQUEST}"
    answer = head.encode() + b"\r\n\r\n" + body
    channel, taken = Channel(), []
    channel._taken = lambda whole, _: taken.append(whole)
    places = sorted({0, len(answer) - 1, len(answer), *(cut for cut in cuts if cut < len(answer))})
    for begin, end in pairwise(places):
        assert taken == []
        channel.data_received(answer[begin:end])
    assert taken == [answer]
    assert heard_of(answer) == Heard(201, body, "room:7", REQUEST)


def test_a_connection_that_is_lost_answers_nothing() -> None:
    channel, taken = Channel(), []
    channel._taken = lambda whole, _: taken.append(whole)
    channel.data_received(b"HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n123")
    channel.connection_lost(None)
    assert taken == [None]


@pytest.mark.parametrize(("at_s", "callers"), [(0, 0), (5, 25), (10, 50), (20, 50), (24.9, 50), (25, None)])
def test_callers_rise_evenly_between_two_points(at_s: float, callers: int | None) -> None:
    assert callers_at([Point(0, 0), Point(10, 50), Point(25, 50)], at_s) == callers


def test_profiles_have_the_shapes_that_are_asked_for() -> None:
    assert {name: profile.seconds for name, profile in PROFILES.items()} == {"load": 210, "spike": 30}
    assert [point.callers for point in PROFILES[SPIKE].shape] == [0, 50, 400, 800, 800]
    stages = staged(2)
    assert [callers_at(stages.shape, at_s) for at_s in (60, 180, 300)] == [50, 100, 200]
    assert (stages.seconds, stages.judged_s) == (360, 250)
    short = PROFILES[SPIKE].lasting(3)
    assert (short.seconds, short.requests, short.rooms, short.shape[3].callers) == (3, 3_000, 50, 800)


@pytest.mark.parametrize(
    ("goal", "verdict", "asked_for"),
    [
        (at_least("x", 5, 5), "met", "at least 5"),
        (at_least("x", 4, 5), "missed", "at least 5"),
        (at_most("x", 5, 5, "ms"), "met", "at most 5 ms"),
        (at_most("x", 6, 5, "ms"), "missed", "at most 5 ms"),
        (at_most("x", None, 5, "ms"), "missed", "at most 5 ms"),
        (exactly("x", 5, 5), "met", "exactly 5"),
        (exactly("x", 6, 5), "missed", "exactly 5"),
    ],
)
def test_a_figure_is_met_or_missed(goal: Any, verdict: str, asked_for: str) -> None:
    assert (goal.verdict, goal.asked) == (verdict, asked_for)
    assert asked_for in goal_table([goal])


@pytest.mark.parametrize(
    ("values", "share", "found"), [([], 95, 0), ([3], 50, 3), (list(range(100)), 95, 95), (list(range(100)), 50, 50)]
)
def test_percentiles(values: list[float], share: float, found: float) -> None:
    assert percentile(values, share) == found


def entry(sent: float, took: float | None, outcome: str = "conflict") -> Entry:
    answered = None if took is None else sent + took
    status = {"confirmed": 201, "conflict": 409}[outcome] if took is not None else 0
    told = outcome if took is not None else None
    return Entry(
        operation="book", caller="a", resource="r", sent=sent, answered=answered, status=status, outcome=told, ticket=1
    )


def test_positions_are_those_on_joining_and_waits_the_ledgers() -> None:
    joined = [(0.0, 1.0), (0.1, 1.0), (0.2, 2.0), (1.5, 2.0)]
    tickets = [Ticket("r", number, begin, end, "refused") for number, (begin, end) in enumerate(joined, 1)]
    found = {place.position: (place.commands, round(place.p50_ms)) for place in figures.places(tickets)}
    assert found == {1: (1, 1000), 2: (2, 900), 3: (1, 1800)}


def test_the_depth_of_the_queues_is_what_joined_and_was_not_decided() -> None:
    tickets = [Ticket("r", n, n * 0.1, 2.0, "refused") for n in range(10)]
    found = figures.moments([entry(0, 1.0), entry(0, 3.0)], tickets)
    assert max(moment.waiting for moment in found) == 10
    assert found[-1].waiting == 0
    assert sum(moment.rate for moment in found) * (found[1].at_s - found[0].at_s) == pytest.approx(2)


def test_the_figures_of_a_launch() -> None:
    entries = [entry(n / 1000, 1.0, "confirmed" if n in (0, 3) else "conflict") for n in range(200)]
    tickets = [Ticket("r", n + 1, 0.5 + n / 1000, 0.6 + n / 100, "refused") for n in range(200)]
    found = figures.launch(entries, tickets, places=2)
    assert found.offered == pytest.approx(1_000)
    assert found.decided_s == pytest.approx(1.199)
    assert found.first_ticket_ms == pytest.approx(500)
    assert found.first_100_ms == pytest.approx(1_090)
    assert found.ledger_s == pytest.approx(2.09)
    assert (found.confirmed, found.served) == (2, 1)
    assert figures.launch([entry(0, None)], [], places=1).decided_s is None


def test_crowds_are_told_apart_and_need_exactly_one_yes() -> None:
    crowd = [entry(0, 0.1, "confirmed"), entry(0, 0.2), entry(1, 0.1, "confirmed"), entry(1, 0.3, "confirmed")]
    for one in crowd:
        one.label = "2"
    (found,) = figures.crowds([*crowd, entry(5, 9.0)], {"2": 2})
    assert (found.crowds, found.one, round(found.slowest_ms)) == (2, 1, 300)


@given(st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_everything_lies_within_a_chart(widest: float, highest: float) -> None:
    frame = Frame(widest, highest, whole=False)
    assert frame.x(0) <= frame.x(widest) <= 640
    assert 0 <= frame.y(highest) <= frame.y(0) <= 240
    assert 3 <= len([line for line in frame.grid() if "grid" in line]) <= 8
