"""The days of a rule, as sets: a Python integer in which bit i stands for the day with ordinal ``first`` + i. Pure.

Whether a period is in phase with the series' start is a division, so a window costs what it is long, wherever it
lies. And the calendar has few pieces: 14 kinds of year (leap or not, by the weekday on which it begins). The days
that a rule means are worked out once for each kind that occurs, and kept.

Source: RFC 5545, 3.3.10, the table of what each BY part does in a rule of each frequency. A rule with its implied
parts written out (``Rule.implied_by``) means the days that all of its parts allow, whether the table calls that
expanding or limiting; BYSETPOS then chooses among those of one period.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache

import msgspec

from engine.rules.recurrence_rule import Frequency, Rule

MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTHS = 12
WEEK = 7
LAST_DAY = date.max.toordinal()
KEPT = 4_096
"""How many years of rules, and months of lists of weekdays, are kept: some 100 bytes each."""
KEPT_WINDOWS = 128
"""How many windows are kept: 3 KB each where they are fifty years long. One check of a rule asks for the same again."""

Piece = tuple[int, int]
"""A set of days, and of how many days it tells."""


def days_of(rule: Rule, start: date, *, first: int, behind: int) -> int:
    """The days of a rule within a window. COUNT and UNTIL are not looked at.

    start   the series' first day: no day before it, and periods count from the one that it is in.
    first   ordinal (``date.toordinal``) of the window's first day.
    behind  ordinal of the first day that does not belong to it.
    """
    begin, behind = max(first, start.toordinal()), min(behind, LAST_DAY + 1)
    if begin >= behind:
        return 0
    endless = msgspec.structs.replace(rule.implied_by(start), count=None, until=None)
    return _days_of(endless, start, begin, behind) << (begin - first)


@lru_cache(maxsize=KEPT_WINDOWS)
def _days_of(rule: Rule, start: date, begin: int, behind: int) -> int:
    """The days in ``[begin, behind)``; none of them lies before the start, whose implied parts are in the rule."""
    low, high = week_start(begin, rule.week_start), behind + WEEK  # BYSETPOS must see the first and last week whole
    days = _days_of_years(rule, low, high) & _in_phase(rule, start, low, high)
    if rule.frequency is Frequency.WEEKLY and rule.by_set_position:
        days = _chosen_of_weeks(days, rule.by_set_position)
    return days >> (begin - low) & _all(behind - begin)


def largest_period(rule: Rule) -> int:
    """The most days that a period can have before BYSETPOS chooses among them. No position beyond it is ever met.

    rule  with its implied parts written out.
    """
    if rule.frequency is Frequency.DAILY:
        return 1
    if rule.frequency is Frequency.WEEKLY:
        return len(rule.by_day)
    shape = msgspec.structs.replace(rule, interval=1, week_start=0, count=None, until=None, by_set_position=())
    years = [(_year(shape, leap, weekday), leap) for leap in (False, True) for weekday in range(WEEK)]
    if rule.frequency is Frequency.YEARLY:
        return max(days.bit_count() for days, _ in years)
    return max((days >> begin & _all(length)).bit_count() for days, leap in years for _, begin, length in _months(leap))


def week_start(day: int, first_weekday: int) -> int:
    """The ordinal of the day on which the week of a day begins."""
    return day - (day - 1 - first_weekday) % WEEK  # day 1 was a Monday


def _all(days: int) -> int:
    return (1 << days) - 1


# ---------------------------------------------------------------------------- the days that the BY parts allow


def _days_of_years(rule: Rule, low: int, high: int) -> int:
    """The days in ``[low, high)``, and perhaps some behind, that all BY parts allow, as if INTERVAL were 1."""
    shape = msgspec.structs.replace(rule, interval=1, week_start=0)
    years = range(date.fromordinal(low).year, date.fromordinal(min(high, LAST_DAY)).year + 1)
    pieces = [(_year(shape, isleap(year), date(year, 1, 1).weekday()), 365 + isleap(year)) for year in years]
    return _joined(pieces) >> (low - date(years[0], 1, 1).toordinal())


@lru_cache(maxsize=KEPT)
def _year(rule: Rule, leap: bool, weekday: int) -> int:
    """The days of a year, bit 0 for the first of January.

    weekday  of the first of January.
    """
    numbered_in_months = rule.frequency is Frequency.MONTHLY or bool(rule.by_month)
    days = 0
    for month, begin, length in _months(leap):
        if not rule.by_month or month in rule.by_month:
            block = _month_days(rule.by_month_day, length)
            if rule.by_day and numbered_in_months:
                block &= _weekdays(rule.by_day, length, (weekday + begin) % WEEK)
            days |= (_chosen(block, rule.by_set_position) if rule.frequency is Frequency.MONTHLY else block) << begin
    if rule.by_day and not numbered_in_months:
        days &= _weekdays(rule.by_day, 365 + leap, weekday)
    if rule.frequency is Frequency.DAILY and rule.by_set_position:
        return days if {1, -1} & set(rule.by_set_position) else 0
    return _chosen(days, rule.by_set_position) if rule.frequency is Frequency.YEARLY else days


def _months(leap: bool) -> Iterator[tuple[int, int, int]]:
    """The months, 1 to 12, each with the day of the year on which it begins, and its length."""
    begin = 0
    for month, days in enumerate(MONTH_DAYS, 1):
        length = days + (leap and month == 2)
        yield month, begin, length
        begin += length


def _month_days(by_month_day: tuple[int, ...], length: int) -> int:
    """Days of a month by their numbers, from its end where they are below 0; all days where none is named."""
    if not by_month_day:
        return _all(length)
    days = {number - 1 if number > 0 else length + number for number in by_month_day}
    return sum(1 << day for day in days if 0 <= day < length)


@lru_cache(maxsize=KEPT)
def _weekdays(by_day: tuple[tuple[int, int], ...], length: int, first_weekday: int) -> int:
    """Weekdays of a month or year: the n-th, counted from its end where n is below 0, each one where n is 0."""
    days = 0
    for number, weekday in by_day:
        of_weekday = range((weekday - first_weekday) % WEEK, length, WEEK)
        if number == 0:
            days |= sum(1 << day for day in of_weekday)
        elif abs(number) <= len(of_weekday):
            days |= 1 << of_weekday[number - 1 if number > 0 else number]
    return days


def _chosen(days: int, positions: tuple[int, ...]) -> int:
    """The days of a period that have one of the positions in it; all of them where no position is named."""
    if not positions:
        return days
    members = [day for day in range(days.bit_length()) if days >> day & 1]
    places = {position - 1 if position > 0 else len(members) + position for position in positions}
    return sum(1 << members[place] for place in places if 0 <= place < len(members))


def _chosen_of_weeks(days: int, positions: tuple[int, ...]) -> int:
    """The same for each week of a window that begins with one."""
    weeks = -(-days.bit_length() // WEEK)
    digits = f"{days:0{weeks * WEEK}b}"
    found = [digits[position : position + WEEK] for position in range(0, len(digits), WEEK)]
    chosen = {week: f"{_chosen(int(week, 2), positions):0{WEEK}b}" for week in set(found)}
    return int("".join(chosen[week] for week in found) or "0", 2)


# ---------------------------------------------------------------------------- the periods that INTERVAL leaves


def _in_phase(rule: Rule, start: date, low: int, high: int) -> int:
    """The days in ``[low, high)``, and perhaps some behind, whose period counts."""
    if rule.frequency is Frequency.DAILY:
        return _every(rule.interval, 1, low - start.toordinal(), high - low)
    if rule.frequency is Frequency.WEEKLY:
        return _every(rule.interval * WEEK, WEEK, low - week_start(start.toordinal(), rule.week_start), high - low)
    if rule.interval == 1:
        return _all(high - low)
    pieces = _months_in_phase if rule.frequency is Frequency.MONTHLY else _years_in_phase
    first = date.fromordinal(low)
    return _joined(pieces(rule.interval, start, first.year, high)) >> (low - date(first.year, 1, 1).toordinal())


def _every(distance: int, days: int, passed: int, length: int) -> int:
    """So many days in a row, again and again at a distance from each other.

    passed  days since one of the rows began.
    length  of the window.
    """
    passed %= distance
    rows = -(-(passed + length) // distance)
    return int(f"{_all(days):0{distance}b}" * rows, 2) >> passed


def _months_in_phase(interval: int, start: date, first_year: int, high: int) -> list[Piece]:
    """The months from a year on and before a day, each as a whole or empty."""
    pieces = []
    for year in range(first_year, date.fromordinal(min(high, LAST_DAY)).year + 1):
        passed = (year - start.year) * MONTHS - start.month
        months = _months(isleap(year))
        pieces += [(_all(days) if (passed + month) % interval == 0 else 0, days) for month, _, days in months]
    return pieces


def _years_in_phase(interval: int, start: date, first_year: int, high: int) -> list[Piece]:
    """The years from one on and before a day, each as a whole or empty."""
    years = range(first_year, date.fromordinal(min(high, LAST_DAY)).year + 1)
    lengths = [(year, 365 + isleap(year)) for year in years]
    return [(_all(days) if (year - start.year) % interval == 0 else 0, days) for year, days in lengths]


def _joined(pieces: Iterable[Piece]) -> int:
    """One set of what the pieces tell, the first of them in the lowest bits."""
    digits = [f"{days:0{length}b}" for days, length in pieces]
    return int("".join(reversed(digits)), 2)
