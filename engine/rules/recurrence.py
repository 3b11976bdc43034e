"""What a series repeats, and its occurrences. Pure; the only module that imports dateutil.

An occurrence of a rule is a wall clock before it is an instant. dateutil lists the wall clocks. It would burn on rules
that seldom or never give one, and it begins at DTSTART, however far away the window is; so the day set is asked first
how many there are, and dateutil begins at a period in phase just before the first of them and is stopped at the last.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from dateutil import rrule as dateutil

from engine.rules.day_set import LAST_DAY, MONTHS, WEEK, days_of, largest_period, week_start
from engine.rules.recurrence_rule import MAX_WEEKDAY_NUMBER, Frequency, Rule, utc_text
from engine.rules.wall_clock import to_local, to_utc

FINITE_YEARS = 50
"""Within so many years of its start a finite series ends."""
FINITE_DAYS = 18_264
"""So many days hold all of them, the last anniversary included."""
COMPARED_DAYS = 2 * FINITE_DAYS
"""So far a moved rule is held against what it was moved from: a year without its leap day is among them."""
MARGIN_DAYS = 2
"""More than the day of a wall clock may differ from the day of its instant, zones that left a day out included."""
MAX_MONTH_WEEKS = 5
"""A month has no more of one weekday."""
CHEAP_WEEKDAYS = 8
"""So many numbered weekdays in a month cost about what the month itself costs."""
POSITION_IN_YEAR = 4
"""To look for one position in a year costs as much as so many months."""
SECOND = timedelta(seconds=1)

_FREQUENCIES: dict[Frequency, Literal[0, 1, 2, 3]] = {
    Frequency.YEARLY: dateutil.YEARLY,
    Frequency.MONTHLY: dateutil.MONTHLY,
    Frequency.WEEKLY: dateutil.WEEKLY,
    Frequency.DAILY: dateutil.DAILY,
}


class Recurrence(msgspec.Struct, frozen=True, array_like=True):
    """What a series repeats.

    start      wall clock of the rule's first occurrence: naive, whole seconds. Without a rule that of the first extra.
    time_zone  IANA name of the zone in which the wall clock hangs.
    length_ms  exact elapsed time of every occurrence, at least 1 (RFC 5545, 3.8.5.3).
    rule       None: there are the extra starts only.
    extra      further starts (RDATE): UTC, whole seconds, ascending, distinct, none before the start.
    excluded   starts that are left out (EXDATE): UTC, ascending, distinct.
    """

    start: datetime
    time_zone: str
    length_ms: int
    rule: Rule | None
    extra: tuple[datetime, ...] = ()
    excluded: tuple[datetime, ...] = ()

    @property
    def infinite(self) -> bool:
        """Whether it has a rule that never ends."""
        return self.rule is not None and self.rule.infinite


def starts_between(recurrence: Recurrence, after: datetime, before: datetime) -> list[datetime]:
    """The starts (UTC) of the occurrences in ``[after, before)``, ascending. Costs what the window holds."""
    starts = {*starts_of_rule(recurrence, after, before), *recurrence.extra}
    return sorted(start for start in starts.difference(recurrence.excluded) if after <= start < before)


def starts_of_rule(recurrence: Recurrence, after: datetime, before: datetime) -> list[datetime]:
    """What the rule gives in the window and perhaps around it, ascending, exceptions included."""
    if recurrence.rule is None or before <= after:
        return []
    zone = ZoneInfo(recurrence.time_zone)
    first = to_local(after, zone).toordinal() - MARGIN_DAYS
    behind = to_local(before, zone).toordinal() + MARGIN_DAYS
    return [to_utc(wall_clock, zone) for wall_clock in wall_clocks(recurrence, first=first, behind=behind)]


def name_of(start: datetime) -> str:
    """The name of an occurrence: the start that its rule gives it, ``20260810T090000Z``."""
    return utc_text(start)


def start_of(name: str) -> datetime:
    """The start (UTC) that a name says. Raises ValueError where it is none."""
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", name):
        raise ValueError("an occurrence is named like 20260810T090000Z")
    return datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


# ---------------------------------------------------------------------------- the days and wall clocks of a rule


def days_between(recurrence: Recurrence, *, first: int, behind: int) -> int:
    """The days on which the rule gives an occurrence, COUNT and UNTIL honoured.

    first   ordinal (``date.toordinal``) of the day for bit 0.
    behind  ordinal of the first day that does not belong to the window.
    """
    rule, start = recurrence.rule, recurrence.start.date()
    if rule is None:
        return 0
    if rule.count is not None:
        begin = start.toordinal()
        days = days_of(rule, start, first=begin, behind=min(behind, begin + FINITE_DAYS))
        days = _first_members(days, rule.count)
        return days >> (first - begin) if first >= begin else days << (begin - first)
    if rule.until is None:
        return days_of(rule, start, first=first, behind=behind)
    zone = ZoneInfo(recurrence.time_zone)
    last = to_local(rule.until, zone).toordinal()
    days = days_of(rule, start, first=first, behind=min(behind, last + 1))
    ends_behind = days and to_utc(_wall_clock(recurrence, first + days.bit_length() - 1), zone) > rule.until
    return days ^ 1 << days.bit_length() - 1 if ends_behind else days  # only on the last day can it be too late


def wall_clocks(recurrence: Recurrence, *, first: int, behind: int) -> list[datetime]:
    """The wall clocks that the rule gives on the days of a window, ascending. The window is as in ``days_between``."""
    days = days_between(recurrence, first=first, behind=behind)
    if recurrence.rule is None or not days:
        return []
    start = recurrence.start.date()
    rule = recurrence.rule.implied_by(start)
    first_found, last_found = _ends(days, first)
    begin = _period_start(rule, start, first_found)
    passed = days_of(rule, begin, first=begin.toordinal(), behind=first_found).bit_count()
    listed = _list(rule, datetime.combine(begin, recurrence.start.time()))
    found = list(islice(listed, passed, passed + days.bit_count()))
    assert (found[0].toordinal(), found[-1].toordinal()) == (first_found, last_found), "the day set is another one"
    return found


def candidate_periods(recurrence: Recurrence, *, first: int, behind: int) -> int:
    """What ``wall_clocks`` costs in a window, known beforehand: how many periods dateutil looks at.

    One that takes it longer, for the lists that the rule has, counts as several.
    """
    days = days_between(recurrence, first=first, behind=behind)
    if recurrence.rule is None or not days:
        return 0
    start = recurrence.start.date()
    rule = recurrence.rule.implied_by(start)
    first_found, last_found = _ends(days, first)
    return (1 + _periods(rule, _period_start(rule, start, first_found), last_found)) * _cost_of_a_period(rule)


def _cost_of_a_period(rule: Rule) -> int:
    """As how many periods one counts.

    dateutil looks for numbered weekdays one by one, in every month of a year where they are numbered in months, and
    goes through a whole year for each position in it.
    """
    numbered = sum(bool(weekday.n) for weekday in _weekdays(rule))
    yearly = rule.frequency is Frequency.YEARLY
    months = len(rule.by_month) if yearly and numbered else 0
    positions = len(_positions(rule)) if yearly else 0
    return max(1, months) * (1 + numbered // CHEAP_WEEKDAYS) + positions * POSITION_IN_YEAR


def _list(rule: Rule, begin: datetime) -> Iterator[datetime]:
    """The wall clocks of a rule by dateutil, from the start of a period in phase on, without end.

    rule  what its start implies is written out: ``begin`` is another day.
    """
    return iter(
        dateutil.rrule(
            _FREQUENCIES[rule.frequency],
            dtstart=begin,
            interval=rule.interval,
            wkst=rule.week_start,
            bymonth=rule.by_month or None,
            bymonthday=rule.by_month_day or None,
            byweekday=list(_weekdays(rule)) or None,
            bysetpos=_positions(rule) or None,
        )
    )


def _positions(rule: Rule) -> tuple[int, ...]:
    """BYSETPOS for dateutil, which looks for each of them in each period: only those that a period can have."""
    if not rule.by_set_position:
        return ()
    largest = largest_period(rule)
    return tuple(position for position in rule.by_set_position if abs(position) <= largest)


def _weekdays(rule: Rule) -> Iterator[dateutil.weekday]:
    """BYDAY for dateutil, which means both where some weekdays are numbered and others are not: number all."""
    numbered = any(number for number, _ in rule.by_day)
    in_months = rule.frequency is Frequency.MONTHLY or rule.by_month
    highest = MAX_MONTH_WEEKS if in_months else MAX_WEEKDAY_NUMBER
    for number, weekday in rule.by_day:
        if not numbered:
            yield dateutil.weekday(weekday)
        elif number == 0:
            yield from (dateutil.weekday(weekday, each) for each in range(1, highest + 1))
        elif abs(number) <= highest:
            yield dateutil.weekday(weekday, number)


def _period_start(rule: Rule, start: date, day: int) -> date:
    """The first day of the period in which a day is: one that the rule may give, so its period is in phase."""
    at = date.fromordinal(day)
    match rule.frequency:
        case Frequency.DAILY:
            return at
        case Frequency.WEEKLY:
            # The very first week may have begun before the calendar did.
            return date.fromordinal(max(week_start(day, rule.week_start), min(start.toordinal(), WEEK)))
        case Frequency.MONTHLY:
            return at.replace(day=1)
        case Frequency.YEARLY:
            return at.replace(month=1, day=1)


def _periods(rule: Rule, begin: date, last: int) -> int:
    """How many periods lie between the first and that of the last day."""
    end = date.fromordinal(last)
    match rule.frequency:
        case Frequency.DAILY:
            passed = last - begin.toordinal()
        case Frequency.WEEKLY:
            passed = (last - begin.toordinal()) // WEEK
        case Frequency.MONTHLY:
            passed = (end.year - begin.year) * MONTHS + end.month - begin.month
        case Frequency.YEARLY:
            passed = end.year - begin.year
    return passed // rule.interval


def _first_members(days: int, number: int) -> int:
    """The first so many days of a set."""
    enough = bisect_left(range(days.bit_length()), number, key=lambda length: (days & (1 << length) - 1).bit_count())
    return days & (1 << enough) - 1


def _ends(days: int, first: int) -> tuple[int, int]:
    """The ordinals of the first and the last day of a set that is not empty."""
    return first + (days & -days).bit_length() - 1, first + days.bit_length() - 1


def _wall_clock(recurrence: Recurrence, day: int) -> datetime:
    return datetime.combine(date.fromordinal(day), recurrence.start.time())


# ---------------------------------------------------------------------------- a series is parted


def before(recurrence: Recurrence, occurrence: datetime) -> Recurrence:
    """What is left of a series before one of its occurrences.

    occurrence  the start that the series gives it (UTC).
    """
    rule = recurrence.rule
    return msgspec.structs.replace(
        recurrence,
        rule=rule and msgspec.structs.replace(rule, count=None, until=occurrence - SECOND),
        extra=tuple(start for start in recurrence.extra if start < occurrence),
        excluded=tuple(start for start in recurrence.excluded if start < occurrence),
    )


def moved(recurrence: Recurrence, occurrence: datetime, new_start: datetime, new_length_ms: int) -> Recurrence | None:
    """The series that stands when an occurrence and all that follow it move by one distance on the wall clock.

    occurrence     the start that the series gives it (UTC).
    new_start      UTC, whole seconds.
    new_length_ms  of all of them, at least 1.

    Returns a series with the new occurrences and no others, as far as FINITE_YEARS and beyond; its exceptions have
    moved along. None where no rule gives them: the second Monday of each month and a day is not the second Tuesday.
    """
    zone = ZoneInfo(recurrence.time_zone)
    wall_clock = wall_clock_of(recurrence, occurrence)
    new_wall_clock = to_local(new_start, zone)
    distance = new_wall_clock - wall_clock

    def moved_along(starts: Iterable[datetime]) -> tuple[datetime, ...]:
        left = (wall_clock_of(recurrence, start) for start in starts if start >= occurrence)
        return tuple(sorted({to_utc(start + distance, zone) for start in left}))

    plain = Recurrence(
        new_wall_clock,
        recurrence.time_zone,
        new_length_ms,
        None,
        moved_along(recurrence.extra),
        moved_along(recurrence.excluded),
    )
    same_time = wall_clock.time() == recurrence.start.time()
    day = wall_clock.toordinal() + (wall_clock.time() > recurrence.start.time())
    days = days_between(recurrence, first=day, behind=min(day + COMPARED_DAYS, LAST_DAY))
    if not days:
        return plain
    if not (same_time and days & 1):  # an extra start leads, and the rule goes on behind it
        return None
    assert recurrence.rule is not None, "it has days"
    rule = _what_is_left(recurrence.rule, days, distance, zone)
    new_day = new_wall_clock.toordinal()
    for candidate in _moved_rules(rule, new_day - day):
        found = msgspec.structs.replace(plain, rule=candidate)
        if days_between(found, first=new_day, behind=new_day + COMPARED_DAYS) == days:
            return found
    return None


def _what_is_left(rule: Rule, days: int, distance: timedelta, zone: ZoneInfo) -> Rule:
    """The rule with the COUNT of the days that are left, or an UNTIL that has moved along."""
    if rule.count is not None:
        return msgspec.structs.replace(rule, count=days.bit_count())
    if rule.until is not None:
        return msgspec.structs.replace(rule, until=to_utc(to_local(rule.until, zone) + distance, zone))
    return rule


def _moved_rules(rule: Rule, distance: int) -> Iterator[Rule]:
    """Rules that might give the days of one, each so many days later. The plainest comes first."""
    yield rule
    if rule.by_day:
        turned = tuple(sorted((number, (weekday + distance) % WEEK) for number, weekday in rule.by_day))
        yield msgspec.structs.replace(rule, by_day=turned)
        turned_week = (rule.week_start + distance) % WEEK
        yield msgspec.structs.replace(rule, by_day=turned, week_start=turned_week)
    later = tuple(number + distance for number in rule.by_month_day)
    if later and all(number * (number - distance) > 0 and abs(number) <= 31 for number in later):
        yield msgspec.structs.replace(rule, by_month_day=later)
    yield msgspec.structs.replace(rule, by_day=(), by_month=(), by_month_day=(), by_set_position=())


def wall_clock_of(recurrence: Recurrence, start: datetime) -> datetime:
    """The wall clock of an occurrence: the one that the rule said, also where it does not exist on that day.

    start  the occurrence's (UTC).
    """
    zone = ZoneInfo(recurrence.time_zone)
    shown = to_local(start, zone)
    for day in range(shown.toordinal(), shown.toordinal() - MARGIN_DAYS, -1):
        said = _wall_clock(recurrence, day)
        if said <= shown and to_utc(said, zone) == start:
            return said
    return shown
