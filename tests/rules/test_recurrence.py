"""Occurrences: golden expansions, daylight saving, windows far away, and a series that is parted or moved."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from dateutil import rrule as dateutil
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.recurrence import (
    Recurrence,
    before,
    candidate_periods,
    days_between,
    moved,
    name_of,
    start_of,
    starts_between,
    wall_clocks,
)
from engine.rules.recurrence_rule import parse_rule
from engine.rules.wall_clock import to_local, to_utc
from tests.rules import brute_force
from tests.rules.golden import Change, Expansion, clock_changes, expansions

HOUR_MS = 3_600_000
DAY = timedelta(days=1)
BERLIN = "Europe/Berlin"


def series(rule: str | None, start: str, zone: str = "UTC", **dates: tuple[datetime, ...]) -> Recurrence:
    """A series of one hour whose start, a wall clock, its rule gives."""
    read = None if rule is None else parse_rule(rule, zone=ZoneInfo(zone))
    return Recurrence(datetime.fromisoformat(start), zone, HOUR_MS, read, **dates)


def at(*instants: str) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(instant).astimezone(UTC) for instant in instants)


def starts(recurrence: Recurrence, after: str, behind: str) -> list[datetime]:
    return starts_between(recurrence, *at(after, behind))


# ---------------------------------------------------------------------------- what rules give


@pytest.mark.parametrize("golden", expansions(), ids=str)
def test_a_rule_gives_the_days_that_are_known(golden: Expansion) -> None:
    zone = ZoneInfo(golden.zone)
    rule = parse_rule(golden.rule, zone=zone)
    first = datetime.combine(golden.days[0], golden.start.time())
    given = Recurrence(first, golden.zone, HOUR_MS, rule)
    behind = golden.days[-1] + (DAY if golden.goes_on else 400 * DAY)
    found = starts_between(given, to_utc(golden.start, zone), to_utc(datetime.combine(behind, first.time()), zone))
    assert [to_local(start, zone) for start in found] == [datetime.combine(day, first.time()) for day in golden.days]


def test_the_golden_rules_are_many() -> None:
    assert len(expansions()) >= 500
    assert sum(golden.zone == "America/New_York" for golden in expansions()) >= 30  # RFC 5545's own


@pytest.mark.parametrize("change", clock_changes(), ids=str)
def test_a_daily_series_keeps_its_local_time_across_a_change(change: Change) -> None:
    daily = series("FREQ=DAILY;COUNT=3", change.start.isoformat(), change.zone)
    assert starts_between(daily, change.instants[0], change.instants[-1] + DAY) == change.instants
    for instant in change.instants:  # each is found on its own as well
        assert starts_between(daily, instant, instant + timedelta(seconds=1)) == [instant]


def test_two_days_that_begin_at_one_instant_are_one_occurrence() -> None:
    """Apia had no 30 December 2011: what was to begin then begins at the midnight that the next day begins with."""
    daily = series("FREQ=DAILY;COUNT=4", "2011-12-29T00:00", "Pacific/Apia")
    assert len(wall_clocks(daily, first=date(2011, 12, 1).toordinal(), behind=date(2012, 1, 31).toordinal())) == 4
    assert starts(daily, "2011-12-01T00:00Z", "2012-01-31T00:00Z") == list(
        at("2011-12-29T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z")
    )


def test_extra_starts_are_put_in_and_excluded_ones_left_out() -> None:
    weekly = series(
        "FREQ=WEEKLY;COUNT=4",
        "2026-08-10T09:00",
        extra=at("2026-08-12T07:30Z", "2026-09-12T07:30Z"),
        excluded=at("2026-08-17T09:00Z", "2026-09-12T07:30Z"),
    )
    assert starts(weekly, "2026-01-01T00:00Z", "2027-01-01T00:00Z") == list(
        at("2026-08-10T09:00Z", "2026-08-12T07:30Z", "2026-08-24T09:00Z", "2026-08-31T09:00Z")
    )


def test_without_a_rule_the_extra_starts_are_all() -> None:
    dates = series(None, "2026-08-10T09:00", extra=at("2026-08-10T09:00Z", "2026-08-12T07:30Z"))
    assert not dates.infinite
    assert starts(dates, "2026-01-01T00:00Z", "2027-01-01T00:00Z") == list(dates.extra)
    assert candidate_periods(dates, first=1, behind=1_000_000) == 0


@pytest.mark.parametrize(
    ("after", "behind", "found"),
    [
        ("2026-08-10T09:00Z", "2026-08-10T09:00Z", 0),
        ("2026-08-11T00:00Z", "2026-08-10T00:00Z", 0),
        ("2026-08-10T09:00Z", "2026-08-11T09:00Z", 1),
        ("2026-08-10T09:00:00.001Z", "2026-08-11T09:00Z", 0),
        ("2026-08-10T09:00:00.001Z", "2026-08-11T09:00:00.001Z", 1),
        ("2000-01-01T00:00Z", "2026-08-10T09:00Z", 0),
        ("2000-01-01T00:00Z", "2026-08-12T09:00Z", 2),
    ],
)
def test_a_window_is_half_open(after: str, behind: str, found: int) -> None:
    assert len(starts(series("FREQ=DAILY", "2026-08-10T09:00"), after, behind)) == found


@pytest.mark.parametrize("ending", ["", ";COUNT=900", ";UNTIL=20290801T000000Z"])
def test_a_series_travels_and_keeps_its_hash(ending: str) -> None:
    given = series(f"FREQ=DAILY{ending}", "2026-08-10T09:00", BERLIN, excluded=at("2026-08-17T07:00Z"))
    received = msgspec.msgpack.decode(msgspec.msgpack.encode(given), type=Recurrence)
    assert received == given
    assert hash(received) == hash(given)
    assert received.start.tzinfo is None
    assert given.infinite is (ending == "")


# ---------------------------------------------------------------------------- windows far away


class Watched(dateutil.rrule):
    """dateutil, and where it was told to begin."""

    begun: list[datetime]

    def __init__(self, freq: Any, **parts: Any) -> None:
        super().__init__(freq, **parts)
        self.begun.append(parts["dtstart"])


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
        "FREQ=MONTHLY;INTERVAL=5;BYDAY=-1FR",
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=100",
        "FREQ=DAILY;COUNT=1000",
    ],
)
def test_dateutil_begins_where_the_window_does(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watched, "begun", [], raising=False)
    monkeypatch.setattr(dateutil, "rrule", Watched)
    given = series(rule, "2026-08-10T09:00")
    for years in (1, 5, 50, 500):
        Watched.begun.clear()
        first = date(2026 + years, 1, 1)
        window = {"first": first.toordinal(), "behind": first.toordinal() + 400}
        found = wall_clocks(given, **window)
        assert len(Watched.begun) == bool(found)
        assert all(abs(begun.toordinal() - found[0].toordinal()) <= 366 for begun in Watched.begun)
        assert candidate_periods(given, **window) <= 401


def test_dateutil_is_not_asked_where_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look for the 30th of February until the calendar ends."""
    monkeypatch.setattr(dateutil, "rrule", None)
    never = series("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "2026-08-10T09:00")
    assert starts(never, "2026-01-01T00:00Z", "2226-01-01T00:00Z") == []


@pytest.mark.parametrize(
    ("rule", "periods"),
    [
        ("FREQ=DAILY;COUNT=400", 400),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", 5),
        ("FREQ=WEEKLY;COUNT=52", 52),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=8", 4),
        ("FREQ=MONTHLY;COUNT=600", 600),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=6", 6),
        ("FREQ=YEARLY;COUNT=50", 50),
        ("FREQ=YEARLY;INTERVAL=10;COUNT=3", 3),
        ("FREQ=DAILY;BYMONTH=8;BYMONTHDAY=10;COUNT=3", 732),
        ("FREQ=MONTHLY;BYDAY=1MO,2MO;COUNT=10", 6),
        ("FREQ=MONTHLY;BYDAY=1MO,2MO,3MO,4MO,-1MO,-2MO,-3MO,-4MO;COUNT=5", 2 * 2),
        ("FREQ=YEARLY;BYMONTH=8,9;BYDAY=2MO;COUNT=4", 2 * 2),
        ("FREQ=YEARLY;BYMONTH=8,9;BYSETPOS=1,2,3;COUNT=4", 2 * (1 + 2 * 4)),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,2,3;COUNT=7", 3),
    ],
)
def test_what_a_window_costs_is_known_beforehand(rule: str, periods: int) -> None:
    first = date(2026, 8, 10).toordinal()
    assert candidate_periods(series(rule, "2026-08-10T09:00"), first=first, behind=first + 18_264) == periods


@given(
    seed=st.integers(0, 100_000),
    ending=st.sampled_from(["", ";COUNT=7", ";COUNT=100", ";UNTIL=20300101T000000Z", ";UNTIL=20260901"]),
    zone=st.sampled_from(["UTC", BERLIN, "Pacific/Apia", "America/Nuuk"]),
    windows=st.lists(st.integers(-400, 4_000), min_size=3, max_size=3),
)
def test_days_and_wall_clocks_agree_in_every_window(seed: int, ending: str, zone: str, windows: list[int]) -> None:
    given = series(brute_force.draw(Random(seed)).text + ending, "2026-08-10T23:30", zone)
    first, middle, behind = (given.start.toordinal() + days for days in sorted(windows))
    days = days_between(given, first=first, behind=behind)
    whole = wall_clocks(given, first=first, behind=behind)
    assert [clock.toordinal() - first for clock in whole] == [day for day in range(behind - first) if days >> day & 1]
    parts = wall_clocks(given, first=first, behind=middle) + wall_clocks(given, first=middle, behind=behind)
    assert parts == whole


# ---------------------------------------------------------------------------- names


def test_a_name_is_the_start_in_utc() -> None:
    start = datetime(2026, 8, 10, 11, tzinfo=ZoneInfo(BERLIN))
    assert name_of(start) == "20260810T090000Z"
    assert start_of("20260810T090000Z") == start
    assert start_of("20260810T090000Z").tzinfo is UTC


@pytest.mark.parametrize(
    "name",
    [
        "",
        "20260810",
        "20260810T090000",
        "20260810T0900Z",
        "2026-08-10T09:00:00Z",
        "20260230T090000Z",
        "20260810T250000Z",
        "20260810T090000Z\n",
        " 20260810T090000Z",
        "\u0662\u0660260810T090000Z",
        "20260810t090000z",
        "00000101T000000Z",
    ],
)
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        start_of(name)


# ---------------------------------------------------------------------------- a series is parted

LONG_AGO, FAR = at("1990-01-01T00:00Z", "2036-01-01T00:00Z")


def drawn_series(seed: int, ending: str, zone: str = "UTC") -> Recurrence | None:
    """A series that has occurrences within some years, with an exception and extra starts."""
    lots = Random(seed)
    given = series(brute_force.draw(lots).text + ending, "2026-08-10T09:00", zone)
    found = starts_between(given, LONG_AGO, FAR)[:60]
    if not found:
        return None
    extra = tuple(sorted({lots.choice(found) + timedelta(hours=3), lots.choice(found) + timedelta(hours=5)}))
    first = to_local(found[0], ZoneInfo(zone))
    return msgspec.structs.replace(given, start=first, extra=extra, excluded=(lots.choice(found),))


endings = st.sampled_from(["", ";COUNT=5", ";COUNT=40", ";UNTIL=20270601T120000Z"])
zones = st.sampled_from(["UTC", BERLIN, "America/Nuuk"])


@given(seed=st.integers(0, 100_000), ending=endings, zone=zones, chosen=st.integers(0, 30))
def test_what_is_left_before_an_occurrence_is_what_came_before_it(
    seed: int, ending: str, zone: str, chosen: int
) -> None:
    given = drawn_series(seed, ending, zone)
    if given is None:
        return
    every = starts_between(given, LONG_AGO, FAR)
    if not every:
        return
    pivot = every[min(chosen, len(every) - 1)]
    left = before(given, pivot)
    assert not left.infinite
    assert starts_between(left, LONG_AGO, FAR) == [start for start in every if start < pivot]
    assert all(start < pivot for start in left.extra + left.excluded)


def test_what_is_left_ends_by_until_and_not_by_count() -> None:
    left = before(series("FREQ=WEEKLY;COUNT=10", "2026-08-10T09:00"), *at("2026-08-24T09:00Z"))
    assert left.rule is not None
    assert left.rule.text == "FREQ=WEEKLY;UNTIL=20260824T085959Z"
    dates = series(None, "2026-08-10T09:00", extra=at("2026-08-10T09:00Z", "2026-08-12T07:30Z"))
    assert before(dates, dates.extra[1]).extra == dates.extra[:1]
    assert before(dates, dates.extra[1]).rule is None


# ---------------------------------------------------------------------------- a series is moved


def move(given: Recurrence, occurrence: str, new_start: str) -> Recurrence | None:
    pivot, new = at(occurrence, new_start)
    return moved(given, pivot, new, HOUR_MS)


@given(
    seed=st.integers(0, 100_000),
    ending=endings,
    chosen=st.integers(0, 30),
    days=st.integers(-40, 40),
    hours=st.integers(-8, 14),
)
def test_a_moved_series_has_the_moved_occurrences_and_no_others(
    seed: int, ending: str, chosen: int, days: int, hours: int
) -> None:
    given = drawn_series(seed, ending)
    every = [] if given is None else starts_between(given, LONG_AGO, FAR)
    if given is None or not every:
        return
    pivot = every[min(chosen, len(every) - 1)]
    distance = timedelta(days=days, hours=hours)
    found = moved(given, pivot, pivot + distance, 2 * HOUR_MS)
    if found is None:
        assert days or pivot in given.extra, "at another time of the same day a series can always be had"
        return
    known = FAR - 50 * DAY
    assert starts_between(found, LONG_AGO, known) == [
        start + distance for start in every if start >= pivot and start + distance < known
    ]
    assert found.length_ms == 2 * HOUR_MS
    assert found.infinite is (given.infinite and found.rule is not None)
    assert to_utc(found.start, ZoneInfo("UTC")) == pivot + distance


FORTNIGHTLY = "FREQ=WEEKLY;INTERVAL=2;BYDAY"
AUGUST = "FREQ=YEARLY;BYMONTH=8;BYMONTHDAY"
MOVES = [
    ("FREQ=WEEKLY", "2026-08-17T09:00", "2026-08-17T10:00", "FREQ=WEEKLY"),
    ("FREQ=WEEKLY", "2026-08-17T09:00", "2026-08-19T08:00", "FREQ=WEEKLY"),
    ("FREQ=WEEKLY;COUNT=10", "2026-08-17T09:00", "2026-08-16T09:00", "FREQ=WEEKLY;COUNT=9"),
    ("FREQ=WEEKLY;UNTIL=20261101", "2026-08-17T09:00", "2026-08-18T09:30", "FREQ=WEEKLY;UNTIL=20261103T002959Z"),
    ("FREQ=WEEKLY;BYDAY=MO,WE", "2026-08-17T09:00", "2026-08-18T09:00", "FREQ=WEEKLY;BYDAY=TU,TH"),
    ("FREQ=WEEKLY;BYDAY=MO,SA", "2026-08-17T09:00", "2026-08-18T09:00", "FREQ=WEEKLY;BYDAY=TU,SU"),
    (f"{FORTNIGHTLY}=MO,SU", "2026-08-24T09:00", "2026-08-25T09:00", f"{FORTNIGHTLY}=MO,TU;WKST=TU"),
    ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "2026-08-17T09:00", "2026-08-18T09:00", "FREQ=DAILY;BYDAY=TU,WE,TH,FR,SA"),
    ("FREQ=DAILY;INTERVAL=3", "2026-08-16T09:00", "2026-08-18T09:00", "FREQ=DAILY;INTERVAL=3"),
    ("FREQ=MONTHLY", "2026-09-10T09:00", "2026-09-15T09:00", "FREQ=MONTHLY"),
    ("FREQ=MONTHLY;BYMONTHDAY=10,20", "2026-09-10T09:00", "2026-09-15T09:00", "FREQ=MONTHLY;BYMONTHDAY=15,25"),
    ("FREQ=MONTHLY;BYMONTHDAY=10", "2026-09-10T09:00", "2026-10-01T09:00", None),
    ("FREQ=MONTHLY;BYMONTHDAY=-5", "2026-09-26T09:00", "2026-09-27T09:00", "FREQ=MONTHLY;BYMONTHDAY=-4"),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-09-30T09:00", "2026-10-01T09:00", "FREQ=MONTHLY"),
    ("FREQ=MONTHLY;BYDAY=2MO", "2026-09-14T09:00", "2026-09-14T15:00", "FREQ=MONTHLY;BYDAY=2MO"),
    ("FREQ=MONTHLY;BYDAY=2MO", "2026-09-14T09:00", "2026-09-15T09:00", None),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-08-31T09:00", "2026-09-01T09:00", None),
    ("FREQ=YEARLY", "2027-08-10T09:00", "2027-12-24T09:00", "FREQ=YEARLY"),
    (f"{AUGUST}=10", "2027-08-10T09:00", "2027-08-12T09:00", f"{AUGUST}=12"),
    (f"{AUGUST}=10", "2027-08-10T09:00", "2027-09-12T09:00", "FREQ=YEARLY"),
    (f"{AUGUST}=10", "2027-08-10T09:00", "2028-02-28T09:00", "FREQ=YEARLY"),
    (f"{AUGUST}=10", "2027-08-10T09:00", "2028-03-01T09:00", None),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "pivot", "new_start", "expected"), MOVES)
