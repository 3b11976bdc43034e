"""The occurrences of a series far away, as arithmetic on sets of days.

An occurrence starts at a day of UTC and a clock in it, and the occurrences of one rule have few clocks: one for each
offset that the zone has at that time of day, and one for days on which the time does not exist. So fifty years of a
series are a handful of sets of days, each a Python integer with a bit for each day, and to ask which occurrences
overlap those of another series is a shift and an AND for each pair of sets. Exact, for any two rules and zones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, time, timedelta
from functools import lru_cache
from heapq import merge

from engine.rules.recurrence import Recurrence, days_between
from engine.rules.zone_days import DAY_MS, EPOCH, EPOCH_DAY, LAST_DAY, days_by_clock, span

Interval = tuple[datetime, datetime]

LAST_INSTANT = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
EPOCH_MS = EPOCH_DAY * DAY_MS
DECADE = 10
"""Lattices are kept for whole decades, whatever the window that is asked for, so that many windows share one."""
MARGIN_DAYS = 3
"""More than the date on a wall may differ from the date in UTC."""
LATTICES = 1_024
"""How many are kept: some 10 KB each."""


@dataclass(frozen=True, slots=True, repr=False)
class Lattice:
    """Occurrences of one length, as sets of days. They start and end at whole milliseconds.

    first      ordinal (``date.toordinal``) of the day that bit 0 of each set stands for.
    length_ms  of every occurrence, at least 1.
    groups     pairs (clock_ms, days), ascending: on each of these days (UTC) an occurrence starts so many
               milliseconds after midnight, 0 to DAY_MS - 1. No clock comes twice, no set is empty.
    """

    first: int
    length_ms: int
    groups: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return sum(days.bit_count() for _, days in self.groups)

    def __bool__(self) -> bool:
        return bool(self.groups)

    def __repr__(self) -> str:  # the sets have more digits than Python would print
        return f"<Lattice: {len(self)} occurrences of {self.length_ms} ms>"

    def starts(self) -> Iterator[datetime]:
        """When the occurrences start, in order. Costs what is taken of it."""
        by_clock = [self._starts(clock, days) for clock, days in self.groups]
        return by_clock[0] if len(by_clock) == 1 else merge(*by_clock)

    def occurrences(self) -> Iterator[Interval]:
        """Start and end of each, in order. Costs what is taken of it."""
        length = timedelta(milliseconds=self.length_ms)
        return ((start, start + length) for start in self.starts())

    def overlapping(self, start: datetime, end: datetime) -> Iterator[Interval]:
        """Occurrences that share an instant with ``[start, end)``, in order of start."""
        return self.started(milliseconds_of(start) - self.length_ms + 1, _milliseconds_from(end)).occurrences()

    def first_overlap(self, start_ms: int, end_ms: int) -> int | None:
        """The start of the first occurrence that overlaps an interval, or None; all in ``milliseconds_of``."""
        earliest = None
        for clock, days in self.groups:
            begin = max(_days_until(start_ms - self.length_ms + 1 - clock), self.first)
            found = days >> (begin - self.first) & span(0, _days_until(end_ms - clock) - begin)
            if found:
                start = (begin + (found & -found).bit_length() - 1) * DAY_MS + clock
                earliest = start if earliest is None else min(start, earliest)
        return earliest

    def within(self, after: datetime, before: datetime) -> Lattice:
        """What starts in ``[after, before)``."""
        return self.started(_milliseconds_from(after), _milliseconds_from(before))

    def without(self, starts: Collection[datetime]) -> Lattice:
        """What is left when the occurrences with these starts are taken out. A start of none is none to take out."""
        if not starts:
            return self
        gone = dict(lattice_at(starts, length_ms=self.length_ms, first=self.first).groups)
        return self.only([days & ~gone.get(clock, 0) for clock, days in self.groups])

    def only(self, days_of_groups: Sequence[int]) -> Lattice:
        """The occurrences on some of the days.

        days_of_groups  for each group the days that stay, in the order of ``groups``.
        """
        kept = zip(self.groups, days_of_groups, strict=True)
        groups = tuple((clock, days) for (clock, _), days in kept if days)
        return Lattice(self.first, self.length_ms, groups)

    def started(self, after_ms: int, before_ms: int) -> Lattice:
        """What starts in ``[after, before)``, in milliseconds as ``milliseconds_of`` counts them."""
        groups = []
        first = max(self.first, after_ms // DAY_MS)
        for clock, days in self.groups:
            begin = max(_days_until(after_ms - clock), first)
            behind = _days_until(before_ms - clock)
            if found := days >> (begin - self.first) & span(0, min(behind - begin, days.bit_length())):
                groups.append((clock, found << (begin - first)))
        return Lattice(first, self.length_ms, tuple(groups))

    def _starts(self, clock: int, days: int) -> Iterator[datetime]:
        first = instant_of(self.first * DAY_MS + clock)
        return (first + timedelta(day) for day in elements(days))


def lattice_of(
    recurrence: Recurrence, *, after: datetime, before: datetime, without: Collection[datetime] = ()
) -> Lattice:
    """The occurrences of a series that start in ``[after, before)``.

    after, before  in UTC, in the years 100 to 9999.
    without        starts (UTC) of occurrences to leave out, beside those that the series itself leaves out.
    """
    before = min(before, LAST_INSTANT - timedelta(milliseconds=recurrence.length_ms))  # there an end has to be written
    first = after.year // DECADE * DECADE
    behind = min(max(after, before).year // DECADE * DECADE + DECADE, MAXYEAR + 1)
    return _lattice_of_years(recurrence, first, behind).within(after, before).without(without)


def lattice_at(starts: Collection[datetime], *, length_ms: int, first: int | None = None) -> Lattice:
    """Occurrences of one length that start at these instants; one that is named twice counts once.

    first  ordinal of the day for bit 0; None takes the day of the earliest start. Earlier starts are left out.
    """
    on_axis = [divmod(milliseconds_of(start), DAY_MS) for start in starts]
    if first is None:
        first = min((day for day, _ in on_axis), default=EPOCH_DAY)
    days: dict[int, list[int]] = {}
    for day, clock in on_axis:
        if day >= first:
            days.setdefault(clock, []).append(day - first)
    return Lattice(first, length_ms, tuple(sorted((clock, _set_of(found)) for clock, found in days.items())))


def overlaps_itself(lattice: Lattice) -> bool:
    """Whether two of the occurrences share an instant."""
    for clock, days in lattice.groups:
        for other, other_days in lattice.groups:
            # Of two that overlap one starts later, by less than a length: look for it.
            ahead = range((clock - other) // DAY_MS + 1, _days_until(clock - other + lattice.length_ms))
            if days & moved_back_any(other_days, ahead):
                return True
    return False


def meeting(clock: int, length_ms: int, *, other: int, other_length_ms: int) -> range:
    """How many days later than one occurrence another one can start so that they share an instant.

    clock, other  after the midnight of each one's day, in milliseconds.
    """
    return range((clock - other - other_length_ms) // DAY_MS + 1, _days_until(clock - other + length_ms))


def touched(wanted: Lattice, clock: int, days: int, *, other: Lattice) -> int:
    """The days of one group of ``wanted`` on which its occurrence overlaps an occurrence of ``other``."""
    found = 0
    ahead = wanted.first - other.first
    for other_clock, other_days in other.groups:
        near = meeting(clock, wanted.length_ms, other=other_clock, other_length_ms=other.length_ms)
        if near:
            found |= moved_back_any(other_days, range(near.start + ahead, near.stop + ahead))
    return days & found


def moved_back(days: int, distance: int) -> int:
    """The days that lie ``distance`` days before those of the set, behind them where it is below 0.

    What would lie before bit 0 is left out.
    """
    return days >> distance if distance >= 0 else days << -distance


def moved_back_any(days: int, distances: range) -> int:
    """The days that lie by one of the distances (step 1) before a day of the set."""
    if not distances:
        return 0
    reach = 1
    while reach < len(distances):  # each round doubles how far the copies reach
        step = min(reach, len(distances) - reach)
        days |= days << step
        reach += step
    return moved_back(days, distances[-1])


def milliseconds_of(instant: datetime) -> int:
    """An instant as milliseconds on an axis on which midnight of each day (UTC) is its ordinal times DAY_MS."""
    return (instant - EPOCH) // MILLISECOND + EPOCH_MS


def instant_of(milliseconds: int) -> datetime:
    """The instant that ``milliseconds_of`` counts so."""
    return EPOCH + timedelta(milliseconds=milliseconds - EPOCH_MS)


@lru_cache(maxsize=LATTICES)
def _lattice_of_years(recurrence: Recurrence, first_year: int, behind_year: int) -> Lattice:
    """The occurrences from the start of the one year to that of the other, and perhaps some of the days around."""
    first = datetime(first_year, 1, 1, tzinfo=UTC).toordinal() - MARGIN_DAYS
    behind = LAST_DAY if behind_year > MAXYEAR else datetime(behind_year, 1, 1, tzinfo=UTC).toordinal() + MARGIN_DAYS
    by_rule = _lattice_of_rule(recurrence, first, behind)
    extra = [start for start in recurrence.extra if start.toordinal() < behind]
    extra_lattice = lattice_at(extra, length_ms=recurrence.length_ms, first=first)
    return _together(by_rule, extra_lattice).without(recurrence.excluded)


def _lattice_of_rule(recurrence: Recurrence, first: int, behind: int) -> Lattice:
    """What the rule gives on the days of the wall from ``first`` + 1 on and before ``behind``."""
    days = days_between(recurrence, first=first + 1, behind=behind)
    clock_ms = (recurrence.start - datetime.combine(recurrence.start, time.min)) // MILLISECOND
    found: dict[int, int] = {}
    for wall_clock, alike in days_by_clock(recurrence.time_zone, clock_ms, first=first + 1, behind=behind):
        later, clock = divmod(wall_clock, DAY_MS)  # the date in UTC is that on the wall, or a neighbour
        if here := days & alike:
            found[clock] = found.get(clock, 0) | here << (1 + later)
    return Lattice(first, recurrence.length_ms, tuple(sorted(found.items())))


def _together(one: Lattice, other: Lattice) -> Lattice:
    """The occurrences of both, which have the same first day and length. One that is in both counts once."""
    days = dict(one.groups)
    for clock, more in other.groups:
        days[clock] = days.get(clock, 0) | more
    return Lattice(one.first, one.length_ms, tuple(sorted(days.items())))


def elements(days: int) -> Iterator[int]:
    """The days of a set, ascending."""
    digits = f"{days:b}"[::-1]
    day = digits.find("1")
    while day >= 0:
        yield day
        day = digits.find("1", day + 1)


def _set_of(days: Sequence[int]) -> int:
    """The set of some days, none below 0."""
    bits = bytearray(max(days) // 8 + 1)
    for day in days:
        bits[day // 8] |= 1 << day % 8
    return int.from_bytes(bits, "little")


def _milliseconds_from(instant: datetime) -> int:
    """The first whole millisecond at or after an instant: a window may end within one."""
    return EPOCH_MS - (EPOCH - instant) // MILLISECOND


def _days_until(distance_ms: int) -> int:
    """The fewest whole days that are at least so long."""
    return -(-distance_ms // DAY_MS)
