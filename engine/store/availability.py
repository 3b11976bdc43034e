"""What is taken of one resource, for those who ask for its free time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from asyncpg import Record

from engine.rules.free_time import Taken
from engine.rules.lattice import lattice_of
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import rule_of
from engine.rules.series import INSTANT
from engine.store import sql
from engine.store.pools import Connection


class ClaimsQuery(NamedTuple):
    """What is asked for: all that is taken of a resource at any instant of ``[start, end)``.

    resource  its number, or its public id.
    """

    resource: int | str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class StandingClaims:
    """A resource and what is taken of it in a window, as of one snapshot.

    last_ticket  the last command that the claims show the effect of.
    now          the server's clock, not later than the snapshot.
    taken        in no order, claims of one interval together, those of series that are not stored yet among them.
    """

    resource: int
    resource_id: str
    time_zone: str
    capacity: int
    last_ticket: int
    now: datetime
    taken: list[Taken]


async def standing_claims(connection: Connection, queries: Sequence[ClaimsQuery]) -> dict[ClaimsQuery, StandingClaims]:
    """Load what is taken of resources, each in its window, in one statement. Resources it does not find are missing."""
    numbers = [query.resource if isinstance(query.resource, int) else None for query in queries]
    names = [query.resource if isinstance(query.resource, str) else None for query in queries]
    starts, ends = [query.start for query in queries], [query.end for query in queries]
    rows = await connection.fetch(sql("availability"), numbers, names, starts, ends)
    return {query: _standing(row, query) for row in rows for query in (queries[row["number"] - 1],)}


def _standing(row: Record, query: ClaimsQuery) -> StandingClaims:
    claims = zip(row["starts"] or (), row["ends"] or (), row["places"] or (), strict=True)
    return StandingClaims(
        resource=row["id"],
        resource_id=row["resource_id"],
        time_zone=row["time_zone"],
        capacity=row["capacity"],
        last_ticket=row["last_ticket"],
        now=row["now"],
        taken=[*claims, *_unstored(row["unfinished"], query.start, query.end)],
    )


class _Unfinished(msgspec.Struct):
    """A series that is not stored whole, as the statement gives it."""

    wall_clock: datetime
    time_zone: str
    length_ms: int
    rule: str
    extra: tuple[datetime, ...]
    excluded: tuple[datetime, ...]
    places: int
    materialised_until: datetime
    without: frozenset[datetime]


_unfinished = msgspec.json.Decoder(list[_Unfinished])


def _unstored(unfinished: str | None, start: datetime, end: datetime) -> Iterator[Taken]:
    """What rules claim in the window, behind what is stored of their series."""
    for series in _unfinished.decode(unfinished) if unfinished is not None else ():
        recurrence = Recurrence(
            series.wall_clock,
            series.time_zone,
            series.length_ms,
            rule_of(series.rule),
            tuple(instant.astimezone(UTC) for instant in series.extra),
            tuple(instant.astimezone(UTC) for instant in series.excluded),
        )
        # What began a length before the window, to the instant, has ended when the window begins.
        after = max(series.materialised_until, start - timedelta(milliseconds=series.length_ms) + INSTANT)
        lattice = lattice_of(recurrence, after=after, before=end, without=series.without)
        for taken_start, taken_end in lattice.occurrences():
            yield taken_start, taken_end, series.places
