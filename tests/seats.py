"""People, calendars, slots and events for tests, and commands about them as the API makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from engine.batch import Decisions, decide_batch
from engine.commands import (
    ANONYMOUS,
    BookSeat,
    Command,
    Entry,
    Limits,
    Outcome,
    PublishSlots,
    Reason,
    Request,
    Status,
)
from engine.identifiers import uuid7
from engine.verify import verify
from tests.clients import NINE
from tests.schema.rows import Connection
from tests.series import over_the_queue

HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)
JOINED_AT = datetime(2026, 8, 10, tzinfo=UTC)
FIVE = Limits(active=5, with_host=1, cancel_ms=3_600_000)
"""What a person is held to, unless somebody set it otherwise."""


def at(hours: float) -> datetime:
    """So many hours after NINE."""
    return NINE + timedelta(hours=hours)


async def add_people(connection: Connection, count: int) -> list[str]:
    """Make people, and return the callers that they are, in the order of their ids."""
    ids = sorted(uuid7() for _ in range(count))
    await connection.execute(
        "INSERT INTO person (id, email, email_key, name, time_zone, roles)"
        " SELECT id, id || '@example.org', id || '@example.org', 'Person', 'UTC', '{guest,host}'"
        " FROM unnest($1::uuid[]) AS id",
        ids,
    )
    return [str(person) for person in ids]


async def add_person(connection: Connection) -> str:
    (person,) = await add_people(connection, 1)
    return person


async def erase_person(connection: Connection, person: str) -> None:
    """Leave of a person the id alone."""
    await connection.execute(
        "UPDATE person SET email = NULL, email_key = NULL, name = NULL, password_hash = NULL, erased_at = now()"
        " WHERE id = $1::uuid",
        person,
    )


async def add_home(connection: Connection, *, kind: str, owner: str | None, capacity: int = 1) -> int:
    """Make a resource of a kind, and return its number."""
    number: int = await connection.fetchval(
        "INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, kind, owner)"
        " VALUES ($1, 'Home', 'UTC', $2, $2, $3, $4) RETURNING id",
        str(uuid7()),
        capacity,
        kind,
        owner,
    )
    return number


async def add_calendar(connection: Connection, host: str) -> int:
    """Make a host's calendar."""
    return await add_home(connection, kind="calendar", owner=host)


@dataclass(frozen=True)
class Event:
    """An event and the resource that it has."""

    event: UUID
    resource: int


async def add_event(connection: Connection, host: str, seats: int, *, start: float = 0) -> Event:
    """Make an event with its resource, as nobody asks the queue for it."""
    resource = await add_home(connection, kind="event", owner=host)
    event = uuid7()
    await connection.execute(
        "INSERT INTO slot (id, resource, kind, host, name, during, capacity, initial_capacity, created_at)"
        " VALUES ($1, $2, 'event', $3, 'Event', tstzrange($4, $5), $6, $6, now())",
        event,
        resource,
        host,
        at(start),
        at(start + 1),
        seats,
    )
    return Event(event, resource)


def publish(*starts: float, length_ms: int = 3_600_000, seats: int = 1, skip: bool = False) -> PublishSlots:
    """A command that offers slots that begin so many hours after NINE."""
    gaps = tuple(round((later - earlier) * 3_600_000) for earlier, later in pairwise(starts))
    return PublishSlots(at(starts[0]), gaps, length_ms, seats, skip)


def ask(
    resource: int, command: Command, *, caller: str = ANONYMOUS, limits: Limits | None = None, key: str | None = None
) -> Request:
    """A request as it comes out of the queue."""
    return Request(uuid7(), resource, caller, key, b"same", over_the_queue(command), limits)


async def decide(connection: Connection, waiting: dict[int, list[Entry]]) -> Decisions:
    """Decide one batch in a transaction of its own."""
    async with connection.transaction():
        return await decide_batch(connection, waiting)


@dataclass
class Deciding:
    """Lets the engine decide commands, and gives each resource's their tickets."""

    connection: Connection
    tickets: dict[int, int] = field(default_factory=dict)

    def entry(self, request: Request) -> Entry:
        """Give a request its ticket."""
        self.tickets[request.resource] = ticket = self.tickets.get(request.resource, 0) + 1
        return Entry(ticket, JOINED_AT, request)

    def queue(self, requests: Sequence[Request]) -> dict[int, list[Entry]]:
        """Give requests their tickets, resource by resource."""
        waiting: dict[int, list[Entry]] = {}
        for request in requests:
            waiting.setdefault(request.resource, []).append(self.entry(request))
        return waiting

    async def batch(self, *requests: Request, connection: Connection | None = None) -> list[Outcome]:
        """Decide requests in one batch. Returns their outcomes in the order in which they were given."""
        decided = await decide(connection or self.connection, self.queue(requests))
        outcomes = {entry.request.request_id: outcome for pairs in decided.answers.values() for entry, outcome in pairs}
        return [outcomes[request.request_id] for request in requests]

    async def one(
        self, resource: int, command: Command, *, caller: str = ANONYMOUS, limits: Limits | None = None
    ) -> Outcome:
        """Decide one command."""
        (outcome,) = await self.batch(ask(resource, command, caller=caller, limits=limits))
        return outcome

    async def made(
        self, resource: int, command: Command, *, caller: str = ANONYMOUS, limits: Limits | None = None
    ) -> UUID:
        """Decide a command that must be granted, and say what it made or changed."""
        outcome = await self.one(resource, command, caller=caller, limits=limits)
        assert outcome.status is Status.CONFIRMED, outcome
        assert outcome.booking is not None
        return outcome.booking.booking

    async def slot(self, calendar: int, host: str, start: float = 0, *, seats: int = 1) -> UUID:
        """Publish one slot."""
        return await self.made(calendar, publish(start, seats=seats), caller=host)

    async def seat(self, calendar: int, slot: UUID, caller: str, limits: Limits | None = None) -> UUID:
        """Book a seat that must be granted."""
        return await self.made(calendar, BookSeat(slot), caller=caller, limits=limits)

    async def clean(self) -> None:
        """Audit the database: nothing may be found."""
        report = await verify(self.connection)
        assert report.violations == [], report.text()


def reasons(outcomes: Sequence[Outcome]) -> list[Reason | None]:
    """Why each was refused; None: it was confirmed."""
    assert {outcome.status for outcome in outcomes} <= {Status.CONFIRMED, Status.REFUSED}
    return [outcome.reason for outcome in outcomes]


async def taken(connection: Connection, slot: UUID) -> int:
    """How many seats a slot or event counts as taken."""
    count: int = await connection.fetchval("SELECT taken FROM slot WHERE id = $1", slot)
    return count


async def row_of(connection: Connection, query: str) -> tuple[object, ...]:
    """The one row that a query gives."""
    (row,) = await connection.fetch(query)
    return tuple(row)
