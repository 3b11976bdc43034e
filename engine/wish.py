"""What stands in the way of a recurrence, near and far.

What is stored of a series stands in the calendar like any booking. What is not stored yet of infinite series
(behind their ``materialised_until``) is arithmetic: where a stored time behind the resource's ``series_horizon`` is
wished for, the occurrences that rules give there are put into the calendar; where times without end are wished
for, rules are compared with rules, and with the bookings that are stored behind the wish's own horizon
(``engine.rules.distance``).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from uuid import UUID

from engine.commands import OccurrenceClash
from engine.rules.calendar import Calendar, peak_use
from engine.rules.distance import FarClaim, FarSeries, far_clashes, far_peak
from engine.rules.lattice import MILLISECOND, Lattice, lattice_at, lattice_of, milliseconds_of, touched
from engine.rules.recurrence import Recurrence
from engine.rules.series import Clashing, clashing_occurrences, compared_until
from engine.store.pools import Connection
from engine.store.series import Series, far_claims

Interval = tuple[datetime, datetime]
CLUSTER = timedelta(days=400)
"""Wanted times that are no further apart are looked at together."""
STRETCH = 16
"""After so many series the event loop goes on in between: what one of them gives, unless it is kept, takes up to half a
millisecond to reckon out."""


@dataclass(slots=True)
class Wish:
    """The occurrences of a recurrence that are wished for.

    starts              of those that are to be stored, in order.
    materialised_until  behind which there are more that are not; None: there are none.
    told                names of occurrences that have rows of their own: behind that, the rule does not claim them.
    """

    recurrence: Recurrence
    starts: Sequence[datetime]
    materialised_until: datetime | None
    places: int
    told: frozenset[datetime] = frozenset()
    _far: Lattice | None = None
    _series: list[FarSeries] = field(default_factory=list)
    _claims: list[FarClaim] = field(default_factory=list)

    @property
    def length(self) -> timedelta:
        """How long each takes."""
        return timedelta(milliseconds=self.recurrence.length_ms)

    @property
    def wanted(self) -> list[Interval]:
        """The stored times."""
        length = self.length
        return [(start, start + length) for start in self.starts]

    @property
    def endless(self) -> bool:
        """Whether there are more than are to be stored."""
        return self.materialised_until is not None

    async def look_far(
        self,
        connection: Connection,
        resource: int,
        unfinished: Sequence[Series],
        *,
        now: datetime,
        leaving: Collection[UUID] = (),
    ) -> None:
        """Load what stands behind the wish's own horizon: the bookings there that meet it, and series.

        leaving  bookings that give way to it.
        """
        if self.materialised_until is None:
            return
        behind = compared_until(now, [self.recurrence.start, *(series.recurrence.start for series in unfinished)])
        self._series = [far_series(series, behind) async for series in in_stretches(unfinished)]
        after = self.materialised_until
        self._far = far = lattice_of(self.recurrence, after=after, before=behind, without=self.told)
        claims = await _meeting(connection, resource, far, after=after)
        self._claims = [claim for claim in claims if claim.booking not in leaving]

    def clashing(self, calendar: Calendar, *, capacity: int, now: datetime, far_limit: int) -> Clashing:
        """Find what stands in the way.

        calendar   complete for the stored times.
        far_limit  how many of the occurrences behind the horizon that cannot be had to name.
        """
        near = clashing_occurrences(
            self.starts, self.length, self.places, calendar=calendar, capacity=capacity, now=now
        )
        if self._far is None or self.places > capacity:
            return near
        count, clashes = far_clashes(
            self._far, self.places, series=self._series, claims=self._claims, capacity=capacity, limit=far_limit
        )
        named = tuple(
            OccurrenceClash(far.wanted_start, far.clash.booking, far.clash.start_time, far.clash.end_time)
            for far in clashes
        )
        return near.and_then(Clashing(tuple(far.wanted_start for far in clashes), count, named))


def far_series(series: Series, behind: datetime) -> FarSeries:
    """What is not stored of a series, up to an instant."""
    assert series.materialised_until is not None, "it is stored whole"
    lattice = lattice_of(series.recurrence, after=series.materialised_until, before=behind, without=series.without)
    return FarSeries(series.series, series.ticket, series.places, lattice)


async def in_stretches(unfinished: Sequence[Series]) -> AsyncIterator[Series]:
    """Go through series, and let others go on every now and then."""
    for position, series in enumerate(unfinished, 1):
        yield series
        if position % STRETCH == 0:
            await asyncio.sleep(0)


async def claim_unstored(
    calendar: Calendar, unfinished: Sequence[Series], wanted: Sequence[Interval]
) -> frozenset[UUID]:
    """Put into a calendar what rules claim in the wanted times, behind what is stored of their series.

    Call it once for a calendar, after what is stored was loaded: a claim that is put in twice counts twice.

    Returns the series that claim something there: their claims carry the series' id.
    """
    claiming = set()
    clusters = [_Cluster.of(intervals) for intervals in _near_each_other(wanted)]
    async for series in in_stretches(unfinished):
        claims = {claim for cluster in clusters for claim in cluster.claimed_by(series)}
        for start, end in claims:
            calendar.add(start, end, places=series.places, ticket=series.ticket, booking=series.series)
            claiming.add(series.series)
    return frozenset(claiming)


def _near_each_other(wanted: Sequence[Interval]) -> list[list[Interval]]:
    """Times that lie within CLUSTER of the one before, together: what lies between far ones costs nothing."""
    clusters: list[list[Interval]] = []
    for interval in sorted(wanted):
        if clusters and interval[0] - clusters[-1][-1][0] <= CLUSTER:
            clusters[-1].append(interval)
        else:
            clusters.append([interval])
    return clusters


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Wanted times near each other, those of one length as a lattice: a series is compared with all of them at once."""

    begins: datetime
    ends: datetime
    lattices: list[Lattice]

    @classmethod
    def of(cls, intervals: Sequence[Interval]) -> _Cluster:
        """Put times together, the first of which is the earliest."""
        starts: dict[timedelta, list[datetime]] = defaultdict(list)
        for start, end in intervals:
            starts[end - start].append(start)
        lattices = [lattice_at(alike, length_ms=length // MILLISECOND) for length, alike in starts.items()]
        return cls(intervals[0][0], max(end for _, end in intervals), lattices)

    def claimed_by(self, series: Series) -> Iterator[Interval]:
        """What the rule of a series claims in these times, behind what is stored of it."""
        assert series.materialised_until is not None, "it is stored whole"
        after = max(series.materialised_until, self.begins - timedelta(milliseconds=series.recurrence.length_ms))
        if after >= self.ends:
            return
        claimed = lattice_of(series.recurrence, after=after, before=self.ends, without=series.without)
        days = [
            reduce(or_, (touched(claimed, clock, days, other=wanted) for wanted in self.lattices))
            for clock, days in claimed.groups
        ]
        yield from claimed.only(days).occurrences()


async def far_peak_of(connection: Connection, resource: int, unfinished: Sequence[Series], *, now: datetime) -> int:
    """The most places that are taken at one instant behind what is stored of series, bookings there included."""
    after = min((until for series in unfinished if (until := series.materialised_until)), default=None)
    if after is None:
        return 0
    behind = compared_until(now, [series.recurrence.start for series in unfinished])
    standing = [far_series(series, behind) async for series in in_stretches(unfinished)]
    claims = [claim async for page in far_claims(connection, resource, after=after) for claim in page]
    within = [claim for claim in claims if claim.end_time <= behind]
    met = [claim for claim in within if _meets(claim, [series.lattice for series in standing])]
    later = [claim for claim in claims if claim.end_time > behind]
    return max(far_peak(standing, met), await _latest_peak(unfinished, later))


async def _latest_peak(unfinished: Sequence[Series], claims: Sequence[FarClaim]) -> int:
    """The most places that are taken during bookings behind the window in which rules are compared."""
    calendar = Calendar()
    for claim in claims:
        calendar.add(claim.start_time, claim.end_time, places=claim.places, ticket=claim.ticket, booking=claim.booking)
    intervals = list(dict.fromkeys((claim.start_time, claim.end_time) for claim in claims))
    await claim_unstored(calendar, unfinished, intervals)
    return max((peak_use(calendar.overlapping(*interval), start_time=interval[0]) for interval in intervals), default=0)


async def _meeting(connection: Connection, resource: int, far: Lattice, *, after: datetime) -> list[FarClaim]:
    """The bookings behind an instant that meet an occurrence."""
    return [
        claim async for page in far_claims(connection, resource, after=after) for claim in page if _meets(claim, [far])
    ]


def _meets(claim: FarClaim, lattices: Iterable[Lattice]) -> bool:
    start_ms, end_ms = milliseconds_of(claim.start_time), milliseconds_of(claim.end_time)
    return any(lattice.first_overlap(start_ms, end_ms) is not None for lattice in lattices)
