"""From a stranger's words to a checked series: the one way. Pure.

Whatever is asked for is counted before it is listed, so the worst rule costs milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from engine.rules.lattice import Lattice, lattice_of, overlaps_itself
from engine.rules.recurrence import (
    FINITE_DAYS,
    FINITE_YEARS,
    Recurrence,
    candidate_periods,
    days_between,
    name_of,
    starts_between,
    wall_clocks,
)
from engine.rules.recurrence_rule import MAX_COUNT, Rule, RuleError, RuleFault, parse_rule
from engine.rules.wall_clock import to_local, to_utc

MAX_PERIODS = 2_000
"""Days, weeks, months or years that are looked at for the occurrences of one series."""
FIRST_YEAR, LAST_YEAR = 1_900, 9_900
"""Years in which a series may start: far enough from the ends of the calendar for everything that is counted on."""
MAX_NAMED = 5
"""Instants that a warning names."""

Matching = Callable[[Collection[datetime]], set[datetime]]
"""Which of some instants are occurrences of a rule."""


@dataclass(slots=True, frozen=True)
class Checked:
    """A series that may be booked.

    starts    UTC, ascending: all occurrences of a finite series, MAX_COUNT at most; of an infinite one those that
              start before ``until``, perhaps none.
    until     the horizon that was asked for; None: the series is finite.
    warnings  sentences about what was ignored or put right.
    """

    recurrence: Recurrence
    starts: tuple[datetime, ...]
    until: datetime | None
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Wish:
    """What is being checked.

    recurrence  its rule and start, without the dates.
    warnings    what was found so far.
    """

    recurrence: Recurrence
    extra: Iterable[datetime]
    excluded: Iterable[datetime]
    warnings: list[str] = field(default_factory=list)

    @property
    def rule(self) -> Rule:
        """Of one that has a rule."""
        assert self.recurrence.rule is not None, "asked for before"
        return self.recurrence.rule

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.recurrence.time_zone)


def check_recurrence(
    start: datetime,
    end: datetime,
    *,
    rule: str | None,
    time_zone: str,
    extra: Sequence[datetime],
    excluded: Sequence[datetime],
    horizon: datetime,
) -> Checked:
    """Check what somebody wants to repeat, and list its occurrences.

    A start that its own rule does not give moves to the first that it gives; periods are counted from that of the
    given start, and COUNT from the new one.

    start, end  of the first occurrence, in that order; the start in whole seconds.
    rule        its text, or None: the start and the extra ones are all.
    time_zone   IANA name; it exists.
    extra       RDATE, with offsets, in any order.
    excluded    EXDATE, the same. One that meets no occurrence is ignored with a warning.
    horizon     how far the occurrences of an infinite series are listed.

    Raises RuleError. A finite series has at most MAX_COUNT occurrences, all within FINITE_YEARS of its start.
    """
    zone = ZoneInfo(time_zone)
    recurrence = Recurrence(_checked_start(start, zone), time_zone, (end - start) // timedelta(milliseconds=1), None)
    wish = _Wish(recurrence, extra, excluded)
    if rule is None:
        wish.extra = {to_utc(recurrence.start, zone), *extra}
        _warn_of_a_second(wish, start)
        return _finite(wish, by_rule=[])
    wish.recurrence = msgspec.structs.replace(recurrence, rule=parse_rule(rule, zone=zone))
    _begin(wish)
    _warn_of_a_second(wish, start)
    return _infinite(wish, horizon) if wish.rule.infinite else _finite(wish, by_rule=_all_of(wish))


def _checked_start(start: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock on which a series starts."""
    if start.microsecond:
        raise RuleError(RuleFault.INVALID_RRULE, str(start), "A series starts at a whole second.")
    if not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise RuleError(RuleFault.INVALID_RRULE, str(start), f"A series starts between {FIRST_YEAR} and {LAST_YEAR}.")
    return to_local(start, zone)


