"""What is taken of one resource, for those who ask for its free time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.rules.free_time import Taken
from engine.store import sql
from engine.store.pools import Connection


@dataclass(frozen=True, slots=True)
class StandingClaims:
    """A resource and what is taken of it in a window, as of one snapshot.

    last_ticket  the last command that the claims show the effect of.
    now          the server's clock, not later than the snapshot.
    taken        in no order, claims of one interval together.
    """

    resource: int
    resource_id: str
    time_zone: str
    capacity: int
    last_ticket: int
    now: datetime
    taken: list[Taken]


async def standing_claims(
    connection: Connection, resource: int | str, *, start: datetime, end: datetime
) -> StandingClaims | None:
    """Load what is taken of a resource at any instant of ``[start, end)``, in one statement.

    resource  its number, or its public id.

    Returns None where this server does not know the resource.
    """
    number, public = (resource, None) if isinstance(resource, int) else (None, resource)
    row = await connection.fetchrow(sql("availability"), number, public, start, end)
    if row is None:
        return None
    claims = zip(row["starts"] or (), row["ends"] or (), row["places"] or (), strict=True)
    return StandingClaims(
        resource=row["id"],
        resource_id=row["resource_id"],
        time_zone=row["time_zone"],
        capacity=row["capacity"],
        last_ticket=row["last_ticket"],
        now=row["now"],
        taken=list(claims),
    )
