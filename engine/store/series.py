"""Series and their occurrences, as a batch and the job that extends series read and write them.

All of it runs in the caller's transaction, after the resource rows are locked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from engine.commands import BookingStatus
from engine.rules.distance import FarClaim
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import rule_of
from engine.store import sql
from engine.store.pools import Connection

PAGE = 2_000
"""Claims behind the horizon that are fetched at one time: between two pages the event loop goes on."""


@dataclass(slots=True, frozen=True)
class Series:
    """A series as it stands.

    materialised_until  before which its occurrences are stored; None: all of them are.
    without             names of occurrences behind it that have a row of their own: the rule does not claim them.
    """

    series: UUID
    resource: int
    recurrence: Recurrence
    places: int
    status: BookingStatus
    ticket: int
    version: int
    caller: str
    created_at: datetime
    materialised_until: datetime | None
    rescheduled_to: UUID | None
    without: frozenset[datetime] = frozenset()


@dataclass(slots=True, frozen=True)
class Occurrence:
    """A row of a series: an occurrence as it stands or stood.

    occurrence  the start that the rule gives it.
    """

    booking: UUID
    occurrence: datetime
    start_time: datetime
    end_time: datetime
    places: int
    status: BookingStatus
    ticket: int

    @property
    def moved(self) -> bool:
        """Whether it stands elsewhere than the rule says."""
        return self.start_time != self.occurrence


@dataclass(slots=True, frozen=True)
class NewSeries:
    """A series as it is written; the ticket's row and its resource say the rest.

    rescheduled_from  the series that it goes on from.
    """

    series: UUID
    resource: int
    recurrence: Recurrence
    places: int
    materialised_until: datetime | None
    caller: str
    ticket: int
    request_id: UUID
    created_at: datetime
    rescheduled_from: UUID | None = None


@dataclass(slots=True, frozen=True)
class NewOccurrence:
    """An occurrence as it is written. What is not said here is its series'.

    occurrence        its name.
    ticket, request_id  of the command that made it; None: of the command that made the series.
    status, ended_at  other than confirmed where it ends as it begins.
    """

    booking: UUID
    series: UUID
    occurrence: datetime
    start_time: datetime
    end_time: datetime
    ticket: int | None = None
    request_id: UUID | None = None
    created_at: datetime | None = None
    rescheduled_from: UUID | None = None
    status: BookingStatus = BookingStatus.CONFIRMED
    ended_at: datetime | None = None
    cancellation_reason: str | None = None
    rescheduled_to: UUID | None = None


@dataclass(slots=True, frozen=True)
class ChangedSeries:
    """What becomes of a series that stood."""

    series: UUID
    recurrence: Recurrence
    materialised_until: datetime | None
    status: BookingStatus
    ended_at: datetime | None
    cancellation_reason: str | None = None
    rescheduled_to: UUID | None = None


async def load_series(connection: Connection, series: Iterable[UUID]) -> dict[UUID, Series]:
    """Read series by their ids; what does not exist is missing."""
    return {row["id"]: series_of(row) for row in await connection.fetch(sql("find_series"), list(series))}


async def load_unfinished(connection: Connection, resources: Sequence[int]) -> dict[int, list[Series]]:
    """Read the series of resources that are not stored whole, in ticket order."""
    found: dict[int, list[Series]] = {}
    for row in await connection.fetch(sql("unfinished_series"), list(resources)):
        found.setdefault(row["resource"], []).append(series_of(row))
    return found


async def load_occurrences(
    connection: Connection, series: UUID, *, after: datetime, before: datetime | None = None
) -> list[Occurrence]:
    """Read the rows of a series whose names lie in ``[after, before)``, by name, then age.

    before  None: without end.
    """
    rows = await connection.fetch(sql("series_occurrences"), series, after, before)
    return [occurrence_of(row) for row in rows]


async def load_future(connection: Connection, series: UUID, *, now: datetime) -> list[Occurrence]:
    """Read the rows of a series that stand and have not begun, by start."""
    return [occurrence_of(row) for row in await connection.fetch(sql("future_occurrences"), series, now)]


async def far_claims(connection: Connection, resource: int, *, after: datetime) -> AsyncIterator[list[FarClaim]]:
    """Read the live bookings of a resource that end after an instant, a page at a time, by start."""
    cursor = await connection.cursor(sql("far_claims"), resource, after)
    while rows := await cursor.fetch(PAGE):
        yield [FarClaim(**dict(row)) for row in rows]


async def write_series(
    connection: Connection,
    made: Sequence[NewSeries],
    changed: Sequence[ChangedSeries],
    touched: Sequence[UUID],
    occurrences: Sequence[NewOccurrence],
) -> None:
    """Write new series, what became of old ones, and occurrences. Claims that ended were ended before."""
    if made:
        await connection.execute(
            sql("insert_series"),
            *_columns(
                [
                    (
                        item.series,
                        item.resource,
                        *recurrence_columns(item.recurrence),
                        item.places,
                        item.materialised_until,
                        item.caller,
                        item.ticket,
                        item.request_id,
                        item.created_at,
                        item.rescheduled_from,
                    )
                    for item in made
                ]
            ),
        )
    for item in changed:
        kept = await connection.fetchval(
            sql("change_series"),
            item.series,
            *recurrence_columns(item.recurrence)[3:],
            item.materialised_until,
            item.status.value,
            item.ended_at,
            item.cancellation_reason,
            item.rescheduled_to,
        )
        assert kept == item.series, "a series that stood under the lock does not"
    if touched:
        await connection.execute(sql("touch_series"), list(touched))
    if occurrences:
        await insert_occurrences(connection, occurrences)


async def insert_occurrences(connection: Connection, occurrences: Sequence[NewOccurrence]) -> None:
    """Write occurrences, all in one statement."""
    await connection.execute(
        sql("insert_occurrences"),
        *_columns(
            [
                (
                    item.booking,
                    item.series,
                    item.occurrence,
                    item.start_time,
                    item.end_time,
                    item.ticket,
                    item.request_id,
                    item.created_at,
                    item.rescheduled_from,
                    item.status.value,
                    item.ended_at,
                    item.cancellation_reason,
                    item.rescheduled_to,
                )
                for item in occurrences
            ]
        ),
    )


async def raise_horizons(connection: Connection, resources: Iterable[int]) -> None:
    """Set anew, for each resource, before which instant every claim of it is stored."""
    await connection.execute(sql("raise_horizons"), sorted(resources))


@dataclass(slots=True, frozen=True)
class ResourceState:
    """What a resource is, for those who only look.

    series_horizon  before which every claim is stored; None: all of them are.
    now             the server's clock.
    """

    resource: int
    capacity: int
    series_horizon: datetime | None
    now: datetime


async def resource_state(connection: Connection, resource: int) -> ResourceState | None:
    """Read what a resource is. None: this server does not know it."""
    row = await connection.fetchrow(sql("resource_state"), resource)
    return None if row is None else ResourceState(**dict(row))


async def due_resources(connection: Connection, ahead: timedelta, *, behind: int, limit: int) -> list[int]:
    """Find resources with a series that is stored less than ``ahead`` from now.

    behind  the number of a resource: those after it are looked at.
    """
    return [row["resource"] for row in await connection.fetch(sql("due_resources"), ahead, behind, limit)]


async def advance_series(connection: Connection, stored: Sequence[tuple[UUID, datetime | None]]) -> None:
    """Say up to where series are stored: None where that is all of them."""
    await connection.execute(sql("advance_series"), [item for item, _ in stored], [until for _, until in stored])


def recurrence_columns(recurrence: Recurrence) -> tuple[object, ...]:
    """A recurrence in the columns of its table: start, zone, length, rule, extra starts, excluded starts."""
    return (
        recurrence.start,
        recurrence.time_zone,
        recurrence.length_ms,
        recurrence.rule.text if recurrence.rule is not None else None,
        _array(recurrence.extra),
        _array(recurrence.excluded),
    )


def recurrence_of(row: asyncpg.Record) -> Recurrence:
    """Read a recurrence from those columns."""
    return Recurrence(
        row["wall_clock"],
        row["time_zone"],
        row["length_ms"],
        None if row["rule"] is None else rule_of(row["rule"]),
        tuple(row["extra"]),
        tuple(row["excluded"]),
    )


def series_of(row: asyncpg.Record) -> Series:
    """Read a series from a row of ``find_series`` or ``unfinished_series``."""
    return Series(
        series=row["id"],
        resource=row["resource"],
        recurrence=recurrence_of(row),
        places=row["places"],
        status=BookingStatus(row["status"]),
        ticket=row["ticket"],
        version=row["version"],
        caller=row["caller"],
        created_at=row["created_at"],
        materialised_until=row["materialised_until"],
        rescheduled_to=row["rescheduled_to"],
        without=frozenset(row["without"] or ()),
    )


def occurrence_of(row: asyncpg.Record) -> Occurrence:
    """Read an occurrence from a row of ``series_occurrences``, ``future_occurrences`` or ``list_occurrences``."""
    return Occurrence(
        row["id"],
        row["occurrence"],
        row["start_time"],
        row["end_time"],
        row["places"],
        BookingStatus(row["status"]),
        row["ticket"],
    )


def _array(instants: Sequence[datetime]) -> str:
    """An array literal: unnest would flatten arrays of different lengths."""
    return "{" + ",".join(instant.isoformat() for instant in instants) + "}"


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
