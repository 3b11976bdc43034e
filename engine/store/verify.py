"""The statements of the audit. Each names the rows that break one rule; none of them writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from engine.chain import LedgerRow
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import RuleError
from engine.store import sql
from engine.store.pools import Connection
from engine.store.series import recurrence_of

CHUNK = 5_000
"""Rows of the ledger that are fetched at one time."""
SERIES_CHUNK = 50
"""Series that are fetched at one time, each with all its rows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows that break a rule together.

    resource_id  their resource's public id, or ``#`` and its number where it does not exist.
    total        how many findings of the rule there are in all.
    """

    resource_id: str
    tickets: list[int]
    bookings: list[UUID]
    detail: str
    total: int


@dataclass(frozen=True, slots=True)
class KeptOccurrence:
    """A row of a series.

    name    the start that the rule gives the occurrence.
    detail  of the ledger row that made it, where it has a ticket of its own.
    moved   whether it took the place of another row.
    """

    booking: UUID
    name: datetime
    status: str
    ticket: int
    detail: bytes | None
    moved: bool


@dataclass(frozen=True, slots=True)
class KeptSeries:
    """A series with all its rows, in no order.

    recurrence  as it is now; None where nobody can read it.
    made        detail of the ledger row that made it.
    """

    series: UUID
    resource_id: str
    ticket: int
    status: str
    recurrence: Recurrence | None
    materialised_until: datetime | None
    rescheduled_to: UUID | None
    made: bytes | None
    rows: list[KeptOccurrence]


@dataclass(frozen=True, slots=True)
class EndlessResource:
    """A resource with series that are not stored whole."""

    resource: int
    resource_id: str
    capacity: int


@asynccontextmanager
async def one_snapshot(connection: Connection) -> AsyncIterator[datetime]:
    """Look at the database as it is at one instant, while others go on writing.

    Yields that instant, by the database's clock.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(sql("verify_session"))
        at: datetime = await connection.fetchval("SELECT now()")
        yield at


async def counts(connection: Connection) -> dict[str, int]:
    """Count the rows of each kind that there are to check."""
    row = await connection.fetchrow(sql("verify_counts"))
    assert row is not None
    return dict(row)


async def findings(connection: Connection, statement: str, *arguments: int) -> list[Finding]:
    """Run one statement of the audit.

    statement  name of the file.
    arguments  how many findings to name, and what else the file's header says.
    """
    rows = await connection.fetch(sql(statement), *arguments)
    return [Finding(row["resource_id"], row["tickets"], row["bookings"], row["detail"], row["total"]) for row in rows]


async def jumps(connection: Connection, *, limit: int, step: int) -> tuple[list[tuple[str, int, int]], int]:
    """Find where tickets jumped to a multiple of ``step``.

    Returns the first ``limit`` as (resource_id, the ticket before, the ticket behind), and how many there are.
    """
    rows = await connection.fetch(sql("verify_jumps"), limit, step)
    found = [(row["resource_id"], row["last_ticket"], row["next_ticket"]) for row in rows]
    return found, rows[0]["total"] if rows else 0


async def ledger(connection: Connection) -> AsyncIterator[list[tuple[LedgerRow, bytes]]]:
    """Read the whole ledger by resource and ticket, a chunk at a time: rows with the hashes they carry."""
    cursor = await connection.cursor(sql("verify_chain"))
    while rows := await cursor.fetch(CHUNK):
        yield [
            (LedgerRow(**dict(zip(LedgerRow.__struct_fields__, row, strict=False))), row["row_hash"]) for row in rows
        ]


async def kept_series(connection: Connection) -> AsyncIterator[list[KeptSeries]]:
    """Read every series with its rows, by resource and ticket, a chunk at a time."""
    cursor = await connection.cursor(sql("verify_occurrences"))
    while rows := await cursor.fetch(SERIES_CHUNK):
        yield [_kept_series(row) for row in rows]


async def endless_resources(connection: Connection) -> AsyncIterator[list[EndlessResource]]:
    """Read the resources with series that are not stored whole, a chunk at a time."""
    cursor = await connection.cursor(sql("verify_endless"))
    while rows := await cursor.fetch(CHUNK):
        yield [EndlessResource(row["id"], row["resource_id"], row["capacity"]) for row in rows]


async def resource_names(connection: Connection, resources: Sequence[int]) -> dict[int, str]:
    """The public ids of resources; what does not exist is missing."""
    return {row["id"]: row["resource_id"] for row in await connection.fetch(sql("resource_names"), resources)}


def _kept_series(row: asyncpg.Record) -> KeptSeries:
    columns = [row[name] or () for name in ("bookings", "names", "statuses", "tickets", "details", "moved")]
    return KeptSeries(
        series=row["id"],
        resource_id=row["resource_id"],
        ticket=row["ticket"],
        status=row["status"],
        recurrence=_recurrence(row),
        materialised_until=row["materialised_until"],
        rescheduled_to=row["rescheduled_to"],
        made=row["made"],
        rows=[KeptOccurrence(*kept) for kept in zip(*columns, strict=True)],
    )


def _recurrence(row: asyncpg.Record) -> Recurrence | None:
    try:
        return recurrence_of(row)
    except RuleError:
        return None
