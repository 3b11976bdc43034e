"""Bookings, as the API reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine.commands import BookingStatus
from engine.store import sql
from engine.store.pools import Connection


@dataclass(slots=True, frozen=True)
class Booking:
    """A booking as it stands.

    ticket, request_id, created_at  of the command that made it.
    ended_at                        when it stopped claiming its time, or None.
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
    version: int


async def find_booking(connection: Connection, booking: UUID) -> Booking | None:
    """Read a booking. None: there is none."""
    row = await connection.fetchrow(sql("find_booking"), booking)
    if row is None:
        return None
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
        version=row["version"],
    )


async def booking_resources(connection: Connection, bookings: Sequence[UUID]) -> dict[UUID, int]:
    """Look up the numbers of the resources that bookings are of, which never change. What does not exist is missing."""
    return {row["id"]: row["resource"] for row in await connection.fetch(sql("booking_resources"), bookings)}
