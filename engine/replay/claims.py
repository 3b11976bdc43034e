"""The times that are taken, at one point of a replay: those of single bookings, and those that rules claim.

Occurrences of infinite series are listed up to a horizon, which moves on as it must; behind it they are arithmetic, as
they are behind what the engine stores (``engine.wish``). Where the horizon lies changes no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from uuid import UUID

from engine.commands import MAX_SKIPPED, BookingStatus
from engine.rules.calendar import Block
from engine.rules.decide import Refusal, refuse_claim
from engine.rules.distance import FarClaim, FarClash, FarSeries, far_clashes, far_peak
from engine.rules.large_calendar import LargeCalendar
from engine.rules.lattice import lattice_of
from engine.rules.recurrence import Recurrence, starts_between
from engine.rules.series import compared_until, first_after, gives

NEAR = timedelta(days=3 * 365)
"""So far ahead of a decision occurrences are listed, where a time is asked for there."""
AHEAD = timedelta(days=500)
"""When more must be listed, it is by so much more than is asked for."""
SWEEPS = 20_000_000
"""Blocks that sweeps over the whole calendar look at, in all: what would need more is not answered."""
MARGIN = timedelta(days=2)
"""More than a wall clock may differ from UTC."""
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
END = datetime(MAXYEAR, 12, 30, tzinfo=UTC)


@dataclass(slots=True)
class Claim:
    """A time that is taken.

    booking  whose it is. The id of an occurrence that no ledger row names is made up.
    moved    it is an occurrence that was moved by itself.
    """

    start_time: datetime
    end_time: datetime
    places: int
    ticket: int
    booking: UUID
    moved: bool = False


@dataclass(slots=True)
class Ended:
    """An occurrence that stood.

    booking  None: no ledger row names it.
    """

    start_time: datetime
    end_time: datetime
    status: BookingStatus
    booking: UUID | None = None


@dataclass(slots=True)
class StandingSeries:
    """A series as it is while the ledger is replayed.

    went_on  whether occurrences of it went on in another series.
    vague    no row tells which of its occurrences stood when its rule ended.
    claims   the occurrences that are in the calendar, by name.
    ended    what stood, by name, in the order in which it ended.
    told     names of occurrences that a command named: the rule does not speak for them any more.
    """

    series: UUID
    ticket: int
    recurrence: Recurrence
    places: int
    status: BookingStatus = BookingStatus.CONFIRMED
    went_on: bool = False
    vague: bool = False
    claims: dict[datetime, Claim] = field(default_factory=dict)
    ended: dict[datetime, list[Ended]] = field(default_factory=dict)
    told: set[datetime] = field(default_factory=set)

    @property
    def length(self) -> timedelta:
        """How long an occurrence takes."""
        return timedelta(milliseconds=self.recurrence.length_ms)

    @property
    def endless(self) -> bool:
        """Whether its rule claims more than can be listed."""
        return self.status is BookingStatus.CONFIRMED and self.recurrence.infinite


class Claims:
    """The calendar of one resource.

    capacity  places that may be taken at one instant.
    """

    def __init__(self, *, capacity: int) -> None:
        self.capacity = capacity
        self._calendar = LargeCalendar()
        self._endless: dict[UUID, StandingSeries] = {}
        self._horizon: datetime | None = None
        self._numbers = count(1)
        self._swept = 0

    # ------------------------------------------------------------------ change

    def add(self, claim: Claim) -> None:
        """Let a claim stand."""
        if claim.start_time >= claim.end_time or claim.places < 1:
            raise ValueError("no claim is empty")
        self._calendar.add(
            claim.start_time, claim.end_time, places=claim.places, ticket=claim.ticket, booking=claim.booking
        )

    def remove(self, claim: Claim) -> None:
        """Take a claim away."""
        self._calendar.remove(
            claim.start_time, claim.end_time, places=claim.places, ticket=claim.ticket, booking=claim.booking
        )

    def follow(self, series: StandingSeries, *, now: datetime) -> None:
        """Let a new series claim what its rule gives, or one that was cut off claim what it is left."""
        first = before_all(series.recurrence)
        if not series.recurrence.infinite:
            self._endless.pop(series.series, None)
            self._list(series, first, behind_all(series.recurrence))
            return
        if self._horizon is None:
            self._horizon = now + AHEAD
        self._endless[series.series] = series
        self._list(series, first, self._horizon)

    def leave(self, series: StandingSeries) -> None:
        """Let the rule of a series claim nothing more. What is listed stays."""
        self._endless.pop(series.series, None)

    def standing(self, series: StandingSeries, name: datetime, *, now: datetime) -> Claim | None:
        """The claim of an occurrence, listed by itself where its rule claims it behind the horizon."""
        self.ensure(name + series.length, now=now)
        if name not in series.claims and series.endless and name not in series.told and gives(series.recurrence, name):
            series.told.add(name)
            self.put(series, name, self._of_rule(series, name))
        return series.claims.get(name)

    def put(self, series: StandingSeries, name: datetime, claim: Claim) -> None:
        """Let an occurrence stand."""
        self.add(claim)
        series.claims[name] = claim

    def take_out(self, series: StandingSeries, name: datetime) -> Claim:
        """Let an occurrence stand no more."""
        claim = series.claims.pop(name)
        self.remove(claim)
        return claim

    def ensure(self, instant: datetime, *, now: datetime) -> None:
        """List what rules claim up to an instant, if it is near enough."""
        if self._horizon is None or instant < self._horizon or instant > now + NEAR:
            return
        for series in self._endless.values():
            self._list(series, self._horizon, instant + AHEAD)
        self._horizon = instant + AHEAD

    def _list(self, series: StandingSeries, after: datetime, before: datetime) -> None:
        for start in starts_between(series.recurrence, after, before):
            if start not in series.told and start not in series.claims:
                self.put(series, start, self._of_rule(series, start))

    def _of_rule(self, series: StandingSeries, start: datetime) -> Claim:
        return Claim(start, start + series.length, series.places, series.ticket, self.new_name())

    def new_name(self) -> UUID:
        """Make up an id. None of the engine's own is so small."""
        return UUID(int=next(self._numbers))

    # ------------------------------------------------------------------ ask

    def refuse(self, start_time: datetime, end_time: datetime, places: int, *, now: datetime) -> Refusal | None:
        """Say why a time cannot be claimed, by the engine's own rule, or None."""
        self.ensure(end_time, now=now)
        unlisted = list(self._unlisted(start_time, end_time)) if self._horizon is not None else ()
        for claim in unlisted:
            self.add(claim)
        refusal = refuse_claim(start_time, end_time, places, calendar=self._calendar, capacity=self.capacity, now=now)
        for claim in unlisted:
            self.remove(claim)
        return refusal

    def ticket_of(self, start_time: datetime, end_time: datetime, booking: UUID) -> int | None:
        """The ticket of a claim that stands."""
        block = self._calendar.block(start_time, end_time)
        return next((ticket for ticket, name in block.bookings if name == booking), None) if block else None

    def peak(self, capacity: int, *, now: datetime) -> int | None:
        """The most places that are taken at one instant from now on; of all time, where ``capacity`` is 1.

        None: the bound of all sweeps is reached.
        """
        if not self._may_sweep():
            return None
        since = BEGINNING if capacity == 1 else now
        near = _most(self._calendar.overlapping(since, END), since)
        if self._horizon is None:
            return near
        return max(near, far_peak(self._far_series(self._horizon, now), self._far_claims(self._horizon)))

    def far_clashing(
        self, recurrence: Recurrence, places: int, *, now: datetime
    ) -> tuple[datetime, list[FarClash]] | None:
        """Find which occurrences of an infinite series cannot be had, behind the horizon.

        Returns the horizon, and what stands in the way there, of MAX_SKIPPED + 1 occurrences at most. None: the bound
        of all sweeps is reached.
        """
        if not self._may_sweep():
            return None
        horizon = self._horizon = self._horizon or now + AHEAD
        behind = compared_until(now, [recurrence.start, *(one.recurrence.start for one in self._endless.values())])
        _, found = far_clashes(
            lattice_of(recurrence, after=horizon, before=behind),
            places,
            series=self._far_series(horizon, now, recurrence),
            claims=self._far_claims(horizon),
            capacity=self.capacity,
            limit=MAX_SKIPPED + 1,
        )
        return horizon, found

    def _unlisted(self, start_time: datetime, end_time: datetime) -> Iterator[Claim]:
        """What rules claim in a time behind the horizon."""
        assert self._horizon is not None, "there are infinite series"
        if end_time <= self._horizon:
            return
        for series in self._endless.values():
            after = max(self._horizon, start_time - series.length)
            lattice = lattice_of(series.recurrence, after=after, before=end_time, without=series.told)
            for start, end in lattice.overlapping(start_time, end_time):
                yield Claim(start, end, series.places, series.ticket, series.series)

    def _far_series(self, horizon: datetime, now: datetime, *wished: Recurrence) -> list[FarSeries]:
        endless = list(self._endless.values())
        behind = compared_until(
            now, [recurrence.start for recurrence in (*wished, *(one.recurrence for one in endless))]
        )
        return [
            FarSeries(
                one.series,
                one.ticket,
                one.places,
                lattice_of(one.recurrence, after=horizon, before=behind, without=one.told),
            )
            for one in endless
        ]

    def _far_claims(self, horizon: datetime) -> list[FarClaim]:
        return [
            FarClaim(block.start_time, block.end_time, block.places, *block.bookings[0])
            for block in self._calendar.overlapping(horizon, END)
        ]

    def _may_sweep(self) -> bool:
        self._swept += len(self._calendar)
        return self._swept <= SWEEPS


def before_all(recurrence: Recurrence) -> datetime:
    """An instant before the first occurrence."""
    return recurrence.start.replace(tzinfo=UTC) - MARGIN


def behind_all(recurrence: Recurrence) -> datetime:
    """An instant behind the last occurrence of a finite recurrence."""
    start = recurrence.start.replace(tzinfo=UTC)
    return max([compared_until(start, [start]), *recurrence.extra]) + MARGIN


def first_start(recurrence: Recurrence) -> datetime:
    """The start of the first occurrence. Raises ValueError where there is none."""
    found = first_after(recurrence, before_all(recurrence))
    if found is None:
        raise ValueError("the rule gives no occurrence")
    return found


def _most(blocks: Iterable[Block], since: datetime) -> int:
    """The most places that blocks take at one instant: use rises only where a block starts, so it is counted there.

    blocks  in order of start.
    """
    ends: list[tuple[datetime, int]] = []
    use = most = 0
    for block in blocks:
        at = max(block.start_time, since)
        while ends and ends[0][0] <= at:
            use -= heappop(ends)[1]
        use += block.places
        heappush(ends, (block.end_time, block.places))
        most = max(most, use)
    return most
