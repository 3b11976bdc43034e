"""One batch, one transaction: lock, look at the fence, load, decide in ticket order, write.

The outcome of every command is what it would have been had the commands of its resource run one at a
time in ticket order, whatever the size of the batch: what stands is kept in memory and changed by each
decision before the next one is made. The caller opens the transaction and commits it.

The fence is ``resource.last_ticket``. A ticket at or below it was decided before: it is answered from the
ledger if its row carries the same request id. If the row carries another, Redis came back with an old
memory: nothing of that resource is decided, its numbers jump, and the queue must be restamped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engine import failpoints
from engine.commands import (
    MAX_CLASHES,
    Book,
    BookingStatus,
    BookingView,
    BookSeat,
    BookSeries,
    Cancel,
    CancelOccurrence,
    CancelSeries,
    CancelSlot,
    CancelSlotRule,
    ChangeEvent,
    Entry,
    MoveOccurrence,
    Outcome,
    PublishSlots,
    Reason,
    Reschedule,
    RestoreOccurrence,
    Status,
    Unreadable,
    UpdateResource,
    weight_of,
)
from engine.identifiers import uuid7
from engine.notebook import Notebook, clash_times
from engine.people import People, holder_of
from engine.rules.calendar import Calendar
from engine.rules.decide import Refusal, Standing, refuse_cancel, refuse_claim, refuse_move, refuse_update
from engine.rules.seats import Offer, refuse_event_change, refuse_late, refuse_seat, refuse_slot_cancel
from engine.series import Desk, SeriesDecision, decision_of
from engine.slots import Publishing
from engine.store import decisions as store
from engine.store.idempotency import Key
from engine.store.outcomes import outcomes_by_ticket
from engine.store.pools import Connection
from engine.store.series import load_unfinished
from engine.store.slots import ChangedEvent, load_offers
from engine.wish import claim_unstored, far_peak_of

TICKET_JUMP = 1_000_000
"""Numbers jump to a multiple of this when Redis lost its memory, so that the ledger shows it."""

NO_KEY = "\x1f"
"""Begins the key of a request that brought none. A caller's key is printable, so it cannot be taken for one."""

CLAIMING = (Book, Reschedule)
NAMING = (Cancel, Reschedule, CancelSlot)
"""Commands that claim an interval, and those that name a booking: a slot's claim has the slot's id."""
OFFERED = (BookSeat, CancelSlot, ChangeEvent)
"""Commands that name a slot or event."""
OF_SERIES = (BookSeries, CancelSeries, CancelOccurrence, RestoreOccurrence, MoveOccurrence, PublishSlots)
"""Commands that concern many times at once."""
ALONE = (UpdateResource, *OF_SERIES)
"""Commands that no other command of their resource shares a batch with: what they need is counted in SQL, or much."""
WEIGHT_LIMIT = 4_096
"""Occurrences that one transaction decides at most, a command without a series counting as one."""
STRETCH = 128
"""After so many commands the event loop goes on in between: leases are renewed and others answered."""

Answers = dict[int, list[tuple[Entry, Outcome]]]
"""By resource, in ticket order."""

_command_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")


@dataclass(slots=True, frozen=True)
class Forced:
    """What a command gets that the rules cannot be asked about any more.

    error     why.
    backstop  True: the schema refused what the rules granted, so it is a conflict.
              False: it was tried too often, so it failed, and its letter is kept.
    """

    error: str
    backstop: bool = False


@dataclass(slots=True)
class Decisions:
    """What became of a batch.

    answers  every entry that has its outcome now; these are trimmed from the queue.
    skipped  resources whose rows somebody else holds; nothing was done for them.
    stale    resources whose queue comes from an old memory: the first entry that is not what the ledger
             says, and the ticket with which the restamped queue begins.
    """

    answers: Answers = field(default_factory=dict)
    skipped: frozenset[int] = frozenset()
    stale: dict[int, tuple[Entry, int]] = field(default_factory=dict)


