"""The rules of series: what may happen to an occurrence, and which occurrences a change concerns. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.commands import MAX_OCCURRENCE_CLASHES, BookingStatus, OccurrenceClash, Reason
from engine.rules.calendar import Calendar
from engine.rules.decide import Refusal, refuse_claim
from engine.rules.recurrence import Recurrence, starts_between
from engine.rules.wall_clock import to_utc

INSTANT = timedelta(microseconds=1)
GUARANTEED_YEARS = 50
"""Infinite series are compared for at least so many years from the later start."""
DECADE = 10
MAX_UNFINISHED = 200
"""Series of one resource that are not stored whole. Whoever wants a time behind what is stored is compared with all of
them, under the resource's lock."""


@dataclass(slots=True, frozen=True)
class Clashing:
    """What stands in the way of a series.

    starts   of the occurrences that cannot be had, as many as were looked for.
    count    how many there are.
    clashes  what stands there, in order, MAX_OCCURRENCE_CLASHES at most.
    """

    starts: tuple[datetime, ...] = ()
    count: int = 0
    clashes: tuple[OccurrenceClash, ...] = ()

    def and_then(self, later: Clashing) -> Clashing:
        """Add what stands in the way later on."""
        clashes = (self.clashes + later.clashes)[:MAX_OCCURRENCE_CLASHES]
        return Clashing(self.starts + later.starts, self.count + later.count, clashes)


def refuse_occurrences(
    first_start: datetime, places: int, *, capacity: int, now: datetime, unfinished: int | None = None
) -> Refusal | None:
    """Say why a series cannot be had, wherever its occurrences lie, or None.

    unfinished  how many series that are not stored whole stand beside it. None: it will be stored whole itself.
    """
    if first_start <= now:
        return Refusal(Reason.SLOT_IN_PAST)
    if places > capacity:
        return Refusal(Reason.PLACES_EXCEED_CAPACITY)
    if unfinished is not None and unfinished >= MAX_UNFINISHED:
        return Refusal(Reason.TOO_MANY_SERIES)
    return None


def clashing_occurrences(
    starts: Iterable[datetime],
    length: timedelta,
    places: int,
    *,
    calendar: Calendar,
    capacity: int,
    now: datetime,
) -> Clashing:
    """Find which occurrences cannot be had. The calendar is complete for all of them."""
    missed: list[datetime] = []
    clashes: list[OccurrenceClash] = []
    for start in starts:
        refusal = refuse_claim(start, start + length, places, calendar=calendar, capacity=capacity, now=now)
        if refusal is None:
            continue
        missed.append(start)
        if refusal.clashes and len(clashes) < MAX_OCCURRENCE_CLASHES:
            first = refusal.clashes[0]
            clashes.append(OccurrenceClash(start, first.booking, first.start_time, first.end_time))
    return Clashing(tuple(missed), len(missed), tuple(clashes))


def without_starts(recurrence: Recurrence, starts: Iterable[datetime]) -> Recurrence:
    """A recurrence that leaves out some of its occurrences."""
    return replace_excluded(recurrence, {*recurrence.excluded, *starts})


def replace_excluded(recurrence: Recurrence, excluded: Iterable[datetime]) -> Recurrence:
    """A recurrence with other exceptions."""
    return Recurrence(
        recurrence.start,
        recurrence.time_zone,
        recurrence.length_ms,
        recurrence.rule,
        recurrence.extra,
        tuple(sorted(excluded)),
    )


def gives(recurrence: Recurrence, occurrence: datetime) -> bool:
    """Whether a series has an occurrence of that name, its exceptions left out."""
    return bool(starts_between(recurrence, occurrence, occurrence + INSTANT))


def first_after(recurrence: Recurrence, instant: datetime) -> datetime | None:
    """The first occurrence behind an instant, or None within the guaranteed years."""
    after, span = instant + INSTANT, timedelta(days=32)
    behind = _plus_years(max(instant, to_utc(recurrence.start, ZoneInfo(recurrence.time_zone))), GUARANTEED_YEARS)
    while after < behind:
        before = min(after + span, behind)
        if found := starts_between(recurrence, after, before):
            return found[0]
        after, span = before, span * 4
    return None


def overlap_each_other(starts: Sequence[datetime], length: timedelta) -> bool:
    """Whether occurrences of one length overlap.

    starts  sorted.
    """
    return any(later - earlier < length for earlier, later in itertools.pairwise(starts))


def compared_until(now: datetime, starts: Iterable[datetime] = ()) -> datetime:
    """The end of the window in which infinite series are compared: the same for a decade, so that it can be kept.

    starts  instants or wall clocks: on the wall it may be the year before. None of a series without end lies more
            than GUARANTEED_YEARS behind its own making (``too_far``), so the window has a bound.
    """
    latest = max([now.year, *(start.year for start in starts)])
    year = min(latest, now.year + GUARANTEED_YEARS + 1) + GUARANTEED_YEARS + 2
    return datetime(min(-(-year // DECADE) * DECADE, MAXYEAR), 1, 1, tzinfo=UTC)


def too_far(start: datetime, *, now: datetime) -> bool:
    """Whether a series without end would begin too late: what stands is compared with it from now on."""
    return start > _plus_years(now, GUARANTEED_YEARS)


def refuse_occurrence(status: BookingStatus | None, start: datetime, *, now: datetime) -> Refusal | None:
    """Say why an occurrence cannot be changed.

    status  of the row that tells about it last; None: it has none and the rule does not give it.
    """
    if status is None or status is BookingStatus.RESCHEDULED:
        return Refusal(Reason.NOT_AN_OCCURRENCE)
    if start <= now:
        return Refusal(Reason.OCCURRENCE_IN_PAST)
    return None


def _plus_years(instant: datetime, years: int) -> datetime:
    return instant.replace(year=min(instant.year + years, MAXYEAR), day=min(instant.day, 28))
