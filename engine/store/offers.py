"""Slots, events, calendars and rules that publish slots, as the API and the clock job read and make them.

What a batch reads and writes of them is in ``slots``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from engine.chain import EPOCH
from engine.commands import ANONYMOUS
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import rule_of
from engine.store import sql
from engine.store.pools import Connection

FIRST = UUID(int=0)
"""Before every id."""
LAST = UUID(int=2**128 - 1)
"""Behind every id."""
END = datetime(9999, 12, 31, tzinfo=UTC)
"""Behind everything that is offered or booked."""

Place = tuple[datetime, UUID]
"""Where something stands in a list: its start or end, then its id."""


class OfferHome(NamedTuple):
    """Where commands about a slot or event go, and who offers it. It never changes."""

    resource: int
    resource_id: str
    is_event: bool
    host: str


class CalendarHome(NamedTuple):
    """A host's calendar. It never changes."""

    resource: int
    resource_id: str
    time_zone: str


class Window(NamedTuple):
    """The part of a list that is asked for: behind a place, before an instant, so many rows at most."""

    after: Place = (EPOCH, FIRST)
    before: datetime = END
    limit: int = 100


@dataclass(slots=True, frozen=True)
class Offering:
    """A slot or event as it stands.

    name   of an event; None: it is a slot.
    rule   that published the slot, or None.
    taken  how many of its ``capacity`` seats are taken.
    now    the server's clock when it was read.
    """

    slot: UUID
    is_event: bool
    host: str
    name: str | None
    start_time: datetime
    end_time: datetime
    capacity: int
    taken: int
    cancelled: bool
    rule: UUID | None
    created_at: datetime
    version: int
    now: datetime

    @property
    def place(self) -> Place:
        """Where it stands in a list."""
        return self.start_time, self.slot


@dataclass(slots=True, frozen=True)
class StoredRule:
    """A rule that publishes slots, as it stands.

    recurrence       when its windows begin; their length is the recurrence's.
    slot_ms, step_ms how long a slot takes, and from the start of one to that of the next in a window.
    published_until  before which its slots were published; None: there are no more.
    """

    rule: UUID
    resource: int
    host: str
    recurrence: Recurrence
    slot_ms: int
    step_ms: int
    capacity: int
    horizon_days: int
    published_until: datetime | None
    ticket: int
    created_at: datetime
    ended_at: datetime | None

    @property
    def time_zone(self) -> str:
        """The IANA name of the zone in which its windows begin."""
        return self.recurrence.time_zone


@dataclass(slots=True, frozen=True)
class DueRule:
    """A rule that might have slots to publish by now.

    now  the server's clock when it was read.
    """

    rule: UUID
    resource: int
    time_zone: str
    horizon_days: int
    published_until: datetime
    now: datetime


# ---------------------------------------------------------------------------- slots and events


async def offer_homes(connection: Connection, slots: Sequence[UUID]) -> dict[UUID, OfferHome]:
    """Look up the homes of slots and events. What does not exist is missing."""
    rows = await connection.fetch(sql("offer_homes"), slots)
    return {row["id"]: OfferHome(row["resource"], row["resource_id"], row["is_event"], row["host"]) for row in rows}


async def find_offering(connection: Connection, slot: UUID) -> Offering | None:
    """Read a slot or event. None: there is none."""
    row = await connection.fetchrow(sql("find_offering"), slot)
    return None if row is None else _offering(row)


async def list_open_slots(
    connection: Connection, window: Window, *, host: str | None = None, seats: int = 1
) -> list[Offering]:
    """Read slots that have not begun and can be booked, in order of start.

    host   None: of all hosts.
    seats  that are left of each, at least 1.
    """
    if host is None:
        rows = await connection.fetch(sql("list_open_slots"), *window.after, window.before, seats, window.limit)
    else:
        arguments = host, *window.after, window.before, seats, window.limit
        rows = await connection.fetch(sql("list_open_slots_of_host"), *arguments)
    return [_offering(row) for row in rows]


async def next_open_slots(connection: Connection, slot: UUID, *, limit: int) -> list[Offering]:
    """Find the next slots of a slot's host that can be booked, behind it, in order of start."""
    return [_offering(row) for row in await connection.fetch(sql("next_open_slots"), slot, limit)]


