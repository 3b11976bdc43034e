"""Recurrence rules day by day, straight from the table of RFC 5545, 3.3.10: slow, plain, and nobody's code but its own.

Every day of a window is asked on its own whether its period counts and whether the rule means it. The engine does it
otherwise, twice over: by arithmetic on sets of days, and through dateutil.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TypeVar

T = TypeVar("T")

DAY = timedelta(days=1)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True)
class Drawn:
    """A rule as it was drawn: lists in any order, as strangers write them."""

    frequency: str
    interval: int = 1
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[tuple[int, int], ...] = ()
    by_set_position: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def text(self) -> str:
        parts = [f"FREQ={self.frequency}"]
        if self.interval != 1:
            parts.append(f"INTERVAL={self.interval}")
        for name, numbers in (
            ("BYMONTH", self.by_month),
            ("BYMONTHDAY", self.by_month_day),
            ("BYSETPOS", self.by_set_position),
        ):
            if numbers:
                parts.append(f"{name}={','.join(map(str, numbers))}")
        if self.by_day:
            parts.append("BYDAY=" + ",".join(f"{number or ''}{WEEKDAYS[weekday]}" for number, weekday in self.by_day))
        if self.week_start:
            parts.append(f"WKST={WEEKDAYS[self.week_start]}")
        return ";".join(parts)


def expand(rule: Drawn, start: date, *, first: date, behind: date) -> list[date]:
    """The days of a rule in ``[first, behind)``, none before the series' first day."""
    periods: dict[int, list[date]] = {}
    day = period_begin(rule, max(first, start))
    while day < behind or number_of(rule, day, start) in periods:
        number = number_of(rule, day, start)
        if number % rule.interval == 0 and means(rule, day, start):
            periods.setdefault(number, []).append(day)
        day += DAY
    chosen = [day for days in periods.values() for day in choose(days, rule.by_set_position)]
    return [day for day in chosen if start <= day and first <= day < behind]


def period_begin(rule: Drawn, day: date) -> date:
    if rule.frequency == "YEARLY":
        return date(day.year, 1, 1)
    if rule.frequency == "MONTHLY":
        return date(day.year, day.month, 1)
    while rule.frequency == "WEEKLY" and day.weekday() != rule.week_start:
        day -= DAY
    return day


def number_of(rule: Drawn, day: date, start: date) -> int:
    """How many periods a day's lies behind that of the start."""
    if rule.frequency == "YEARLY":
        return day.year - start.year
    if rule.frequency == "MONTHLY":
        return (day.year - start.year) * 12 + day.month - start.month
    if rule.frequency == "WEEKLY":
        return (day - period_begin(rule, start)).days // 7
    return (day - start).days


def means(rule: Drawn, day: date, start: date) -> bool:
    """The table: does a period that counts have this day?"""
    if rule.by_month and day.month not in rule.by_month:
        return False  # limits, or expands to whole months
    if rule.frequency == "DAILY":
        return (not rule.by_month_day or has_number(day, rule.by_month_day)) and (
            not rule.by_day or day.weekday() in {weekday for _, weekday in rule.by_day}
        )
    if rule.frequency == "WEEKLY":
        return day.weekday() in ({weekday for _, weekday in rule.by_day} or {start.weekday()})
    if rule.by_month_day and rule.by_day:  # notes 1 and 2: BYDAY limits
        return has_number(day, rule.by_month_day) and is_weekday(rule, day)
    if rule.by_month_day:
        return has_number(day, rule.by_month_day)
    if rule.by_day:
        return is_weekday(rule, day)
    return day.day == start.day and (rule.frequency == "MONTHLY" or bool(rule.by_month) or day.month == start.month)


def has_number(day: date, by_month_day: tuple[int, ...]) -> bool:
    length = monthrange(day.year, day.month)[1]
    return day.day in by_month_day or day.day - length - 1 in by_month_day


def is_weekday(rule: Drawn, day: date) -> bool:
    """Whether BYDAY names a day, by its weekday alone or by its number within the month or year."""
    if rule.frequency == "MONTHLY" or rule.by_month:
        first, last = day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
    else:
        first, last = date(day.year, 1, 1), date(day.year, 12, 31)
    from_first, from_last = (day - first).days // 7 + 1, -((last - day).days // 7 + 1)
    return any(weekday == day.weekday() and number in (0, from_first, from_last) for number, weekday in rule.by_day)


def choose(days: list[date], positions: tuple[int, ...]) -> list[date]:
    """BYSETPOS: the n-th of a period's days, from its end where n is below 0."""
    return [
        day
        for place, day in enumerate(days, 1)
        if not positions or place in positions or place - len(days) - 1 in positions
    ]


def draw(lots: Random) -> Drawn:
    """Any rule that the whitelist lets through, COUNT and UNTIL aside."""
    frequency = lots.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    numbered = frequency in ("MONTHLY", "YEARLY")
    by_month = some(lots, range(1, 13), one_in=3)
    by_month_day = some(lots, [*range(1, 32), *range(-31, 0)], one_in=3) if frequency != "WEEKLY" else ()
    numbers = [0, *range(1, 6), *range(-5, 0), *((20, 53, -53) if frequency == "YEARLY" else ())] if numbered else [0]
    plain = lots.random() < 0.5
    weekdays = [(0 if plain else number, weekday) for number in numbers for weekday in range(7)]
    by_day = some(lots, sorted(set(weekdays)), one_in=2)
    any_list = by_month or by_month_day or by_day
    highest = {"DAILY": 2, "WEEKLY": 8, "MONTHLY": 12, "YEARLY": 60}[frequency]
    positions = [*range(1, highest + 1), *range(-highest, 0)]
    return Drawn(
        frequency,
        lots.choice([1, 1, 1, 2, 3, 4, 5, 12, 17]),
        by_month,
        by_month_day,
        by_day,
        some(lots, positions, one_in=3) if any_list else (),
        lots.choice([0, 0, 6, lots.randrange(7)]),
    )


def some(lots: Random, values: Sequence[T], *, one_in: int) -> tuple[T, ...]:
    """A few values in any order, once in so many times; else none."""
    if lots.randrange(one_in):
        return ()
    return tuple(lots.sample(values, lots.choice([1, 1, 2, 3, min(7, len(values))])))
