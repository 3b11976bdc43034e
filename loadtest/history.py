"""What is stored before a measurement: resources, and a past that the audit finds nothing wrong with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import TypeAlias
from uuid import UUID

import asyncpg

from engine.batch import NO_KEY
from engine.chain import GENESIS, LedgerRow, row_hash
from engine.identifiers import uuid7
from loadtest.generators import Rooms

CLASS_PLACES = 500
CHUNK = 20_000
TOLD_EVERY = 10
"""Chunks after which it is told how far it is."""
FIRST = datetime(2090, 1, 1, tzinfo=UTC)
"""Before everything that is booked under load, so that nothing clashes."""
LENGTH = timedelta(minutes=30)
STEP = timedelta(hours=1)
LEDGER = (
    *("resource", "ticket", "request_id", "kind", "start_time", "end_time", "places", "outcome", "booking"),
    *("joined_at", "decided_at", "row_hash"),
)
BOOKING = (
    *("id", "resource", "exclusive", "during", "places", "status", "caller", "ticket", "request_id", "created_at"),
)
IDEMPOTENCY = ("caller", "key", "body_hash", "request_id", "resource", "ticket", "created_at")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def store_resources(connection: Connection, rooms: Sequence[Rooms]) -> None:
    """Make rooms, one room for the crowd, and the class."""
    await connection.execute(
        """
        INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity)
        SELECT rooms.prefix || '-' || lpad(room.number::text, 5, '0'), 'Room ' || room.number, 'UTC', 1, 1
        FROM unnest($1::text[], $2::integer[]) AS rooms (prefix, size)
        CROSS JOIN generate_series(0, rooms.size - 1) AS room (number)
        UNION ALL
        VALUES ('room-one', 'One room', 'UTC', 1, 1), ('class', 'A class', 'UTC', $3::integer, $3::integer)
        """,
        [each.prefix for each in rooms],
        [each.number for each in rooms],
        CLASS_PLACES,
    )


async def store_past(
    connection: Connection, bookings: int, say: Callable[[str], None], *, over: timedelta = timedelta()
) -> None:
    """Store bookings as if they had been made one by one: with tickets, ledger, keys, and chained hashes.

    over  in which time they were decided, evenly, until now.

    Every constraint and trigger is in place, as it would have been then.
    """
    rooms = "SELECT id FROM resource WHERE resource_id LIKE 'room-0%' ORDER BY id"
    resources = [row["id"] for row in await connection.fetch(rooms)]
    now = await connection.fetchval("SELECT date_trunc('second', now())")
    past = _past(resources, bookings, now - over, over / -(-bookings // len(resources)))
    last: dict[int, tuple[int, bytes]] = {}
    for number in count(1):
        if not (chunk := list(islice(past, CHUNK))):
            break
        async with connection.transaction():
            await connection.copy_records_to_table("booking", records=map(_booking, chunk), columns=BOOKING)
            await connection.copy_records_to_table("ledger", records=map(_ledger, chunk), columns=LEDGER)
            await connection.copy_records_to_table("idempotency", records=map(_key, chunk), columns=IDEMPOTENCY)
        last.update((row.resource, (row.ticket, hashed)) for row, hashed in chunk)
        if number % TOLD_EVERY == 0:
            say(f"  {number * CHUNK:,} stored")
    # Counting begins where the ledger does, which is at the installation's first instant.
    await connection.execute("UPDATE fold SET folded_until = least(folded_until, $1)", now - over)
    await connection.execute(
        """
        UPDATE resource SET last_ticket = past.ticket, last_row_hash = past.row_hash, last_decided_at = $4
        FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS past (id, ticket, row_hash)
        WHERE resource.id = past.id
        """,
        list(last),
        [ticket for ticket, _ in last.values()],
        [hashed for _, hashed in last.values()],
        now,
    )


Row = tuple[LedgerRow, bytes]


def _past(resources: list[int], bookings: int, began: datetime, pace: timedelta) -> Iterator[Row]:
    """Ledger rows with their hashes: resource after resource, ticket after ticket."""
    hashes = dict.fromkeys(resources, GENESIS)
    for number in range(bookings):
        resource, turn = resources[number % len(resources)], number // len(resources)
        row = LedgerRow(
            resource=resource,
            ticket=turn + 1,
            request_id=uuid7(),
            kind="book",
            start_time=FIRST + turn * STEP,
            end_time=FIRST + turn * STEP + LENGTH,
            places=1,
            capacity=None,
            subject=None,
            outcome="confirmed",
            reason=None,
            booking=uuid7(),
            clashes=(),
            first_ticket=None,
            joined_at=began + turn * pace,
            decided_at=began + turn * pace,
            detail=None,
        )
        hashes[resource] = hashed = row_hash(hashes[resource], row)
        yield row, hashed


def _booking(pair: Row) -> tuple[object, ...]:
    row, _ = pair
    during = asyncpg.Range(row.start_time, row.end_time)
    return (
        *(row.booking, row.resource, True, during, row.places, "confirmed", "anonymous", row.ticket),
        *(row.request_id, row.decided_at),
    )


def _ledger(pair: Row) -> tuple[object, ...]:
    row, hashed = pair
    return (
        *(row.resource, row.ticket, row.request_id, row.kind, row.start_time, row.end_time, row.places),
        *(row.outcome, row.booking, row.joined_at, row.decided_at, hashed),
    )


def _key(pair: Row) -> tuple[object, ...]:
    row, _ = pair
    request_id: UUID = row.request_id
    key = f"{NO_KEY}{request_id}"
    return ("anonymous", key, bytes(16), request_id, row.resource, row.ticket, row.decided_at)
