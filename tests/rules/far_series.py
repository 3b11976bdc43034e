"""Infinite series by lot, and their occurrences one by one: what the arithmetic of days is held against.

Nothing here comes from the code that is tested: dateutil gives the wall clocks, the rest is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday
from hypothesis import strategies as st

from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import Frequency, Rule

Interval = tuple[datetime, datetime]

YEARS = 50
"""How far the guarantee reaches."""
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

ZONES = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
]
CLOCKS = [
    time.fromisoformat(text)
    for text in ["00:00", "00:30", "01:15", "01:30", "02:00", "02:30", "03:00", "08:45", "09:00", "14:00", "23:59:59"]
]
"""Times of day, many of them near the changes of some zone: one of them does not exist, or exists twice, each year."""
LENGTHS = [
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=9),
    DAY,
    timedelta(hours=30),
]

_FREQUENCIES: dict[Frequency, Literal[0, 1, 2, 3]] = {
    Frequency.DAILY: DAILY,
    Frequency.WEEKLY: WEEKLY,
    Frequency.MONTHLY: MONTHLY,
    Frequency.YEARLY: YEARLY,
}


def starts_by_hand(recurrence: Recurrence, after: datetime, before: datetime) -> list[datetime]:
    """The starts in ``[after, before)``, one after another, sorted."""
    zone = ZoneInfo(recurrence.time_zone)
    starts = set(recurrence.extra)
    if rule := recurrence.rule:
        clocks = wall_clocks(rule, recurrence.start, before.replace(tzinfo=None) + 2 * DAY)
        by_rule = [instant_of(clock, zone) for clock in clocks]
        starts |= {start for start in by_rule if rule.until is None or start <= rule.until}
    return sorted(start for start in starts - set(recurrence.excluded) if after <= start < before)


def wall_clocks(rule: Rule, start: datetime, until: datetime) -> Iterator[datetime]:
    """What the wall shows when the occurrences of a rule start."""
    begin = start
    if rule.by_set_position and rule.frequency is Frequency.WEEKLY:
        # dateutil would count the positions of the first week from the start on; RFC 5545 means those of the week.
        begin -= (start.weekday() - rule.week_start) % 7 * DAY
    clocks = rrule(
        _FREQUENCIES[rule.frequency],
        dtstart=begin,
        interval=rule.interval,
        wkst=weekday(rule.week_start),
        count=rule.count,
        until=None if rule.count else until,
        byweekday=[weekday(day, n or None) for n, day in rule.by_day] or None,
        bymonth=rule.by_month or None,
        bymonthday=rule.by_month_day or None,
        bysetpos=rule.by_set_position or None,
        cache=False,
    )
    return (clock for clock in clocks if clock >= start)


def instant_of(clock: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the wall shows ``clock``; the end of the gap, where it never does."""
    usual = clock.replace(tzinfo=zone).astimezone(UTC)
    if usual.astimezone(zone).replace(tzinfo=None) == clock:
        return usual
    earlier = clock.replace(tzinfo=zone, fold=1).astimezone(UTC)  # by the offset that holds behind the gap
    later = usual
    while later - earlier > SECOND:
        middle = earlier + (later - earlier) // 2 // SECOND * SECOND
        if middle.astimezone(zone).utcoffset() == later.astimezone(zone).utcoffset():
            later = middle
        else:
            earlier = middle
    return later


def occurrences_by_hand(recurrence: Recurrence, after: datetime, before: datetime) -> list[Interval]:
    """Start and end of the occurrences that start in ``[after, before)``."""
    length = timedelta(milliseconds=recurrence.length_ms)
    return [(start, start + length) for start in starts_by_hand(recurrence, after, before)]


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """An infinite rule that yields something now and then."""
    frequency = draw(st.sampled_from([*Frequency]))
    interval = draw(st.sampled_from([1, 1, 1, 2, 3, 5, 11]))
    parts = draw(st.sampled_from(_PARTS[frequency]))
    weekdays = draw(st.sets(st.integers(0, 6), min_size=1, max_size=4))
    numbers = draw(st.sets(st.sampled_from([1, 2, 3, 4, -1, -2]), min_size=1, max_size=2))
    by_day: list[tuple[int, int]] = []
    if "weekday" in parts:
        by_day = [(0, day) for day in weekdays]
    elif "numbered" in parts:
        by_day = [(number, day) for day in weekdays for number in numbers]
    month_days = draw(st.sets(st.sampled_from([1, 2, 13, 28, 29, 30, 31, -1, -2, -30]), min_size=1, max_size=3))
    positions = draw(st.sets(st.sampled_from([1, 2, 3, -1, -2]), min_size=1, max_size=2))
    return Rule(
        frequency,
        interval,
        by_day=tuple(sorted(by_day)),
        by_month=tuple(sorted(draw(_MONTHS))) if "month" in parts else (),
        by_month_day=tuple(sorted(month_days)) if "month day" in parts else (),
        by_set_position=tuple(sorted(positions)) if "position" in parts else (),
        week_start=draw(st.sampled_from([0, 0, 6])),
    )


_MONTHS = st.sets(st.integers(1, 12), min_size=2, max_size=5)
_PARTS: dict[Frequency, list[set[str]]] = {
    Frequency.DAILY: [set(), {"weekday"}, {"month"}, {"month day"}],
    Frequency.WEEKLY: [set(), {"weekday"}, {"month"}, {"weekday", "position"}],
    Frequency.MONTHLY: [set(), {"weekday"}, {"numbered"}, {"month day"}, {"month"}, {"weekday", "position"}],
    Frequency.YEARLY: [set(), {"month"}, {"month", "numbered"}, {"month", "month day"}, {"numbered"}, {"weekday"}],
}


@st.composite
def recurrences(draw: st.DrawFn, *, within: Interval) -> Recurrence:
    """An infinite series that begins near the start of a window, in any zone, at any time of day."""
    rule = draw(rules())
    day = within[0].replace(tzinfo=None) + DAY * draw(st.integers(-3_000, 500))
    return Recurrence(
        datetime.combine(day, draw(st.sampled_from(CLOCKS))),
        draw(st.sampled_from(ZONES)),
        draw(st.sampled_from(LENGTHS)) // timedelta(milliseconds=1),
        rule,
    )
