"""Commands about series, each decided in three steps: learn what it concerns, learn what stands there, decide.

A command about a series is decided alone among the commands of its resource (``engine.batch.cut_batch``), so
what it loads is what stands when it is decided.

What stands, near and far, and what stands in the way of a recurrence: ``engine.wish``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from engine.commands import (
    HORIZON,
    MAX_OCCURRENCE_CLASHES,
    MAX_SKIPPED,
    BookingStatus,
    BookingView,
    BookSeries,
    CancelOccurrence,
    CancelSeries,
    Entry,
    MoveOccurrence,
    OfSeries,
    Outcome,
    PublishSlots,
    Reason,
    RestoreOccurrence,
    Scope,
    SeriesDetail,
    starts_of,
)
from engine.identifiers import uuid7
from engine.notebook import Notebook, clash_times
from engine.people import People
from engine.rules.calendar import Calendar
from engine.rules.decide import Refusal, Standing, refuse_claim
from engine.rules.lattice import lattice_of, overlaps_itself
from engine.rules.recurrence import Recurrence, before, moved, starts_between, wall_clock_of
from engine.rules.series import (
    INSTANT,
    Clashing,
    compared_until,
    first_after,
    gives,
    overlap_each_other,
    refuse_occurrence,
    refuse_occurrences,
    replace_excluded,
    too_far,
    without_starts,
)
from engine.rules.wall_clock import to_local, to_utc
from engine.store import series as store
from engine.store.decisions import EndedBooking, LockedResource, Writes
from engine.store.pools import Connection
from engine.store.series import ChangedSeries, NewOccurrence, NewSeries, Occurrence, Series
from engine.wish import Wish

DAY = timedelta(days=1)
Interval = tuple[datetime, datetime]
MAX_EXCLUDED = 4_000
"""Exceptions of one series (the schema's constraint ``series_excluded_count``)."""
C = TypeVar("C", bound=BookSeries | OfSeries | PublishSlots)


@dataclass(slots=True)
class Desk:
    """What a command about a series is decided with.

    calendar    of the resource; complete for what the command said it wants, once that was loaded.
    people      those for whom the batch books.
    unfinished  the resource's series that are not stored whole, once they were loaded.
    """

    entry: Entry
    locked: LockedResource
    now: datetime
    calendar: Calendar
    notebook: Notebook
    writes: Writes
    people: People
    unfinished: list[Series] = field(default_factory=list)

    @property
    def resource(self) -> int:
        """The number of the resource."""
        return self.locked.resource

    def refuse(self, refusal: Refusal, detail: SeriesDetail | None = None) -> Outcome:
        """Note a no."""
        return self.notebook.refuse(self.resource, self.entry, refusal, detail=detail)

    def confirm(
        self, view: BookingView | None, detail: SeriesDetail, *, counted: tuple[int | None, int | None] = (None, None)
    ) -> Outcome:
        """Note a yes."""
        return self.notebook.confirm(self.resource, self.entry, view, detail=detail, counted=counted)


class SeriesDecision(ABC, Generic[C]):
    """One command on its way through the three steps."""

    def __init__(self, command: C, desk: Desk) -> None:
        self._command = command
        self.desk = desk

    async def learn(self, connection: Connection) -> None:
        """Load what the command names, and find out what it wants."""

    def wanted(self) -> Sequence[Interval]:
        """The stored times that it wants: their claims must be loaded."""
        return ()

    @property
    def freeing(self) -> int:
        """How many stored claims it may take away: so many more of each wanted time must be loaded."""
        return 0

    @property
    def endless(self) -> bool:
        """Whether it wants times without end, so that all unfinished series count."""
        return False

    def beside(self, unfinished: Sequence[Series]) -> list[Series]:
        """What stands beside it of series that are not stored whole: not what it is about to take away."""
        return list(unfinished)

    async def look_far(self, connection: Connection) -> None:
        """Load what stands behind its own horizon. The unfinished series are at the desk by now."""

    @abstractmethod
    def decide(self) -> Outcome:
        """Decide, and note what is to be written."""


def decision_of(command: BookSeries | OfSeries, desk: Desk) -> SeriesDecision[Any]:
    """The way of a command."""
    return _WAYS[type(command)](command, desk)


# ---------------------------------------------------------------------------- a series is booked


class _Claiming(SeriesDecision[C]):
    """A command that wants the occurrences of a recurrence.

    wish  what it wants; None: there is nothing to want, and it is refused.
    """

    wish: Wish | None = None

    def wanted(self) -> Sequence[Interval]:
        return self.wish.wanted if self.wish is not None else ()

    @property
    def endless(self) -> bool:
        return self.wish is not None and self.wish.endless

    async def look_far(self, connection: Connection) -> None:
        if self.wish is not None:
            desk = self.desk
            await self.wish.look_far(connection, desk.resource, desk.unfinished, now=desk.now, leaving=self.leaving)

    @property
    def leaving(self) -> frozenset[UUID]:
        """The bookings that give way to what it wants."""
        return frozenset()

    def refuse_all(self, wish: Wish) -> Refusal | None:
        """Say why it cannot be had, whatever stands in the way."""
        desk = self.desk
        unfinished = len(desk.unfinished) if wish.endless else None
        return refuse_occurrences(
            wish.starts[0], wish.places, capacity=desk.locked.capacity, now=desk.now, unfinished=unfinished
        )

    def clashing(self, wish: Wish, *, far_limit: int) -> Clashing:
        """Find what stands in the way, near and far."""
        desk = self.desk
        return wish.clashing(desk.calendar, capacity=desk.locked.capacity, now=desk.now, far_limit=far_limit)

    def write(
        self,
        wish: Wish,
        recurrence: Recurrence,
        starts: Sequence[datetime],
        *,
        goes_on: UUID | None = None,
        caller: str | None = None,
    ) -> tuple[UUID, list[UUID]]:
        """Note a series and its stored occurrences. Returns their ids.

        goes_on  the series that it goes on from.
        caller   whose it is, where that is not who asks.
        """
        desk, request = self.desk, self.desk.entry.request
        series = NewSeries(
            uuid7(),
            desk.resource,
            recurrence,
            wish.places,
            wish.materialised_until,
            caller or request.caller,
            desk.entry.ticket,
            request.request_id,
            desk.now,
            goes_on,
        )
        made = [NewOccurrence(uuid7(), series.series, start, start, start + wish.length) for start in starts]
        desk.writes.made_series.append(series)
        desk.writes.occurrences += made
        desk.writes.horizons.add(desk.resource)
        return series.series, [item.booking for item in made]


class _Booking(_Claiming[BookSeries]):
    """``book_series``."""

    def __init__(self, command: BookSeries, desk: Desk) -> None:
        super().__init__(command, desk)
        self._wish = self.wish = Wish(
            command.recurrence, starts_of(command), command.materialised_until, command.places
        )

    def decide(self) -> Outcome:
        command, desk, wish = self._command, self.desk, self._wish
        asked = SeriesDetail(recurrence=command.recurrence)
        refusal = self.refuse_all(wish)
        if refusal is not None:
            return desk.refuse(refusal, asked)
        clashing = self.clashing(wish, far_limit=MAX_SKIPPED + 1 if command.skip else MAX_OCCURRENCE_CLASHES)
        skipped = clashing.starts if command.skip and clashing.count <= MAX_SKIPPED else ()
        free = sorted(set(wish.starts).difference(skipped))
        if len(skipped) < clashing.count or not free:
            return desk.refuse(Refusal(Reason.CONFLICT), clashing_detail(asked, clashing))
        if (limited := desk.people.refuse(desk.entry.request)) is not None:
            return desk.refuse(limited, asked)
        counted = desk.people.counted(desk.entry.request)
        recurrence = without_starts(command.recurrence, skipped)
        series, _ = self.write(wish, recurrence, free)
        desk.people.add(desk.resource, desk.entry.request.caller, series)
        made = SeriesDetail(
            recurrence=recurrence,
            occurrences=len(free),
            skipped=tuple(skipped),
            materialised_until=wish.materialised_until,
            warnings=command.warnings,
        )
        view = BookingView(series, free[0], free[0] + wish.length, wish.places, BookingStatus.CONFIRMED)
        return desk.confirm(view, clashing_detail(made, clashing), counted=counted)


# ---------------------------------------------------------------------------- a series changes


class _Naming(SeriesDecision[C]):
    """A command that names a series."""

    series: Series

    async def learn(self, connection: Connection) -> None:
        """Load the series. That it exists and is of this resource was known before the ticket."""
        named = self._command.series  # type: ignore[union-attr]  # BookSeries has a way of its own
        self.series = (await store.load_series(connection, [named]))[named]
        assert self.series.resource == self.desk.resource, "a series' command came through another resource's queue"

    def _stale(self) -> Refusal | None:
        wished = self._command.if_version  # type: ignore[union-attr]
        return Refusal(Reason.STALE_VERSION) if wished not in (None, self.series.version) else None

    def _end(
        self, row: Occurrence, status: BookingStatus, *, reason: str | None = None, successor: UUID | None = None
    ) -> None:
        standing = Standing(
            row.booking,
            row.start_time,
            row.end_time,
            row.places,
            status,
            row.ticket,
            1,
            self.series.caller,
            successor,
        )
        self.desk.writes.ended.append(EndedBooking(standing, self.desk.now, reason))

    def _touch(self) -> None:
        """Let the series have a new version."""
        self.desk.writes.touched_series.append(self.series.series)


class _Cancelling(_Naming[CancelSeries]):
    """``cancel_series``."""

    _rows: list[Occurrence]

    async def learn(self, connection: Connection) -> None:
        await super().learn(connection)
        self._rows = await store.load_future(connection, self.series.series, now=self.desk.now)

    def decide(self) -> Outcome:
        desk, series = self.desk, self.series
        if series.status is BookingStatus.RESCHEDULED:
            return desk.refuse(Refusal(Reason.ALREADY_RESCHEDULED))
        if series.status is BookingStatus.CONFIRMED:
            if refusal := self._stale():
                return desk.refuse(refusal)
            for row in self._rows:
                self._end(row, BookingStatus.CANCELLED, reason=self._command.reason)
            desk.writes.changed_series.append(
                ChangedSeries(
                    series.series,
                    series.recurrence,
                    series.materialised_until,
                    BookingStatus.CANCELLED,
                    desk.now,
                    self._command.reason,
                )
            )
            desk.writes.horizons.add(desk.resource)
        return desk.confirm(
            view_of(series, BookingStatus.CANCELLED),
            SeriesDetail(recurrence=series.recurrence, occurrences=len(self._rows)),
        )


class _OfOne(_Naming[C]):
    """A command about one occurrence."""

    rows: list[Occurrence]

    async def learn(self, connection: Connection) -> None:
        await super().learn(connection)
        name = self.name
        self.rows = await store.load_occurrences(connection, self.series.series, after=name, before=name + INSTANT)

    @property
    def name(self) -> datetime:
        """The start that the rule gives the occurrence."""
        occurrence: datetime = self._command.occurrence  # type: ignore[union-attr]
        return occurrence

    @property
    def standing(self) -> Occurrence | None:
        """The row that claims it."""
        return next((row for row in self.rows if row.status is BookingStatus.CONFIRMED), None)

    @property
    def ended(self) -> Occurrence | None:
        """The row that tells last how it ended, unless it belongs to another series now."""
        last = self.rows[-1] if self.rows else None
        return last if last is not None and last.status in (BookingStatus.CANCELLED, BookingStatus.CLASHED) else None

    def meant(self, booking: UUID | None) -> Occurrence | None:
        """The row that the caller named by its own id, if it has ended."""
        return next(
            (row for row in self.rows if row.booking == booking and row.status is not BookingStatus.CONFIRMED), None
        )

    @property
    def unstored(self) -> bool:
        """Whether the rule claims it, behind what is stored."""
        until = self.series.materialised_until
        return (
            self.series.status is BookingStatus.CONFIRMED
            and until is not None
            and self.name >= until
            and not self.rows
            and gives(self.series.recurrence, self.name)
        )

    @property
    def interval(self) -> Interval:
        """Where the rule puts it."""
        return self.name, self.name + timedelta(milliseconds=self.series.recurrence.length_ms)

    @property
    def detail(self) -> SeriesDetail:
        """What the outcome says beyond its row."""
        return SeriesDetail(occurrence=self.name, occurrences=1)

    def refuse(self, refusal: Refusal, wanted_start: datetime) -> Outcome:
        """Note a no, with what stands in the way of the wanted time."""
        return self.desk.refuse(refusal, clash_times(refusal.clashes, wanted_start, of=self.detail))

    def view(self, booking: UUID, interval: Interval, status: BookingStatus) -> BookingView:
        """The occurrence as the command leaves it."""
        return BookingView(booking, *interval, self.series.places, status)

    def _end_as(
        self, booking: UUID, status: BookingStatus, *, reason: str | None = None, successor: UUID | None = None
    ) -> None:
        """End it. Where no row claims it, it is written as it ends, with this id."""
        if (row := self.standing) is not None:
            self._end(row, status, reason=reason, successor=successor)
            return
        self.desk.writes.occurrences.append(
            NewOccurrence(
                booking,
                self.series.series,
                self.name,
                *self.interval,
                status=status,
                ended_at=self.desk.now,
                cancellation_reason=reason,
                rescheduled_to=successor,
            )
        )


class _CancellingOne(_OfOne[CancelOccurrence]):
    """``cancel_occurrence``."""

    def decide(self) -> Outcome:
        desk, row = self.desk, self.standing
        if (meant := self.meant(self._command.booking)) is not None:
            if meant.status is BookingStatus.RESCHEDULED:
                return desk.refuse(Refusal(Reason.ALREADY_RESCHEDULED), self.detail)
            return desk.confirm(self.view(meant.booking, _interval(meant), BookingStatus.CANCELLED), self.detail)
        if row is None and (ended := self.ended):
            return desk.confirm(self.view(ended.booking, _interval(ended), BookingStatus.CANCELLED), self.detail)
        status = BookingStatus.CONFIRMED if row or self.unstored else None
        interval = _interval(row) if row else self.interval
        refusal = refuse_occurrence(status, interval[0], now=desk.now) or self._stale()
        if refusal is not None:
            return desk.refuse(refusal, self.detail)
        booking = row.booking if row else uuid7()
        self._end_as(booking, BookingStatus.CANCELLED, reason=self._command.reason)
        self._touch()
        return desk.confirm(self.view(booking, interval, BookingStatus.CANCELLED), self.detail)


class _Restoring(_OfOne[RestoreOccurrence]):
    """``restore_occurrence``."""

    def wanted(self) -> Sequence[Interval]:
        return () if (interval := self._lost()) is None else [interval]

    def decide(self) -> Outcome:
        desk, row = self.desk, self.standing
        if row is not None:
            return desk.confirm(self.view(row.booking, _interval(row), BookingStatus.CONFIRMED), self.detail)
        if self.unstored:
            return desk.confirm(self.view(self.series.series, self.interval, BookingStatus.CONFIRMED), self.detail)
        entry, series = desk.entry, self.series.series
        refusal, interval = self._refuse(), self._lost()
        if refusal is not None or interval is None:
            return self.refuse(refusal or Refusal(Reason.NOT_AN_OCCURRENCE), self.name)
        if (limited := desk.people.refuse(entry.request, of=series)) is not None:  # nothing else of it is ahead
            return self.refuse(limited, self.name)
        counted = desk.people.counted(entry.request, of=series)
        desk.people.add(desk.resource, self.series.caller, series)
        booking = uuid7()
        desk.writes.occurrences.append(
            NewOccurrence(
                booking,
                self.series.series,
                self.name,
                *interval,
                ticket=entry.ticket,
                request_id=entry.request.request_id,
                created_at=desk.now,
            )
        )
        self._touch()
        return desk.confirm(self.view(booking, interval, BookingStatus.CONFIRMED), self.detail, counted=counted)

    def _lost(self) -> Interval | None:
        """The time to claim again: where it stood last, or where the rule would put it but for an exception."""
        if ended := self.ended:
            return _interval(ended)
        kept = [start for start in self.series.recurrence.excluded if start != self.name]
        return (
            self.interval
            if not self.rows and gives(replace_excluded(self.series.recurrence, kept), self.name)
            else None
        )

    def _gone(self) -> bool:
        """Whether it belongs to the series that goes on from this one: there it is left out, and can be restored."""
        rule = replace_excluded(self.series.recurrence, ())
        return self.series.rescheduled_to is not None and not gives(rule, self.name)

    def _refuse(self) -> Refusal | None:
        desk, interval = self.desk, self._lost()
        if self.series.status is not BookingStatus.CONFIRMED:
            return refuse_ended(self.series.status)
        if interval is None or self._gone():
            return Refusal(Reason.NOT_AN_OCCURRENCE)
        return (
            refuse_occurrence(BookingStatus.CONFIRMED, interval[0], now=desk.now)
            or self._stale()
            or refuse_claim(
                *interval, self.series.places, calendar=desk.calendar, capacity=desk.locked.capacity, now=desk.now
            )
        )


class _MovingOne(_OfOne[MoveOccurrence]):
    """``move_occurrence`` of this one."""

    def beside(self, unfinished: Sequence[Series]) -> list[Series]:
        own = self.series.series
        return [
            replace(series, without=series.without | {self.name}) if series.series == own else series
            for series in unfinished
        ]

    def wanted(self) -> Sequence[Interval]:
        return [(self._command.start_time, self._command.end_time)]

    @property
    def freeing(self) -> int:
        return 1

    def decide(self) -> Outcome:
        desk, command, row = self.desk, self._command, self.standing
        refusal = self._refuse()
        if refusal is not None:
            return self.refuse(refusal, command.start_time)
        old, new, entry = row.booking if row else uuid7(), uuid7(), desk.entry
        self._end_as(old, BookingStatus.RESCHEDULED, successor=new)
        desk.writes.occurrences.append(
            NewOccurrence(
                new,
                self.series.series,
                self.name,
                command.start_time,
                command.end_time,
                ticket=entry.ticket,
                request_id=entry.request.request_id,
                created_at=desk.now,
                rescheduled_from=old,
            )
        )
        self._touch()
        interval = command.start_time, command.end_time
        return desk.confirm(self.view(new, interval, BookingStatus.CONFIRMED), self.detail)

    def _refuse(self) -> Refusal | None:
        desk, command, row = self.desk, self._command, self.standing
        if (meant := self.meant(command.booking)) is not None:
            return refuse_ended(meant.status)
        told = row or self.ended
        status = BookingStatus.CONFIRMED if told or self.unstored else None
        refusal = refuse_occurrence(status, told.start_time if told else self.name, now=desk.now)
        if refusal is None and row is None and told is not None:
            refusal = Refusal(Reason.OCCURRENCE_CANCELLED)
        refusal = refusal or self._stale()
        if refusal is not None:
            return refusal
        if row is not None:
            desk.calendar.remove(*_interval(row), places=row.places, ticket=row.ticket, booking=row.booking)
        return refuse_claim(
            command.start_time,
            command.end_time,
            self.series.places,
            calendar=desk.calendar,
            capacity=desk.locked.capacity,
            now=desk.now,
        )


class _MovingMany(_Claiming[MoveOccurrence], _Naming[MoveOccurrence]):
    """``move_occurrence`` of this and the following ones, or of all that have not begun: a series of its own.

    Of the rows that it finds, those that stand where the rule puts them move; those that were moved alone go along
    into the new series, under their new names, and stay where they stand.

    pivot     the first occurrence that moves.
    replaced  rows that move, by their new names, which are their new starts.
    carried   rows that go along where they stand, by their new names.
    """

    async def learn(self, connection: Connection) -> None:
        await _Naming.learn(self, connection)
        self._pivot: datetime | None = self._command.occurrence
        self._replaced: dict[datetime, Occurrence] = {}
        self._carried: dict[datetime, Occurrence] = {}
        self._refusal = await self._look_at_named(connection)
        if self._command.scope is Scope.ALL and self._refusal is None:
            self._pivot = await self._first_of_all(connection)
            self._refusal = None if self._pivot else Refusal(Reason.OCCURRENCE_IN_PAST)
        if self._refusal is None:
            try:
                self._refusal = await self._plan(connection)
            except OverflowError:  # some of it would lie behind the end of the calendar, or before its start
                self.wish, self._refusal = None, Refusal(Reason.RULE_CANNOT_MOVE)

    async def _first_of_all(self, connection: Connection) -> datetime | None:
        """The first occurrence that has not begun: one that the rule gives, or that has a row though it is left out."""
        series, now = self.series, self.desk.now
        rows = await store.load_occurrences(connection, series.series, after=now + INSTANT)
        known = [first_after(series.recurrence, now), *(row.occurrence for row in rows)]
        return min((name for name in known if name is not None), default=None)

    async def _look_at_named(self, connection: Connection) -> Refusal | None:
        series, command = self.series, self._command
        if series.status is not BookingStatus.CONFIRMED:
            return refuse_ended(series.status)
        rows = await store.load_occurrences(
            connection, series.series, after=command.occurrence, before=command.occurrence + INSTANT
        )
        stands = any(row.status is BookingStatus.CONFIRMED for row in rows)
        known = replace_excluded(series.recurrence, ()) if rows else series.recurrence  # an exception was restored
        if not gives(known, command.occurrence):
            return Refusal(Reason.NOT_AN_OCCURRENCE)
        if command.scope is Scope.THIS_AND_FOLLOWING and command.occurrence <= self.desk.now:
            return Refusal(Reason.OCCURRENCE_IN_PAST)
        if rows and not stands:
            return Refusal(Reason.OCCURRENCE_CANCELLED)
        return self._stale()

    async def _plan(self, connection: Connection) -> Refusal | None:
        """Find the series that is to stand, and the rows that it takes the place of."""
        series, command = self.series, self._command
        assert self._pivot is not None, "asked for before"
        zone = ZoneInfo(series.recurrence.time_zone)
        distance = to_local(command.start_time, zone) - wall_clock_of(series.recurrence, command.occurrence)
        length_ms = (command.end_time - command.start_time) // timedelta(milliseconds=1)

        def along(name: datetime) -> datetime:
            return to_utc(wall_clock_of(series.recurrence, name) + distance, zone)

        recurrence = moved(series.recurrence, self._pivot, along(self._pivot), length_ms)
        if recurrence is None:
            return Refusal(Reason.RULE_CANNOT_MOVE)
        rows = await store.load_occurrences(connection, series.series, after=self._pivot)
        self._replaced = {along(row.occurrence): row for row in rows if self._moves(row)}
        self._carried = {along(row.occurrence): row for row in rows if self._goes_along(row)}
        left_out = {along(name) for name in series.recurrence.excluded if name >= self._pivot}
        left_out |= {along(row.occurrence) for row in rows}
        recurrence = replace_excluded(recurrence, left_out - self._replaced.keys() - self._carried.keys())
        self.wish = wish = self._wish_of(recurrence, distance)
        if not wish.starts or not all(gives(recurrence, name) for name in (*self._replaced, *self._carried)):
            return Refusal(Reason.RULE_CANNOT_MOVE)
        if len(recurrence.excluded) > MAX_EXCLUDED or (wish.endless and too_far(wish.starts[0], now=self.desk.now)):
            return Refusal(Reason.RULE_CANNOT_MOVE)
        if overlap_each_other(wish.starts, wish.length) or self._overlaps_far(wish):
            return Refusal(Reason.SERIES_OVERLAPS_ITSELF)
        return None

    def _overlaps_far(self, wish: Wish) -> bool:
        """Whether occurrences that are not to be stored yet would overlap each other."""
        first = wish.starts[0]
        return wish.endless and overlaps_itself(
            lattice_of(wish.recurrence, after=first, before=compared_until(self.desk.now, [first]))
        )

    def _moves(self, row: Occurrence) -> bool:
        """Whether an occurrence moves with the others: if it is named, or stands where the rule puts it."""
        length = timedelta(milliseconds=self.series.recurrence.length_ms)
        alone = row.moved or row.end_time - row.start_time != length
        named = row.occurrence == self._command.occurrence
        return row.status is BookingStatus.CONFIRMED and (named or not alone)

    def _goes_along(self, row: Occurrence) -> bool:
        """Whether an occurrence that was moved alone stays its series' own: not when it has begun."""
        return row.status is BookingStatus.CONFIRMED and not self._moves(row) and row.start_time > self.desk.now

    def _wish_of(self, recurrence: Recurrence, distance: timedelta) -> Wish:
        """The occurrences that are to stand: as many are stored as of the series that they come from.

        One that was stored behind all others, as it had been restored there, is stored again.
        """
        first = to_utc(recurrence.start, ZoneInfo(recurrence.time_zone))
        moving = without_starts(recurrence, self._carried)
        until = self.series.materialised_until
        if until is not None:
            begins = first_after(moving, first - INSTANT) or first
            until = max(until + distance + DAY, self.desk.now + HORIZON, begins + DAY)
        starts = {*starts_between(moving, first, until or compared_until(first)), *self._replaced}
        told = frozenset((*self._replaced, *self._carried))
        return Wish(recurrence, sorted(starts), until, self.series.places, told)

    @property
    def freeing(self) -> int:
        return len(self._replaced)

    @property
    def leaving(self) -> frozenset[UUID]:
        return frozenset(row.booking for row in self._replaced.values())

    def beside(self, unfinished: Sequence[Series]) -> list[Series]:
        if self.wish is None or self._pivot is None:
            return list(unfinished)
        left = remainder_of(self.series, self._pivot)
        others = [series for series in unfinished if series.series != self.series.series]
        return [*others, left] if left is not None and left.materialised_until is not None else others

    def decide(self) -> Outcome:
        desk, wish = self.desk, self.wish
        detail = SeriesDetail(recurrence=wish.recurrence if wish else None, occurrence=self._command.occurrence)
        if self._refusal is not None or wish is None:
            return desk.refuse(self._refusal or Refusal(Reason.RULE_CANNOT_MOVE), detail)
        for row in self._replaced.values():
            desk.calendar.remove(*_interval(row), places=row.places, ticket=row.ticket, booking=row.booking)
        refusal = self.refuse_all(wish)
        if refusal is not None:
            return desk.refuse(refusal, detail)
        clashing = self.clashing(wish, far_limit=MAX_OCCURRENCE_CLASHES)
        if clashing.count:
            return desk.refuse(Refusal(Reason.CONFLICT), clashing_detail(detail, clashing))
        made = self._replace(wish)
        view = BookingView(made, wish.starts[0], wish.starts[0] + wish.length, wish.places, BookingStatus.CONFIRMED)
        stored = {"occurrences": len(wish.starts), "materialised_until": wish.materialised_until}
        return desk.confirm(view, msgspec.structs.replace(detail, **stored))

    def _replace(self, wish: Wish) -> UUID:
        """Note the new series, and what is left of the old one."""
        made, bookings = self.write(
            wish, wish.recurrence, wish.starts, goes_on=self.series.series, caller=self.series.caller
        )
        occurrences = self.desk.writes.occurrences
        for position, (start, booking) in enumerate(zip(wish.starts, bookings, strict=True), -len(bookings)):
            if (row := self._replaced.get(start)) is not None:
                self._end(row, BookingStatus.RESCHEDULED, successor=booking)
                occurrences[position] = replace(occurrences[position], rescheduled_from=row.booking)
        for name, row in self._carried.items():
            booking = uuid7()
            self._end(row, BookingStatus.RESCHEDULED, successor=booking)
            occurrences.append(NewOccurrence(booking, made, name, *_interval(row), rescheduled_from=row.booking))
        self.desk.writes.changed_series.append(self._changed(made))
        self.desk.people.add(self.desk.resource, self.series.caller, made)
        return made

    def _changed(self, successor: UUID) -> ChangedSeries:
        series = self.series
        left = remainder_of(series, self._pivot) if self._pivot else None
        return ChangedSeries(
            series.series,
            (left or series).recurrence,
            (left or series).materialised_until,
            BookingStatus.CONFIRMED if left else BookingStatus.RESCHEDULED,
            None if left else self.desk.now,
            rescheduled_to=successor,
        )


def refuse_ended(status: BookingStatus) -> Refusal:
    """Say why a series that has ended cannot be changed."""
    return Refusal(Reason.ALREADY_CANCELLED if status is BookingStatus.CANCELLED else Reason.ALREADY_RESCHEDULED)


def remainder_of(series: Series, pivot: datetime) -> Series | None:
    """What stands of a series before an occurrence of it; None: nothing."""
    recurrence = series.recurrence
    if to_utc(recurrence.start, ZoneInfo(recurrence.time_zone)) >= pivot:
        return None
    until = series.materialised_until
    return replace(
        series,
        recurrence=before(recurrence, pivot),
        materialised_until=until if until is not None and until < pivot else None,
    )


def view_of(series: Series, status: BookingStatus) -> BookingView:
    """A series, shown by its first occurrence."""
    start = to_utc(series.recurrence.start, ZoneInfo(series.recurrence.time_zone))
    end = start + timedelta(milliseconds=series.recurrence.length_ms)
    return BookingView(series.series, start, end, series.places, status)


def clashing_detail(asked: SeriesDetail, clashing: Clashing) -> SeriesDetail:
    """Add to a detail what stands in the way."""
    return msgspec.structs.replace(asked, clashing=clashing.count, clashes=clashing.clashes)


def _interval(row: Occurrence) -> Interval:
    return row.start_time, row.end_time


def _moving(command: MoveOccurrence, desk: Desk) -> SeriesDecision[MoveOccurrence]:
    return (_MovingOne if command.scope is Scope.THIS else _MovingMany)(command, desk)


_WAYS: dict[type, Callable[..., SeriesDecision[Any]]] = {
    BookSeries: _Booking,
    CancelSeries: _Cancelling,
    CancelOccurrence: _CancellingOne,
    RestoreOccurrence: _Restoring,
    MoveOccurrence: _moving,
}
