"""The ledger, as anyone may read it: no people. Pages have no request ids either; exports have all that is hashed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine.chain import LedgerRow
from engine.store import sql
from engine.store.pools import Connection

CHUNK = 5_000
"""Rows that are fetched at one time for an export."""
HASHED = LedgerRow.__struct_fields__
"""The columns that the chain covers: these alone leave with an export."""


@dataclass(slots=True, frozen=True)
class LedgerEntry:
    """One ticket and its outcome.

    first_ticket  the ticket that holds the outcome, where the key of this one had been used before.
    """

    ticket: int
    kind: str
    start_time: datetime | None
    end_time: datetime | None
    places: int | None
    capacity: int | None
    outcome: str
    reason: str | None
    first_ticket: int | None
    joined_at: datetime
    decided_at: datetime
    row_hash: bytes


@dataclass(slots=True, frozen=True)
class Wish:
    """The interval and the places that a decided command asked for, None where its kind has none."""

    start_time: datetime | None
    end_time: datetime | None
    places: int | None


async def list_ledger(connection: Connection, resource: int, *, after: int, limit: int) -> list[LedgerEntry]:
    """Read the tickets of a resource that are greater than ``after``, in order."""
    rows = await connection.fetch(sql("list_ledger"), resource, after, limit)
    return [LedgerEntry(**dict(row)) for row in rows]


async def find_wish(connection: Connection, resource: int, ticket: int) -> Wish | None:
    """Read what a decided command asked for. None: the ticket is not decided."""
    row = await connection.fetchrow(sql("find_wish"), resource, ticket)
    return None if row is None else Wish(**dict(row))


async def limit_resets_at(connection: Connection, resource: int, ticket: int, person: str | None) -> datetime | None:
    """Read when a limit that refused a command lets one more booking pass, if nothing changes until then.

    person  whose the booking was to be; None: the caller's.

    Returns None where that is not known, or nothing stands in the way any more.
    """
    resets_at: datetime | None = await connection.fetchval(sql("limit_resets_at"), resource, ticket, person)
    return resets_at


@dataclass(slots=True, frozen=True)
class LedgerHead:
    """The resource of a ledger as it was made, and where the ledger ends.

    event                     the id of the event that the resource is, None where it is none; and so with
                              ``initial_seats``, ``start_time`` and ``end_time``.
    last_ticket, row_hash     of the last row; 0 and GENESIS where there is none.
    """

    resource: int
    resource_id: str
    initial_capacity: int
    time_zone: str
    event: UUID | None
    initial_seats: int | None
    start_time: datetime | None
    end_time: datetime | None
    last_ticket: int
    row_hash: bytes


@dataclass(slots=True, frozen=True)
class DecidedRequest:
    """Where a request stands in the ledger."""

    resource_id: str
    ticket: int
    request_id: UUID
    row_hash: bytes
    joined_at: datetime
    decided_at: datetime
    outcome: str


async def ledger_head(connection: Connection, resource_id: str) -> LedgerHead | None:
    """Read what an export of a resource's ledger begins with. None: there is no such resource."""
    row = await connection.fetchrow(sql("ledger_head"), resource_id)
    return None if row is None else LedgerHead(**dict(row))


async def export_ledger(connection: Connection, resource: int) -> AsyncIterator[list[tuple[LedgerRow, bytes]]]:
    """Read the ledger of a resource, CHUNK rows at a time: rows with the hashes they carry, and nothing else of them.

    The caller's transaction holds the snapshot.
    """
    cursor = await connection.cursor(sql("export_ledger"), resource)
    while rows := await cursor.fetch(CHUNK):
        yield [(LedgerRow(**{name: row[name] for name in HASHED}), row["row_hash"]) for row in rows]


async def find_decided(connection: Connection, request_id: UUID) -> DecidedRequest | None:
    """Read where a request stands in the ledger. None: it is not decided, or unknown."""
    row = await connection.fetchrow(sql("find_decided"), request_id)
    return None if row is None else DecidedRequest(**dict(row))
