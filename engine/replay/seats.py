"""Slots, events and their seats, decided again as far as their rows tell. Pure.

The head tells an event, and a row the one slot that it published. Of several slots a row tells how many seats each
has, and neither their ids nor all their times; of those that a rule publishes later there is no row at all. So from
such a publication on, a slot that is named for the first time is one of these, and what they claim may stand in the
way of anything until a granted row tells its time. Who has a seat, no row says: what a refusal says of a person is
taken as given where nothing contradicts it.

Each function says what is wrong with a row of its kind, or None, and then lets the row have its effect.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from engine.chain import LedgerRow
from engine.commands import ANONYMOUS, UNDATED, BookingStatus, Reason
from engine.replay.singles import NOT_NEW, OTHER_THAN_NAMED, end, is_of, stand
from engine.replay.state import (
    LIMITS,
    STALE,
    Incomplete,
    Seats,
    State,
    detail_of,
    first_of,
    granted,
    interval_of,
    subject_of,
    taken_as_given,
)
from engine.rules.decide import Refusal
from engine.rules.seats import Offer, refuse_event_change, refuse_seat, refuse_slot_cancel

SEVERAL_SLOTS = "several_slots_were_published"
"""Why a row was taken as given: it does not say which slots it published."""
HOLDER = "holder"
"""Stands for whoever has a seat."""
OF_A_PERSON = LIMITS | {Reason.ALREADY_BOOKED}
"""Reasons that rest on what a person has."""


def offer_of(slot: UUID, capacity: int, start_time: datetime, end_time: datetime) -> Offer:
    """A slot or event of which no seat is taken."""
    return Offer(
        slot,
        resource=0,
        host="",
        one_each=False,
        start_time=start_time,
        end_time=end_time,
        capacity=capacity,
        taken=0,
        cancelled=False,
        version=1,
        holders={HOLDER},
    )


def replay_publish_slots(state: State, row: LedgerRow) -> str | None:
    """``publish_slots``, of one or of several."""
    if row.capacity is None or row.capacity < 1:
        raise Incomplete
    if taken_as_given(state, row, {Reason.SERIES_OVERLAPS_ITSELF}):
        return None
    if not granted(row):
        return state.judge(row, _refuse_publication(state, row))
    if row.booking is None or row.subject is not None:  # more slots stand, or will, than the row names
        fewest, most = state.untold or (row.capacity, row.capacity)
        state.untold = min(fewest, row.capacity), max(most, row.capacity)
        state.unsure = True
    if row.booking is None:
        state.give(SEVERAL_SLOTS)
        return None
    return _publish_one(state, row, row.booking, row.capacity)


def replay_book_seat(state: State, row: LedgerRow) -> str | None:
    """``book_seat``."""
    seats = _seats_of(state, row)
    if seats is None:
        return state.unfounded(row)
    refusal = _refuse_seat(seats.offer, row)
    if taken_as_given(state, row, OF_A_PERSON & {refusal.reason} if refusal else ()):
        return None
    fault = state.judge(row, refusal, vague=_is_vague(seats, row))
    return first_of([fault, _take_seat(state, seats.offer, row)]) if granted(row) else fault


def replay_cancel_slot(state: State, row: LedgerRow) -> str | None:
    """``cancel_slot``."""
    seats = _seats_of(state, row)
    if seats is None:
        return state.unfounded(row)
    if taken_as_given(state, row, ()):
        return None
    fault = state.judge(row, refuse_slot_cancel(seats.offer))
    if granted(row):
        claim = state.bookings[seats.offer.slot]
        fault = fault or (None if is_of(row, claim) else OTHER_THAN_NAMED)
        end(state, claim, BookingStatus.CANCELLED)
        seats.offer.cancelled = True
    return fault


def replay_cancel_slot_rule(state: State, row: LedgerRow) -> str | None:
    """``cancel_slot_rule``, which nothing stands in the way of."""
    return None if taken_as_given(state, row, ()) else state.judge(row, None)


def replay_change_event(state: State, row: LedgerRow) -> str | None:
    """``change_event``."""
    seats = state.seats.get(subject_of(row))
    if seats is None:
        return state.unfounded(row)
    if taken_as_given(state, row, STALE):
        return None
    fault = state.judge(row, refuse_event_change(seats.offer, total_seats=row.capacity, if_version=None))
    if granted(row) and row.capacity is not None:
        seats.offer.capacity = row.capacity
    return fault


# ---------------------------------------------------------------------------- slots


def _refuse_publication(state: State, row: LedgerRow) -> Refusal | None:
    """Say why the slots of a refused row cannot be had: each of which it says so must clash, whatever the others."""
    start_time, end_time = interval_of(row)
    if row.reason != Reason.CONFLICT:
        return state.claims.refuse(start_time, end_time, 1, now=row.decided_at)
    length = end_time - start_time
    wanted = {clash.wanted_start for clash in detail_of(row).clashes} or {start_time}
    clashing = all(state.claims.refuse(start, start + length, 1, now=row.decided_at) for start in wanted)
    return Refusal(Reason.CONFLICT) if clashing else None


def _publish_one(state: State, row: LedgerRow, slot: UUID, capacity: int) -> str | None:
    """Judge the publication of one slot, and let it stand."""
    start_time, end_time = interval_of(row)
    fault = state.judge(row, state.claims.refuse(start_time, end_time, 1, now=row.decided_at))
    if not state.is_new(slot):
        return fault or NOT_NEW
    state.seats[slot] = Seats(offer_of(slot, capacity, start_time, end_time))
    stand(state, row, slot, 1, slot=slot)
    return fault


def _seats_of(state: State, row: LedgerRow) -> Seats | None:
    """Find the seats that a row is about; those of a slot that no row told of are learned. None: there are none."""
    slot = subject_of(row)
    if slot not in state.seats and state.untold is not None and state.is_new(slot):
        fewest, most = state.untold
        state.seats[slot] = Seats(offer_of(slot, most, *UNDATED), doubtful=range(fewest, most), dated=False)
    seats = state.seats.get(slot)
    if seats is not None and granted(row) and not seats.dated:
        seats.offer.start_time, seats.offer.end_time = interval_of(row)
        stand(state, row, slot, 1, slot=slot)
        seats.dated = True
    return seats


# ---------------------------------------------------------------------------- seats


def _refuse_seat(offer: Offer, row: LedgerRow) -> Refusal | None:
    """Say why a seat cannot be had, or None. What the row says of a person is believed, in its place among reasons."""
    asking = HOLDER if row.reason == Reason.ALREADY_BOOKED and offer.taken else ANONYMOUS
    refusal = refuse_seat(offer, asking, now=row.decided_at)
    if refusal is None and row.reason in LIMITS:
        return Refusal(Reason(row.reason))
    return refusal


def _is_vague(seats: Seats, row: LedgerRow) -> bool:
    """Whether too little is known of a slot to prove anything by a row's reason."""
    if row.reason == Reason.SLOT_IN_PAST:
        return not seats.dated
    return row.reason in (None, Reason.NO_SEATS_LEFT) and seats.offer.taken in seats.doubtful


def _take_seat(state: State, offer: Offer, row: LedgerRow) -> str | None:
    """Let a seat be taken. Returns what is wrong with it."""
    if row.booking is None or not state.is_new(row.booking):
        return NOT_NEW
    stand(state, row, row.booking, 1, slot=offer.slot)
    shown = (row.start_time, row.end_time, row.places)
    return None if shown == (offer.start_time, offer.end_time, 1) else OTHER_THAN_NAMED
