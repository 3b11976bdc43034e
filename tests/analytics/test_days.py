"""Days begin when the clocks of their zone say so, and percentages are rounded as people do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.analytics import day_boundaries, percentage, whole_months

LENGTHS = (
    ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00Z", 23.0),
    ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00Z", 25.0),
    ("Europe/Berlin", date(2026, 7, 1), "2026-06-30T22:00Z", 24.0),
    ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00Z", 23.0),
    ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00Z", 25.0),
    ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30Z", 23.5),
    ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00Z", 24.5),
    ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00Z", 23.0),  # the clock jumps from midnight to one
    ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00Z", 25.0),  # it goes back from one to midnight
    ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00Z", 0.0),  # a day that the zone left out
)


@pytest.mark.parametrize(("zone", "day", "begins", "hours"), LENGTHS)
def test_a_day_is_as_long_as_its_zone_has_it(zone: str, day: date, begins: str, hours: float) -> None:
    start, end = day_boundaries(day, day, zone)
    assert start == datetime.fromisoformat(begins)
    assert (end - start) / timedelta(hours=1) == hours


def test_whole_months_lie_within_the_window() -> None:
    new_year, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    minute = timedelta(minutes=15)
    assert whole_months(new_year, later) == (new_year, later)
    assert whole_months(new_year + minute, later - minute) == (
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    )
    assert (
        whole_months(new_year + minute, datetime(2026, 2, 20, tzinfo=UTC)) == (datetime(2026, 2, 20, tzinfo=UTC),) * 2
    )


def test_a_percentage_has_one_decimal_and_halves_go_up() -> None:
    assert [
        percentage(*pair) for pair in ((0, 0), (0, 7), (7, 7), (1, 3), (2, 3), (1, 2_000), (1, 2_001), (3, 40))
    ] == [
        0.0,
        0.0,
        100.0,
        33.3,
        66.7,
        0.1,
        0.0,
        7.5,
    ]
