"""The calendars that availability is asked of, filled by requests like any others.

Two of them are free at the same times: one has series in it, the other the same claims as single bookings. A third
has one daily series, and is asked about a window in which that is stored, and about one that only its rule reaches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from engine.errors import StartupRefused
from loadtest.ground import BOOK, HOST, Installation

RESOURCES = "/api/v1/resources"
AVAILABILITY = "/api/v1/availability"
SEEN = "Firstcome-Seen"
ANSWER_WITHIN_S = 30

FIRST = datetime(2061, 1, 3, tzinfo=UTC)
"""When the series begin."""
NEAR = FIRST + timedelta(days=7)
FAR = FIRST.replace(year=FIRST.year + 5)
"""Where the windows begin: what is so near is stored, what is so far only the rule knows."""
WINDOW = timedelta(days=30)
WEEK = timedelta(days=7)
PACE = timedelta(hours=8)
"""From one weekly series to the next. Single bookings lie in the middle between them, so nothing touches."""
LENGTH = timedelta(hours=1)
SERIES = 20
BOOKINGS = 50


class Wish(NamedTuple):
    """A booking to be made. ``rule`` is empty where it is a single one."""

    start: datetime
    rule: str = ""


def make_calendars(installation: Installation) -> dict[str, str]:
    """Fill the calendars through the API. Returns the addresses to ask, by the name of the target.

    Raises StartupRefused where something is not booked, or calendars that have to be equally free are not.
    """
    calendars = {
        "free-singles": [*occurrences(), *singles()],
        "free-series": [*weekly_series(), *singles()],
        "free-daily": [Wish(FIRST, "FREQ=DAILY")],
    }
    windows = {
        "free-singles": ("free-singles", NEAR),
        "free-series": ("free-series", NEAR),
        "free-week": ("free-daily", NEAR),
        "free-years": ("free-daily", FAR),
    }
    with closing(HTTPConnection(HOST, installation.port, timeout=ANSWER_WITHIN_S)) as connection:
        seen = {resource_id: _fill(connection, resource_id, wishes) for resource_id, wishes in calendars.items()}
        free = {name: _free_times(connection, window, seen[window[0]]) for name, window in windows.items()}
    installation.stored += sum(map(len, calendars.values()))
    if free["free-series"] != free["free-singles"] or len(free["free-week"]) != len(free["free-years"]):
        raise StartupRefused("Calendars that have to be equally free are not.")
    return {name: f"http://{HOST}:{installation.port}{_question(*window)}" for name, window in windows.items()}


def weekly_series() -> list[Wish]:
    """Infinite series that never meet."""
    return [Wish(FIRST + number * PACE, "FREQ=WEEKLY") for number in range(SERIES)]


def occurrences() -> list[Wish]:
    """Their occurrences in the near window, as single bookings."""
    weeks = (NEAR + WINDOW - FIRST) // WEEK + 1
    starts = (wish.start + week * WEEK for wish in weekly_series() for week in range(weeks))
    return [Wish(start) for start in starts if NEAR <= start < NEAR + WINDOW]


def singles() -> list[Wish]:
    """Single bookings all over the near window, which meet none of them."""
    places = WINDOW // PACE
    return [Wish(NEAR + number * places // BOOKINGS * PACE + PACE / 2) for number in range(BOOKINGS)]


def _fill(connection: HTTPConnection, resource_id: str, wishes: Sequence[Wish]) -> str:
    """Make a resource and book it. Returns what a read sends to see all of it."""
    _ask(connection, "POST", RESOURCES, {"resource_id": resource_id, "name": resource_id})
    seen = ""
    for start, rule in wishes:
        times = {"start_time": start.isoformat(), "end_time": (start + LENGTH).isoformat()}
        repeated = {"recurrence_rule": rule} if rule else {}
        _, seen = _ask(connection, "POST", BOOK, {"resource_id": resource_id, **times, **repeated})
    return seen


def _free_times(connection: HTTPConnection, window: tuple[str, datetime], seen: str) -> list[Any]:
    answer, _ = _ask(connection, "GET", _question(*window), seen=seen)
    free: list[Any] = answer["available_slots"]
    return free


def _question(resource_id: str, start: datetime) -> str:
    """Ask when a resource is free in thirty days."""
    window = {"start_date": start.isoformat(), "end_date": (start + WINDOW).isoformat()}
    return f"{AVAILABILITY}?{urlencode({'resource_id': resource_id, **window})}"


def _ask(
    connection: HTTPConnection, method: str, path: str, body: Mapping[str, str] | None = None, *, seen: str = ""
) -> tuple[dict[str, Any], str]:
    """Send a request. Returns its answer, and what a later read sends to see it."""
    headers = {"content-type": "application/json"} | ({SEEN: seen} if seen else {})
    try:
        connection.request(method, path, msgspec.json.encode(body) if body else None, headers)
        response = connection.getresponse()
        said = response.read()
    except (OSError, HTTPException) as error:
        raise StartupRefused(f"{method} {path} is not answered: {error}.") from error
    if response.status != (200 if method == "GET" else 201):
        raise StartupRefused(f"{method} {path} is answered with {response.status}: {said.decode(errors='replace')}")
    return msgspec.json.decode(said, type=dict[str, Any]), response.headers.get(SEEN, "")
