"""What a batch reads and writes, each in one statement for the whole batch.

All of it runs in the batch's own transaction, READ COMMITTED, after the resource rows are locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from engine.chain import LedgerRow
from engine.commands import BookingStatus, UpdateResource
from engine.rules.calendar import Calendar
from engine.rules.decide import Standing
from engine.store import sql
from engine.store.idempotency import Key, find_keys
from engine.store.pools import Connection
from engine.store.resources import CHANGE_TIMEOUT_S, allow_change
from engine.store.series import ChangedSeries, NewOccurrence, NewSeries, raise_horizons, write_series
from engine.store.slots import (
    ChangedEvent,
    NewSlot,
    NewSlotRule,
    change_events,
    end_slot_rules,
    end_slots,
    insert_slot_rule,
    insert_slots,
)

Interval = tuple[datetime, datetime]


@dataclass(slots=True, frozen=True)
class LockedResource:
    """A resource's row, locked.

    last_ticket     the fence: the last ticket decided.
    last_row_hash   where the ledger's chain goes on.
    last_decided_at below which time must not fall.
    series_horizon  before which every claim is stored; None: all of them are.
    owner           the caller whose it is; None: nobody's in particular.
    """

    resource: int
    capacity: int
    version: int
    last_ticket: int
    last_row_hash: bytes
    last_decided_at: datetime
    series_horizon: datetime | None
    owner: str | None


@dataclass(slots=True, frozen=True)
class DecidedRow:
    """A ledger row as it is written.

    caller     whose booking the row made, None where it made none. Nobody knows a booking's id before the
               commit, so a booking that is made in a batch cannot end in it.
    exclusive  whether that booking's resource has one place.
    asking     who asked.
    """

    row: LedgerRow
    row_hash: bytes
    caller: str | None
    exclusive: bool
    asking: str


@dataclass(slots=True)
class EndedBooking:
    """A booking from before this batch that the batch ended."""

    standing: Standing
    ended_at: datetime
    cancellation_reason: str | None = None


@dataclass(slots=True, frozen=True)
class DeadLetter:
    """A command that was given up."""

    resource: int
    ticket: int
    request_id: UUID
    command: bytes
    error: str


@dataclass(slots=True)
class Writes:
    """Everything that a batch decided, in the form in which it is written.

    rows      in ticket order for each resource.
    raised    (resource, last ticket) of resources whose numbers jump.
    horizons  resources whose series changed, so that their horizon is to be set anew.
    """

    ended: list[EndedBooking] = field(default_factory=list)
    made_series: list[NewSeries] = field(default_factory=list)
    changed_series: list[ChangedSeries] = field(default_factory=list)
    touched_series: list[UUID] = field(default_factory=list)
    occurrences: list[NewOccurrence] = field(default_factory=list)
    horizons: set[int] = field(default_factory=set)
    updated: list[tuple[int, UpdateResource]] = field(default_factory=list)
    made_slots: list[NewSlot] = field(default_factory=list)
    made_slot_rules: list[NewSlotRule] = field(default_factory=list)
    ended_slots: dict[UUID, datetime] = field(default_factory=dict)
    ended_slot_rules: dict[UUID, datetime] = field(default_factory=dict)
    changed_events: list[ChangedEvent] = field(default_factory=list)
    rows: list[DecidedRow] = field(default_factory=list)
    raised: list[tuple[int, int]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class KnownKey:
    """What an idempotency key stands for. ``ticket`` is None where no queue was needed."""

    body_hash: bytes
    resource: int | None
    ticket: int | None


async def lock(
    connection: Connection, resources: Sequence[int], *, wait: bool = False
) -> tuple[dict[int, LockedResource], datetime | None]:
    """Lock the rows of ``resources`` and read their fences.

    wait  False: leave out the rows that somebody else holds. True: wait for the one resource's row.

    Returns the locked resources, and the database's clock after the last lock (None where there is none).
    """
    if wait:
        rows = await connection.fetch(sql("lock_resource"), resources[0])
    else:
        rows = await connection.fetch(sql("lock_resources"), resources)
    locked = {
        row["id"]: LockedResource(
            row["id"],
            row["capacity"],
            row["version"],
            row["last_ticket"],
            row["last_row_hash"],
            row["last_decided_at"],
            row["series_horizon"],
            row["owner"],
        )
        for row in rows
    }
    return locked, max((row["now"] for row in rows), default=None)


async def load_claims(
    connection: Connection,
    wanted: Iterable[tuple[int, Interval]],
    *,
    exclusive: bool,
    named: int,
    calendars: dict[int, Calendar],
) -> None:
    """Load the live claims that overlap the wanted times into the calendars.

    wanted     distinct (resource, interval), all exclusive resources or all shared ones.
    named      how many bookings of one interval to name: MAX_CLASHES and one more for each booking that the batch may
               end. Of a resource with one place no more are loaded either: whatever the batch takes away, enough
               are left to show that the time is taken, and by whom.
    calendars  by resource; each wanted resource has one.
    """
    asked = list(wanted)
    if not asked:
        return
    columns = (
        [resource for resource, _ in asked],
        [interval[0] for _, interval in asked],
        [interval[1] for _, interval in asked],
    )
    if exclusive:
        for row in await connection.fetch(sql("claims_exclusive"), *columns, named):
            resource, start_time, end_time, places, ticket, booking = row
            calendars[resource].load(start_time, end_time, places=places, bookings=[(ticket, booking)])
    else:
        for row in await connection.fetch(sql("claims_shared"), *columns, named):
            resource, start_time, end_time, places, tickets, bookings = row
            calendars[resource].load(start_time, end_time, places=places, bookings=zip(tickets, bookings, strict=True))


async def load_bookings(connection: Connection, bookings: Iterable[UUID]) -> dict[UUID, tuple[int, Standing]]:
    """Read the bookings that commands name.

    Returns (resource, booking) by id; what does not exist is missing.
    """
    return {
        row["id"]: (
            row["resource"],
            Standing(
                row["id"],
                row["start_time"],
                row["end_time"],
                row["places"],
                BookingStatus(row["status"]),
                row["ticket"],
                row["version"],
                row["caller"],
                row["rescheduled_to"],
                row["slot"],
            ),
        )
        for row in await connection.fetch(sql("named_bookings"), list(bookings))
    }


async def load_peak(connection: Connection, resource: int, *, after: datetime | None) -> int:
    """The most places of the resource that live bookings take at one instant.

    after  leaves out what ends then or before; None leaves out nothing.

    All bookings of the resource may be counted for it, and are rewritten by the foreign key where the resource changes
    its kind (one place, several): what is left of the transaction has CHANGE_TIMEOUT_S for each statement.
    """
    await allow_change(connection)
    peak = await connection.fetchval(sql("peak_use"), resource, after, timeout=CHANGE_TIMEOUT_S + 1)
    assert isinstance(peak, int)
    return peak


async def take_keys(connection: Connection, keys: dict[Key, tuple[bytes, UUID, int, int]]) -> dict[Key, KnownKey]:
    """Take the keys for this batch.

    keys  (caller, key) -> (body hash, request id, resource, ticket).

    Returns those that were taken before, by an earlier decision. Waits where another batch is taking one.
    """
    if not keys:
        return {}
    values = keys.values()
    done = await connection.execute(
        sql("insert_keys"),
        [caller for caller, _ in keys],
        [key for _, key in keys],
        [value[0] for value in values],
        [value[1] for value in values],
        [value[2] for value in values],
        [value[3] for value in values],
    )
    if done == f"INSERT 0 {len(keys)}":
        return {}
    return {
        key: KnownKey(kept.body_hash, kept.resource, kept.ticket)
        for key, kept in (await find_keys(connection, list(keys))).items()
        if (kept.resource, kept.ticket) != keys[key][2:]
    }


async def stay(connection: Connection) -> None:
    """Let the server hear from the session: comparing series takes a while, and a silent one is ended."""
    await connection.execute(sql("stay"))


async def write(connection: Connection, writes: Writes) -> None:
    """Write a batch: ended claims first, for their time may be taken by the new ones."""
    if writes.ended:
        ended = writes.ended
        freed = await connection.fetch(
            sql("end_bookings"),
            [item.standing.booking for item in ended],
            [item.standing.status.value for item in ended],
            [item.ended_at for item in ended],
            [item.cancellation_reason for item in ended],
            [item.standing.rescheduled_to for item in ended],
        )
        assert len(freed) == len(ended), "a booking that was live under the lock is not"
    for resource, update in writes.updated:
        await connection.execute(
            sql("update_resource"), resource, update.name, update.capacity, timeout=CHANGE_TIMEOUT_S + 1
        )
    await _write_slots(connection, writes)
    if writes.made_series or writes.changed_series or writes.touched_series or writes.occurrences:
        await write_series(
            connection, writes.made_series, writes.changed_series, writes.touched_series, writes.occurrences
        )
    if writes.horizons:
        await raise_horizons(connection, writes.horizons)
    if writes.rows:
        fenced = await connection.fetch(sql("write_decisions"), *_ledger_columns(writes.rows))
        assert len(fenced) == len({item.row.resource for item in writes.rows}), "the fence moved under the lock"
    if writes.raised:
        raised = await connection.fetch(sql("raise_fences"), *_columns(writes.raised))
        assert len(raised) == len(writes.raised), "the fence moved under the lock"
    if writes.dead:
        await connection.execute(
            sql("insert_dead_letters"),
            *_columns([(d.resource, d.ticket, d.request_id, d.command, d.error) for d in writes.dead]),
        )


async def _write_slots(connection: Connection, writes: Writes) -> None:
    for rule in writes.made_slot_rules:
        await insert_slot_rule(connection, rule)
    if writes.made_slots:
        await insert_slots(connection, writes.made_slots)
    if writes.ended_slots:
        await end_slots(connection, writes.ended_slots)
    if writes.ended_slot_rules:
        await end_slot_rules(connection, writes.ended_slot_rules)
    await change_events(connection, writes.changed_events)


def _ledger_columns(rows: list[DecidedRow]) -> list[list[object]]:
    return _columns(
        [
            (
                row.resource,
                row.ticket,
                row.request_id,
                row.kind,
                row.start_time,
                row.end_time,
                row.places,
                row.capacity,
                row.subject,
                row.outcome,
                row.reason,
                row.booking,
                "{" + ",".join(map(str, row.clashes)) + "}" if row.clashes else None,
                row.first_ticket,
                row.joined_at,
                row.decided_at,
                decided.row_hash,
                decided.caller,
                decided.exclusive,
                row.detail,
                decided.asking,
                row.counted,
                row.counted_limit,
            )
            for decided in rows
            for row in (decided.row,)
        ]
    )


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Turn rows into the columns that ``unnest`` takes; one of nothing but None becomes empty, which costs least."""
    count = len(rows)
    return [[] if column.count(None) == count else list(column) for column in zip(*rows, strict=True)]
