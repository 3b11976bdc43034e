"""What the audit must reckon out about series, and no statement can say: what their rules give.

``check_occurrences`` holds each series against the rows of its occurrences, and against what the ledger says of it:
the recurrence that was decided stands there, under the chain's hash. What a rule gives is reckoned out in two ways
that know nothing of each other: as a list (``starts_between``) and as sets of days (``lattice_of``). A zone whose
clock was changed by law since shows here, too: what is stored is then not what the rule means now.

``check_far`` compares what is not stored of series with each other, and with the bookings that are stored behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from engine.chain import EPOCH, decode_detail
from engine.commands import BookingStatus
from engine.rules.distance import FarClaim, FarSeries, far_clashes
from engine.rules.lattice import lattice_of
from engine.rules.recurrence import Recurrence, starts_between
from engine.rules.series import (
    GUARANTEED_YEARS,
    INSTANT,
    compared_until,
    replace_excluded,
)
from engine.rules.wall_clock import to_utc
from engine.store import verify as store
from engine.store.pools import Connection
from engine.store.series import Series, far_claims, load_unfinished
from engine.store.verify import EndlessResource, Finding, KeptOccurrence, KeptSeries
from engine.wish import far_series

PAIRS = 1_000_000
"""How many pairs of a series and something else ``check_far`` compares at most: half a minute's work."""

Fault = tuple[list[UUID], str]
"""The rows that break the rule, and how."""


@dataclass(slots=True)
class Walk:
    """What was found on the way through the rows.

    checked   how much was looked at.
    broken    how many findings there are.
    findings  the first of them.
    left_out  series that were not compared, because there are too many.
    """

    named: int
    checked: int = 0
    broken: int = 0
    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0

    def add(self, resource_id: str, tickets: list[int], bookings: list[UUID], detail: str) -> None:
        """Count a finding, and name it while there is room."""
        self.broken += 1
        if len(self.findings) < self.named:
            self.findings.append(Finding(resource_id, tickets, bookings, detail, self.broken))


# ---------------------------------------------------------------------------- what rules give, and what is stored


async def check_occurrences(connection: Connection, *, named: int) -> Walk:
    """Hold every series against its rows and its ledger row."""
    walk = Walk(named)
    async for chunk in store.kept_series(connection):
        for series in chunk:
            walk.checked += 1
            for bookings, detail in faults_of(series):
                walk.add(series.resource_id, [series.ticket], [series.series, *bookings], detail)
    return walk


def faults_of(series: KeptSeries) -> Iterator[Fault]:
    """Find what is wrong with a series. Pure."""
    made, present = _made(series), series.recurrence
    if made is None or present is None:
        yield [], "its rule cannot be read" if made else "its ticket does not say what it repeats"
        return
    if not _goes_back_to(present, made, cut=series.rescheduled_to is not None):
        yield [], "its rule is not the one that was decided"
        return
    if present.infinite and series.materialised_until is None:
        yield [], "it has no end, but nothing says up to where it is stored"
        return
    given = _given(present, series.materialised_until)
    yield from _missing(series, given)
    yield from _strange(series, given, made)


def _made(series: KeptSeries) -> Recurrence | None:
    """What the ledger says that the series was when it was made."""
    try:
        detail = decode_detail(series.made)
    except msgspec.DecodeError:
        return None
    return None if detail is None else detail.recurrence


def _goes_back_to(present: Recurrence, made: Recurrence, *, cut: bool) -> bool:
    """Whether a recurrence is what was made, or what is left of it where the rest went on in another series."""
    if present == made:
        return True
    return (
        cut
        and (present.start, present.time_zone, present.length_ms) == (made.start, made.time_zone, made.length_ms)
        and _endless(present) == _endless(made)
        and not present.infinite
        and set(present.extra) <= set(made.extra)
        and set(present.excluded) <= set(made.excluded)
    )


def _endless(recurrence: Recurrence) -> object:
    """The rule but for its end."""
    return recurrence.rule and msgspec.structs.replace(recurrence.rule, count=None, until=None)


def _given(recurrence: Recurrence, until: datetime | None) -> list[datetime]:
    """The occurrences before an instant; all of them where that is None."""
    start = to_utc(recurrence.start, ZoneInfo(recurrence.time_zone))
    return starts_between(recurrence, start, until or max([compared_until(start), *recurrence.extra]) + INSTANT)


def _missing(series: KeptSeries, given: Sequence[datetime]) -> Iterator[Fault]:
    """Occurrences that are to be stored, and of which no row tells what became of them."""
    gone = series.status == BookingStatus.RESCHEDULED
    told = {row.name for row in series.rows if gone or row.status != BookingStatus.RESCHEDULED}
    if missing := [start for start in given if start not in told]:
        yield [], f"{len(missing)} occurrences of it are not stored, the first at {missing[0].isoformat()}"


