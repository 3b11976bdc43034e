"""A new infinite series against everything that stands beyond the horizon, without listing occurrences.

What stands is turned into lattices. Where one claim leaves too little room, an overlap decides. Else the places are
summed up as a sweep does it, but along the clock of one day, for all days of the window together (``day_sums``): an
occurrence cannot be had if too many places are taken where it starts, or where something else starts while it lasts,
for use rises nowhere else. So the cost grows with the number of series and rules and not with the number of
occurrences, and the answer is exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from uuid import UUID

from engine.commands import Clash
from engine.rules.calendar import Calendar
from engine.rules.day_sums import DaySums
from engine.rules.lattice import (
    MILLISECOND,
    Lattice,
    elements,
    instant_of,
    lattice_at,
    meeting,
    milliseconds_of,
    moved_back,
    moved_back_any,
    touched,
)
from engine.rules.zone_days import DAY_MS


@dataclass(frozen=True, slots=True)
class FarSeries:
    """A series that stands, as far as its occurrences are not stored.

    ticket  of the command that made it.
    """

    series: UUID
    ticket: int
    places: int
    lattice: Lattice


@dataclass(frozen=True, slots=True)
class FarClaim:
    """A stored booking beyond the horizon."""

    start_time: datetime
    end_time: datetime
    places: int
    ticket: int
    booking: UUID


@dataclass(frozen=True, slots=True)
class FarClash:
    """An occurrence that cannot be had, and the first of what stands in its time (by start, end, ticket)."""

    wanted_start: datetime
    wanted_end: datetime
    clash: Clash


@dataclass(frozen=True, slots=True)
class _Layer:
    """Claims for as many places each, of one length."""

    places: int
    lattice: Lattice


_Change = tuple[int, int, int]
"""A clock in UTC (milliseconds), by how much the use of places changes then, and on which days."""
_Standing = tuple[int, int, int, UUID]
"""Start, end (``milliseconds_of``), ticket and name of a claim: of several in the way, the least is named."""


def far_clashes(
    wanted: Lattice, places: int, *, series: Sequence[FarSeries], claims: Iterable[FarClaim], capacity: int, limit: int
) -> tuple[int, list[FarClash]]:
    """Find the occurrences of ``wanted`` that cannot be had.

    places    that each of them wants, at most ``capacity``.
    capacity  places that may be taken at one instant, at least 1.
    limit     how many are named.

    Returns how many there are, and the first of them in order of start.
    """
    assert 1 <= places <= capacity
    claims = list(claims)
    layers = [_Layer(one.places, one.lattice) for one in series] + _layers_of(claims)
    crowded = _crowded(wanted, layers, room=capacity - places)
    return len(crowded), list(_named(crowded, series, claims, limit=limit))


def far_peak(series: Sequence[FarSeries], claims: Iterable[FarClaim] = ()) -> int:
    """Find the most places that series and stored bookings take at one instant."""
    layers = [*(_Layer(one.places, one.lattice) for one in series), *_layers_of(claims)]
    return max((use.most() for _, use in _use_by_clock(layers, _first_day(layers))), default=0)


def _crowded(wanted: Lattice, layers: Iterable[_Layer], *, room: int) -> Lattice:
    """The occurrences during which more than ``room`` places are taken at some instant."""
    near: list[_Layer] = []
    full: list[Lattice] = []
    for layer in layers:
        if layer.places > room:
            full.append(layer.lattice)
        elif any(touched(wanted, *group, other=layer.lattice) for group in wanted.groups):
            near.append(layer)
    if near:
        full.append(_full_instants(near, {clock for clock, _ in wanted.groups}, room=room))
    return wanted.only([_touched_by_any(wanted, group, full) for group in wanted.groups])


def _touched_by_any(wanted: Lattice, group: tuple[int, int], others: Iterable[Lattice]) -> int:
    """The days of one group of ``wanted`` on which its occurrence overlaps an occurrence of any of the others."""
    found = 0
    for other in others:
        found |= touched(wanted, *group, other=other)
    return found


def _full_instants(layers: Sequence[_Layer], clocks: Iterable[int], *, room: int) -> Lattice:
    """Where more than ``room`` places are taken, as claims of a millisecond: where claims start, and at some clocks."""
    first = _first_day(layers)
    full = [(clock, use.above(room)) for clock, use in _use_by_clock(layers, first, clocks)]
    return Lattice(first, 1, tuple((clock, days) for clock, days in full if days))


def _use_by_clock(layers: Iterable[_Layer], first: int, clocks: Iterable[int] = ()) -> Iterator[tuple[int, DaySums]]:
    """Follow the use of places through one day's clock, for all days at once.

    first   ordinal of the day that bit 0 stands for.
    clocks  at which the use is to be told, beside those at which it changes.

    Yields clocks (milliseconds after midnight UTC), ascending, and how many places are taken then on each day. The
    sums go on changing: they are to be read before the next is taken.
    """
    changes: list[_Change] = [(clock, 0, 0) for clock in clocks]
    for layer in layers:
        changes += _changes(layer, first)
    changes.sort(key=itemgetter(0))
    use = DaySums()
    for clock, together in groupby(changes, key=itemgetter(0)):
        for _, change, days in together:
            use.add(change, days)
        yield clock, use


def _changes(layer: _Layer, first: int) -> Iterator[_Change]:
    """How the claims of a layer change the use on their days, which begin with what is still taken at midnight."""
    for clock, own_days in layer.lattice.groups:
        days = own_days << (layer.lattice.first - first)
        nights, end = divmod(clock + layer.lattice.length_ms, DAY_MS)
        yield clock, layer.places, days
        if end:
            yield end, -layer.places, days << nights
        for going_on in _days_behind(days, nights if end else nights - 1):
            yield 0, layer.places, going_on


def _days_behind(days: int, count: int) -> list[int]:
    """The ``count`` days behind each of the days: one set if no day comes twice, else a set for each distance."""
    together = moved_back_any(days, range(-count, 0))
    if together.bit_count() == days.bit_count() * count:
        return [together]
    return [days << distance for distance in range(1, count + 1)]


def _first_day(layers: Iterable[_Layer]) -> int:
    return min((layer.lattice.first for layer in layers), default=0)


def _layers_of(claims: Iterable[FarClaim]) -> list[_Layer]:
    """Put claims of one length and with as many places into one layer, those of one interval counted together."""
    taken: dict[tuple[datetime, datetime], int] = defaultdict(int)
    for claim in claims:
        taken[claim.start_time, claim.end_time] += claim.places
    alike: dict[tuple[int, int], list[datetime]] = defaultdict(list)
    for (start, end), places in taken.items():
        alike[places, (end - start) // MILLISECOND].append(start)
    return [_Layer(places, lattice_at(starts, length_ms=length_ms)) for (places, length_ms), starts in alike.items()]


def _named(
    crowded: Lattice, series: Sequence[FarSeries], claims: Sequence[FarClaim], *, limit: int
) -> Iterator[FarClash]:
    """Name what stands in the way of the first occurrences, in order of start."""
    starts = list(islice(crowded.starts(), limit))
    if not starts:
        return
    few = crowded.started(milliseconds_of(starts[0]), milliseconds_of(starts[-1]) + 1)
    longest = len(starts) * DAY_MS - few.length_ms  # of longer ones there are more distances than occurrences to name
    of_short = _first_of_short(few, [one for one in series if one.lattice.length_ms <= longest])
    long = [one for one in series if one.lattice.length_ms > longest]
    calendar = Calendar()
    for claim in sorted(claims, key=attrgetter("ticket")):
        calendar.add(claim.start_time, claim.end_time, places=claim.places, ticket=claim.ticket, booking=claim.booking)
    for start, end in few.occurrences():
        standing = [*_first_of_series(long, start, end), *_first_booked(calendar, start, end)]
        standing += of_short.get(milliseconds_of(start), ())
        clash_start, clash_end, _, name = min(standing)
        yield FarClash(start, end, Clash(name, instant_of(clash_start), instant_of(clash_end)))


def _first_of_short(wanted: Lattice, series: Sequence[FarSeries]) -> dict[int, list[_Standing]]:
    """By the start of each wanted occurrence, the first of the series' occurrences that overlaps it, if one does.

    Where two sets of days meet, they do so at the same few distances on all days. So the distances are put in order,
    and not what stands in the way of each occurrence.
    """
    found: dict[int, list[_Standing]] = {}
    for clock, days in wanted.groups:
        left = days
        for ahead_ms, ends_ms, ticket, name, standing in sorted(_distances(wanted, clock, series)):
            for day in elements(left & standing):
                start = (wanted.first + day) * DAY_MS + clock
                found[start] = [(start + ahead_ms, start + ends_ms, ticket, name)]
            left &= ~standing
    return found


def _distances(wanted: Lattice, clock: int, series: Iterable[FarSeries]) -> Iterator[tuple[int, int, int, UUID, int]]:
    """How far from the wanted occurrences at a clock those of each series lie that overlap them.

    Yields their start and end, in milliseconds after the start of the wanted one, which may be below 0; ticket, name;
    and on which days.
    """
    for one in series:
        between = wanted.first - one.lattice.first
        for other_clock, days in one.lattice.groups:
            for later in meeting(clock, wanted.length_ms, other=other_clock, other_length_ms=one.lattice.length_ms):
                ahead_ms = later * DAY_MS + other_clock - clock
                standing = moved_back(days, later + between)
                yield ahead_ms, ahead_ms + one.lattice.length_ms, one.ticket, one.series, standing


def _first_of_series(series: Iterable[FarSeries], start: datetime, end: datetime) -> Iterator[_Standing]:
    """Of each series the first occurrence that overlaps an interval."""
    start_ms, end_ms = milliseconds_of(start), milliseconds_of(end)
    for one in series:
        found = one.lattice.first_overlap(start_ms, end_ms)
        if found is not None:
            yield found, found + one.lattice.length_ms, one.ticket, one.series


def _first_booked(calendar: Calendar, start: datetime, end: datetime) -> Iterator[_Standing]:
    """The first booking that overlaps an interval."""
    for block in islice(calendar.overlapping(start, end), 1):
        yield milliseconds_of(block.start_time), milliseconds_of(block.end_time), *block.bookings[0]