def test_a_moved_series_is_said_by_the_plainest_rule(
    rule: str, pivot: str, new_start: str, expected: str | None
) -> None:
    start = "2026-08-31T09:00" if "BYSETPOS" in rule or "-1" in rule else "2026-08-10T09:00"
    found = move(series(rule, start), f"{pivot}Z", f"{new_start}Z")
    assert (found and found.rule and found.rule.text) == expected


def test_a_move_is_one_on_the_wall_clock() -> None:
    """From nine to ten is from nine to ten, in summer and in winter."""
    given = series("FREQ=WEEKLY", "2026-10-12T09:00", BERLIN, extra=at("2026-11-03T12:00Z"))
    found = move(given, "2026-10-19T07:00Z", "2026-10-20T08:00Z")
    assert found is not None
    assert found.start == datetime.fromisoformat("2026-10-20T10:00")
    assert starts(found, "2026-10-01T00:00Z", "2026-11-08T00:00Z") == list(
        at("2026-10-20T08:00Z", "2026-10-27T09:00Z", "2026-11-03T09:00Z", "2026-11-04T13:00Z")
    )


def test_an_occurrence_whose_time_did_not_exist_moves_from_the_time_that_its_rule_says() -> None:
    given = series("FREQ=DAILY;COUNT=3", "2025-03-29T02:30", BERLIN, excluded=at("2025-03-30T01:00Z"))
    found = move(given, "2025-03-29T01:30Z", "2025-03-29T04:30Z")
    assert found is not None
    assert found.excluded == at("2025-03-30T03:30Z")
    assert starts(found, "2025-03-01T00:00Z", "2025-05-01T00:00Z") == list(at("2025-03-29T04:30Z", "2025-03-31T03:30Z"))


