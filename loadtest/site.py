"""What takes the load: an installation of our own, or one that runs already on this machine."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from engine.errors import StartupRefused
from loadtest.behaviour import RESOURCES, Ask
from loadtest.figures import Ticket
from loadtest.ground import HOST, Connection, Ground, Installation, Servers, ask
from loadtest.light import Post
from loadtest.machine import Machine, describe
from loadtest.order import Order
from loadtest.processes import Watch

MAKERS = 8
"""Connections on which resources are made."""
TICKETS = """
    SELECT resource.resource_id, ticket, date_part('epoch', joined_at), date_part('epoch', decided_at), outcome
    FROM ledger JOIN resource ON resource.id = ledger.resource
    WHERE starts_with(resource.resource_id, $1)
    ORDER BY resource.id, ticket
"""


@dataclass(frozen=True)
class Site:
    """Where requests go, and the database in which it shows what became of them.

    installation  None where it is not ours.
    headers       sent with each request.
    """

    host: str
    port: int
    database_url: str
    replica_url: str | None
    servers: Servers
    installation: Installation | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def watch(self) -> Any:
        """Watch what it costs; nobody can where it is not ours."""
        return nullcontext(Watch({})) if self.installation is None else self.installation.watch()

    def machine(self) -> Machine:
        """What it runs on."""
        return describe(self.servers)

    def settle(self) -> None:
        """Wait until everything that was sent has been decided."""
        if self.installation is not None:
            self.installation.settle()

    def alarms(self) -> list[str] | None:
        """What its processes logged as critical; None where nobody here can see it."""
        if self.installation is None:
            return None
        return [line for program in self.installation.programs for line in program.alarms()]

    def tickets(self, prefix: str) -> list[Ticket]:
        """The ledger of the resources whose names begin so."""

        async def question(connection: Connection) -> list[Ticket]:
            return [Ticket._make(row) for row in await connection.fetch(TICKETS, f"{prefix}-")]

        found: list[Ticket] = ask(self.database_url, question)
        return found

    def make_resources(self, order: Order, bodies: Sequence[Mapping[str, object]]) -> None:
        """Make resources through the API. Raises StartupRefused where one is refused."""
        asyncio.run(_make(order, bodies))


@contextmanager
def own_site(data: Path | None) -> Iterator[Site]:
    """Servers, an API and workers of our own, exactly as ``firstcome up`` runs them. All of it ends with the block.

    data  where the servers' folder is made; None for the system's temporary folder.
    """
    with Ground(data) as ground:
        installation = ground.install("load", "queue")
        ground.start(installation)
        database_url, replica_url = (installation.environment[name] for name in ("DATABASE_URL", "REPLICA_URL"))
        yield Site(HOST, installation.port, database_url, replica_url or None, ground.servers, installation)


def site_at(url: str, database_url: str, headers: Mapping[str, str]) -> Site:
    """An installation that runs already, on the loopback interface.

    Raises StartupRefused where it is on another one: nobody is to be flooded by mistake.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port or 80
    except ValueError:
        scheme, host, port = "", "", 0
    if scheme != "http" or not _is_loopback(host):
        raise StartupRefused(f"--url is {url!r}: it must be http://127.0.0.1:port, an address of this machine alone.")
    return Site(
        HOST if host == "localhost" else host,
        port,
        database_url,
        None,
        Servers(database_url, None, "", None),
        headers=headers,
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _make(order: Order, bodies: Sequence[Mapping[str, object]]) -> None:
    post, left = Post(order), list(bodies)

    async def make() -> None:
        channel = await post.connect()
        while left:
            body = left.pop()
            heard, _, _ = await post.exchange(
                channel, Ask("resource", "POST", RESOURCES, str(body["resource_id"]), msgspec.json.encode(body))
            )
            if heard is None or heard.status != 201:
                said = "not answered" if heard is None else f"answered {heard.status}: {heard.body.decode()[:300]}"
                raise StartupRefused(f"POST {RESOURCES} is {said}.")
        channel.close()

    await asyncio.gather(*(make() for _ in range(MAKERS)))
