"""Commands about series, as the API makes them, and what tests look at afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import asyncpg
import msgspec

from engine.batch import decide_batch
from engine.commands import (
    HORIZON,
    BookSeries,
    Command,
    Entry,
    MoveOccurrence,
    Outcome,
    Reason,
    Request,
    Scope,
    Status,
)
from engine.identifiers import uuid7
from engine.rules.recurrence_check import check_recurrence
from engine.store.outcomes import outcomes_by_ticket
from engine.verify import verify
from tests.schema.rows import Connection

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
MILLISECOND = timedelta(milliseconds=1)


def monday(hour: float = 9, *, weeks: int = 2) -> datetime:
    """An hour (UTC) of a Monday that lies so many weeks ahead: series without end are stored from now on."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=-today.weekday(), weeks=weeks, hours=hour)


def book_series(
    rule: str | None,
    start: datetime,
    length: timedelta = HOUR,
    *,
    zone: str = "UTC",
    extra: Sequence[datetime] = (),
    excluded: Sequence[datetime] = (),
    places: int = 1,
    skip: bool = False,
    ahead: timedelta = HORIZON,
) -> BookSeries:
    """A command that books a series from ``start`` on.

    ahead  how far a series without end is stored.
    """
    checked = check_recurrence(
        start,
        start + length,
        rule=rule,
        time_zone=zone,
        extra=extra,
        excluded=excluded,
        horizon=max(datetime.now(UTC), start) + ahead,
    )
    gaps = tuple((later - earlier) // MILLISECOND for earlier, later in pairwise(checked.starts))
    return BookSeries(checked.recurrence, checked.starts[0], gaps, checked.until, places, skip)


def move(
    series: UUID,
    occurrence: datetime,
    start: datetime,
    length: timedelta = HOUR,
    *,
    scope: Scope = Scope.THIS,
    if_version: int | None = None,
) -> MoveOccurrence:
    """A command that moves an occurrence, and with it those that ``scope`` names."""
    return MoveOccurrence(series, occurrence, start, start + length, scope, if_version)


async def occurrences(connection: Connection, series: UUID) -> list[asyncpg.Record]:
    """The rows of a series, by name, and those of one name by age."""
    return await connection.fetch(
        "SELECT *, lower(during) AS start_time, upper(during) AS end_time FROM booking WHERE series = $1"
        " ORDER BY occurrence, created_at, ticket, id",
        series,
    )


async def standing(connection: Connection, series: UUID) -> list[tuple[datetime, datetime]]:
    """Where a series stands: start and end of its live rows, in order."""
    rows = await occurrences(connection, series)
    return sorted((row["start_time"], row["end_time"]) for row in rows if row["live"])


@dataclass
class Deciding:
    """Lets the engine decide the commands of one resource, one after another.

    Each outcome is read from the ledger as well, as it is for whoever asks again: it must be the same, word for word.
    """

    connection: Connection
    resource: int
    ticket: int = 0

    async def decide(self, command: Command, *, key: str | None = None, withdrawn: bool = False) -> Outcome:
        """Give a command the next ticket and decide it."""
        self.ticket += 1
        request = Request(uuid7(), self.resource, "anonymous", key, b"same", over_the_queue(command))
        entry = Entry(self.ticket, datetime.now(UTC), request, withdrawn=withdrawn)
        async with self.connection.transaction():
            decided = await decide_batch(self.connection, {self.resource: [entry]})
        ((_, outcome),) = decided.answers[self.resource]
        kept = await outcomes_by_ticket(self.connection, [(self.resource, self.ticket)])
        assert kept == {(self.resource, self.ticket): (request.request_id, outcome)}
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=Outcome) == outcome
        return outcome

    async def yes(self, command: Command) -> Outcome:
        """Decide a command that must be granted."""
        outcome = await self.decide(command)
        assert outcome.status is Status.CONFIRMED, outcome
        return outcome

    async def no(self, command: Command, reason: Reason) -> Outcome:
        """Decide a command that must be refused for this reason."""
        outcome = await self.decide(command)
        assert (outcome.status, outcome.reason) == (Status.REFUSED, reason), outcome
        return outcome

    async def made(self, command: Command) -> UUID:
        """Decide a command that must be granted, and say which booking or series it made or changed."""
        outcome = await self.yes(command)
        assert outcome.booking is not None
        return outcome.booking.booking

    async def series(self, series: UUID) -> asyncpg.Record:
        """The row of a series."""
        row = await self.connection.fetchrow("SELECT * FROM series WHERE id = $1", series)
        assert row is not None
        return row

    async def horizon(self) -> datetime | None:
        """Before which instant every claim of the resource is stored."""
        until: datetime | None = await self.connection.fetchval(
            "SELECT series_horizon FROM resource WHERE id = $1", self.resource
        )
        return until

    async def clean(self) -> None:
        """Audit the database: nothing may be found."""
        report = await verify(self.connection)
        assert report.violations == [], report.text()


def over_the_queue(command: Command) -> Command:
    """A command as it comes out of the queue."""
    decoded: Command = msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Command)
    return decoded