def jump(last_ticket: int) -> int:
    """The ticket at which numbers go on when they may have been given before.

    The first multiple of TICKET_JUMP that is greater than ``last_ticket`` + 1: two jumps with nothing
    decided between them do not meet.
    """
    return ((last_ticket + 1) // TICKET_JUMP + 1) * TICKET_JUMP


async def decide_batch(
    connection: Connection, queues: Mapping[int, Sequence[Entry]], *, forced: Forced | None = None
) -> Decisions:
    """Decide the heads of queues inside the caller's transaction.

    queues  the first entries of each resource's queue, in ticket order.
    forced  what the only entry gets, whatever the rules say.

    Raises whatever the database or a rule raises; nothing is decided then.
    """
    locked, clock = await store.lock(connection, sorted(queues))
    failpoints.reach("W3")
    decided = Decisions(skipped=frozenset(queues) - frozenset(locked))
    if clock is None:
        return decided
    todo = await _answer_from_ledger(connection, locked, queues, decided)
    failpoints.reach("W4")
    await decide_locked(connection, locked, clock, todo, decided, forced=forced)
    failpoints.reach("W5")
    return decided


async def _answer_from_ledger(
    connection: Connection,
    locked: Mapping[int, store.LockedResource],
    queues: Mapping[int, Sequence[Entry]],
    decided: Decisions,
) -> dict[int, list[Entry]]:
    """Answer what lies at or below the fence. Returns what is above it, by resource."""
    below = [
        (resource, entry.ticket)
        for resource, row in locked.items()
        for entry in queues[resource]
        if entry.ticket <= row.last_ticket
    ]
    known = await outcomes_by_ticket(connection, below) if below else {}
    todo: dict[int, list[Entry]] = {}
    for resource, row in locked.items():
        for entry in queues[resource]:
            if entry.ticket > row.last_ticket:
                todo.setdefault(resource, []).append(entry)
                continue
            request_id, outcome = known.get((resource, entry.ticket), (None, None))
            if outcome is None or request_id != entry.request.request_id:
                decided.stale[resource] = (entry, jump(row.last_ticket))
                todo.pop(resource, None)
                break
            decided.answers.setdefault(resource, []).append((entry, outcome))
    return todo


async def decide_locked(
    connection: Connection,
    locked: Mapping[int, store.LockedResource],
    clock: datetime,
    queues: Mapping[int, Sequence[Entry]],
    decided: Decisions,
    *,
    forced: Forced | None = None,
) -> None:
    """Decide entries above the fence of resources whose rows are locked, and write it all.

    clock    the database's, read after the locks.
    decided  takes the answers; its stale resources have their fences raised. A resource for whose first command
             there is no room in this batch is skipped.
    """
    taken = cut_weight({resource: cut_batch(entries) for resource, entries in queues.items()})
    decided.skipped |= queues.keys() - taken.keys() - decided.answers.keys()
    batch = _Batch(locked, clock, taken, forced)
    await batch.load(connection)
    since = 0
    for resource, entries in batch.queues.items():
        for entry in entries:
            decided.answers.setdefault(resource, []).append((entry, batch.decide(resource, entry)))
            since += 1
            if isinstance(entry.request.command, OF_SERIES):
                await store.stay(connection)
            elif since % STRETCH == 0:
                await asyncio.sleep(0)
    for resource, (_, base) in decided.stale.items():
        batch.writes.raised.append((resource, base - 1))
    await store.write(connection, batch.writes)


def cut_batch(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Leave a command that is decided alone to a batch of its own."""
    for position, entry in enumerate(entries):
        if isinstance(entry.request.command, ALONE):
            return entries[: max(position, 1)]
    return entries


def cut_weight(queues: Mapping[int, Sequence[Entry]]) -> dict[int, Sequence[Entry]]:
    """Leave what is more than one transaction decides to the next. The first command is always taken.

    Returns what is decided now; a resource of which nothing is, is missing.
    """
    room, taken = WEIGHT_LIMIT, dict[int, Sequence[Entry]]()
    for resource, entries in queues.items():
        weight = sum(weight_of(entry.request.command) for entry in entries)
        if weight <= room or not taken:
            taken[resource] = entries
            room -= weight
    return taken


class _Batch:
    """The state of a batch while it decides: what stands, and what is to be written."""

    def __init__(
        self,
        locked: Mapping[int, store.LockedResource],
        clock: datetime,
        queues: Mapping[int, Sequence[Entry]],
        forced: Forced | None,
    ) -> None:
        self.queues = queues
        self.writes = store.Writes()
        self._locked = locked
        self._forced = forced
        self._notebook = Notebook(locked, clock, self.writes)
        self._now = self._notebook.now
        self._outcomes = self._notebook.outcomes
        self._calendars = {resource: Calendar() for resource in queues}
        self._bookings: dict[UUID, tuple[int, Standing]] = {}
        self._keys: dict[Key, store.KnownKey] = {}
        self._peaks: dict[int, int] = {}
        self._series: dict[int, SeriesDecision[Any]] = {}
        self._unstored: dict[int, frozenset[UUID]] = {}
        self._people = People({resource: row.owner for resource, row in locked.items()})
        self._offers: dict[UUID, Offer] = {}
        self._ways: dict[type, Callable[[int, Entry, Any], Outcome]] = {
            Book: self._book,
            Cancel: self._cancel,
            Reschedule: self._reschedule,
            UpdateResource: self._update,
            BookSeat: self._book_seat,
            CancelSlot: self._cancel_slot,
            CancelSlotRule: self._cancel_slot_rule,
            ChangeEvent: self._change_event,
        }

    # ------------------------------------------------------------------ load

    async def load(self, connection: Connection) -> None:
        """Take the idempotency keys and load all that the rules will ask for."""
        await self._take_keys(connection)
        if self._forced is not None:
            return  # loading may be what failed
        clock = await self._people.meet(connection, self._entries())
        if clock is not None:
            self._notebook.wait_until(clock)
        named = {
            named_booking(entry.request.command)
            for entry in self._entries()
            if isinstance(entry.request.command, NAMING)
        }
        if named:
            self._bookings = await store.load_bookings(connection, named)
        await self._load_offers(connection)
        await self._learn_series(connection)
        wanted = self._wanted()
        freeing = len(named) + sum(decision.freeing for decision in self._series.values())
        for exclusive in (True, False):
            await store.load_claims(
                connection,
                {
                    (resource, interval): None
                    for resource, intervals in wanted.items()
                    for interval in intervals
                    if (self._locked[resource].capacity == 1) is exclusive
                },
                exclusive=exclusive,
                named=MAX_CLASHES + freeing,
                calendars=self._calendars,
            )
        await self._load_unstored(connection, wanted)
        await self._load_peaks(connection)

    def _entries(self) -> Iterator[Entry]:
        return (entry for entries in self.queues.values() for entry in entries)

    async def _load_offers(self, connection: Connection) -> None:
        """Read the slots and events that commands name, and those whose seats may be given back."""
        requests = [entry.request for entry in self._entries()]
        slots = {named_slot(request.command) for request in requests if isinstance(request.command, OFFERED)}
        slots |= {standing.slot for _, standing in self._bookings.values() if standing.slot is not None}
        if slots:
            asking = {
                (request.command.slot, holder_of(request))
                for request in requests
                if isinstance(request.command, BookSeat)
            }
            self._offers = await load_offers(connection, slots, asking)

    async def _learn_series(self, connection: Connection) -> None:
        """Let each command about a series load what it names."""
        for resource, entries in self.queues.items():
            entry = entries[0]  # it is decided alone
            command = entry.request.command
            if isinstance(command, OF_SERIES):
                desk = Desk(
                    entry,
                    self._locked[resource],
                    self._now[resource],
                    self._calendars[resource],
                    self._notebook,
                    self.writes,
                    self._people,
                )
                self._series[resource] = decision = (
                    Publishing(command, desk) if isinstance(command, PublishSlots) else decision_of(command, desk)
                )
                await decision.learn(connection)

    def _wanted(self) -> dict[int, list[store.Interval]]:
        """The distinct times that the commands of each resource claim."""
        wanted: dict[int, dict[store.Interval, None]] = {}
        for resource, entries in self.queues.items():
            for entry in entries:
                command = entry.request.command
                if isinstance(command, CLAIMING):
                    wanted.setdefault(resource, {})[command.start_time, command.end_time] = None
        for resource, decision in self._series.items():
            wanted[resource] = dict.fromkeys(decision.wanted())
        return {resource: list(intervals) for resource, intervals in wanted.items() if intervals}

    async def _load_unstored(self, connection: Connection, wanted: Mapping[int, Sequence[store.Interval]]) -> None:
        """Put what is not stored of infinite series into the calendars, where anybody asks about it."""
        asked = {
            resource
            for resource, intervals in wanted.items()
            if (horizon := self._locked[resource].series_horizon) is not None
            and max(end for _, end in intervals) > horizon
        }
        endless = {resource for resource, decision in self._series.items() if decision.endless}
        needed = {resource for resource in asked | endless if self._locked[resource].series_horizon is not None}
        unfinished = await load_unfinished(connection, sorted(needed)) if needed else {}
        for resource in asked | endless:
            standing = unfinished.get(resource, [])
            if decision := self._series.get(resource):
                standing = decision.desk.unfinished = decision.beside(standing)
                await decision.look_far(connection)
            intervals, calendar = wanted.get(resource, ()), self._calendars[resource]
            self._unstored[resource] = await claim_unstored(calendar, standing, intervals)

    async def _load_peaks(self, connection: Connection) -> None:
        for resource, entries in self.queues.items():
            command = entries[0].request.command
            if isinstance(command, UpdateResource) and command.capacity is not None:
                # What has passed cannot be cancelled, and holds no capacity up. Only that a room was never taken twice
                # is asked of all time, as the schema asks it.
                after = self._now[resource] if command.capacity > 1 else None
                self._peaks[resource] = await store.load_peak(connection, resource, after=after)
                if self._locked[resource].series_horizon is not None:
                    unfinished = (await load_unfinished(connection, [resource])).get(resource, [])
                    far = await far_peak_of(connection, resource, unfinished, now=self._now[resource])
                    self._peaks[resource] = max(self._peaks[resource], far)

    async def _take_keys(self, connection: Connection) -> None:
        """Take each key for the first entry that carries it; learn what the taken ones stand for.

        An entry that will be refused its key takes its own request id instead, so that it, too, is decided once.
        """
        entries = [(resource, entry) for resource, entries in self.queues.items() for entry in entries]
        taking: dict[Key, tuple[bytes, UUID, int, int]] = {}
        for resource, entry in entries:
            taking.setdefault(key_of(entry), _claim_of(resource, entry))
        await self._take(connection, taking)
        refused = {
            own_key_of(entry): _claim_of(resource, entry)
            for resource, entry in entries
            if self._keys[key_of(entry)].body_hash != entry.request.body_hash
        }
        if refused:
            await self._take(connection, refused)

    async def _take(self, connection: Connection, taking: dict[Key, tuple[bytes, UUID, int, int]]) -> None:
        known = await store.take_keys(connection, taking)
        self._keys |= known
        decided = [
            (standing.resource, standing.ticket)
            for standing in known.values()  # another content than the first entry's: a later one may have it again
            if standing.resource is not None and standing.ticket is not None
        ]
        for ticket, (_, outcome) in (await outcomes_by_ticket(connection, decided) if decided else {}).items():
            self._outcomes[ticket] = outcome
        for key, (body_hash, _, resource, number) in taking.items():
            self._keys.setdefault(key, store.KnownKey(body_hash, resource, number))

    # ---------------------------------------------------------------- decide

    def decide(self, resource: int, entry: Entry) -> Outcome:
        """Decide one entry; the entries of a resource come in ticket order."""
        request, command = entry.request, entry.request.command
        known = self._keys[key_of(entry)]
        if known.body_hash != request.body_hash:
            return self._refuse_key(resource, entry)
        if (known.resource, known.ticket) != (resource, entry.ticket):
            return self._repeat(resource, entry, known)
        if self._forced is not None:
            return self._force(resource, entry, self._forced)
        if isinstance(command, Unreadable):
            return self._force(resource, entry, Forced("the entry cannot be read"))
        failpoints.reach("decide", request.key)
        if entry.withdrawn or self._people.gone(request):
            return self._notebook.end(resource, entry, Status.WITHDRAWN)
        way = self._ways.get(type(command))
        return self._series[resource].decide() if way is None else way(resource, entry, command)

    def _book(self, resource: int, entry: Entry, command: Book) -> Outcome:
        request = entry.request
        refusal = self._refuse_claim(resource, command.start_time, command.end_time, command.places)
        refusal = refusal or self._people.refuse(request)
        if refusal is not None:
            return self._refuse(resource, entry, refusal, wanted_start=command.start_time)
        counted = self._people.counted(request)
        made = self._make(resource, entry, command.start_time, command.end_time, command.places)
        return self._notebook.confirm(resource, entry, _view(made), caller=made.caller, counted=counted)

    def _book_seat(self, resource: int, entry: Entry, command: BookSeat) -> Outcome:
        request, offer = entry.request, self._offer(resource, command.slot)
        holder, host = holder_of(request), offer.host if offer.one_each else None
        refusal = refuse_seat(offer, holder, now=self._now[resource]) or self._people.refuse(request, host=host)
        if refusal is not None:
            return self._notebook.refuse(resource, entry, refusal)
        counted = self._people.counted(request)
        view = BookingView(uuid7(), offer.start_time, offer.end_time, 1, BookingStatus.CONFIRMED)
        offer.taken += 1
        offer.holders.add(holder)
        self._people.add(resource, holder, view.booking, host=host)
        return self._notebook.confirm(resource, entry, view, caller=holder, counted=counted)

    def _cancel_slot(self, resource: int, entry: Entry, command: CancelSlot) -> Outcome:
        offer, claim = self._offer(resource, command.slot), self._named(resource, command.slot)
        refusal = refuse_slot_cancel(offer)
        if refusal is not None:
            return self._notebook.refuse(resource, entry, refusal)
        if not offer.cancelled:
            offer.cancelled = True
            self._end(resource, claim, BookingStatus.CANCELLED)
            self.writes.ended_slots[command.slot] = self._now[resource]
        return self._notebook.confirm(resource, entry, _view(claim))

    def _cancel_slot_rule(self, resource: int, entry: Entry, command: CancelSlotRule) -> Outcome:
        self.writes.ended_slot_rules[command.rule] = self._now[resource]
        return self._notebook.confirm(resource, entry)

    def _change_event(self, resource: int, entry: Entry, command: ChangeEvent) -> Outcome:
        offer = self._offer(resource, command.event)
        refusal = refuse_event_change(offer, total_seats=command.total_seats, if_version=command.if_version)
        if refusal is not None:
            return self._notebook.refuse(resource, entry, refusal)
        offer.capacity = command.total_seats or offer.capacity
        offer.version += 1
        self.writes.changed_events.append(ChangedEvent(command.event, command.name, command.total_seats))
        return self._notebook.confirm(resource, entry)

    def _cancel(self, resource: int, entry: Entry, command: Cancel) -> Outcome:
        standing = self._named(resource, command.booking)
        assert standing.slot != standing.booking, "what claims a slot's time ends with the slot"
        refusal = refuse_cancel(standing, if_version=command.if_version)
        if refusal is None and standing.is_seat:
            refusal = refuse_late(standing, entry.request.limits, now=self._now[resource])
        if refusal is not None:
            return self._notebook.refuse(resource, entry, refusal)
        if standing.status is BookingStatus.CONFIRMED:
            self._end(resource, standing, BookingStatus.CANCELLED, reason=command.reason)
        return self._notebook.confirm(resource, entry, _view(standing))

    def _reschedule(self, resource: int, entry: Entry, command: Reschedule) -> Outcome:
        old = self._named(resource, command.booking)
        assert old.slot is None, "a slot or a seat has the time that it has"
        refusal = refuse_move(old, if_version=command.if_version)
        if refusal is None:
            self._claim(resource, old, stands=False)
            refusal = self._refuse_claim(resource, command.start_time, command.end_time, old.places)
            self._claim(resource, old, stands=True)
        refusal = refusal or self._people.refuse(entry.request, of=old.booking)
        if refusal is not None:
            return self._refuse(resource, entry, refusal, wanted_start=command.start_time)
        counted = self._people.counted(entry.request, of=old.booking)
        self._end(resource, old, BookingStatus.RESCHEDULED)
        made = self._make(resource, entry, command.start_time, command.end_time, old.places, moved=old)
        old.rescheduled_to = made.booking
        return self._notebook.confirm(resource, entry, _view(made), caller=made.caller, counted=counted)

    def _update(self, resource: int, entry: Entry, command: UpdateResource) -> Outcome:
        refusal = refuse_update(
            version=self._locked[resource].version,
            if_version=command.if_version,
            capacity=command.capacity,
            peak=self._peaks.get(resource, 0),
        )
        if refusal is not None:
            return self._notebook.refuse(resource, entry, refusal)
        self.writes.updated.append((resource, command))
        return self._notebook.confirm(resource, entry)

    def _refuse(self, resource: int, entry: Entry, refusal: Refusal, *, wanted_start: datetime) -> Outcome:
        """Note a no. Where an occurrence that is not stored stands in the way, nobody can look up its time later."""
        unstored = self._unstored.get(resource, frozenset())
        detail = None
        if any(clash.booking in unstored for clash in refusal.clashes):
            detail = clash_times(refusal.clashes, wanted_start)
        return self._notebook.refuse(resource, entry, refusal, detail=detail)

    def _refuse_key(self, resource: int, entry: Entry) -> Outcome:
        """Refuse a key that stands for another request; where this one was refused before, repeat that."""
        known = self._keys[own_key_of(entry)]
        if (known.resource, known.ticket) != (resource, entry.ticket):
            return self._repeat(resource, entry, known)
        return self._notebook.refuse(resource, entry, Refusal(Reason.KEY_REUSED))

    def _repeat(self, resource: int, entry: Entry, known: store.KnownKey) -> Outcome:
        """Answer a request that was decided before with that outcome."""
        assert known.resource is not None, (
            "only a request without a queue has a key without a ticket, and other content"
        )
        assert known.ticket is not None, "as above"
        return self._notebook.repeat(resource, entry, self._outcomes[known.resource, known.ticket])

    def _force(self, resource: int, entry: Entry, forced: Forced) -> Outcome:
        if forced.backstop:
            return self._notebook.refuse(resource, entry, Refusal(Reason.CONFLICT))
        request = entry.request
        self.writes.dead.append(
            store.DeadLetter(
                resource, entry.ticket, request.request_id, _command_encoder.encode(request.command), forced.error
            )
        )
        return self._notebook.end(resource, entry, Status.FAILED)

    # ---------------------------------------------------------------- change what stands

    def _refuse_claim(self, resource: int, start_time: datetime, end_time: datetime, places: int) -> Refusal | None:
        return refuse_claim(
            start_time,
            end_time,
            places,
            calendar=self._calendars[resource],
            capacity=self._locked[resource].capacity,
            now=self._now[resource],
        )

    def _named(self, resource: int, booking: UUID) -> Standing:
        home, standing = self._bookings[booking]
        assert home == resource, "a booking's command came through another resource's queue"
        return standing

    def _offer(self, resource: int, slot: UUID) -> Offer:
        offer = self._offers[slot]
        assert offer.resource == resource, "a slot's command came through another resource's queue"
        return offer

    def _make(
        self,
        resource: int,
        entry: Entry,
        start_time: datetime,
        end_time: datetime,
        places: int,
        *,
        moved: Standing | None = None,
    ) -> Standing:
        standing = Standing(
            uuid7(),
            start_time,
            end_time,
            places,
            BookingStatus.CONFIRMED,
            entry.ticket,
            1,
            moved.caller if moved else entry.request.caller,
        )
        self._claim(resource, standing, stands=True)
        self._people.add(resource, standing.caller, standing.booking)
        return standing

    def _end(self, resource: int, standing: Standing, status: BookingStatus, *, reason: str | None = None) -> None:
        if standing.is_seat and standing.slot is not None:
            offer = self._offer(resource, standing.slot)
            offer.taken -= 1
            offer.holders.discard(standing.caller)
        else:
            self._claim(resource, standing, stands=False)
        self._people.remove(standing.caller, standing.booking)
        standing.status = status
        standing.version += 1
        self.writes.ended.append(store.EndedBooking(standing, self._now[resource], reason))

    def _claim(self, resource: int, standing: Standing, *, stands: bool) -> None:
        change = self._calendars[resource].add if stands else self._calendars[resource].remove
        change(
            standing.start_time,
            standing.end_time,
            places=standing.places,
            ticket=standing.ticket,
            booking=standing.booking,
        )


def key_of(entry: Entry) -> Key:
    """The idempotency key of an entry: the caller's, or its own request id where there is none."""
    request = entry.request
    return own_key_of(entry) if request.key is None else (request.caller, request.key)


def own_key_of(entry: Entry) -> Key:
    """The key that nobody else can use."""
    return (entry.request.caller, f"{NO_KEY}{entry.request.request_id}")


def named_booking(command: Cancel | Reschedule | CancelSlot) -> UUID:
    """The booking that a command names. A slot's claim has the slot's id."""
    return command.slot if isinstance(command, CancelSlot) else command.booking


def named_slot(command: BookSeat | CancelSlot | ChangeEvent) -> UUID:
    """The slot or event that a command names."""
    return command.event if isinstance(command, ChangeEvent) else command.slot


def _claim_of(resource: int, entry: Entry) -> tuple[bytes, UUID, int, int]:
    return (entry.request.body_hash, entry.request.request_id, resource, entry.ticket)


def _view(standing: Standing) -> BookingView:
    return BookingView(standing.booking, standing.start_time, standing.end_time, standing.places, standing.status)