def test_an_occurrence_whose_time_did_not_exist_can_be_the_one_that_is_moved() -> None:
    given = series("FREQ=DAILY;COUNT=3", "2025-03-29T02:30", BERLIN, extra=at("2025-03-31T10:00Z"))
    found = move(given, "2025-03-30T01:00Z", "2025-03-30T03:00Z")
    assert found is not None
    assert starts(found, "2025-03-01T00:00Z", "2025-05-01T00:00Z") == list(
        at("2025-03-30T03:00Z", "2025-03-31T03:00Z", "2025-03-31T12:30Z")
    )


def test_the_last_occurrence_moves_along_across_a_change_of_the_clock() -> None:
    given = series("FREQ=WEEKLY;UNTIL=20261024T070000Z", "2026-10-10T09:00", BERLIN)
    found = move(given, "2026-10-17T07:00Z", "2026-10-18T07:00Z")
    assert found is not None
    assert starts(found, "2026-10-01T00:00Z", "2026-12-01T00:00Z") == list(at("2026-10-18T07:00Z", "2026-10-25T08:00Z"))


def test_extra_starts_alone_move_as_well() -> None:
    extra = at("2026-08-10T09:00Z", "2026-08-12T07:30Z", "2026-08-20T07:30Z")
    given = series(None, "2026-08-10T09:00", extra=extra, excluded=extra[2:])
    found = moved(given, extra[1], extra[1] + DAY, HOUR_MS)
    assert found is not None
    assert found.rule is None
    assert found.extra == at("2026-08-13T07:30Z", "2026-08-21T07:30Z")
    assert found.excluded == at("2026-08-21T07:30Z")


