"""A small history with a decision of every kind, made by the engine itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from engine.batch import Forced, decide_batch
from engine.commands import Book, Cancel, Command, Entry, Outcome, Request, Reschedule, UpdateResource
from engine.identifiers import uuid7
from tests.schema.rows import add_resource, hours

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

JOINED_AT = datetime(2026, 8, 10, tzinfo=UTC)


def book(start: float, end: float, places: int = 1) -> Book:
    """A command for a time of one day."""
    span = hours(start, end)
    assert span.lower is not None
    assert span.upper is not None
    return Book(span.lower, span.upper, places)


def move(booking: UUID, start: float, end: float) -> Reschedule:
    """A command that moves a booking to another time of that day."""
    wanted = book(start, end)
    return Reschedule(booking, wanted.start_time, wanted.end_time)


@dataclass
class History:
    """A room, and a course with three places. Tickets are given in order, resource by resource."""

    connection: Connection
    room: int = 0
    course: int = 0
    bookings: dict[str, UUID] = field(default_factory=dict)
    _last: dict[int, int] = field(default_factory=dict)

    async def decide(
        self,
        resource: int,
        command: Command,
        *,
        key: str | None = None,
        withdrawn: bool = False,
        forced: Forced | None = None,
        ticket: int | None = None,
    ) -> Outcome:
        """Let the engine decide one command."""
        number = self._last[resource] = ticket or self._last.get(resource, 0) + 1
        request = Request(uuid7(), resource, "anonymous", key, b"same", command)
        entry = Entry(ticket=number, joined_at=JOINED_AT, request=request, withdrawn=withdrawn)
        async with self.connection.transaction():
            decided = await decide_batch(self.connection, {resource: [entry]}, forced=forced)
        ((_, outcome),) = decided.answers[resource]
        return outcome

    async def made(self, name: str, resource: int, command: Command, *, key: str | None = None) -> UUID:
        """Let the engine make a booking, and remember it by a name."""
        outcome = await self.decide(resource, command, key=key)
        assert outcome.booking is not None
        self.bookings[name] = outcome.booking.booking
        return outcome.booking.booking


async def write_history(connection: Connection) -> History:
    """Make the history that the comments tell."""
    history = History(connection)
    history.room = room = await add_resource(connection, capacity=1)
    history.course = course = await add_resource(connection, capacity=3)
    await connection.execute("UPDATE resource SET resource_id = 'room' WHERE id = $1", room)
    await connection.execute("UPDATE resource SET resource_id = 'course' WHERE id = $1", course)

    await history.made("cancelled", room, book(9, 10))  # room 1: confirmed
    await history.decide(room, book(9.5, 10.5))  # room 2: refused
    await history.made("moved", room, book(11, 12), key="key")  # room 3: confirmed
    await history.decide(room, book(11, 12), key="key")  # room 4: repeats 3
    await history.decide(room, Cancel(history.bookings["cancelled"]))  # room 5: confirmed
    await history.decide(room, Cancel(history.bookings["cancelled"]))  # room 6: confirmed, changes nothing
    await history.made("successor", room, move(history.bookings["moved"], 11.5, 12.5))  # room 7: confirmed
    await history.decide(room, book(20, 21), withdrawn=True)  # room 8: withdrawn
    await history.decide(room, book(20, 21), forced=Forced("it raises"))  # room 9: failed
    await history.made("early", room, book(6, 7))  # room 10: confirmed
    await history.made("back to back", room, book(7, 8))  # room 11: confirmed

    await history.made("two", course, book(9, 11, 2))  # course 1: confirmed
    await history.made("one", course, book(9, 10))  # course 2: confirmed
    await history.decide(course, UpdateResource(capacity=2))  # course 3: refused
    await history.decide(course, UpdateResource(name="Course"))  # course 4: confirmed
    await history.made("handover", course, book(10, 11))  # course 5: confirmed
    return history


async def unprotect(connection: Connection) -> None:
    """Take away what the schema does against the damage that the tests want to do."""
    await connection.execute(
        """
        ALTER TABLE resource DISABLE TRIGGER USER;
        ALTER TABLE booking DISABLE TRIGGER USER;
        ALTER TABLE ledger DISABLE TRIGGER USER;
        ALTER TABLE booking DROP CONSTRAINT booking_no_overlap, DROP CONSTRAINT booking_resource_fkey,
            DROP CONSTRAINT booking_rescheduled_to_fkey, DROP CONSTRAINT booking_exclusive_places,
            DROP CONSTRAINT booking_series_fkey, DROP CONSTRAINT booking_status;
        ALTER TABLE series DROP CONSTRAINT series_rescheduled_to_fkey;
        DROP INDEX booking_one_claim_of_occurrence, booking_one_seat;
        ALTER TABLE slot DROP CONSTRAINT slot_taken_range;
        ALTER TABLE ledger DROP CONSTRAINT ledger_pkey;
        ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey;
        """
    )
