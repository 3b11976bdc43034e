"""People as tests need them: each with an id, roles and a client, put into the database without signing up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from engine.config import Config
from engine.identifiers import uuid7
from tests.clients import clean
from tests.connections import connected
from tests.schema.rows import Connection

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONDAY = datetime(2036, 8, 11, 9, tzinfo=UTC)
"""Nine o'clock (UTC) of a Monday far enough in the future for the life of these tests."""
PERSON = """
INSERT INTO person (id, email, email_key, name, time_zone, roles)
VALUES ($1::uuid, $1::uuid || '@example.org', $1::uuid || '@example.org', 'Somebody', $2, $3)
"""


def trusting(database_url: str, token_key: str) -> Config:
    """How an application is set that believes a proxy on this machine who is asking."""
    return Config(
        database_url=database_url,
        booking_mode="direct",
        direct_pool_size=6,
        read_pool_size=6,
        auth_mode="trusted-header",
        trusted_proxies="127.0.0.1",
        rate_limits="off",
        token_key=token_key,
    )


@dataclass
class Person:
    """Somebody, and their way in."""

    id: UUID
    client: httpx.AsyncClient

    async def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        named = {"x-user-id": str(self.id)} | (headers or {})
        return await self.client.request(method, path, json=body, params=query, headers=named)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.ask("GET", path, **query)

    async def post(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.ask("POST", path, body, headers)

    async def put(self, path: str, body: object) -> httpx.Response:
        return await self.ask("PUT", path, body)

    async def patch(self, path: str, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.ask("PATCH", path, body, headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self.ask("DELETE", path)

    async def publish(self, start: datetime, length: timedelta = HOUR, **more: Any) -> dict[str, Any]:
        """Publish a slot that must be granted."""
        answer = await self.post("/slots", times(start, length) | more)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def make_event(self, seats: int, start: datetime | None = None) -> str:
        """Make an event. Returns its id."""
        body = {"name": "Open day", "total_seats": seats} | ({} if start is None else times(start))
        answer = await self.post("/events", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["event_id"])

    async def book(self, **what: str) -> httpx.Response:
        """Try to book a seat: ``slot_id`` or ``event_id``."""
        return await self.post("/bookings", what)

    async def booked(self, **what: str) -> str:
        """Book a seat that must be granted. Returns the booking's id."""
        answer = await self.book(**what)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["booking_id"])


@dataclass
class Company:
    """A test's people, with one client, and a connection to look at what they did."""

    url: str
    connection: Connection
    client: httpx.AsyncClient

    async def person(self, *roles: str, time_zone: str = "UTC") -> Person:
        """One more person, a guest unless other roles are named."""
        number = uuid7()
        await self.connection.execute(PERSON, number, time_zone, list(roles or ("guest",)))
        return Person(number, self.client)

    async def host(self, time_zone: str = "UTC") -> Person:
        return await self.person("guest", "host", time_zone=time_zone)

    async def guests(self, count: int) -> list[Person]:
        return [await self.person() for _ in range(count)]

    async def move_slot(self, slot_id: str, start: datetime) -> None:
        """Let a slot or event, and its seats, be at another time, as if time had passed. The ledger knows nothing."""
        for table, name in (("booking", "slot"), ("slot", "id")):
            await self.connection.execute(
                f"UPDATE {table} SET during = tstzrange($2, $3) WHERE {name} = $1", UUID(slot_id), start, start + HOUR
            )

    async def now(self) -> datetime:
        """The database's clock."""
        clock: datetime = await self.connection.fetchval("SELECT clock_timestamp()")
        return clock

    async def audit(self) -> None:
        """Everything that is promised holds."""
        await clean(self.url)


@asynccontextmanager
async def gathered(database_url: str, client: httpx.AsyncClient) -> AsyncIterator[Company]:
    """People with this database, and this client."""
    async with connected(database_url) as connection, client:
        yield Company(database_url, connection, client)


def times(start: datetime, length: timedelta = HOUR) -> dict[str, str]:
    """The ends of an interval, as JSON has them."""
    return {"start_time": start.isoformat(), "end_time": (start + length).isoformat()}


async def at_once(asking: Sequence[Coroutine[Any, Any, httpx.Response]]) -> Counter[str]:
    """Let everybody ask at one time. Returns how often each was answered: 201, or the code of a problem."""
    return Counter(map(outcome_of, await asyncio.gather(*asking)))


def outcome_of(answer: httpx.Response) -> str:
    """What an answer says in a word."""
    return str(answer.json()["code"]) if answer.status_code >= 400 else str(answer.status_code)
