"""Bookings of a person, and what befell one: the decisions that made it what it is, from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from engine.chain import decode_detail
from engine.store import sql
from engine.store.bookings import Booking, Home, booking_of
from engine.store.offers import Window
from engine.store.pools import Connection


@dataclass(slots=True, frozen=True)
class Concerned:
    """What a timeline is of, and who has to do with it.

    booking  a booking, a seat, an occurrence or a series.
    ticket   of the command that made it.
    """

    booking: UUID
    ticket: int
    home: Home


@dataclass(slots=True, frozen=True)
class Change:
    """A decision that changed something that stood, or made it.

    caller   who asked; None: that was not noted then.
    subject  what the command named, and ``booking`` what it made or changed.
    """

    ticket: int
    kind: str
    request_id: UUID
    caller: str | None
    decided_at: datetime
    start_time: datetime | None
    end_time: datetime | None
    subject: UUID | None
    booking: UUID | None


async def list_own_bookings(
    connection: Connection, caller: str, window: Window, *, start: datetime, end: datetime, status: str | None
) -> list[Booking]:
    """Read a person's bookings and seats that have time in ``[start, end)``, those that end last first.

    window  only its place and its limit count: the place is the end and the id of the last one on the page before.
    status  None: any.
    """
    rows = await connection.fetch(sql("list_own_bookings"), caller, *window.after, start, end, status, window.limit)
    return [booking_of(row) for row in rows]


async def find_concerned(connection: Connection, booking: UUID) -> Concerned | None:
    """Find a booking, a seat, an occurrence or a series. None: there is none."""
    row = await connection.fetchrow(sql("find_concerned"), booking)
    return None if row is None else Concerned(row["id"], row["ticket"], Home(*tuple(row)[2:]))


async def list_changes(
    connection: Connection, of: Concerned, *, after: int, limit: int
) -> tuple[list[Change], int | None]:
    """Read the decisions that made a booking what it is, in ticket order.

    Of an occurrence: those that named it, and those that concerned it with the rest of its series.

    after  the ticket behind which the page begins.
    limit  how many decisions about the booking or its series are read at most.

    Returns the page, and the ticket behind which the next one begins, None on the last.
    """
    subject = of.home.series or of.booking
    rows = await connection.fetch(sql("list_changes"), of.home.resource, of.ticket, subject, after, limit + 1)
    page = rows[:limit]
    following = page[-1]["ticket"] if len(rows) > limit else None
    return [_change(row) for row in page if _concerns(row, of)], following


def _change(row: asyncpg.Record) -> Change:
    return Change(
        ticket=row["ticket"],
        kind=row["kind"],
        request_id=row["request_id"],
        caller=row["caller"],
        decided_at=row["decided_at"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        subject=row["subject"],
        booking=row["booking"],
    )


def _concerns(row: asyncpg.Record, of: Concerned) -> bool:
    """Whether a decision about a series concerned one of its occurrences."""
    detail, occurrence = decode_detail(row["detail"]), of.home.occurrence
    if occurrence is None or row["ticket"] == of.ticket or detail is None or detail.occurrence is None:
        return True
    and_those_that_follow = detail.recurrence is not None
    return detail.occurrence == occurrence or (and_those_that_follow and detail.occurrence < occurrence)
