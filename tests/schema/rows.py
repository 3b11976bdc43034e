"""Rows for the tests of the schema, written in plain SQL as nobody should."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Span: TypeAlias = "asyncpg.Range[datetime]"

MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)

BOOK = """
INSERT INTO booking (id, resource, exclusive, during, places, status, ended_at, caller, ticket,
    request_id, created_at)
SELECT claim.id, resource.id, resource.exclusive, claim.during, claim.places, $5::text,
    CASE WHEN $5 <> 'confirmed' THEN now() END, 'anonymous', 1, gen_random_uuid(), now()
FROM unnest($1::uuid[], $2::bigint[], $3::tstzrange[], $4::integer[]) AS claim (id, resource, during, places)
JOIN resource ON resource.id = claim.resource
"""


ROW = """
INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)
VALUES ($1, $2, $3, $4, 1, 'confirmed', 'anonymous', 1, $1, now())
"""
"""One booking whose ``exclusive`` is the writer's word."""


def hours(start: float, end: float) -> Span:
    """The half-open interval between two hours of one day."""
    return asyncpg.Range(MIDNIGHT + timedelta(hours=start), MIDNIGHT + timedelta(hours=end))


async def add_resource(connection: Connection, *, capacity: int) -> int:
    """Make a resource and return the number it has inside."""
    number: int = await connection.fetchval(
        "INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity)"
        " VALUES ($1, 'Room', 'UTC', $2, $2) RETURNING id",
        str(uuid4()),
        capacity,
    )
    return number


async def book(
    connection: Connection, resource: int, during: Span, *, places: int = 1, status: str = "confirmed"
) -> UUID:
    """Insert one booking."""
    (booking,) = await book_all(connection, [(resource, during, places)], status=status)
    return booking


async def book_all(
    connection: Connection, claims: Sequence[tuple[int, Span, int]], *, status: str = "confirmed"
) -> list[UUID]:
    """Insert bookings (resource, during, places) in one statement."""
    bookings = [uuid4() for _ in claims]
    resources, spans, places = ([claim[part] for claim in claims] for part in range(3))
    await connection.execute(BOOK, bookings, resources, spans, places, status)
    return bookings


async def add_series(connection: Connection, resource: int) -> UUID:
    """Make a series of a resource, without occurrences."""
    series = uuid4()
    await connection.execute(
        "INSERT INTO series (id, resource, wall_clock, time_zone, length_ms, rule, places, status, caller, ticket,"
        " request_id, created_at)"
        " VALUES ($1, $2, '2030-01-01 09:00', 'UTC', 3600000, 'FREQ=DAILY', 1, 'confirmed', 'anonymous', 1, $1, now())",
        series,
        resource,
    )
    return series


async def name_occurrence(connection: Connection, booking: UUID, series: UUID, name: datetime) -> None:
    """Make a booking an occurrence of a series."""
    await connection.execute("UPDATE booking SET series = $2, occurrence = $3 WHERE id = $1", booking, series, name)


async def cancel(connection: Connection, booking: UUID) -> None:
    """End a booking."""
    await connection.execute("UPDATE booking SET status = 'cancelled', ended_at = now() WHERE id = $1", booking)


async def set_capacity(connection: Connection, resource: int, capacity: int) -> None:
    """Change how many places a resource has."""
    await connection.execute("UPDATE resource SET capacity = $2 WHERE id = $1", resource, capacity)
