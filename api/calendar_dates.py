"""Which dates a calendar is told, so that it shows of a series what stands, and nothing else. Pure.

A calendar expands a rule by itself and then takes what it is told one by one: starts that are left out (EXDATE),
further ones (RDATE), and occurrences that are elsewhere (a RECURRENCE-ID each). It reads the rule as we do, but for a
wall clock that does not exist: that it moves on by as much as the clock jumps (RFC 5545, 3.3.5), from 02:30 to 03:30,
where here the first instant that exists, 03:00, takes its place. Such an occurrence is told like one that was moved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from engine.commands import HORIZON, BookingStatus
from engine.rules.recurrence import FINITE_DAYS, MARGIN_DAYS, Recurrence, before, wall_clocks
from engine.rules.recurrence_rule import Rule
from engine.rules.series import first_after
from engine.rules.wall_clock import to_local, to_utc
from engine.store.calendars import CalendarSeries

Interval = tuple[datetime, datetime]

LAST_YEAR = MAXYEAR - 1
"""The year after it ends before some wall clocks are through with it."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An occurrence that takes place at another time than ``named`` says, or for another length of time."""

    named: datetime
    start_time: datetime
    end_time: datetime


@dataclass(frozen=True, slots=True)
class Dates:
    """What a calendar is told of a series.

    A datetime in the series' zone is a wall clock that is written as it is, even where it does not exist; one that
    stands for an instant which the wall clock cannot tell from another is in UTC.

    first, end  the first occurrence.
    left_out    starts that the rule gives, and that are none.
    added       starts that it does not give.
    elsewhere   by ``named``, each a start that the rule gives or that is added.
    reach       UTC, the last start that is known here, within the years that a finite series may last.
    """

    first: datetime
    end: datetime
    rule: Rule | None
    left_out: tuple[datetime, ...]
    added: tuple[datetime, ...]
    elsewhere: tuple[Elsewhere, ...]
    reach: datetime


def dates_of(series: CalendarSeries) -> Dates:
    """Find what a calendar is told of a series."""
    recurrence = _what_stands(series)
    return _Told(series, recurrence).dates()


def written(instant: datetime, zone: ZoneInfo) -> datetime:
    """An instant on the wall clock of a zone, or in UTC where the wall clock shows another one first, or none."""
    if instant.year > LAST_YEAR:
        return instant
    local = to_local(instant, zone)
    return local.replace(tzinfo=zone) if to_utc(local, zone) == instant else instant


def name_in_calendars(occurrence: datetime, *, start: datetime, time_zone: str) -> datetime:
    """The instant by which calendars know an occurrence (UTC): where its wall clock does not exist, another than ours.

    start  wall clock of the series' first occurrence.
    """
    if occurrence.year > LAST_YEAR:
        return occurrence
    rule_clock, zone = start.time(), ZoneInfo(time_zone)
    shown = to_local(occurrence, zone)
    for back in range(MARGIN_DAYS):
        said = datetime.combine(shown.date() - timedelta(days=back), rule_clock)
        if to_utc(said, zone) == occurrence:
            return _as_read(said.replace(tzinfo=zone))
    return occurrence


class _Told:
    """A series on its way to its dates.

    said      the wall clocks of the rule by the instants that they are: of an endless series as far as it is stored,
              HORIZON from its start at least, and around each deviation.
    gone      names of occurrences that do not take place.
    standing  where those take place that were moved, restored or are read otherwise by calendars.
    """

    def __init__(self, series: CalendarSeries, recurrence: Recurrence) -> None:
        self.recurrence = recurrence
        self.zone = ZoneInfo(recurrence.time_zone)
        self.length = timedelta(milliseconds=recurrence.length_ms)
        told = series.deviations if series.stands or series.status is BookingStatus.CONFIRMED else ()
        known = {each.occurrence: each for each in told if each.occurrence.year <= LAST_YEAR}
        self.standing = {name: (each.start_time, each.end_time) for name, each in known.items() if each.stands}
        excluded = (name for name in recurrence.excluded if name.year <= LAST_YEAR)
        self.gone = {*known, *excluded}.difference(self.standing)
        self.said = self._wall_clocks(series.materialised_until)
        for name, said in self.said.items():
            if _as_read(said) != name and name not in self.gone:
                self.standing.setdefault(name, (name, name + self.length))

    def dates(self) -> Dates:
        """Put together what a calendar is told."""
        rule = self.recurrence.rule
        left_out = [self.said[name] for name in sorted(self.gone) if self._given(name)]
        added = self._added()
        elsewhere = self._elsewhere()
        if rule is not None:
            first = self.recurrence.start.replace(tzinfo=self.zone)
        elif added:
            first = added.pop(0)
        else:  # nothing of it is left, and nothing can be told without a first occurrence
            first = self.recurrence.start.replace(tzinfo=self.zone)
            left_out = [first]
        end = _as_read(first) + self.length
        reach = min(max([end, *self.said, *self.standing]), end + timedelta(days=FINITE_DAYS))
        return Dates(first, written(end, self.zone), rule, tuple(left_out), tuple(added), tuple(elsewhere), reach)

    def _added(self) -> list[datetime]:
        names = {*self.recurrence.extra, *self.standing}.difference(self.gone)
        return [written(name, self.zone) for name in sorted(names) if not self._given(name)]

    def _elsewhere(self) -> Iterable[Elsewhere]:
        for name, (start, end) in sorted(self.standing.items()):
            named = self.said[name] if self._given(name) else written(name, self.zone)
            if (start, end) != (_as_read(named), _as_read(named) + self.length):
                yield Elsewhere(named, written(start, self.zone), written(end, self.zone))

    def _given(self, name: datetime) -> bool:
        """Whether a calendar finds the occurrence by the rule."""
        rule, said = self.recurrence.rule, self.said.get(name)
        return rule is not None and said is not None and (rule.until is None or _as_read(said) <= rule.until)

    def _wall_clocks(self, until: datetime | None) -> dict[datetime, datetime]:
        first = self.recurrence.start.toordinal()
        behind = first + FINITE_DAYS
        if until is not None:
            behind = max(to_local(until, self.zone).toordinal() + MARGIN_DAYS, first + HORIZON.days)
        said = self._said(first, behind)
        for name in {*self.gone, *self.standing}:
            day = to_local(name, self.zone).toordinal()
            if day >= behind:
                said |= self._said(day - MARGIN_DAYS, day + MARGIN_DAYS)
        return said

    def _said(self, first: int, behind: int) -> dict[datetime, datetime]:
        found = wall_clocks(self.recurrence, first=first, behind=behind)
        return {to_utc(local, self.zone): local.replace(tzinfo=self.zone) for local in found}


def _what_stands(series: CalendarSeries) -> Recurrence:
    """The recurrence without what ended with the series; where nothing stands all of it, to be shown as cancelled."""
    recurrence = series.recurrence
    if series.status is BookingStatus.CONFIRMED or not series.stands:
        return recurrence
    first = to_utc(recurrence.start, ZoneInfo(recurrence.time_zone))
    ended = first
    if series.status is BookingStatus.CANCELLED:
        assert series.ended_at is not None, "it was cancelled"
        following = first_after(recurrence, series.ended_at)
        if following is None:
            return recurrence
        ended = following
    if ended <= first:
        return msgspec.structs.replace(recurrence, rule=None, extra=(), excluded=())
    return before(recurrence, ended)


def _as_read(said: datetime) -> datetime:
    """The instant that calendars read. Where it does not exist, it has the offset from before the jump (PEP 495)."""
    return said.astimezone(UTC)
