"""The people and the things of these tests: a guest, a host, an operator, and two who have nothing to do with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar
from litestar.routes import HTTPRoute

from api.access import Scope
from api.docs import DocumentationController
from api.openapi import Operation
from tests.accounts.people import Somebody, bearer, log_in, new_user, operator, signed_in
from tests.api.steps import ROOT, hours
from tests.schema.rows import Connection

ROOM = "room-1"
GUEST_EMAIL = "guest@example.org"
WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=9"
OCCURRENCE = "20360818T110000Z"
"""The second occurrence of every series here."""
NOT_IN_PATHS = {"start": OCCURRENCE}
EVERY_ROW = """
SELECT format('SELECT %L AS name, count(*)::text || md5(coalesce(string_agg(line, E''\\n'' ORDER BY line), ''''))
    FROM (SELECT t::text AS line FROM %I AS t) AS lines', table_name, table_name)
FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


async def fingerprint(database: Connection) -> dict[str, str]:
    """What stands in every table, to be compared."""
    statements = [row[0] for row in await database.fetch(EVERY_ROW)]
    return {row[0]: row[1] for row in await database.fetch(" UNION ALL ".join(statements))}


def operations_of(app: Litestar) -> dict[str, Operation]:
    """Every operation of the interface by method and path."""
    found: dict[str, Operation] = {}
    for method, path, handler in handlers_of(app):
        if "operation" in handler.opt:
            found[f"{method} {path}"] = handler.opt["operation"]
        for suffix, (_, operation) in handler.opt.get("suffixes", {}).items():
            found[f"GET {path}{suffix}"] = operation
    return found


def pages_of(app: Litestar) -> set[str]:
    """Every route of the documentation."""
    return {
        f"{method} {path}"
        for method, path, handler in handlers_of(app)
        if handler.fn.__qualname__.startswith(DocumentationController.__name__)
    }


def handlers_of(app: Litestar) -> list[tuple[str, str, Any]]:
    """Every route: method, path without the root, handler."""
    return [
        (method, route.path_format.removeprefix(ROOT), handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


@dataclass
class World:
    """Whoever is there, and what they have. The makers make another thing each time, and return its id.

    keys  of a person by name: an API key for each scope that they may have.
    """

    client: httpx.AsyncClient
    database: Connection
    people: dict[str, Somebody]
    keys: dict[str, dict[Scope, dict[str, str]]] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)

    @classmethod
    async def made(cls, client: httpx.AsyncClient, database: Connection) -> World:
        """Sign everybody up, and make the room in which all takes place."""
        people = {name: await signed_in(client, name) for name in ("guest", "other_guest")}
        people |= {name: await signed_in(client, name, "host", "guest") for name in ("host", "other_host")}
        world = cls(client, database, people | {"operator": await operator(client, database)})
        room = await world.host.post("/resources", {"resource_id": ROOM, "name": "Room", "capacity": 100_000})
        assert room.status_code == 201, room.text
        for name in ("guest", "host", "operator"):
            world.keys[name] = {
                scope: bearer((await world.people[name].api_key(scope))["api_key"])
                for scope in Scope
                if name == "operator" or scope not in {Scope.WRITE_ANY, Scope.ADMINISTER}
            }
        return world

    @property
    def guest(self) -> Somebody:
        return self.people["guest"]

    @property
    def host(self) -> Somebody:
        return self.people["host"]

    async def make(self, kind: str) -> str:
        """Make a thing by the name of its kind."""
        made: str = await getattr(self, kind)()
        return made

    def times(self) -> dict[str, str]:
        """An hour that nothing else here has."""
        return hours(100 + 2 * next(self.numbers))

    async def booking(self) -> str:
        return await self._by(self.guest, "/bookings", {"resource_id": ROOM, **self.times()}, "booking_id")

    async def request(self) -> str:
        return await self._by(self.guest, "/bookings", {"resource_id": ROOM, **self.times()}, "request_id")

    async def series(self) -> str:
        body = {"resource_id": ROOM, **hours(2), "recurrence_rule": WEEKLY}
        return await self._by(self.guest, "/bookings", body, "booking_id")

    async def seat(self) -> str:
        return await self._by(self.guest, "/bookings", {"slot_id": await self.slot()}, "booking_id")

    async def slot(self) -> str:
        return await self._by(self.host, "/slots", self.times() | {"capacity": 2}, "slot_id")

    async def rule(self) -> str:
        body = self.times() | {"slot_minutes": 60, "recurrence_rule": "FREQ=YEARLY", "horizon_days": 1}
        return await self._by(self.host, "/slots/bulk", body, "rule_id")

    async def event(self) -> str:
        return await self._by(self.host, "/events", {"name": "Open day", "total_seats": 20}, "event_id")

    async def resource(self) -> str:
        return await self._by(self.host, "/resources", {"name": "Room"}, "resource_id")

    async def calendar(self) -> str:
        await self.slot()
        return f"calendar-{self.host.user_id}"

    async def event_resource(self) -> str:
        return f"event-{await self.event()}"

    async def user(self) -> str:
        return self.guest.user_id

    async def newcomer(self) -> str:
        return (await self.somebody_new("guest")).user_id

    async def somebody_new(self, like: str) -> Somebody:
        """One more person, with the roles of one who is there."""
        if like == "operator":
            return await operator(self.client, self.database, str(uuid4()))
        return await signed_in(self.client, str(uuid4()), *(("host", "guest") if "host" in like else ()))

    async def api_key(self) -> str:
        return str((await self.guest.api_key(Scope.READ_BOOKINGS))["api_key_id"])

    async def session(self) -> str:
        """A refresh token that is good."""
        return str((await log_in(self.client, self.guest.email)).json()["refresh_token"])

    async def _by(self, somebody: Somebody, path: str, body: dict[str, Any], named: str) -> str:
        answer = await somebody.post(path, body)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()[named]
        return made


def another_user() -> dict[str, Any]:
    """Who signs up as somebody new."""
    return new_user(f"{uuid4()}@example.org")
