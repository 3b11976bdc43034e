"""Windows of time in a query: both ends instants, or both plain dates, which are days of some time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from msgspec import UNSET, UnsetType

from api.decode import Body
from api.fields import FIRST_YEAR, LAST_YEAR, LONGEST_INTERVAL, Fault, FieldError, Instant, described

DAY = timedelta(days=1)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BARE_PLUS = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)", re.ASCII)

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class DayOrInstant:
    """An end of a window: a plain date, or an instant."""

    def read(self, value: object) -> date | datetime:
        """Read a date or an instant.

        An offset whose plus sign was not escaped arrives with a space: nothing else can have been meant.
        """
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            return Instant().read(_BARE_PLUS.sub("+", value) if isinstance(value, str) else value)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise FieldError("invalid_date", "must be a date that exists") from None
        if not FIRST_YEAR <= day.year < LAST_YEAR:
            raise FieldError("out_of_range", f"must be in the years {FIRST_YEAR} to {LAST_YEAR - 1}")
        return day


StartDate = Annotated[
    Any,
    described(
        DayOrInstant(), "First day, or the instant from which on.", "2036-08-10", extra_json_schema={"type": "string"}
    ),
]
EndDate = Annotated[
    Any,
    described(
        DayOrInstant(),
        "Last day, or the instant until which (not part of it).",
        "2036-08-14",
        extra_json_schema={"type": "string"},
    ),
]


class Window(Body, frozen=True):
    """A window of at most 366 days: both ends instants, or both plain dates."""

    start_date: StartDate
    end_date: EndDate

    def faults(self) -> list[Fault]:
        """Check the window, if both ends are right by themselves."""
        start, end = self.start_date, self.end_date
        if not isinstance(start, date) or not isinstance(end, date):  # a datetime is a date
            return []
        if isinstance(start, datetime) is not isinstance(end, datetime):
            detail = "end_date must be of the same kind as start_date: both plain dates, or both instants"
            return [Fault("/end_date", "mixed_window", detail)]
        if not isinstance(end, datetime):
            end += DAY  # the last day is part of it
        if start >= end:
            return [Fault("/start_date", "invalid_interval", "start_date must be before end_date")]
        if end - start > LONGEST_INTERVAL:
            return [Fault("/end_date", "interval_too_long", "start_date and end_date must be at most 366 days apart")]
        return []

    def window(self, time_zone: str) -> Interval:
        """The window in UTC. Plain dates are days of the zone, so some have 23 or 25 hours."""
        if isinstance(self.start_date, datetime):
            return self.start_date, self.end_date
        zone = ZoneInfo(time_zone)
        first, behind = (
            datetime.combine(day, time(), zone).astimezone(UTC) for day in (self.start_date, self.end_date + DAY)
        )
        return first, behind


class OpenWindow(Body, frozen=True):
    """A window that need not have both ends, nor any: each a plain date or an instant."""

    start_date: StartDate | UnsetType = UNSET
    end_date: EndDate | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the window, if both ends are there and right by themselves."""
        start, end = (_instant(edge, add=add, zone=UTC) for edge, add in self._edges())
        if start is not None and end is not None and start >= end:
            return [Fault("/start_date", "invalid_interval", "start_date must be before end_date")]
        return []

    def ends(self, time_zone: str) -> tuple[datetime | None, datetime | None]:
        """The ends in UTC, None where there is none. Plain dates are days of the zone, the last one included."""
        start, end = (_instant(edge, add=add, zone=ZoneInfo(time_zone)) for edge, add in self._edges())
        return start, end

    def _edges(self) -> tuple[tuple[object, timedelta], tuple[object, timedelta]]:
        return (self.start_date, timedelta()), (self.end_date, DAY)


def _instant(edge: object, *, add: timedelta, zone: tzinfo) -> datetime | None:
    """An end of a window in UTC, None where it is not given. ``add`` is what a plain date has more."""
    if isinstance(edge, datetime):
        return edge
    return datetime.combine(edge + add, time(), zone).astimezone(UTC) if isinstance(edge, date) else None
