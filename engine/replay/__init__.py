"""A ledger, decided again: does each outcome follow from the rows before it? Pure, and O(n log n).

The rules are the engine's own (``engine.rules``). The ledger does not say everything that they ask for: versions that
callers sent, the ids of occurrences, what commands of other releases did. So a row is *replayed* (the rules give the
very outcome that it has), *taken as given* (nothing in the rows decides it), or a *fault*.

A kind of command is a function in ``KINDS``. It says what is wrong with a row of that kind, and lets the row have the
effect that it says it had, so that what follows is held against the ledger and not against a guess.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from engine.chain import LedgerRow
from engine.commands import Reason, Status
from engine.replay.seats import (
    replay_book_seat,
    replay_cancel_slot,
    replay_cancel_slot_rule,
    replay_change_event,
    replay_publish_slots,
)
from engine.replay.series import (
    replay_book_series,
    replay_cancel_occurrence,
    replay_cancel_series,
    replay_move_occurrence,
    replay_restore_occurrence,
)
from engine.replay.singles import replay_book, replay_cancel, replay_reschedule, replay_update
from engine.replay.state import LIMITS, Incomplete, Seats, State, first_of
from engine.rules.seats import Offer

Replayed = Callable[[State, LedgerRow], str | None]
KINDS: dict[str, Replayed] = {
    "book": replay_book,
    "cancel": replay_cancel,
    "reschedule": replay_reschedule,
    "update_resource": replay_update,
    "book_series": replay_book_series,
    "cancel_series": replay_cancel_series,
    "cancel_occurrence": replay_cancel_occurrence,
    "restore_occurrence": replay_restore_occurrence,
    "move_occurrence": replay_move_occurrence,
    "publish_slots": replay_publish_slots,
    "cancel_slot": replay_cancel_slot,
    "cancel_slot_rule": replay_cancel_slot_rule,
    "book_seat": replay_book_seat,
    "change_event": replay_change_event,
}
"""What says of a row of that kind what is wrong with it."""
REPEATED = "repeated"
UNREPLAYED = {Status.WITHDRAWN: "withdrawn", Status.FAILED: "failed"}
"""Outcomes that no rule gives: the caller took the request back, or the engine gave it up."""
FORGED = (Incomplete, ValueError, ArithmeticError, LookupError, TypeError, AssertionError)
"""What the rules raise where a row says what no engine writes."""


class Replay:
    """Decides the rows of one resource again, in ticket order.

    capacity  what the resource had before its first ticket.
    event     the event that it is, as it was then.
    """

    def __init__(self, *, capacity: int, event: Offer | None = None) -> None:
        self.replayed = 0
        self._state = State(capacity=capacity)
        if event is not None:
            self._state.seats[event.slot] = Seats(event)
        self._decided = _Decided()

    @property
    def given(self) -> Counter[str]:
        """How many rows were taken as given, by why."""
        return self._state.given

    def take(self, row: LedgerRow) -> str | None:
        """Decide the next row again. Returns what is wrong with it, or None."""
        given_rows = self._state.given_rows
        try:
            fault = self._replay(row)
        except FORGED:
            fault = "it does not say what its kind needs"
        self._decided.add(row)
        if fault is None and self._state.given_rows == given_rows:
            self.replayed += 1
        return fault

    def _replay(self, row: LedgerRow) -> str | None:
        if row.outcome == REPEATED:
            self._state.give(REPEATED)
            return self._decided.fault_of_repeat(row)
        if row.outcome in UNREPLAYED:
            self._state.give(row.outcome)
            return None
        if row.outcome not in (Status.CONFIRMED, Status.REFUSED):
            return f"there is no outcome {row.outcome}"
        if (row.outcome == Status.REFUSED) != (row.reason is not None):
            return "a refusal has a reason, and nothing else has one"
        if row.reason == Reason.KEY_REUSED:
            self._state.give(Reason.KEY_REUSED)
            return None
        return first_of([self._replay_kind(row), _fault_of_count(row)])

    def _replay_kind(self, row: LedgerRow) -> str | None:
        replayed = KINDS.get(row.kind)
        if replayed is not None:
            return replayed(self._state, row)
        self._state.give(f"kind_{row.kind}")
        self._state.foreign = self._state.foreign or row.outcome == Status.CONFIRMED
        return None


def _fault_of_count(row: LedgerRow) -> str | None:
    """Say what is wrong with what a row counted of a person: whoever has as many as may be gets a no, and no other."""
    if row.counted is None or row.counted_limit is None:
        return None
    reached = row.counted >= row.counted_limit
    if reached == (row.reason in LIMITS):
        return None
    return f"it counts {row.counted} of {row.counted_limit} bookings, and is not decided by that"


class _Decided:
    """The tickets that came before, a few bytes each: what a repeated outcome may point to."""

    def __init__(self) -> None:
        self._tickets = array("q")
        self._kinds = bytearray()
        self._numbers: dict[str, int] = {REPEATED: 0}

    def add(self, row: LedgerRow) -> None:
        kind = REPEATED if row.outcome == REPEATED else row.kind
        self._tickets.append(row.ticket)
        self._kinds.append(min(self._numbers.setdefault(kind, len(self._numbers)), 255))

    def fault_of_repeat(self, row: LedgerRow) -> str | None:
        """Say what is wrong with a row that repeats an outcome: it must be there, and of a command of that kind."""
        if row.first_ticket is None:
            raise Incomplete
        at = bisect_left(self._tickets, row.first_ticket)
        if at == len(self._tickets) or self._tickets[at] != row.first_ticket:
            return f"it repeats ticket {row.first_ticket}, which is not there before it"
        if self._kinds[at] != min(self._numbers.get(row.kind, -1), 255):
            return f"it repeats ticket {row.first_ticket}, which is of another kind"
        return None
