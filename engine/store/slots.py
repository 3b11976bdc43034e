"""Slots, events and people, as a batch and the job that publishes slots read and write them.

All of it runs in the caller's transaction, after the resource rows are locked. People are locked after them, and
after the idempotency keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine.commands import SlotRule
from engine.rules.seats import Account, Offer
from engine.store import sql
from engine.store.pools import Connection

COUNTED_AT_MOST = 1_000
"""Active bookings of a person that are counted: no limit is higher."""


@dataclass(slots=True, frozen=True)
class LockedPerson:
    """A person's row, locked."""

    caller: str
    erased: bool


@dataclass(slots=True, frozen=True)
class NewSlot:
    """A slot as it is written, with the claim of its time on its host's calendar.

    slot        also the id of the claim.
    rule        that published it, or None.
    ticket, request_id  of the command that published it, or its rule.
    """

    slot: UUID
    resource: int
    host: str
    start_time: datetime
    end_time: datetime
    capacity: int
    rule: UUID | None
    ticket: int
    request_id: UUID
    created_at: datetime


@dataclass(slots=True, frozen=True)
class NewSlotRule:
    """A rule as it is written."""

    rule: SlotRule
    resource: int
    host: str
    slot_ms: int
    capacity: int
    ticket: int
    created_at: datetime


@dataclass(slots=True, frozen=True)
class ChangedEvent:
    """What becomes of an event. None leaves a property as it is."""

    event: UUID
    name: str | None
    capacity: int | None


async def lock_people(
    connection: Connection, callers: Iterable[str]
) -> tuple[dict[str, LockedPerson], datetime | None]:
    """Lock people's rows, in the order of their ids.

    callers  ids of people; what is none, or unknown, is left out.

    Returns the locked ones, and the database's clock after the last lock (None where there is none).
    """
    rows = await connection.fetch(sql("lock_people"), sorted(callers))
    people = {caller: LockedPerson(caller, row["erased"]) for row in rows for caller in (str(row["id"]),)}
    return people, max((row["now"] for row in rows), default=None)


async def load_accounts(
    connection: Connection, callers: Collection[str], *, now: datetime
) -> tuple[dict[str, Account], datetime]:
    """Count what people have ahead. Their rows are locked, so nobody else adds to it; others may take from it.

    callers  at least one.
    now      what ends then or before does not count.

    Returns the accounts, and the database's clock after they were read.
    """
    accounts = {caller: Account() for caller in callers}
    for row in await connection.fetch(sql("active_bookings"), list(callers), now, COUNTED_AT_MOST):
        if row["booking"] is not None:
            accounts[row["caller"]].bookings[row["booking"]] = row["host"]
        now = max(now, row["now"])
    return accounts, now


async def load_offers(
    connection: Connection, slots: Iterable[UUID], asking: Collection[tuple[UUID, str]]
) -> dict[UUID, Offer]:
    """Read the slots and events that commands name; what does not exist is missing.

    asking  (slot, caller): who wants a seat of which.
    """
    offers = {
        row["id"]: Offer(
            slot=row["id"],
            resource=row["resource"],
            host=row["host"],
            one_each=row["kind"] == "slot",
            start_time=row["start_time"],
            end_time=row["end_time"],
            capacity=row["capacity"],
            taken=row["taken"],
            cancelled=row["status"] == "cancelled",
            version=row["version"],
        )
        for row in await connection.fetch(sql("find_slots"), list(slots))
    }
    if asking:
        columns = [slot for slot, _ in asking], [caller for _, caller in asking]
        for row in await connection.fetch(sql("seat_holders"), *columns):
            offers[row["slot"]].holders.add(row["caller"])
    return offers


async def insert_slots(connection: Connection, slots: Sequence[NewSlot]) -> None:
    """Write slots, and the claims of their times."""
    await connection.execute(
        sql("insert_slots"),
        [item.slot for item in slots],
        [item.resource for item in slots],
        [item.host for item in slots],
        [item.start_time for item in slots],
        [item.end_time for item in slots],
        [item.capacity for item in slots],
        [item.rule for item in slots],
        [item.ticket for item in slots],
        [item.request_id for item in slots],
        [item.created_at for item in slots],
    )


async def insert_slot_rule(connection: Connection, new: NewSlotRule) -> None:
    """Write a rule that publishes slots. Before the slots that it published with its own command."""
    rule, recurrence = new.rule, new.rule.recurrence
    await connection.execute(
        sql("insert_slot_rule"),
        rule.rule,
        new.resource,
        new.host,
        recurrence.start,
        recurrence.time_zone,
        recurrence.length_ms,
        recurrence.rule.text if recurrence.rule is not None else None,
        new.slot_ms,
        rule.step_ms,
        new.capacity,
        rule.horizon_days,
        rule.published_until,
        new.ticket,
        new.created_at,
    )


async def end_slots(connection: Connection, slots: Mapping[UUID, datetime]) -> None:
    """Note that slots were taken back, by when. The claims of their times are ended with the other bookings."""
    await connection.execute(sql("end_slots"), list(slots), list(slots.values()))


async def end_slot_rules(connection: Connection, rules: Mapping[UUID, datetime]) -> None:
    """Note that rules publish no more. One that has ended keeps its end."""
    await connection.execute(sql("end_slot_rules"), list(rules), list(rules.values()))


async def change_events(connection: Connection, events: Sequence[ChangedEvent]) -> None:
    """Change events, one after the other as they were decided."""
    for item in events:
        await connection.execute(sql("change_event"), item.event, item.name, item.capacity)
