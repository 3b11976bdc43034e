"""What was attempted, booked and cancelled: counts that a clock job keeps, and what came since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from engine.store import sql
from engine.store.pools import Connection

BOOKED = "booked"
"""The result of an attempt that was confirmed. Those of the others are reasons, ``failed`` and ``withdrawn``."""
CANCELLED = "cancelled"
"""Beside the results: a booking that was cancelled since."""

_read_results = msgspec.json.Decoder(dict[str, int]).decode


@dataclass(slots=True, frozen=True)
class Counted:
    """So many attempts ended like this.

    day  of bookings: its number in the window, from 1 on. Of everything else 0: all of the window.
    """

    day: int
    result: str
    attempts: int


@dataclass(slots=True, frozen=True)
class HostCount:
    """How many bookings there were with a host.

    name  None: of one who was erased, or whom nobody knows.
    """

    host: str
    name: str | None
    bookings: int


@dataclass(slots=True, frozen=True)
class ResourceCount:
    """What came of the attempts to book on a resource.

    resource  its number inside.
    results   attempts by result.
    """

    resource: int
    resource_id: str
    owner: str | None
    owner_name: str | None
    results: dict[str, int]


@dataclass(slots=True, frozen=True)
class Due:
    """A span of time that can be folded."""

    folded_until: datetime
    next_until: datetime


async def bound_read(connection: Connection, *, within_s: float) -> None:
    """Bound what the reads of this transaction may cost: time, one core, and plans for these very arguments.

    within_s  after which the server ends a statement.
    """
    await connection.execute(
        f"SET LOCAL statement_timeout = {int(within_s * 1000)};"
        "SET LOCAL max_parallel_workers_per_gather = 0;"
        "SET LOCAL plan_cache_mode = force_custom_plan;"
        "SET LOCAL enable_seqscan = off"
    )


async def folded_until(connection: Connection) -> tuple[datetime, datetime]:
    """Read how far the counts reach, and the server's clock."""
    row = await connection.fetchrow(sql("folded_until"))
    assert row is not None, "the migration made it"
    return row["folded_until"], row["now"]


async def count_attempts(
    connection: Connection, days: Sequence[datetime], months: tuple[datetime, datetime], *, folded: datetime
) -> list[Counted]:
    """Count bookings by day, and everything else at once; what there was none of is missing.

    days    when each begins, in order, and when the last one ends.
    months  from the first to behind the last whole month of UTC in between; where there is none, the end twice.
    folded  how far the counts reach, as this transaction sees it.
    """
    rows = await connection.fetch(sql("count_attempts"), days, folded, days[0], days[-1], *months)
    return [Counted(row["day"], row["result"], row["attempts"]) for row in rows]


async def top_hosts(
    connection: Connection,
    window: tuple[datetime, datetime],
    months: tuple[datetime, datetime],
    *,
    folded: datetime,
    limit: int,
) -> list[HostCount]:
    """Read the hosts with the most bookings, of equal ones in the order of their ids.

    months  from the first to behind the last whole month of UTC in the window; where there is none, its end twice.
    folded  how far the counts reach, as this transaction sees it.
    """
    rows = await connection.fetch(sql("top_hosts"), *window, *months, folded, limit)
    return [HostCount(row["host"], row["name"], row["bookings"]) for row in rows]


async def count_resources(
    connection: Connection, start: datetime, end: datetime, *, behind: int, limit: int
) -> list[ResourceCount]:
    """Count what came of the attempts on each resource whose number is greater than ``behind``, as far as folded."""
    rows = await connection.fetch(sql("count_resources"), start, end, behind, limit)
    return [
        ResourceCount(
            row["resource"], row["resource_id"], row["owner"], row["name"], _read_results(row["results"].encode())
        )
        for row in rows
    ]


async def read_clock(connection: Connection) -> datetime:
    """Read the server's clock."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def mark_fold(connection: Connection, until: datetime) -> None:
    """Note how far the next fold may reach, unless that is noted.

    until  an instant that was read before.
    """
    await connection.execute(sql("fold_mark"), until)


async def lock_fold(connection: Connection) -> Due | None:
    """Lock the state of the fold. None: another process folds, or nothing can be folded yet."""
    row = await connection.fetchrow(sql("fold_lock"))
    return None if row is None else Due(**dict(row))


async def fold(connection: Connection, start: datetime, end: datetime, *, within_s: float) -> None:
    """Add what was decided and cancelled from ``start`` on and before ``end`` to the counts, and say so.

    within_s  how long each statement may take.

    The caller's transaction holds the lock; the counts reach to ``start``.
    """
    await connection.execute(f"SET LOCAL statement_timeout = {int(within_s * 1000)}")
    for statement in ("fold_attempts", "fold_cancellations"):
        await connection.execute(sql(statement), start, end, timeout=within_s + 1)
    await connection.execute(sql("fold_raise"), end)
