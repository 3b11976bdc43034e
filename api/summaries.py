"""What a series is, in a line for people: "weekly on Tue, 10 times", in the language they asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

from api.languages import LANGUAGES, Numbered, Words
from engine.rules.day_set import WEEK
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import Frequency, Rule
from engine.rules.wall_clock import to_local

TEENS = frozenset({11, 12, 13})
"""Ordinals that do not go by their last digit."""
LONG_PERIODS = frozenset({Frequency.MONTHLY, Frequency.YEARLY})
"""Periods in which a weekday comes more than once."""

Place = TypeVar("Place", int, tuple[int, int])


def summary(recurrence: Recurrence, *, language: str) -> str:
    """Say in a line when a series takes place.

    language  one of ``api.languages.LANGUAGES``, as ``language_of`` finds it.
    """
    return ", ".join(_parts(recurrence, LANGUAGES[language]))


def _parts(recurrence: Recurrence, words: Words) -> Iterator[str]:
    """How often and on which days, for how long, and what is added and taken away."""
    rule, more = recurrence.rule, words.only_dates
    if rule is not None:
        more = words.more_dates
        yield from _days(rule.implied_by(recurrence.start), words)
        if _week_start_matters(rule, recurrence.start.weekday()):
            yield words.weeks_from.format(weekday=words.weekdays[rule.week_start])
        if rule.count is not None:
            yield _number(words.times, rule.count)
        if rule.until is not None:
            yield words.until.format(date=_date(to_local(rule.until, ZoneInfo(recurrence.time_zone)), words))
    if recurrence.extra:
        yield _number(more, len(recurrence.extra))
    if recurrence.excluded:
        yield _number(words.except_dates, len(recurrence.excluded))


def _days(rule: Rule, words: Words) -> Iterator[str]:
    """How often and on which days, and what chooses among those."""
    how_often = words.each if rule.interval == 1 else words.every
    yield " ".join([how_often[rule.frequency].format(interval=rule.interval), *_on_days(rule, words)])
    if rule.by_month_day and rule.by_day:
        yield words.only.format(what=_on_weekdays(rule, words))
    if rule.by_set_position:
        chosen = [_place(position, words.of_these, words) for position in _in_order(rule.by_set_position)]
        yield words.only.format(what=words.on_days.format(items=_listed(chosen, words)))


def _week_start_matters(rule: Rule, first: int) -> bool:
    """Whether the rule gives other days than it would if its weeks began on Monday.

    It counts or orders the days of a week, and some of them lie otherwise from the first one: in the week before.

    first  the weekday on which the series begins.
    """

    def from_first(weekday: int, week_start: int) -> int:
        return (weekday - week_start) % WEEK - (first - week_start) % WEEK

    counts = rule.frequency is Frequency.WEEKLY and (rule.interval > 1 or bool(rule.by_set_position))
    return counts and any(from_first(day, rule.week_start) != from_first(day, 0) for _, day in rule.by_day)


def _on_days(rule: Rule, words: Words) -> Iterator[str]:
    """The days and the months. Where there are days of the month, weekdays only choose among them."""
    month_days = _in_order(rule.by_month_day)
    if month_days and len(rule.by_month) == 1 and month_days[-1] > 0:
        days = _listed([words.day_of_month.format(number=_number_of(day, words)) for day in month_days], words)
        yield words.month_date.format(days=days, month=words.months[rule.by_month[0] - 1])
        return
    if month_days:
        yield words.on_days.format(items=_listed([_month_day(day, words) for day in month_days], words))
    elif rule.by_day:
        yield _on_weekdays(rule, words)
    if rule.by_month:
        yield words.in_months.format(months=_listed([words.months[month - 1] for month in rule.by_month], words))
    elif month_days and rule.frequency is Frequency.YEARLY:
        yield words.in_every_month


def _on_weekdays(rule: Rule, words: Words) -> str:
    """The weekdays: those that are counted, then those of which every one will do."""
    counted = [_place(nth, words.weekdays[weekday], words) for nth, weekday in _in_order(rule.by_day) if nth]
    plain = [words.short[weekday] for nth, weekday in rule.by_day if not nth]
    found = []
    if counted:
        of_year = f" {words.of_year}" if rule.frequency is Frequency.YEARLY and not rule.by_month else ""
        found.append(words.on_days.format(items=_listed(counted, words)) + of_year)
    if plain:
        found.append(_on_plain_weekdays(plain, words, each=rule.frequency in LONG_PERIODS and not rule.by_month_day))
    return _listed(found, words)


def _on_plain_weekdays(names: Sequence[str], words: Words, *, each: bool) -> str:
    around, one = (words.on_each, words.each_weekday) if each else (words.on_weekdays, words.on_weekday)
    return around.format(items=_listed([one.format(weekday=name) for name in names], words))


def _month_day(day: int, words: Words) -> str:
    if day < 0:
        return _place(day, words.day, words)
    return words.month_day.format(number=_number_of(day, words), ordinal=_ordinal(day, words))


def _place(place: int, noun: str, words: Words) -> str:
    """What stands at a place among others; below 0 it is counted from the end."""
    pattern = words.places.get(place, words.nth if place > 0 else words.nth_last)
    return pattern.format(ordinal=_ordinal(abs(place), words), noun=noun)


def _in_order(places: Sequence[Place]) -> list[Place]:
    """Places from the start, then places from the end."""
    return sorted(places, key=lambda place: ((place[0] if isinstance(place, tuple) else place) < 0, place))


def _ordinal(number: int, words: Words) -> str:
    last_digit = 0 if number % 100 in TEENS else number % 10
    return f"{number}{words.suffixes.get(last_digit, words.suffix)}"


def _number_of(day: int, words: Words) -> str:
    return words.numbers.get(day, str(day))


def _date(day: date, words: Words) -> str:
    return words.date.format(number=_number_of(day.day, words), month=words.months[day.month - 1], year=day.year)


def _listed(items: Sequence[str], words: Words) -> str:
    *others, last = items
    return f"{', '.join(others)} {words.conjunction} {last}" if others else last


def _number(pair: Numbered, count: int) -> str:
    return pair[count != 1].format(count=count)
