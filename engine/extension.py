"""Infinite series, stored further ahead as time goes on.

Of an infinite series the occurrences of the next HORIZON are stored, so that the schema protects them and reads
need no arithmetic. This goes on where it stopped, however long ago that was, in steps of at most STEP, each a
transaction under the resource's lock. It decides nothing and writes no ledger row: that a series claims its
occurrences was decided with its ticket. No guarantee rests on when it runs (behind what is stored, rules are
compared with rules), and running it twice, or in several processes, changes nothing: what is stored is said by
``series.materialised_until``, under the lock.

Two infinite series that meet later than what was compared when the second one was made meet here: the one with
the later ticket loses that occurrence, which is kept as ``clashed``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from engine.chain import EPOCH
from engine.commands import HORIZON, BookingStatus
from engine.identifiers import uuid7
from engine.rules.calendar import Calendar
from engine.rules.decide import refuse_claim
from engine.rules.lattice import lattice_of
from engine.rules.recurrence import starts_between
from engine.steps import ACQUIRE_TIMEOUT_S, take_steps
from engine.store import decisions as store
from engine.store.pools import Connection, Pool
from engine.store.series import (
    NewOccurrence,
    Series,
    advance_series,
    due_resources,
    insert_occurrences,
    load_unfinished,
    raise_horizons,
)

REACH = HORIZON + timedelta(days=7)
"""How far ahead it stores, so that a series is touched once a week."""
STEP = timedelta(days=31)
"""What one transaction stores at most."""
RESOURCES_AT_ONCE = 100
EVERY_S = 3_600.0

logger = logging.getLogger(__name__)


async def extend_due(pool: Pool) -> int:
    """Extend every series that is stored less than HORIZON ahead. Returns how many occurrences were stored."""
    stored, behind = 0, 0
    while True:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            resources = await due_resources(connection, HORIZON, behind=behind, limit=RESOURCES_AT_ONCE)
        for resource in resources:
            stored += await _extend(pool, resource)
        if len(resources) < RESOURCES_AT_ONCE:
            if stored:
                logger.info("series were extended", extra={"occurrences": stored})
            return stored
        behind = resources[-1]


async def _extend(pool: Pool, resource: int) -> int:
    """Extend the series of a resource. Trouble with one does not hold up the others: its turn comes in an hour."""
    step = partial(extend_step, resource=resource)
    return await take_steps(pool, step, trouble="series were not extended", about={"resource": resource})


async def extend_step(connection: Connection, resource: int) -> int | None:
    """Store the next occurrences of a resource's series, all up to the same instant, in a transaction of its own.

    Returns how many were stored, None where nothing is due.
    """
    async with connection.transaction():
        locked, clock = await store.lock(connection, [resource], wait=True)
        if clock is None:
            return None
        unfinished = (await load_unfinished(connection, [resource])).get(resource, [])
        stored_until = min((until for series in unfinished if (until := series.materialised_until)), default=None)
        if stored_until is None or stored_until >= clock + HORIZON:
            return None
        until = min(stored_until + STEP, clock + REACH)
        due = [series for series in unfinished if series.materialised_until and series.materialised_until < until]
        wanted = list(zip(due, await _expand(due, until), strict=True))
        calendar = await _load(connection, locked[resource], wanted)
        rows = _decide(wanted, unfinished, calendar, capacity=locked[resource].capacity, until=until, now=clock)
        if rows:
            await insert_occurrences(connection, rows)
        await advance_series(connection, [(series.series, _left(series, until)) for series in due])
        await raise_horizons(connection, [resource])
    for row in rows:
        if row.status is BookingStatus.CLASHED:
            logger.warning(
                "an occurrence lost its time to an older series",
                extra={"series": str(row.series), "occurrence": row.occurrence.isoformat()},
            )
    return len(rows)


async def _expand(due: Sequence[Series], until: datetime) -> list[list[datetime]]:
    """The occurrences to store of each series, but those that have a row already. The event loop goes on meanwhile."""
    expanded = []
    for series in due:
        assert series.materialised_until is not None, "only such series are extended"
        starts = starts_between(series.recurrence, series.materialised_until, until)
        expanded.append([start for start in starts if start not in series.without])
        await asyncio.sleep(0)
    return expanded


async def _load(
    connection: Connection, locked: store.LockedResource, wanted: Sequence[tuple[Series, Sequence[datetime]]]
) -> Calendar:
    calendar = Calendar()
    asked = {(locked.resource, (start, start + _length(series))): None for series, starts in wanted for start in starts}
    await store.load_claims(
        connection, asked, exclusive=locked.capacity == 1, named=1, calendars={locked.resource: calendar}
    )
    return calendar


def _decide(
    wanted: Sequence[tuple[Series, Sequence[datetime]]],
    unfinished: Sequence[Series],
    calendar: Calendar,
    *,
    capacity: int,
    until: datetime,
    now: datetime,
) -> list[NewOccurrence]:
    """Claim occurrences, the older series first.

    unfinished  all series that are not stored whole, in ticket order.
    """
    rows: list[NewOccurrence] = []
    behind: set[tuple[UUID, datetime]] = set()
    for series, starts in wanted:
        older = unfinished[: unfinished.index(series)]
        for start in starts:
            end = start + _length(series)
            for other in older if end > until else ():
                _claim_behind(calendar, other, (until, end), behind)
            row = NewOccurrence(uuid7(), series.series, start, start, end)
            # What is past is stored as well: it happened, though nobody was there to write it down.
            if refuse_claim(start, end, series.places, calendar=calendar, capacity=capacity, now=EPOCH) is None:
                calendar.add(start, end, places=series.places, ticket=series.ticket, booking=row.booking)
            else:
                row = replace(row, status=BookingStatus.CLASHED, ended_at=now)
            rows.append(row)
    return rows


def _claim_behind(
    calendar: Calendar, older: Series, window: tuple[datetime, datetime], claimed: set[tuple[UUID, datetime]]
) -> None:
    """Put in, once, what is not stored of an older series where an occurrence reaches behind this step."""
    assert older.materialised_until is not None, "it is not stored whole"
    after, before = max(window[0], older.materialised_until), window[1]
    lattice = lattice_of(older.recurrence, after=after, before=max(after, before), without=older.without)
    for start, end in lattice.overlapping(after, before):
        if (older.series, start) not in claimed:
            claimed.add((older.series, start))
            calendar.add(start, end, places=older.places, ticket=older.ticket, booking=older.series)


def _left(series: Series, until: datetime) -> datetime | None:
    """Up to where a series is stored now; None where it ends before."""
    rule = series.recurrence.rule
    ends = rule is not None and rule.until is not None and rule.until < until
    return None if ends else until


def _length(series: Series) -> timedelta:
    return timedelta(milliseconds=series.recurrence.length_ms)
