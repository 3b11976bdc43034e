"""Bookings, as the API reads them: single ones, series and occurrences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from engine.commands import BookingStatus
from engine.rules.recurrence import Recurrence
from engine.store import sql
from engine.store.pools import Connection
from engine.store.series import Occurrence, Series, load_series, occurrence_of, recurrence_of


class Home(NamedTuple):
    """Where a command about a booking goes, and who has to do with it. It never changes.

    caller      whose booking it is.
    series      the series, or that of an occurrence; None: it is a single booking.
    time_zone   of the series.
    occurrence  the name of an occurrence; None: it is none.
    slot        the slot or event whose seat it is; None: it is none.
    host        of that slot or event.
    owner       of the resource; None: nobody in particular.
    """

    resource: int
    caller: str
    series: UUID | None = None
    time_zone: str | None = None
    occurrence: datetime | None = None
    slot: UUID | None = None
    host: str | None = None
    owner: str | None = None


@dataclass(slots=True, frozen=True)
class Booking:
    """A single booking or an occurrence as it stands.

    ticket, request_id, created_at  of the command that made it.
    ended_at                        when it stopped claiming its time, or None.
    series, occurrence, rule        of an occurrence: its series, its name, and the rule that the series has now.
    version                         of an occurrence: its series'.
    caller, host                    whose it is; and of a seat, who offers it.
    slot, is_event                  of a seat: the slot or event.
    """

    booking: UUID
    resource: int
    resource_id: str
    start_time: datetime
    end_time: datetime
    places: int
    status: BookingStatus
    ticket: int
    request_id: UUID
    created_at: datetime
    ended_at: datetime | None
    cancellation_reason: str | None
    rescheduled_to: UUID | None
    rescheduled_from: UUID | None
    series: UUID | None
    occurrence: datetime | None
    rule: str | None
    version: int
    caller: str
    slot: UUID | None
    host: str | None
    is_event: bool


@dataclass(slots=True, frozen=True)
class SeriesBooking:
    """A series as it stands.

    first_occurrence   the name of its first occurrence.
    occurrences        how many of those that are stored stand.
    materialised_until before which they are stored; None: all of them are.
    """

    series: UUID
    resource_id: str
    recurrence: Recurrence
    first_occurrence: datetime
    occurrences: int
    places: int
    status: BookingStatus
    ticket: int
    request_id: UUID
    created_at: datetime
    ended_at: datetime | None
    cancellation_reason: str | None
    rescheduled_to: UUID | None
    rescheduled_from: UUID | None
    materialised_until: datetime | None
    version: int


async def find_booking(connection: Connection, booking: UUID) -> Booking | None:
    """Read a single booking or an occurrence. None: there is none."""
    row = await connection.fetchrow(sql("find_booking"), booking)
    return None if row is None else booking_of(row)


def booking_of(row: asyncpg.Record) -> Booking:
    """A booking from its row, as ``find_booking`` reads it."""
    return Booking(
        booking=row["id"],
        resource=row["resource"],
        resource_id=row["resource_id"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        places=row["places"],
        status=BookingStatus(row["status"]),
        ticket=row["ticket"],
        request_id=row["request_id"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        cancellation_reason=row["cancellation_reason"],
        rescheduled_to=row["rescheduled_to"],
        rescheduled_from=row["rescheduled_from"],
        series=row["series"],
        occurrence=row["occurrence"],
        rule=row["rule"],
        version=row["version"],
        caller=row["caller"],
        slot=row["slot"],
        host=row["host"],
        is_event=row["is_event"],
    )


async def find_series_booking(connection: Connection, series: UUID) -> SeriesBooking | None:
    """Read a series. None: there is none."""
    row = await connection.fetchrow(sql("find_series_booking"), series)
    if row is None:
        return None
    return SeriesBooking(
        series=row["id"],
        resource_id=row["resource_id"],
        recurrence=recurrence_of(row),
        first_occurrence=row["first_occurrence"],
        occurrences=row["occurrences"],
        places=row["places"],
        status=BookingStatus(row["status"]),
        ticket=row["ticket"],
        request_id=row["request_id"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        cancellation_reason=row["cancellation_reason"],
        rescheduled_to=row["rescheduled_to"],
        rescheduled_from=row["rescheduled_from"],
        materialised_until=row["materialised_until"],
        version=row["version"],
    )


async def list_occurrences(
    connection: Connection,
    series: UUID,
    *,
    start: datetime,
    end: datetime,
    after: tuple[datetime, datetime] | None,
    limit: int,
) -> tuple[Series, list[Occurrence]]:
    """Read a series and, as it was at that instant, what is stored of its occurrences that begin in a window.

    after  start and name of the last occurrence on the page before.
    limit  how many rows at most, by start, then name.

    Raises KeyError where there is no such series.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found = (await load_series(connection, [series]))[series]
        rows = await connection.fetch(sql("list_occurrences"), series, start, end, *(after or (None, None)), limit)
        return found, [occurrence_of(row) for row in rows]


async def booking_homes(connection: Connection, bookings: Sequence[UUID]) -> dict[UUID, Home]:
    """Look up where bookings, series and occurrences are at home. What does not exist is missing."""
    rows = await connection.fetch(sql("booking_homes"), bookings)
    return {row["id"]: Home(*tuple(row)[1:]) for row in rows}


async def resource_zones(connection: Connection, resources: Sequence[int]) -> dict[int, str]:
    """Look up the time zones of resources, which never change. What does not exist is missing."""
    return {row["id"]: row["time_zone"] for row in await connection.fetch(sql("resource_zones"), resources)}
