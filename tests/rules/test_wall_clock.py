"""Wall clocks: golden days on which they change, and the properties that every zone keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.wall_clock import to_local, to_utc
from tests.rules.golden import Change, clock_changes

MINUTE = timedelta(minutes=1)
ZONES = sorted({change.zone for change in clock_changes()})


def wall(clock: str) -> datetime:
    """What a clock on the wall shows: no zone."""
    return datetime.fromisoformat(clock)


zones = st.sampled_from(ZONES).map(ZoneInfo)
near_a_change = st.builds(
    lambda change, minutes: change.start + timedelta(days=1, minutes=minutes),
    st.sampled_from(clock_changes()),
    st.integers(-1_600, 1_600),
)
anywhere = st.integers(0, 60_000_000).map(lambda minutes: wall("1980-01-01T00:00") + minutes * MINUTE)
wall_clocks = st.one_of(near_a_change, anywhere)


@pytest.mark.parametrize("change", clock_changes(), ids=str)
def test_the_clock_changes_as_it_did(change: Change) -> None:
    days = [change.start + timedelta(days=day) for day in range(3)]
    assert [to_utc(day, ZoneInfo(change.zone)) for day in days] == change.instants


def test_at_least_twelve_zones_are_looked_at() -> None:
    assert len(ZONES) >= 12


@given(local=wall_clocks, zone=zones)
def test_it_is_the_first_instant_at_which_the_clock_shows_so_much_or_more(local: datetime, zone: ZoneInfo) -> None:
    at = to_utc(local, zone)
    assert at.tzinfo is UTC
    assert to_local(at, zone) >= local
    before = at - timedelta(hours=26)
    minutes = (before + minute * MINUTE for minute in range(26 * 60))
    assert all(to_local(minute, zone) < local for minute in minutes)


@given(local=wall_clocks, later=st.integers(0, 3_000), zone=zones)
def test_a_later_wall_clock_is_never_an_earlier_instant(local: datetime, later: int, zone: ZoneInfo) -> None:
    assert to_utc(local, zone) <= to_utc(local + later * MINUTE, zone)


@given(local=wall_clocks, zone=zones)
def test_the_clock_shows_what_it_was_asked_for_or_it_never_does(local: datetime, zone: ZoneInfo) -> None:
    at = to_utc(local, zone)
    if to_local(at, zone) != local:
        assert to_local(at - timedelta(microseconds=1), zone) < local


def test_fractions_of_a_second_are_kept_but_where_the_time_does_not_exist() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert to_utc(wall("2025-03-30T01:59:59.250"), berlin) == datetime(2025, 3, 30, 0, 59, 59, 250_000, UTC)
    assert to_utc(wall("2025-03-30T02:00:00.250"), berlin) == datetime(2025, 3, 30, 1, tzinfo=UTC)


def test_the_clock_shows_the_same_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2025, 10, 26, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert to_local(first, berlin) == to_local(second, berlin) == wall("2025-10-26T02:30")
    assert to_local(second, berlin).fold == 0
