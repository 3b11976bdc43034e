"""What is kept of a person: read for them, and taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from engine.store import sql
from engine.store.audit import Act, insert_audit
from engine.store.people import end_sessions
from engine.store.pools import Connection

EMPTYING = (
    "empty_reasons",
    "empty_series_reasons",
    "empty_event_names",
    "empty_resource_names",
    "forget_keys_of_person",
    "empty_dead_letters",
    "empty_audit",
)
"""What takes away the texts of a person, in any order; each does nothing the second time."""
EMPTIED_AT_ONCE = 2_000
SECTIONS = (
    "sessions",
    "api_keys",
    "bookings",
    "series",
    "resources",
    "slots",
    "slot_rules",
    "idempotency_keys",
    "audit",
    "requests",
)
"""The lists of an export, in its order."""
CHUNK = 500
"""Rows of an export that are held at a time."""
STATEMENT_TIMEOUT_S = 120.0
"""How long a chunk may take: who asked for what is found by reading the ledger through."""

Row = dict[str, Any]


@dataclass(slots=True, frozen=True)
class Ahead:
    """Something that a person has and that has not begun.

    kind  ``seat``: another's, of a slot of the person's.
    """

    kind: Literal["slot_rule", "seat", "slot", "booking", "series"]
    name: UUID
    resource: int


async def find_password(connection: Connection, person: UUID) -> str | None:
    """Read the hash of a person's password. None: nobody can log in as them, or there is nobody."""
    found: str | None = await connection.fetchval(sql("find_password"), person)
    return found


async def erase_person(connection: Connection, person: UUID, act: Act) -> datetime | None:
    """Take a person's name, address and password, and end whatever lets them in, in one transaction.

    act  that it was done; noted where it was.

    Returns when they were erased, which may have been before. None: there is no such person.
    """
    async with connection.transaction():
        erased_at: datetime | None = await connection.fetchval(sql("erase_person"), person)
        if erased_at is not None:
            await end_sessions(connection, person, None, reason="erased")
            await connection.execute(sql("end_api_keys"), person)
            await insert_audit(connection, act)
            return erased_at
        before: datetime | None = await connection.fetchval(sql("find_erased"), person)
        return before


async def empty_texts(connection: Connection, statement: str, person: UUID) -> bool:
    """Take away some of what an erased person wrote, at most EMPTIED_AT_ONCE rows.

    statement  one of EMPTYING.

    Returns whether there may be more.
    """
    done = await connection.execute(sql(statement), str(person), EMPTIED_AT_ONCE)
    return int(done.rpartition(" ")[2]) == EMPTIED_AT_ONCE


async def standing_ahead(connection: Connection, person: UUID, *, limit: int) -> list[Ahead]:
    """Read what a person has ahead, in the order in which it is to be ended."""
    rows = await connection.fetch(sql("standing_ahead"), str(person), limit)
    return [Ahead(row["kind"], row["id"], row["resource"]) for row in rows]


async def unfinished_erasures(connection: Connection, *, behind: UUID, days: int, limit: int) -> Sequence[UUID]:
    """Find erased people of whom something may be left, in order of their ids.

    behind  the last one that was looked at.
    days    so long after an erasure, what they sent before it may still have waited.
    """
    return [row["id"] for row in await connection.fetch(sql("unfinished_erasures"), behind, days, limit)]


async def export_profile(connection: Connection, person: UUID) -> Row | None:
    """Read a person's own row. None: there is none, or they were erased."""
    found = await connection.fetchrow(sql("export_profile"), person)
    return None if found is None else dict(found)


async def export_section(connection: Connection, section: str, person: UUID) -> AsyncIterator[list[Row]]:
    """Read a list of an export, CHUNK rows at a time, in a transaction of the caller's.

    section  one of SECTIONS.
    """
    cursor = await connection.cursor(sql(f"export_{section}"), str(person), timeout=STATEMENT_TIMEOUT_S)
    rows: list[asyncpg.Record]
    while rows := await cursor.fetch(CHUNK, timeout=STATEMENT_TIMEOUT_S):
        yield [dict(row) for row in rows]
