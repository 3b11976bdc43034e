"""What a series would meet, without a ticket: for a preview, and for the next starts after a refusal.

Advice (guarantee G6): it is read from a snapshot, of the replica where that is near enough, and decides nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.commands import HORIZON, MAX_OCCURRENCE_CLASHES
from engine.rules.calendar import Calendar
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_check import check_recurrence
from engine.rules.recurrence_rule import RuleError
from engine.rules.series import Clashing, refuse_occurrences
from engine.rules.wall_clock import to_utc
from engine.store.decisions import load_claims
from engine.store.pools import Connection
from engine.store.series import ResourceState, load_unfinished, resource_state
from engine.wish import Interval, Wish, claim_unstored

STEP = timedelta(hours=1)
"""Suggested starts stand so far apart on the wall clock, counted from the start that was wished for."""
DAYS = 90
"""How many days behind the wished start are looked at."""
MAX_CANDIDATES = 40
"""Starts that are looked at for one refusal."""
MAX_SUGGESTIONS = 5
LOOK_S = 0.2
"""After so long no further start is looked at: nobody waits longer for advice."""


@dataclass(slots=True, frozen=True)
class Foreseen:
    """What a series would get.

    now       the server's clock, read with the claims.
    clashing  what stands in its way.
    """

    now: datetime
    clashing: Clashing


async def foresee(connection: Connection, resource: int, wish: Wish) -> Foreseen | None:
    """Compare a wish with what stands, in one snapshot. None: this server does not know the resource."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        state = await resource_state(connection, resource)
        if state is None:
            return None
        return Foreseen(state.now, await _compare(connection, state, wish))


async def free_starts(connection: Connection, resource: int, recurrence: Recurrence, places: int) -> list[Interval]:
    """The next starts of a series at which every occurrence can be had, as far as a few looks find them.

    Returns the first occurrences, MAX_SUGGESTIONS at most, in order.
    """
    found: list[Interval] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        state = await resource_state(connection, resource)
        if state is None:
            return found
        wishes = later_wishes(recurrence, places=places, now=state.now)
        until = time.monotonic() + LOOK_S
        while len(found) < MAX_SUGGESTIONS and time.monotonic() < until:
            wish = await asyncio.to_thread(next, wishes, None)  # a rule is expanded off the event loop
            if wish is None:
                break
            refused = refuse_occurrences(wish.starts[0], places, capacity=state.capacity, now=state.now)
            if refused is None and not (await _compare(connection, state, wish)).count:
                found.append(wish.wanted[0])
    return found


def later_wishes(recurrence: Recurrence, *, places: int, now: datetime) -> Iterator[Wish]:
    """The same series, beginning later: every hour of the wished day, then of the next days, as its rule allows.

    Of a day that its rule leaves out none begins, and a series without a rule has no other start. Exceptions and
    extra starts, which name instants, are not carried over. At most MAX_CANDIDATES, each made when it is asked for.
    """
    if recurrence.rule is None:
        return
    zone = ZoneInfo(recurrence.time_zone)
    seen: set[datetime] = set()
    for hours in range(1, DAYS * 24):
        start = to_utc(recurrence.start + STEP * hours, zone)
        wish = _wish_at(recurrence, start, places, now=now) if start > now else None
        if wish is None or start in seen or start not in wish.starts[:1]:
            continue
        seen.add(start)
        yield wish
        if len(seen) == MAX_CANDIDATES:
            return


def _wish_at(recurrence: Recurrence, start: datetime, places: int, *, now: datetime) -> Wish | None:
    length = timedelta(milliseconds=recurrence.length_ms)
    try:
        checked = check_recurrence(
            start,
            start + length,
            rule=recurrence.rule.text if recurrence.rule else None,
            time_zone=recurrence.time_zone,
            extra=(),
            excluded=(),
            horizon=max(now, start) + HORIZON,
        )
    except RuleError:
        return None
    return Wish(checked.recurrence, checked.starts, checked.until, places)


async def _compare(connection: Connection, state: ResourceState, wish: Wish) -> Clashing:
    calendar = Calendar()
    await load_claims(
        connection,
        {(state.resource, interval): None for interval in wish.wanted},
        exclusive=state.capacity == 1,
        named=1,
        calendars={state.resource: calendar},
    )
    unfinished = []
    if state.series_horizon is not None:
        unfinished = (await load_unfinished(connection, [state.resource])).get(state.resource, [])
    await wish.look_far(connection, state.resource, unfinished, now=state.now)
    await claim_unstored(calendar, unfinished, wish.wanted)
    return wish.clashing(calendar, capacity=state.capacity, now=state.now, far_limit=MAX_OCCURRENCE_CLASHES)