def _warn_of_a_second(wish: _Wish, start: datetime) -> None:
    """Say so where the given start is the second of two instants at which the wall clock shows the same."""
    wall_clock = wish.recurrence.start
    if to_local(start, wish.zone) == wall_clock and to_utc(wall_clock, wish.zone) != start:
        wish.warnings.append(f"{wall_clock} comes twice in {wish.zone.key}: the series takes the first of the two.")


def _begin(wish: _Wish) -> None:
    """Let the series start at the first occurrence of its rule."""
    given = wish.recurrence.start
    endless = msgspec.structs.replace(wish.rule, count=None, until=None)
    whole = msgspec.structs.replace(wish.recurrence, rule=endless)
    days = days_between(whole, first=given.toordinal(), behind=given.toordinal() + FINITE_DAYS)
    if not days:
        detail = f"No day is like that within {FINITE_YEARS} years of {given.date()}."
        raise RuleError(RuleFault.INVALID_RRULE, _choosing(wish.rule), detail)
    first = date.fromordinal(given.toordinal() + (days & -days).bit_length() - 1)
    if first != given.date():
        wish.warnings.append(f"The rule does not give {given.date()}: the series starts on {first}.")
    wish.recurrence = msgspec.structs.replace(wish.recurrence, start=datetime.combine(first, given.time()))


def _choosing(rule: Rule) -> str:
    """The parts that choose days, as far as there are any."""
    parts = [part for part in rule.text.split(";") if part.startswith("BY")]
    return ";".join(parts) or rule.text


# ---------------------------------------------------------------------------- a series that ends


def _all_of(wish: _Wish) -> list[datetime]:
    """The starts that a finite rule gives, one at least. They are counted before they are listed."""
    rule, first = wish.rule, wish.recurrence.start.toordinal()
    behind = first + FINITE_DAYS
    days = days_between(wish.recurrence, first=first, behind=behind)
    if not days:
        raise RuleError(RuleFault.NO_OCCURRENCES, rule.text, "The rule ends before its first occurrence.")
    if days.bit_count() > MAX_COUNT:
        raise RuleError(RuleFault.RRULE_TOO_LONG, rule.text, f"A finite series has at most {MAX_COUNT:,} occurrences.")
    missing = days.bit_count() < (rule.count or 0)
    if missing or (rule.until is not None and to_local(rule.until, wish.zone).toordinal() >= behind):
        raise RuleError(RuleFault.RRULE_TOO_LONG, rule.text, f"A finite series ends within {FINITE_YEARS} years.")
    _check_cost(wish, behind)
    return [to_utc(wall_clock, wish.zone) for wall_clock in wall_clocks(wish.recurrence, first=first, behind=behind)]


def _check_cost(wish: _Wish, behind: int) -> None:
    """Refuse what would have to be looked for too long.

    behind  ordinal of the first day of which nobody asks.
    """
    first = wish.recurrence.start.toordinal()
    if candidate_periods(wish.recurrence, first=first, behind=behind) > MAX_PERIODS:
        detail = f"More than {MAX_PERIODS:,} periods would have to be looked at. A longer FREQ may say the same."
        raise RuleError(RuleFault.RRULE_TOO_EXPENSIVE, wish.rule.text, detail)


def _finite(wish: _Wish, *, by_rule: Sequence[datetime]) -> Checked:
    """A finite series, of which all that the rule gives is known."""
    recurrence = _with_dates(wish, set(by_rule).intersection)
    starts = sorted({*by_rule, *recurrence.extra}.difference(recurrence.excluded))
    if not starts:
        raise RuleError(RuleFault.NO_OCCURRENCES, _named(recurrence.excluded), "Every occurrence is excluded.")
    if len(starts) > MAX_COUNT:
        detail = f"A finite series has at most {MAX_COUNT:,} occurrences, extra ones included."
        raise RuleError(RuleFault.RRULE_TOO_LONG, _named(recurrence.extra), detail)
    length = timedelta(milliseconds=recurrence.length_ms)
    for earlier, later in pairwise(starts):
        if later - earlier < length:
            raise _overlapping(name_of(later), f"{name_of(earlier)} has not ended when it starts.")
    return Checked(recurrence, tuple(starts), None, tuple(wish.warnings))


