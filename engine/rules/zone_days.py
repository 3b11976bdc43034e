"""On which days a wall clock falls on which clock in UTC, for decades at once. Pure, and kept: zones change rarely.

What ``wall_clock.to_utc`` says of one day, this says of all days of a window, by looking at the changes of the zone's
offset only: between two of them every day is alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY_S = 86_400
DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
LAST_DAY = date.max.toordinal()

STRETCH_DAYS = 4_096
"""Changes of an offset are looked for, and kept, in stretches of so many days (eleven years)."""
READING_DAYS = 4
"""So far apart the offset is read. No zone has ever changed it twice within six days (all zones of the tz database
of 2026, 1840 to 2100), so a change and its reverse cannot hide between two readings."""
STRETCHES = 1_024
"""How many stretches are kept, for some 150 zones at once; one takes 3 KB."""
WALL_CLOCKS = 512
"""For how many wall clocks (zone, time of day, window) the days are kept; one takes some 10 KB."""

Change = tuple[int, int]
"""An instant, in seconds since 1970, and the offset from then on, in seconds east of UTC: another one, or the same."""


@lru_cache(maxsize=WALL_CLOCKS)
def days_by_clock(zone: str, clock_ms: int, *, first: int, behind: int) -> tuple[tuple[int, int], ...]:
    """Sort the days of a window by what ``clock_ms`` on the wall means in UTC.

    clock_ms  milliseconds after midnight on the wall, at least 0 and below DAY_MS.
    first     ordinal (``date.toordinal``) of the window's first day, in the year 100 or later.
    behind    ordinal of the first day that does not belong to it.

    Returns pairs of a clock in UTC and a set of days (bit i: the day ``first`` + i). On each of these days the wall
    shows ``clock_ms`` so many milliseconds after the midnight of the same date in UTC: fewer than none, or more than
    a day, where zones are far from Greenwich. Every day of the window is in exactly one set.
    """
    found: dict[int, int] = {}
    reached = first * DAY_MS  # the wall has shown everything before this
    changes = [*changes_between(zone, first, behind), (None, 0)]
    for (instant, offset), (following, _) in pairwise(changes):
        assert instant is not None
        shown_from = _wall_ms(instant, offset)
        shown_until = behind * DAY_MS if following is None else _wall_ms(following, offset)
        begin, end = (_first_day(reached, clock_ms), min(_first_day(shown_until, clock_ms), behind))
        # What the clock jumps over happens at the jump, at another time of day for each day it leaves out.
        jumped = min(max(_first_day(shown_from, clock_ms), begin), end)
        for day in range(begin, jumped):
            clock = _wall_ms(instant, 0) - day * DAY_MS
            found[clock] = found.get(clock, 0) | 1 << (day - first)
        if jumped < end:
            clock = clock_ms - offset * 1_000
            found[clock] = found.get(clock, 0) | span(jumped - first, end - first)
        reached = max(reached, shown_until)  # where the clock goes back, the first time counts
    return tuple(found.items())


def span(first: int, behind: int) -> int:
    """The set of the days from ``first`` on and before ``behind``; empty where there are none."""
    return (1 << behind) - (1 << first) if behind > first >= 0 else 0


def _wall_ms(instant: int, offset: int) -> int:
    """What the wall shows at an instant, in milliseconds on the axis of ``date.toordinal``."""
    return (instant + offset + EPOCH_DAY * DAY_S) * 1_000


def _first_day(wall_ms: int, clock_ms: int) -> int:
    """The first day on which the wall shows ``clock_ms`` at or after ``wall_ms``."""
    return -((clock_ms - wall_ms) // DAY_MS)


def changes_between(zone: str, first: int, behind: int) -> Iterator[Change]:
    """The offset that holds well before ``first``, then every change of it up to well behind ``behind``."""
    known: int | None = None
    for stretch in range((first - 3) // STRETCH_DAYS, (behind + 2) // STRETCH_DAYS + 1):
        for instant, offset in _changes_of(zone, stretch):
            if offset != known:  # a stretch begins with the offset that holds there, which may be the one before
                known = offset
                yield instant, offset


@lru_cache(maxsize=STRETCHES)
def _changes_of(zone: str, stretch: int) -> tuple[Change, ...]:
    """The offset at the start of a stretch, then every change of it before the next stretch begins."""
    place = ZoneInfo(zone)
    first, behind = stretch * STRETCH_DAYS, min((stretch + 1) * STRETCH_DAYS, LAST_DAY - 1)
    readings = [(day - EPOCH_DAY) * DAY_S for day in (*range(first, behind, READING_DAYS), behind)]
    offsets = [_offset(place, reading) for reading in readings]
    changes = [(readings[0], offsets[0])]
    for (earlier, before), (later, after) in pairwise(zip(readings, offsets, strict=True)):
        if before != after:
            changes.append((_change_between(place, earlier, later), after))
    return tuple(changes)


def _change_between(zone: ZoneInfo, earlier: int, later: int) -> int:
    """The second at which the offset becomes what it is at ``later``."""
    after = _offset(zone, later)
    while later - earlier > 1:
        middle = (earlier + later) // 2
        if _offset(zone, middle) == after:
            later = middle
        else:
            earlier = middle
    return later


def _offset(zone: ZoneInfo, instant: int) -> int:
    """Seconds east of UTC at an instant (seconds since 1970)."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None
    return offset.days * DAY_S + offset.seconds
