"""The days of a window, sorted by what a time of day means in UTC, against the wall clock day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules import zone_days
from engine.rules.wall_clock import to_utc
from engine.rules.zone_days import DAY_MS, days_by_clock, span
from tests.rules.far_series import CLOCKS, ZONES

WINDOWS = [
    (date(1940, 1, 1), date(1950, 1, 1)),
    (date(2010, 1, 1), date(2014, 1, 1)),
    (date(2026, 1, 1), date(2090, 1, 1)),
]


def clock_of_days(zone: str, clock: time, first: int, behind: int) -> list[int]:
    """For each day of the window its clock in UTC; fails where a day is in no set or in several."""
    clock_ms = ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000
    found: dict[int, int] = {}
    for utc_clock_ms, days in days_by_clock(zone, clock_ms, first=first, behind=behind):
        for day in range(behind - first):
            if days >> day & 1:
                assert day not in found
                found[day] = utc_clock_ms
    assert len(found) == behind - first
    return [found[day] for day in range(behind - first)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.sampled_from(CLOCKS), st.sampled_from(WINDOWS), st.data())
def test_a_time_of_day_means_in_utc_what_the_wall_clock_says(
    zone: str, clock: time, window: tuple[date, date], data: st.DataObject
) -> None:
    first, behind = (day.toordinal() for day in window)
    clocks = clock_of_days(zone, clock, first, behind)
    changed = [day for day in range(1, behind - first) if clocks[day] != clocks[day - 1]]
    some = data.draw(st.lists(st.integers(1, behind - first - 1), max_size=10))
    for day in (near for at in changed[-20:] + some for near in (at - 1, at)):
        instant = to_utc(datetime.combine(date.fromordinal(first + day), clock), ZoneInfo(zone))
        midnight = datetime.combine(date.fromordinal(first + day), time(), UTC)
        assert midnight + timedelta(milliseconds=clocks[day]) == instant


def test_the_day_that_apia_left_out_begins_when_the_next_one_does() -> None:
    first = date(2011, 12, 29).toordinal()
    # On the 29th the wall was 10 hours behind UTC, on the 31st 14 hours ahead; the 30th never came.
    assert clock_of_days("Pacific/Apia", time(9), first, first + 3) == [
        19 * 3_600_000,
        10 * 3_600_000,
        -5 * 3_600_000,
    ]


def test_a_time_that_exists_twice_is_the_first_and_one_that_does_not_is_the_jump() -> None:
    first = date(2026, 10, 25).toordinal()
    assert clock_of_days("Europe/Berlin", time(2, 30), first, first + 1) == [1_800_000]
    first = date(2026, 3, 29).toordinal()
    assert clock_of_days("Europe/Berlin", time(2, 30), first, first + 1) == [3_600_000]


def test_windows_that_begin_on_the_day_of_a_change_see_it() -> None:
    whole = date(2026, 1, 1).toordinal()
    clocks = clock_of_days("Europe/Berlin", time(2, 30), whole, whole + 365)
    for day in range(364):
        assert clock_of_days("Europe/Berlin", time(2, 30), whole + day, whole + day + 1) == clocks[day : day + 1]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Chatham", "America/St_Johns"])
def test_it_makes_no_difference_where_a_stretch_ends(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = date(2026, 1, 1).toordinal()
    clocks = clock_of_days(zone, time(2, 30), first, first + 365)
    assert len(set(clocks)) > 1
    monkeypatch.setattr(zone_days, "_changes_of", zone_days._changes_of.__wrapped__)
    monkeypatch.setattr(zone_days, "STRETCH_DAYS", 1)
    days_by_clock.cache_clear()
    try:
        assert clock_of_days(zone, time(2, 30), first, first + 365) == clocks
        for day in range(365):
            assert clock_of_days(zone, time(2, 30), first + day, first + day + 1) == clocks[day : day + 1]
    finally:
        days_by_clock.cache_clear()


def test_offsets_are_read_once_for_a_stretch_of_years() -> None:
    zone_days._changes_of.cache_clear()
    first, behind = date(2026, 1, 1).toordinal(), date(2086, 1, 1).toordinal()
    for clock_ms in range(0, DAY_MS, DAY_MS // 24):
        days_by_clock("Europe/Berlin", clock_ms, first=first, behind=behind)
    assert zone_days._changes_of.cache_info().misses <= (behind - first) // zone_days.STRETCH_DAYS + 2


@pytest.mark.parametrize(
    ("first", "behind", "days"), [(0, 3, 0b111), (2, 4, 0b1100), (3, 3, 0), (4, 2, 0), (-1, -1, 0)]
)
def test_a_span_holds_its_first_day_and_not_the_one_behind(first: int, behind: int, days: int) -> None:
    assert span(first, behind) == days
