"""What availability is measured on: two calendars that are free at the same times, or no figure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest

from engine.errors import StartupRefused
from engine.rules.recurrence import Recurrence, starts_between
from engine.rules.recurrence_rule import rule_of
from loadtest import bench, calendars
from loadtest.calendars import BOOKINGS, LENGTH, NEAR, SERIES, WINDOW, make_calendars
from loadtest.ground import Ground, Installation


@pytest.fixture
def installation(servers_of_others: str) -> Iterator[Installation]:
    """One that runs, with nothing in it."""
    assert servers_of_others, "its servers"
    with Ground(None) as ground:
        made = ground.install("calendars", "direct")
        ground.start(made)
        yield made


def hush(_: str) -> None:
    """Say nothing."""


def free_times(url: str) -> list[dict[str, str]]:
    answer = httpx.get(url, trust_env=False, timeout=10).raise_for_status().json()
    found: list[dict[str, str]] = answer["available_slots"]
    return found


def test_single_bookings_stand_in_for_every_occurrence_in_the_window() -> None:
    series = calendars.weekly_series()
    length_ms = LENGTH // timedelta(milliseconds=1)
    recurrences = [Recurrence(one.start.replace(tzinfo=None), "UTC", length_ms, rule_of(one.rule)) for one in series]
    given = [start for one in recurrences for start in starts_between(one, NEAR, NEAR + WINDOW)]
    assert [one.start for one in calendars.occurrences()] == given
    assert len(series) == SERIES < len(given)


def test_no_two_claims_of_a_calendar_touch() -> None:
    starts = sorted(one.start for one in [*calendars.occurrences(), *calendars.singles()])
    assert len(calendars.singles()) == BOOKINGS
    assert all(later - earlier > LENGTH for earlier, later in pairwise(starts))
    assert starts[0] >= NEAR
    assert starts[-1] + LENGTH <= NEAR + WINDOW


def test_series_and_single_bookings_leave_the_same_times_free(installation: Installation) -> None:
    urls = make_calendars(installation)
    free = {name: free_times(url) for name, url in urls.items()}
    assert free["free-series"] == free["free-singles"]
    claims = len(calendars.occurrences()) + BOOKINGS
    assert len(free["free-singles"]) == claims, "a free time behind each"
    assert len(free["free-week"]) == len(free["free-years"]) == 30
    found = bench.audit(installation, booked=0, say=hush)
    assert found.clean, found.violations
    assert found.stands == 0, "nothing was booked under load"


def test_calendars_that_are_not_equally_free_are_not_compared(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = calendars.occurrences()[1:]
    monkeypatch.setattr(calendars, "occurrences", lambda: fewer)
    with pytest.raises(StartupRefused, match="equally free"):
        make_calendars(installation)


def test_a_booking_that_is_refused_is_named(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = calendars.singles()[:1] * 2
    monkeypatch.setattr(calendars, "singles", lambda: twice)
    with pytest.raises(StartupRefused, match="POST /api/v1/bookings is answered with 409"):
        make_calendars(installation)


def test_a_server_that_is_gone_is_named(installation: Installation) -> None:
    (api,) = installation.api
    api.tell_to_end()
    api.end()
    with pytest.raises(StartupRefused, match="is not answered"):
        make_calendars(installation)