# ---------------------------------------------------------------------------- a series that does not


def _infinite(wish: _Wish, horizon: datetime) -> Checked:
    """An infinite series. What is asked of all its occurrences is asked of FINITE_YEARS of them, as arithmetic."""
    given = wish.recurrence
    _check_cost(wish, to_local(horizon, wish.zone).toordinal() + 1)
    after, before = (to_utc(given.start + timedelta(days=days), wish.zone) for days in (0, FINITE_DAYS))
    by_rule = lattice_of(given, after=after, before=before)
    recurrence = _with_dates(wish, lambda instants: _met(by_rule, instants))
    together = lattice_of(recurrence, after=after, before=before) if recurrence.extra else by_rule
    if overlaps_itself(together.without(recurrence.excluded)):
        raise _overlapping(wish.rule.text, "one has not ended when another starts.")
    return Checked(recurrence, tuple(starts_between(recurrence, after, horizon)), horizon, tuple(wish.warnings))


def _met(lattice: Lattice, instants: Collection[datetime]) -> set[datetime]:
    """Which of the instants are starts of a lattice."""
    left = dict(lattice.without(instants).groups)
    return set(lattice.only([days & ~left.get(clock, 0) for clock, days in lattice.groups]).starts())


# ---------------------------------------------------------------------------- extra and excluded dates


def _with_dates(wish: _Wish, met: Matching) -> Recurrence:
    """The series with its extra and excluded starts, as far as they change anything."""
    more = _distinct("rdates", wish.extra, wish.warnings)
    _check_extra(wish.recurrence, more)
    if doubles := met(more):
        wish.warnings.append(f"The rule gives these rdates already: {_named(doubles)}.")
    less = _distinct("exdates", wish.excluded, wish.warnings)
    known = met(less) | (less & more)
    if unknown := less - known:
        wish.warnings.append(f"No occurrence within {FINITE_YEARS} years starts at these exdates: {_named(unknown)}.")
    extra, excluded = (tuple(sorted(instants)) for instants in (more - doubles, known))
    return msgspec.structs.replace(wish.recurrence, extra=extra, excluded=excluded)


def _distinct(name: str, instants: Iterable[datetime], warnings: list[str]) -> set[datetime]:
    """Each instant once, in UTC."""
    times = Counter(instant.astimezone(UTC) for instant in instants)
    if doubles := [instant for instant, number in times.items() if number > 1]:
        warnings.append(f"These {name} are named more than once: {_named(doubles)}.")
    return set(times)


def _check_extra(recurrence: Recurrence, extra: Collection[datetime]) -> None:
    """Refuse extra starts that no series can have."""
    if len(extra) > MAX_COUNT:
        raise RuleError(RuleFault.RRULE_TOO_LONG, _named(extra), f"A series has at most {MAX_COUNT:,} extra starts.")
    start = to_utc(recurrence.start, ZoneInfo(recurrence.time_zone))
    behind = start + timedelta(days=FINITE_DAYS)
    for instant in sorted(extra):
        if instant.microsecond:
            raise RuleError(RuleFault.INVALID_RRULE, str(instant), "A series starts at whole seconds.")
        if instant < start:
            detail = f"An extra start lies before the first occurrence, {name_of(start)}."
            raise RuleError(RuleFault.INVALID_RRULE, name_of(instant), detail)
        if instant >= behind:
            detail = f"An extra start lies within {FINITE_YEARS} years of the first one."
            raise RuleError(RuleFault.RRULE_TOO_LONG, name_of(instant), detail)


def _named(instants: Iterable[datetime]) -> str:
    """The first few instants by name, and how many more there are."""
    names = sorted(map(name_of, instants))
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _overlapping(part: str, detail: str) -> RuleError:
    return RuleError(RuleFault.SERIES_OVERLAPS_ITSELF, part, f"Occurrences overlap each other: {detail}")
