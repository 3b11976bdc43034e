"""Single bookings and the resource itself, decided again. Pure.

Each function says what is wrong with a row of its kind, or None, and then lets the row have its effect.
"""

from __future__ import annotations

from uuid import UUID

from engine.chain import LedgerRow
from engine.commands import BookingStatus, Reason
from engine.replay.claims import Claim
from engine.replay.state import (
    LIMITS,
    STALE,
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
OF_NOTICE = frozenset({Reason.TOO_LATE_TO_CANCEL})
OF_A_SLOT = "what claims a slot's time ends with the slot, and neither it nor a seat is moved"


def replay_book(state: State, row: LedgerRow) -> str | None:
    """``book``."""
    start_time, end_time = interval_of(row)
    if row.places is None or row.places < 1:
        raise Incomplete
    refusal = state.claims.refuse(start_time, end_time, row.places, now=row.decided_at)
    if taken_as_given(state, row, () if refusal else LIMITS):
        return None
    faults = [state.judge(row, refusal)]
    if granted(row):
        faults.append(_make(state, row, row.places))
    return first_of(faults)


def replay_cancel(state: State, row: LedgerRow) -> str | None:
    """``cancel``."""
    standing = state.bookings.get(subject_of(row))
    if standing is None:
        return state.unfounded(row)
    if standing.slot == standing.booking:
        return OF_A_SLOT
    sent = (STALE | OF_NOTICE if standing.is_seat else STALE) if standing.status is BookingStatus.CONFIRMED else ()
    if taken_as_given(state, row, sent):
        return None
    faults = [state.judge(row, refuse_cancel(standing, if_version=None))]
    if granted(row):
        faults.append(None if is_of(row, standing) else OTHER_THAN_NAMED)
        end(state, standing, BookingStatus.CANCELLED)
    return first_of(faults)


def replay_reschedule(state: State, row: LedgerRow) -> str | None:
    """``reschedule``."""
    start_time, end_time = interval_of(row)
    old = state.bookings.get(subject_of(row))
    if old is None:
        return first_of([state.unfounded(row), _make(state, row, row.places) if granted(row) else None])
    if old.slot is not None:
        return OF_A_SLOT
    refusal = refuse_move(old, if_version=None)
    sent = STALE if refusal is None else frozenset[Reason]()
    if refusal is None:
        claim = _claim_of(old)
        state.claims.remove(claim)
        refusal = state.claims.refuse(start_time, end_time, old.places, now=row.decided_at)
        state.claims.add(claim)
    if taken_as_given(state, row, sent if refusal else sent | LIMITS):
        return None
    faults = [state.judge(row, refusal)]
    if granted(row):
        faults.append(None if row.places == old.places else OTHER_THAN_NAMED)
        end(state, old, BookingStatus.RESCHEDULED)
        faults.append(_make(state, row, old.places))
    return first_of(faults)


def replay_update(state: State, row: LedgerRow) -> str | None:
    """``update_resource``."""
    if taken_as_given(state, row, STALE):
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
    if row.booking is None or places is None:
        raise Incomplete
    if not state.is_new(row.booking):
        return NOT_NEW
    stand(state, row, row.booking, places)
    return None


def stand(state: State, row: LedgerRow, booking: UUID, places: int, *, slot: UUID | None = None) -> None:
    """Let a booking of a row's time stand.

    slot  whose seat it is, or its own id; see ``Standing``.
    """
    start_time, end_time = interval_of(row)
    status = BookingStatus.CONFIRMED
    made = Standing(booking, start_time, end_time, places, status, row.ticket, version=1, caller="", slot=slot)
    _claim(state, made, stands=True)
    state.bookings[booking] = made


def end(state: State, standing: Standing, status: BookingStatus) -> None:
    """Let a booking end, if it stands."""
    if standing.status is BookingStatus.CONFIRMED:
        _claim(state, standing, stands=False)
        standing.status = status


def _claim(state: State, standing: Standing, *, stands: bool) -> None:
    """Let a booking take what it takes, or give it back: a seat, or a time."""
    if standing.slot is not None and standing.is_seat:
        state.seats[standing.slot].offer.taken += 1 if stands else -1
    else:
        (state.claims.add if stands else state.claims.remove)(_claim_of(standing))


def is_of(row: LedgerRow, standing: Standing) -> bool:
    """Whether a row shows a booking as it was made."""
    return (row.booking, row.start_time, row.end_time, row.places) == (
        standing.booking,
        standing.start_time,
        standing.end_time,
        standing.places,
    )


def _claim_of(standing: Standing) -> Claim:
    return Claim(standing.start_time, standing.end_time, standing.places, standing.ticket, standing.booking)