def test_extra_starts_behind_the_last_of_the_rule_move_without_it() -> None:
    given = series("FREQ=DAILY;COUNT=2", "2026-08-10T09:00", extra=at("2026-08-20T07:30Z"))
    found = moved(given, given.extra[0], given.extra[0] + DAY, HOUR_MS)
    assert found is not None
    assert (found.rule, found.extra) == (None, at("2026-08-21T07:30Z"))
    assert found.start == datetime.fromisoformat("2026-08-21T07:30")


@pytest.mark.parametrize("pivot", ["2026-08-10T10:00Z", "2026-08-10T09:00:01Z"])
def test_nothing_of_the_rule_is_left_behind_an_extra_start_on_its_last_day(pivot: str) -> None:
    given = series("FREQ=WEEKLY;COUNT=1", "2026-08-10T09:00", extra=at(pivot))
    found = moved(given, given.extra[0], given.extra[0] + DAY, HOUR_MS)
    assert found is not None
    assert (found.rule, found.extra) == (None, (given.extra[0] + DAY,))


@pytest.mark.parametrize("extra", ["2026-08-12T07:30Z", "2026-08-17T07:30Z", "2026-08-11T09:00Z"])
def test_an_extra_start_does_not_lead_a_rule(extra: str) -> None:
    given = series("FREQ=WEEKLY", "2026-08-10T09:00", extra=at(extra))
    assert moved(given, given.extra[0], given.extra[0] + DAY, HOUR_MS) is None