def _strange(series: KeptSeries, given: Sequence[datetime], made: Recurrence) -> Iterator[Fault]:
    """Rows of which the rule knows nothing."""
    meant = _meant(replace_excluded(made, ()), series.rows)
    stands = _standing(series, given) if series.status != BookingStatus.RESCHEDULED else set()
    excluded = frozenset(made.excluded)
    for row in sorted(series.rows, key=lambda row: (row.name, row.booking)):
        own = row.ticket == series.ticket
        if row.name not in meant or (own and row.name in excluded):
            yield [row.booking], f"the rule gives no occurrence at {row.name.isoformat()}"
        elif own and row.status == BookingStatus.CONFIRMED and row.name not in stands:
            yield [row.booking], f"the occurrence at {row.name.isoformat()} is none any more, but stands"
        elif not own and not _is_named(row):
            yield [row.booking], f"its ticket made another occurrence than that at {row.name.isoformat()}"


def _standing(series: KeptSeries, given: Sequence[datetime]) -> set[datetime]:
    """What may stand with the ticket of the series: what is stored of it, and behind that what came along into it."""
    assert series.recurrence is not None, "asked for before"
    along = [row for row in series.rows if row.ticket == series.ticket and row.moved]
    return {*given, *_meant(series.recurrence, along)}


def _meant(recurrence: Recurrence, rows: Sequence[KeptOccurrence]) -> set[datetime]:
    """What a recurrence gives, as far as there are rows."""
    if not rows:
        return set()
    names = [row.name for row in rows]
    return set(lattice_of(recurrence, after=min(names), before=max(names) + INSTANT).starts())


def _is_named(row: KeptOccurrence) -> bool:
    """Whether the ticket that made a row named this very occurrence."""
    try:
        detail = decode_detail(row.detail)
    except msgspec.DecodeError:
        return False
    return detail is not None and detail.occurrence == row.name


# ---------------------------------------------------------------------------- what is not stored


async def check_far(connection: Connection, *, named: int, pairs: int = PAIRS) -> Walk:
    """Compare what is not stored of series with all that stands beside it, for the guaranteed years.

    pairs  how many to compare at most.

    Returns a walk that has checked so many pairs: of two series, and of a series and a booking behind what is stored.
    """
    walk = Walk(named)
    async for chunk in store.endless_resources(connection):
        for resource in chunk:
            unfinished = (await load_unfinished(connection, [resource.resource]))[resource.resource]
            claims = await _claims_behind(connection, resource, unfinished)
            _compare(walk, resource, unfinished, claims, pairs=pairs)
    return walk


async def _claims_behind(
    connection: Connection, resource: EndlessResource, unfinished: Iterable[Series]
) -> list[FarClaim]:
    """The bookings that stand behind what is stored of any series."""
    after = min(until for series in unfinished if (until := series.materialised_until) is not None)
    return [claim async for page in far_claims(connection, resource.resource, after=after) for claim in page]


def _compare(
    walk: Walk, resource: EndlessResource, unfinished: Sequence[Series], claims: Sequence[FarClaim], *, pairs: int
) -> None:
    """Compare each series with the older ones and the bookings: what is too much is so for the youngest of them."""
    starts = [to_utc(series.recurrence.start, ZoneInfo(series.recurrence.time_zone)) for series in unfinished]
    behind = compared_until(min(starts), starts)
    standing: list[FarSeries] = []
    for number, series in enumerate(unfinished):
        beside = number + len(claims)
        if walk.checked + beside > pairs:
            walk.left_out += 1
            continue
        walk.checked += beside
        far = far_series(series, behind)
        detail = _too_much(far, standing, claims, capacity=resource.capacity, before=_guaranteed(starts[: number + 1]))
        if detail is not None:
            others, told = detail
            walk.add(resource.resource_id, [series.ticket], [*others, series.series], told)
        standing.append(far)


def _too_much(
    far: FarSeries, standing: Sequence[FarSeries], claims: Sequence[FarClaim], *, capacity: int, before: datetime
) -> Fault | None:
    """Say which occurrence of a series is the first that takes more than there is, and what stands there."""
    if far.places > capacity:
        return [], f"it takes {far.places} of {capacity} places"
    wanted = far.lattice.within(EPOCH, before)
    count, clashes = far_clashes(wanted, far.places, series=standing, claims=claims, capacity=capacity, limit=1)
    if not count:
        return None
    at = clashes[0].wanted_start.isoformat()
    return [clashes[0].clash.booking], f"{count} occurrences of the last one are too much beside the other, first {at}"


def _guaranteed(starts: Sequence[datetime]) -> datetime:
    """Until when series with these starts were compared, at least."""
    latest = max(starts)
    return latest.replace(year=min(latest.year + GUARANTEED_YEARS, MAXYEAR), day=min(latest.day, 28))
