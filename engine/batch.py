"""One batch, one transaction: lock, look at the fence, load, decide in ticket order, write.

The outcome of every command is what it would have been had the commands of its resource run one at a
time in ticket order, whatever the size of the batch: what stands is kept in memory and changed by each
decision before the next one is made. The caller opens the transaction and commits it.

The fence is ``resource.last_ticket``. A ticket at or below it was decided before: it is answered from the
ledger if its row carries the same request id. If the row carries another, Redis came back with an old
memory: nothing of that resource is decided, its numbers jump, and the queue must be restamped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from engine import failpoints
from engine.chain import LedgerRow, row_hash
from engine.commands import (
    MAX_CLASHES,
    Book,
    BookingStatus,
    BookingView,
    Cancel,
    Entry,
    Outcome,
    Reason,
    Reschedule,
    Status,
    Unreadable,
    UpdateResource,
    kind_of,
)
from engine.identifiers import uuid7
from engine.rules.calendar import Calendar
from engine.rules.decide import Refusal, Standing, refuse_cancel, refuse_claim, refuse_move, refuse_update
from engine.store import decisions as store
from engine.store.idempotency import Key
from engine.store.outcomes import outcomes_by_ticket
from engine.store.pools import Connection

TICKET_JUMP = 1_000_000
"""Numbers jump to a multiple of this when Redis lost its memory, so that the ledger shows it."""

NO_KEY = "\x1f"
"""Begins the key of a request that brought none. A caller's key is printable, so it cannot be taken for one."""

