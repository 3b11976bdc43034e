"""What a batch writes down: a ledger row for every decision, and the outcome made from that very row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from engine.chain import LedgerRow, encode_detail, row_hash
from engine.commands import (
    Book,
    BookingView,
    BookSeat,
    BookSeries,
    Cancel,
    CancelOccurrence,
    CancelSeries,
    CancelSlot,
    CancelSlotRule,
    ChangeEvent,
    Clash,
    Command,
    Entry,
    MoveOccurrence,
    OccurrenceClash,
    Outcome,
    PublishSlots,
    Reschedule,
    RestoreOccurrence,
    SeriesDetail,
    Status,
    UpdateResource,
    kind_of,
)
from engine.rules.decide import Refusal
from engine.store import decisions as store

Asked = tuple[datetime | None, datetime | None, int | None]
Counted = tuple[int | None, int | None]
UNCOUNTED: Counted = (None, None)


class Notebook:
    """The ledger of a batch, chained row by row.

    now       each resource's instant of decision.
    outcomes  by resource and ticket, those of this batch among them.
    """

    def __init__(self, locked: Mapping[int, store.LockedResource], clock: datetime, writes: store.Writes) -> None:
        self.now = {resource: row.last_decided_at for resource, row in locked.items()}
        self.wait_until(clock)
        self.outcomes: dict[tuple[int, int], Outcome] = {}
        self._locked = locked
        self._hashes = {resource: row.last_row_hash for resource, row in locked.items()}
        self._writes = writes

    def wait_until(self, clock: datetime) -> None:
        """Let nothing be decided before an instant. Before the first decision: each resource has one instant."""
        for resource, now in self.now.items():
            self.now[resource] = max(now, clock)

    def confirm(
        self,
        resource: int,
        entry: Entry,
        view: BookingView | None = None,
        *,
        caller: str | None = None,
        detail: SeriesDetail | None = None,
        counted: Counted = UNCOUNTED,
    ) -> Outcome:
        """Note a yes.

        view     the booking or series that was made or changed.
        caller   whose booking the row makes; None where it makes none, or one that is written otherwise.
        counted  of whoever gets it, where that is limited.
        """
        row = self._append(
            resource,
            entry,
            outcome=Status.CONFIRMED,
            asked=_of(view),
            view=view,
            caller=caller,
            detail=detail,
            counted=counted,
        )
        return self._outcome(row, Status.CONFIRMED, view=view, detail=detail)

    def refuse(self, resource: int, entry: Entry, refusal: Refusal, *, detail: SeriesDetail | None = None) -> Outcome:
        """Note a no, with what stands in the way."""
        row = self._append(
            resource,
            entry,
            outcome=Status.REFUSED,
            asked=_asked(entry.request.command),
            refusal=refusal,
            detail=detail,
            counted=(refusal.counted, refusal.counted_limit),
        )
        return self._outcome(row, Status.REFUSED, refusal=refusal, detail=detail)

    def end(self, resource: int, entry: Entry, status: Status) -> Outcome:
        """Note that a command was withdrawn or has failed."""
        row = self._append(resource, entry, outcome=status, asked=_asked(entry.request.command))
        return self._outcome(row, status)

    def repeat(self, resource: int, entry: Entry, first: Outcome) -> Outcome:
        """Note that a request has the outcome of an earlier one with its key."""
        asked = _asked(entry.request.command)
        self._append(resource, entry, outcome="repeated", asked=asked, first_ticket=first.ticket)
        return msgspec.structs.replace(first, repeated=True)

    def _append(
        self,
        resource: int,
        entry: Entry,
        *,
        outcome: str,
        asked: Asked,
        view: BookingView | None = None,
        refusal: Refusal | None = None,
        caller: str | None = None,
        first_ticket: int | None = None,
        detail: SeriesDetail | None = None,
        counted: Counted = UNCOUNTED,
    ) -> LedgerRow:
        command = entry.request.command
        start_time, end_time, places = asked
        row = LedgerRow(
            resource=resource,
            ticket=entry.ticket,
            request_id=entry.request.request_id,
            kind=kind_of(command),
            start_time=start_time,
            end_time=end_time,
            places=places,
            capacity=_capacity(command),
            subject=subject_of(command),
            outcome=str(outcome),
            reason=refusal.reason.value if refusal else None,
            booking=view.booking if view else None,
            clashes=tuple(clash.booking for clash in refusal.clashes) if refusal else (),
            first_ticket=first_ticket,
            joined_at=entry.joined_at,
            decided_at=self.now[resource],
            detail=encode_detail(detail),
            counted=counted[0],
            counted_limit=counted[1],
        )
        self._hashes[resource] = hashed = row_hash(self._hashes[resource], row)
        self._writes.rows.append(
            store.DecidedRow(row, hashed, caller, self._locked[resource].capacity == 1, entry.request.caller)
        )
        return row

    def _outcome(
        self,
        row: LedgerRow,
        status: Status,
        *,
        view: BookingView | None = None,
        refusal: Refusal | None = None,
        detail: SeriesDetail | None = None,
    ) -> Outcome:
        outcome = Outcome(
            status=status,
            kind=row.kind,
            resource=row.resource,
            ticket=row.ticket,
            request_id=row.request_id,
            joined_at=row.joined_at,
            decided_at=row.decided_at,
            reason=refusal.reason if refusal else None,
            booking=view,
            capacity=row.capacity,
            clashes=refusal.clashes if refusal else (),
            subject=row.subject,
            detail=detail,
            counted=row.counted,
            counted_limit=row.counted_limit,
        )
        self.outcomes[row.resource, row.ticket] = outcome
        return outcome


def subject_of(command: Command) -> UUID | None:
    """The booking, series, slot, event or rule that a command names."""
    if isinstance(command, Cancel | Reschedule):
        return command.booking
    if isinstance(command, CancelSeries | CancelOccurrence | RestoreOccurrence | MoveOccurrence):
        return command.series
    if isinstance(command, BookSeat | CancelSlot):
        return command.slot
    if isinstance(command, ChangeEvent):
        return command.event
    if isinstance(command, CancelSlotRule):
        return command.rule
    if isinstance(command, PublishSlots):
        return command.rule.rule if command.rule is not None else None
    return None


def _capacity(command: Command) -> int | None:
    """The capacity or seats that a command asks for."""
    if isinstance(command, UpdateResource | PublishSlots):
        return command.capacity
    return command.total_seats if isinstance(command, ChangeEvent) else None


def _of(view: BookingView | None) -> Asked:
    return (None, None, None) if view is None else (view.start_time, view.end_time, view.places)


def _asked(command: Command) -> Asked:
    """The interval and places that a command asks for."""
    match command:
        case Book():
            return command.start_time, command.end_time, command.places
        case BookSeries():
            length = timedelta(milliseconds=command.recurrence.length_ms)
            return command.first, command.first + length, command.places
        case PublishSlots():
            return command.first, command.first + timedelta(milliseconds=command.slot_ms), 1
        case Reschedule() | MoveOccurrence():
            return command.start_time, command.end_time, None
        case CancelOccurrence() | RestoreOccurrence():
            return command.occurrence, None, None
        case _:
            return None, None, None


def clash_times(clashes: tuple[Clash, ...], wanted_start: datetime, *, of: SeriesDetail | None = None) -> SeriesDetail:
    """Keep the times of clashes with the outcome, where nobody could look all of them up later.

    of  what else the outcome says.
    """
    return msgspec.structs.replace(
        of or SeriesDetail(),
        clashing=len(clashes) and 1,
        clashes=tuple(
            OccurrenceClash(wanted_start, clash.booking, clash.start_time, clash.end_time) for clash in clashes
        ),
    )
