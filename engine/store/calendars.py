"""Bookings and series with all that a calendar shows of them, each read in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from engine.commands import BookingStatus
from engine.rules.recurrence import Recurrence
from engine.store import sql
from engine.store.pools import Connection
from engine.store.series import recurrence_of

MAX_DEVIATIONS = 2_000
"""How many occurrences of a series are told one by one: more than a finite one has. Of an endless one with more the
latest are, and what happened to older ones is history."""


@dataclass(slots=True, frozen=True)
class Parent:
    """The series that a booking is an occurrence of.

    occurrence             the start that the rule gives it.
    wall_clock, time_zone  where the series begins.
    """

    series: UUID
    occurrence: datetime
    wall_clock: datetime
    time_zone: str


@dataclass(slots=True, frozen=True)
class CalendarBooking:
    """A booking as a calendar shows it.

    changed_at  when it became what it is.
    version     its series' where it is an occurrence.
    """

    booking: UUID
    resource_name: str
    start_time: datetime
    end_time: datetime
    status: BookingStatus
    created_at: datetime
    changed_at: datetime
    version: int
    cancellation_reason: str | None
    rescheduled_from: UUID | None
    rescheduled_to: UUID | None
    parent: Parent | None


@dataclass(slots=True, frozen=True)
class Deviation:
    """An occurrence that is not just what the rule says.

    occurrence  the start that the rule gives it.
    stands      whether it takes place, from ``start_time`` to ``end_time``.
    """

    occurrence: datetime
    start_time: datetime
    end_time: datetime
    stands: bool


@dataclass(slots=True, frozen=True)
class CalendarSeries:
    """A series as a calendar shows it.

    ended_at            when what had not begun was given back, or went over to another series as a whole.
    materialised_until  before which its occurrences are stored; None: all of them are.
    stands              whether an occurrence that is stored takes place.
    deviations          the latest first, MAX_DEVIATIONS at most.
    """

    series: UUID
    resource_name: str
    recurrence: Recurrence
    status: BookingStatus
    created_at: datetime
    changed_at: datetime
    ended_at: datetime | None
    version: int
    cancellation_reason: str | None
    materialised_until: datetime | None
    rescheduled_from: UUID | None
    rescheduled_to: UUID | None
    stands: bool
    deviations: tuple[Deviation, ...]


async def find_for_calendar(connection: Connection, wanted: UUID) -> CalendarBooking | CalendarSeries | None:
    """Read a booking, an occurrence or a series. None: there is nothing of that id."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        booking = await connection.fetchrow(sql("calendar_booking"), wanted)
        if booking is not None:
            return _booking(booking)
        series = await connection.fetchrow(sql("calendar_series"), wanted)
        return None if series is None else _series(series, await _deviations(connection, series))


async def _deviations(connection: Connection, series: asyncpg.Record) -> list[asyncpg.Record]:
    length = timedelta(milliseconds=series["length_ms"])
    return await connection.fetch(sql("calendar_deviations"), series["id"], length, series["excluded"], MAX_DEVIATIONS)


def _booking(row: asyncpg.Record) -> CalendarBooking:
    parent = None
    if row["series"] is not None:
        parent = Parent(row["series"], row["occurrence"], row["wall_clock"], row["time_zone"])
    return CalendarBooking(
        booking=row["id"],
        resource_name=row["resource_name"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        status=BookingStatus(row["status"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        version=row["version"],
        cancellation_reason=row["cancellation_reason"],
        rescheduled_from=row["rescheduled_from"],
        rescheduled_to=row["rescheduled_to"],
        parent=parent,
    )


def _series(row: asyncpg.Record, deviations: list[asyncpg.Record]) -> CalendarSeries:
    return CalendarSeries(
        series=row["id"],
        resource_name=row["resource_name"],
        recurrence=recurrence_of(row),
        status=BookingStatus(row["status"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        ended_at=row["ended_at"],
        version=row["version"],
        cancellation_reason=row["cancellation_reason"],
        materialised_until=row["materialised_until"],
        rescheduled_from=row["rescheduled_from"],
        rescheduled_to=row["rescheduled_to"],
        stands=row["stands"],
        deviations=tuple(
            Deviation(told["occurrence"], told["start_time"], told["end_time"], told["live"]) for told in deviations
        ),
    )
