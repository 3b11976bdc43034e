"""Single bookings and the resource itself, decided again. Pure.

Each function says what is wrong with a row of its kind, or None, and then lets the row have its effect.
"""

from __future__ import annotations

from engine.chain import LedgerRow
from engine.commands import BookingStatus
from engine.replay.claims import Claim
from engine.replay.state import (
    TOO_MUCH,
    Incomplete,
    State,
    first_of,
    granted,
    interval_of,
    subject_of,
    taken_as_given,
)
from engine.rules.decide import Standing, refuse_cancel, refuse_move, refuse_update

NOT_NEW = "it makes a booking that was made before"
OTHER_THAN_NAMED = "it is granted for another booking than the one that it names, or for another time"


def replay_book(state: State, row: LedgerRow) -> str | None:
    """``book``."""
    start_time, end_time = interval_of(row)
    if row.places is None or row.places < 1:
        raise Incomplete
    if taken_as_given(state, row, versioned=False):
        return None
    faults = [state.judge(row, state.claims.refuse(start_time, end_time, row.places, now=row.decided_at))]
    if granted(row):
        faults.append(_make(state, row, row.places))
    return first_of(faults)


def replay_cancel(state: State, row: LedgerRow) -> str | None:
    """``cancel``."""
    standing = state.bookings.get(subject_of(row))
    if standing is None:
        return state.unfounded(row)
    if taken_as_given(state, row, versioned=standing.status is BookingStatus.CONFIRMED):
        return None
    faults = [state.judge(row, refuse_cancel(standing, if_version=None))]
    if granted(row):
        faults.append(None if _is_of(row, standing) else OTHER_THAN_NAMED)
        _end(state, standing, BookingStatus.CANCELLED)
    return first_of(faults)


def replay_reschedule(state: State, row: LedgerRow) -> str | None:
    """``reschedule``."""
    start_time, end_time = interval_of(row)
    old = state.bookings.get(subject_of(row))
    if old is None:
        return first_of([state.unfounded(row), _make(state, row, row.places) if granted(row) else None])
    if taken_as_given(state, row, versioned=old.status is BookingStatus.CONFIRMED):
        return None
    refusal = refuse_move(old, if_version=None)
    if refusal is None:
        claim = _claim_of(old)
        state.claims.remove(claim)
        refusal = state.claims.refuse(start_time, end_time, old.places, now=row.decided_at)
        state.claims.add(claim)
    faults = [state.judge(row, refusal)]
    if granted(row):
        faults.append(None if row.places == old.places else OTHER_THAN_NAMED)
        _end(state, old, BookingStatus.RESCHEDULED)
        faults.append(_make(state, row, old.places))
    return first_of(faults)


def replay_update(state: State, row: LedgerRow) -> str | None:
    """``update_resource``."""
    if taken_as_given(state, row, versioned=True):
        return None
    peak: int | None = 0
    if row.capacity is not None and row.capacity < state.claims.capacity:  # never is more taken than there is
        peak = state.claims.peak(row.capacity, now=row.decided_at)
    if peak is None:
        state.give(TOO_MUCH)
        fault = None
    else:
        fault = state.judge(row, refuse_update(version=1, if_version=None, capacity=row.capacity, peak=peak))
    if granted(row) and row.capacity is not None:
        state.claims.capacity = row.capacity
    return fault


def _make(state: State, row: LedgerRow, places: int | None) -> str | None:
    """Let the booking that a row made stand. Returns what is wrong with it."""
    start_time, end_time = interval_of(row)
    if row.booking is None or places is None:
        raise Incomplete
    if not state.is_new(row.booking):
        return NOT_NEW
    made = Standing(
        row.booking, start_time, end_time, places, BookingStatus.CONFIRMED, row.ticket, version=1, caller=""
    )
    state.claims.add(_claim_of(made))
    state.bookings[made.booking] = made
    return None


def _end(state: State, standing: Standing, status: BookingStatus) -> None:
    """Let a booking end, if it stands."""
    if standing.status is BookingStatus.CONFIRMED:
        state.claims.remove(_claim_of(standing))
        standing.status = status


def _is_of(row: LedgerRow, standing: Standing) -> bool:
    return (row.booking, row.start_time, row.end_time, row.places) == (
        standing.booking,
        standing.start_time,
        standing.end_time,
        standing.places,
    )


def _claim_of(standing: Standing) -> Claim:
    return Claim(standing.start_time, standing.end_time, standing.places, standing.ticket, standing.booking)
