"""Resources: made, read and listed. What changes a resource later goes through its queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from engine.store import sql
from engine.store.pools import Connection

CHANGE_TIMEOUT_S = 30.0
"""How long one statement of a change of capacity may take: it counts all bookings of the resource, and rewrites them
where the resource becomes one of another kind. Below ``worker.main.JOB_TIMEOUT_S``, which would cancel the turn."""


class ResourceHome(NamedTuple):
    """Where commands about a resource go, and whose it is. It never changes.

    kind   ``resource``, ``calendar`` or ``event``.
    owner  a caller, or None: it is nobody's in particular.
    """

    resource: int
    kind: str
    owner: str | None


@dataclass(slots=True, frozen=True)
class Resource:
    """What can be booked.

    resource     the number it has inside.
    resource_id  its public name.
    last_ticket  the last ticket decided.
    kind, owner  as of ResourceHome.
    """

    resource: int
    resource_id: str
    name: str
    time_zone: str
    capacity: int
    version: int
    last_ticket: int
    created_at: datetime
    kind: str
    owner: str | None


async def create_resource(
    connection: Connection, *, resource_id: str, name: str, time_zone: str, capacity: int, owner: str | None = None
) -> Resource | None:
    """Make a resource.

    Returns None where ``resource_id`` is taken.
    """
    row = await connection.fetchrow(sql("create_resource"), resource_id, name, time_zone, capacity, owner)
    return None if row is None else _resource(row)


async def allow_change(connection: Connection) -> None:
    """Give the statements that follow in this transaction CHANGE_TIMEOUT_S instead of the session's time-out.

    The server works meanwhile and the process that waits does not stand still: its lease is renewed, and other turns
    pass over the locked row. If it dies, ``client_connection_check_interval`` ends the statement.
    """
    await connection.execute(sql("allow_change"), str(int(CHANGE_TIMEOUT_S * 1000)))


async def find_resource(connection: Connection, resource_id: str) -> Resource | None:
    """Read a resource by its public name. None: there is none."""
    row = await connection.fetchrow(sql("find_resource"), resource_id)
    return None if row is None else _resource(row)


async def list_resources(connection: Connection, *, after: int, limit: int) -> list[Resource]:
    """Read the resources that were made after the one with the number ``after``, oldest first.

    Calendars and events are not among them.
    """
    return [_resource(row) for row in await connection.fetch(sql("list_resources"), after, limit)]


async def resource_homes(connection: Connection, resource_ids: Sequence[str]) -> dict[str, ResourceHome]:
    """Look up the numbers of resources and whose they are. What does not exist is missing."""
    rows = await connection.fetch(sql("resource_homes"), resource_ids)
    return {row["resource_id"]: ResourceHome(row["id"], row["kind"], row["owner"]) for row in rows}


async def resource_names(connection: Connection, resources: Sequence[int]) -> dict[int, str]:
    """Look up the public names of resources, which never change. What does not exist is missing."""
    return {row["id"]: row["resource_id"] for row in await connection.fetch(sql("resource_names"), resources)}


def _resource(row: asyncpg.Record) -> Resource:
    return Resource(
        resource=row["id"],
        resource_id=row["resource_id"],
        name=row["name"],
        time_zone=row["time_zone"],
        capacity=row["capacity"],
        version=row["version"],
        last_ticket=row["last_ticket"],
        created_at=row["created_at"],
        kind=row["kind"],
        owner=row["owner"],
    )
