"""The ledger, as anyone may read it: no request ids, no people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.store import sql
from engine.store.pools import Connection


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