async def list_slots_of_host(connection: Connection, host: str, window: Window) -> list[Offering]:
    """Read a host's slots, cancelled ones included, in order of start. What is over and was not booked is left out."""
    rows = await connection.fetch(sql("list_slots_of_host"), host, *window.after, window.before, window.limit)
    return [_offering(row) for row in rows]


async def list_events(connection: Connection, window: Window) -> list[Offering]:
    """Read events in order of start; those without a date stand last."""
    rows = await connection.fetch(sql("list_events"), *window.after, window.before, window.limit)
    return [_offering(row) for row in rows]


async def create_event(
    connection: Connection,
    *,
    event: UUID,
    host: str,
    name: str,
    total_seats: int,
    start_time: datetime,
    end_time: datetime,
) -> Offering | None:
    """Make an event and the resource in whose queue its seats are given away.

    Returns None where it would begin in the past.
    """
    row = await connection.fetchrow(
        sql("create_event"), event, f"event-{event}", host, name, total_seats, start_time, end_time
    )
    return None if row is None else _offering(row)


async def last_tickets(connection: Connection, resource_ids: Sequence[str]) -> dict[str, int]:
    """Read the last ticket decided of each resource. What this server does not know is missing."""
    rows = await connection.fetch(sql("last_tickets"), resource_ids)
    return {row["resource_id"]: row["last_ticket"] for row in rows}


# ---------------------------------------------------------------------------- calendars


async def find_calendars(connection: Connection, hosts: Sequence[str]) -> dict[str, CalendarHome]:
    """Look up the calendars of hosts. One that was not made yet is missing."""
    rows = await connection.fetch(sql("find_calendars"), hosts)
    return {row["owner"]: CalendarHome(row["id"], row["resource_id"], row["time_zone"]) for row in rows}


async def make_calendar(connection: Connection, host: str) -> CalendarHome | None:
    """Make a host's calendar, if it is not there, and say where it is.

    Returns None where its public name stands for something else.
    """
    person = None if host == ANONYMOUS else UUID(host)
    await connection.execute(sql("create_calendar"), host, person, f"calendar-{host}")
    return (await find_calendars(connection, [host])).get(host)


# ---------------------------------------------------------------------------- rules that publish slots


async def find_slot_rule(connection: Connection, rule: UUID) -> StoredRule | None:
    """Read a rule. None: there is none."""
    row = await connection.fetchrow(sql("find_slot_rule"), rule)
    return None if row is None else _rule(row)


async def list_slot_rules(connection: Connection, host: str, *, after: UUID, limit: int) -> list[StoredRule]:
    """Read a host's rules, ended ones included, oldest first.

    after  the last one on the page before, or FIRST.
    """
    return [_rule(row) for row in await connection.fetch(sql("list_slot_rules"), host, after, limit)]


async def due_slot_rules(connection: Connection, *, behind: UUID, limit: int) -> list[DueRule]:
    """Find rules that might have slots to publish, in order of their ids.

    behind  the last one that was looked at, or FIRST.
    """
    rows = await connection.fetch(sql("due_slot_rules"), behind, limit)
    return [DueRule(*row) for row in rows]


async def advance_slot_rule(connection: Connection, rule: UUID, until: datetime) -> None:
    """Say up to where a rule has published its slots. Its resource's row is locked."""
    await connection.execute(sql("advance_slot_rule"), rule, until)


async def request_of_ticket(connection: Connection, resource: int, ticket: int) -> UUID:
    """For which request a decided ticket was."""
    request_id = await connection.fetchval(sql("request_of_ticket"), resource, ticket)
    assert isinstance(request_id, UUID), "what a ticket made has its ledger row"
    return request_id


def _offering(row: asyncpg.Record) -> Offering:
    return Offering(
        slot=row["id"],
        is_event=row["is_event"],
        host=row["host"],
        name=row["name"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        capacity=row["capacity"],
        taken=row["taken"],
        cancelled=row["status"] == "cancelled",
        rule=row["rule"],
        created_at=row["created_at"],
        version=row["version"],
        now=row["now"],
    )


def _rule(row: asyncpg.Record) -> StoredRule:
    return StoredRule(
        rule=row["id"],
        resource=row["resource"],
        host=row["host"],
        recurrence=Recurrence(row["wall_clock"], row["time_zone"], row["window_ms"], rule_of(row["rule"])),
        slot_ms=row["slot_ms"],
        step_ms=row["step_ms"],
        capacity=row["capacity"],
        horizon_days=row["horizon_days"],
        published_until=row["published_until"],
        ticket=row["ticket"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