CLAIMING = (Book, Reschedule)
NAMING = (Cancel, Reschedule)
"""Commands that claim an interval, and those that name a booking."""

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
    decided  takes the answers; its stale resources have their fences raised.
    """
    batch = _Batch(locked, clock, {resource: cut_batch(entries) for resource, entries in queues.items()}, forced)
    await batch.load(connection)
    for resource, entries in batch.queues.items():
        for entry in entries:
            decided.answers.setdefault(resource, []).append((entry, batch.decide(resource, entry)))
    for resource, (_, base) in decided.stale.items():
        batch.writes.raised.append((resource, base - 1))
    await store.write(connection, batch.writes)


def cut_batch(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Leave a change of the resource to a batch of its own: what it needs to know is counted in SQL."""
    for position, entry in enumerate(entries):
        if isinstance(entry.request.command, UpdateResource):
            return entries[: max(position, 1)]
    return entries


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
        self._now = {resource: max(clock, row.last_decided_at) for resource, row in locked.items()}
        self._hashes = {resource: row.last_row_hash for resource, row in locked.items()}
        self._calendars = {resource: Calendar() for resource in queues}
        self._bookings: dict[UUID, tuple[int, Standing]] = {}
        self._keys: dict[Key, store.KnownKey] = {}
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        self._peaks: dict[int, int] = {}

    # ------------------------------------------------------------------ load

    async def load(self, connection: Connection) -> None:
        """Take the idempotency keys and load all that the rules will ask for."""
        await self._take_keys(connection)
        if self._forced is not None:
            return  # loading may be what failed
        named: set[UUID] = set()
        wanted: dict[bool, dict[tuple[int, store.Interval], None]] = {True: {}, False: {}}
        freeing = 0
        for resource, entries in self.queues.items():
            exclusive = self._locked[resource].capacity == 1
            for entry in entries:
                command = entry.request.command
                if isinstance(command, CLAIMING):
                    wanted[exclusive][resource, (command.start_time, command.end_time)] = None
                if isinstance(command, NAMING):
                    named.add(command.booking)
                    freeing += 1
                if isinstance(command, UpdateResource) and command.capacity is not None:
                    self._peaks[resource] = await store.load_peak(connection, resource)
        for exclusive, intervals in wanted.items():
            await store.load_claims(
                connection, intervals, exclusive=exclusive, named=MAX_CLASHES + freeing, calendars=self._calendars
            )
        if named:
            self._bookings = await store.load_bookings(connection, named)

    async def _take_keys(self, connection: Connection) -> None:
        """Take each key for the first entry that carries it; learn what the taken ones stand for."""
        taking: dict[Key, tuple[bytes, UUID, int, int]] = {}
        for resource, entries in self.queues.items():
            for entry in entries:
                request = entry.request
                taking.setdefault(key_of(entry), (request.body_hash, request.request_id, resource, entry.ticket))
        self._keys = await store.take_keys(connection, taking)
        decided = [
            (known.resource, known.ticket)
            for key, known in self._keys.items()
            if known.resource is not None and known.ticket is not None and known.body_hash == taking[key][0]
        ]
        for ticket, (_, outcome) in (await outcomes_by_ticket(connection, decided) if decided else {}).items():
            self._outcomes[ticket] = outcome
        for key, (body_hash, _, resource, number) in taking.items():
            self._keys.setdefault(key, store.KnownKey(body_hash, resource, number))

    # ---------------------------------------------------------------- decide

    def decide(self, resource: int, entry: Entry) -> Outcome:
        """Decide one entry; the entries of a resource come in ticket order."""
        request = entry.request
        known = self._keys[key_of(entry)]
        if (known.resource, known.ticket) != (resource, entry.ticket):
            return self._decide_again(resource, entry, known)
        command = request.command
        if self._forced is not None:
            return self._force(resource, entry, self._forced)
        if isinstance(command, Unreadable):
            return self._force(resource, entry, Forced("the entry cannot be read"))
        failpoints.reach("decide", request.key)
        if entry.withdrawn:
            return self._note(resource, entry, Status.WITHDRAWN)
        if isinstance(command, Book):
            return self._book(resource, entry, command)
        if isinstance(command, Cancel):
            return self._cancel(resource, entry, command)
        if isinstance(command, Reschedule):
            return self._reschedule(resource, entry, command)
        return self._update(resource, entry, command)

    def _book(self, resource: int, entry: Entry, command: Book) -> Outcome:
        refusal = self._refuse_claim(resource, command.start_time, command.end_time, command.places)
        if refusal is not None:
            return self._note(resource, entry, Status.REFUSED, refusal=refusal)
        made = self._make(resource, entry, command.start_time, command.end_time, command.places)
        return self._note(resource, entry, Status.CONFIRMED, booking=made)

    def _cancel(self, resource: int, entry: Entry, command: Cancel) -> Outcome:
        standing = self._named(resource, command.booking)
        refusal = refuse_cancel(standing, if_version=command.if_version)
        if refusal is not None:
            return self._note(resource, entry, Status.REFUSED, refusal=refusal)
        if standing.status is BookingStatus.CONFIRMED:
            self._end(resource, standing, BookingStatus.CANCELLED, reason=command.reason)
        return self._note(resource, entry, Status.CONFIRMED, booking=standing)

    def _reschedule(self, resource: int, entry: Entry, command: Reschedule) -> Outcome:
        old = self._named(resource, command.booking)
        refusal = refuse_move(old, if_version=command.if_version)
        if refusal is None:
            self._claim(resource, old, stands=False)
            refusal = self._refuse_claim(resource, command.start_time, command.end_time, old.places)
            self._claim(resource, old, stands=True)
        if refusal is not None:
            return self._note(resource, entry, Status.REFUSED, refusal=refusal)
        self._end(resource, old, BookingStatus.RESCHEDULED)
        made = self._make(resource, entry, command.start_time, command.end_time, old.places, moved=old)
        old.rescheduled_to = made.booking
        return self._note(resource, entry, Status.CONFIRMED, booking=made)

    def _update(self, resource: int, entry: Entry, command: UpdateResource) -> Outcome:
        refusal = refuse_update(
            version=self._locked[resource].version,
            if_version=command.if_version,
            capacity=command.capacity,
            peak=self._peaks.get(resource, 0),
        )
        if refusal is not None:
            return self._note(resource, entry, Status.REFUSED, refusal=refusal)
        self.writes.updated.append((resource, command))
        return self._note(resource, entry, Status.CONFIRMED)

    def _decide_again(self, resource: int, entry: Entry, known: store.KnownKey) -> Outcome:
        """Answer a request whose key was used before: with that outcome, or not at all."""
        first = self._outcomes.get((known.resource, known.ticket)) if known.resource and known.ticket else None
        if first is None or known.body_hash != entry.request.body_hash:
            return self._note(resource, entry, Status.REFUSED, refusal=Refusal(Reason.KEY_REUSED))
        self._append(resource, entry, outcome="repeated", first_ticket=first.ticket)
        return msgspec.structs.replace(first, repeated=True)

    def _force(self, resource: int, entry: Entry, forced: Forced) -> Outcome:
        if forced.backstop:
            return self._note(resource, entry, Status.REFUSED, refusal=Refusal(Reason.CONFLICT))
        request = entry.request
        self.writes.dead.append(
            store.DeadLetter(
                resource, entry.ticket, request.request_id, _command_encoder.encode(request.command), forced.error
            )
        )
        return self._note(resource, entry, Status.FAILED)

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
        return standing

    def _end(self, resource: int, standing: Standing, status: BookingStatus, *, reason: str | None = None) -> None:
        self._claim(resource, standing, stands=False)
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

    # ---------------------------------------------------------------- ledger

    def _note(
        self,
        resource: int,
        entry: Entry,
        status: Status,
        *,
        booking: Standing | None = None,
        refusal: Refusal | None = None,
    ) -> Outcome:
        """Append the decision to the ledger and make the outcome from the very same row."""
        clashes = refusal.clashes if refusal else ()
        row = self._append(
            resource,
            entry,
            outcome=status.value,
            reason=refusal.reason.value if refusal else None,
            booking=booking,
            clashes=tuple(clash.booking for clash in clashes),
        )
        view = None
        if booking is not None:
            view = BookingView(booking.booking, booking.start_time, booking.end_time, booking.places, booking.status)
        outcome = Outcome(
            status=status,
            kind=row.kind,
            resource=resource,
            ticket=entry.ticket,
            request_id=row.request_id,
            joined_at=row.joined_at,
            decided_at=row.decided_at,
            reason=refusal.reason if refusal else None,
            booking=view,
            capacity=row.capacity,
            clashes=clashes,
        )
        self._outcomes[resource, entry.ticket] = outcome
        return outcome

    def _append(
        self,
        resource: int,
        entry: Entry,
        *,
        outcome: str,
        reason: str | None = None,
        booking: Standing | None = None,
        clashes: tuple[UUID, ...] = (),
        first_ticket: int | None = None,
    ) -> LedgerRow:
        command = entry.request.command
        start_time, end_time, places = self._asked(entry, booking)
        row = LedgerRow(
            resource=resource,
            ticket=entry.ticket,
            request_id=entry.request.request_id,
            kind=kind_of(command),
            start_time=start_time,
            end_time=end_time,
            places=places,
            capacity=command.capacity if isinstance(command, UpdateResource) else None,
            subject=command.booking if isinstance(command, NAMING) else None,
            outcome=outcome,
            reason=reason,
            booking=booking.booking if booking else None,
            clashes=clashes,
            first_ticket=first_ticket,
            joined_at=entry.joined_at,
            decided_at=self._now[resource],
        )
        self._hashes[resource] = hashed = row_hash(self._hashes[resource], row)
        made = booking is not None and booking.ticket == entry.ticket
        caller = booking.caller if made and booking is not None else None
        self.writes.rows.append(store.DecidedRow(row, hashed, caller, self._locked[resource].capacity == 1))
        return row

    @staticmethod
    def _asked(entry: Entry, booking: Standing | None) -> tuple[datetime | None, datetime | None, int | None]:
        """The interval and places that the ledger keeps: those of the booking, or those asked for."""
        command = entry.request.command
        if booking is not None:
            return booking.start_time, booking.end_time, booking.places
        if isinstance(command, Book):
            return command.start_time, command.end_time, command.places
        if isinstance(command, Reschedule):
            return command.start_time, command.end_time, None
        return None, None, None


def key_of(entry: Entry) -> Key:
    """The idempotency key of an entry: the caller's, or its own request id where there is none."""
    request = entry.request
    return (request.caller, request.key if request.key is not None else f"{NO_KEY}{request.request_id}")
