"""Commands about series, decided again as far as their rows tell. Pure.

A row tells the rule of a series that was made, the occurrence that a command named, and where it stands now; not the
ids of a series' other rows, nor up to where they were stored, nor, of a move of several, whether the caller meant all.
Each function says what is wrong with a row of its kind, or None, and then lets the row have its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from engine.chain import LedgerRow
from engine.commands import BookingStatus, Reason
from engine.replay.claims import Claim, Ended, StandingSeries, before_all, behind_all, first_start
from engine.replay.singles import NOT_NEW, OTHER_THAN_NAMED
from engine.replay.state import (
    LIMITS,
    NOT_KNOWN,
    STALE,
    TOO_MUCH,
    Incomplete,
    State,
    detail_of,
    first_of,
    granted,
    interval_of,
    subject_of,
    taken_as_given,
)
from engine.rules.decide import Refusal
from engine.rules.recurrence import Recurrence, before, moved, starts_between, wall_clock_of
from engine.rules.series import first_after, gives, refuse_occurrence, refuse_occurrences, replace_excluded
from engine.rules.wall_clock import to_utc

NOT_THERE = "the series has no such occurrence, or not at that time"
OF_SEVERAL = "a_move_of_several_was_refused"
"""Why a row was taken as given: it does not say which occurrences were to be moved."""
OF_A_RULE = frozenset({Reason.RULE_CANNOT_MOVE, Reason.SERIES_OVERLAPS_ITSELF, Reason.TOO_MANY_SERIES})
"""Reasons that rest on all occurrences of a series, and on how many others have no end."""
STANDS = BookingStatus.CONFIRMED


def replay_book_series(state: State, row: LedgerRow) -> str | None:
    """``book_series``."""
    detail = detail_of(row)
    if row.places is None or detail.recurrence is None:
        raise Incomplete
    if taken_as_given(state, row, OF_A_RULE | LIMITS):
        return None
    recurrence, skipped = detail.recurrence, frozenset(detail.skipped)
    wished = replace_excluded(recurrence, set(recurrence.excluded) - skipped)
    fault = _judge_wish(state, row, wished, row.places, skipped=skipped)
    return first_of([fault, _make(state, row, recurrence, row.places)]) if granted(row) else fault


def replay_cancel_series(state: State, row: LedgerRow) -> str | None:
    """``cancel_series``."""
    series = state.series.get(subject_of(row))
    if series is None:
        return state.unfounded(row)
    if taken_as_given(state, row, STALE if series.status is STANDS else ()):
        return None
    gone = series.status is BookingStatus.RESCHEDULED
    fault = state.judge(row, Refusal(Reason.ALREADY_RESCHEDULED) if gone else None, vague=series.vague)
    if not granted(row) or series.status is not STANDS:
        return fault
    leaving = [name for name, claim in series.claims.items() if claim.start_time > row.decided_at]
    if not (series.recurrence.infinite or state.unsure) and detail_of(row).occurrences != len(leaving):
        fault = fault or f"it gives another number of occurrences back than the {len(leaving)} that stood"
    state.claims.leave(series)
    series.vague = series.vague or series.recurrence.infinite
    for name in leaving:
        _end(state, series, name, BookingStatus.CANCELLED)
    series.status = BookingStatus.CANCELLED
    return fault


def replay_cancel_occurrence(state: State, row: LedgerRow) -> str | None:
    """``cancel_occurrence``."""
    series = state.series.get(subject_of(row))
    if series is None:
        return state.unfounded(row)
    name, ended = _name_of(row), _ended(series, _name_of(row))
    claim = state.claims.standing(series, name, now=row.decided_at)
    if _was_ended_before(series, name, row):
        return None if _shows(row, ended) else NOT_THERE
    harmless = claim is None and ended is not None
    refusal = (
        None if harmless else refuse_occurrence(STANDS if claim else None, _start(claim, name), now=row.decided_at)
    )
    if _as_given(state, row, series, claim, refusal):
        return None
    fault = state.judge(row, refusal)
    if granted(row):
        fault = fault or _doubted(state, None if _shows(row, claim or ended) else NOT_THERE)
        if claim is not None:
            _end(state, series, name, BookingStatus.CANCELLED, booking=row.booking)
    return fault


def replay_restore_occurrence(state: State, row: LedgerRow) -> str | None:
    """``restore_occurrence``."""
    series = state.series.get(subject_of(row))
    if series is None:
        return state.unfounded(row)
    name = _name_of(row)
    claim = state.claims.standing(series, name, now=row.decided_at)
    if claim is not None:
        return first_of([state.judge(row, None), None if _shows(row, claim) else _doubted(state, NOT_THERE)])
    lost = _lost(series, name)
    if series.vague or (lost is None and (series.went_on or state.unsure)):
        state.give(NOT_KNOWN)
        return _put_back(state, row, series, name)
    refusal = _refuse_restore(state, row, series, lost)
    sent = STALE if refusal is None or refusal.reason is Reason.CONFLICT else frozenset[Reason]()
    if taken_as_given(state, row, sent if refusal else sent | LIMITS):
        return None
    if series.went_on and row.reason == Reason.NOT_AN_OCCURRENCE:
        state.give(NOT_KNOWN)  # it may belong to the series that goes on
        return None
    elsewhere = granted(row) and (row.start_time, row.end_time) != lost
    faults = [state.judge(row, refusal), _doubted(state, NOT_THERE if elsewhere else None)]
    return first_of([*faults, _put_back(state, row, series, name)])


def replay_move_occurrence(state: State, row: LedgerRow) -> str | None:
    """``move_occurrence``, of one or of several."""
    series = state.series.get(subject_of(row))
    if series is None:
        return state.unfounded(row)
    detail = detail_of(row)
    if granted(row) and detail.recurrence is not None:
        return _move_several(state, row, series, detail.recurrence)
    if not granted(row) and detail.occurrences == 0:
        if not taken_as_given(state, row, STALE | OF_A_RULE):
            state.give(OF_SEVERAL)
        return None
    return _move_one(state, row, series, _name_of(row))


# ---------------------------------------------------------------------------- a whole series


def _judge_wish(
    state: State, row: LedgerRow, wished: Recurrence, places: int, *, skipped: frozenset[datetime] = frozenset()
) -> str | None:
    """Judge a row that asks for a whole series.

    skipped  what it left out, as it could not be had.
    """
    capacity, now = state.claims.capacity, row.decided_at
    refusal = refuse_occurrences(first_start(wished), places, capacity=capacity, now=now)
    if refusal is not None:
        return state.judge(row, refusal)
    clashing = _clashing(state, wished, places, now=now)
    if clashing is None:
        state.give(TOO_MUCH)
        return None
    if not granted(row):
        return state.judge(row, Refusal(Reason.CONFLICT) if clashing else None)
    if taken := clashing.keys() - skipped:
        return state.judge(row, clashing[min(taken)])
    free = skipped - clashing.keys()
    return _doubted(state, f"it leaves out the occurrence at {min(free).isoformat()}, which was free" if free else None)


def _clashing(state: State, wished: Recurrence, places: int, *, now: datetime) -> Mapping[datetime, Refusal] | None:
    """Find the occurrences that cannot be had, by start. None: it would take too long."""
    found: dict[datetime, Refusal] = {}
    behind = behind_all(wished)
    if wished.infinite:
        far = state.claims.far_clashing(wished, places, now=now)
        if far is None:
            return None
        behind, clashes = far
        found = {one.wanted_start: Refusal(Reason.CONFLICT, (one.clash,)) for one in clashes}
    length = timedelta(milliseconds=wished.length_ms)
    for start in starts_between(wished, before_all(wished), behind):
        if refusal := state.claims.refuse(start, start + length, places, now=now):
            found[start] = refusal
    return found


def _make(state: State, row: LedgerRow, recurrence: Recurrence, places: int) -> str | None:
    """Let the series that a row made stand. Returns what is wrong with it."""
    if not state.is_new(row.booking) or row.booking is None:
        return NOT_NEW
    made = StandingSeries(row.booking, row.ticket, recurrence, places)
    state.series[made.series] = made
    state.claims.follow(made, now=row.decided_at)
    return None


@dataclass(slots=True, frozen=True)
class Parting:
    """One way in which a series may have become two.

    pivot    the first occurrence that belongs to the new series.
    carried  those that had been moved alone, by the names that they have in the new series; they stay where they are.
    """

    pivot: datetime
    carried: dict[datetime, Claim]


def _move_several(state: State, row: LedgerRow, old: StandingSeries, recurrence: Recurrence) -> str | None:
    """Judge a row by which occurrences went on in a series of their own, and let them.

    From which on they did so is what the rules and exceptions of both tell. Where they leave a choice, the caller meant
    the first of them or the one that was named: what may have gone is taken for gone, and may stand.
    """
    ended = old.status is not STANDS and not old.vague
    faults = ["it moves occurrences of a series that had ended" if ended else None]
    known = _pivots(old, row)
    found = [parting for pivot in known if (parting := _parting(old, row, pivot, recurrence)) is not None]
    if len(found) != 1:
        state.unsure = old.vague = True
    pivot = min([parting.pivot for parting in found] or known)
    carried = {name: claim for parting in found for name, claim in parting.carried.items()}
    _let_go(state, old, row, pivot, recurrence)
    wished = replace_excluded(recurrence, {*recurrence.excluded, *carried})
    faults.append(_judge_wish(state, row, wished, old.places))
    faults.append(_make_successor(state, row, recurrence, old.places, carried, stand=not old.vague))
    return first_of(faults)


def _make_successor(
    state: State, row: LedgerRow, recurrence: Recurrence, places: int, carried: Mapping[datetime, Claim], *, stand: bool
) -> str | None:
    """Let a series that goes on stand, with the occurrences that had been moved alone where they stood.

    carried  these, by their new names.
    stand    False: it is not sure that they are of this series.
    """
    if not state.is_new(row.booking) or row.booking is None:
        return NOT_NEW
    made = StandingSeries(row.booking, row.ticket, recurrence, places, vague=not stand, told=set(carried))
    for name, claim in carried.items() if stand else ():
        stands = Claim(claim.start_time, claim.end_time, places, row.ticket, state.claims.new_name(), moved=True)
        state.claims.put(made, name, stands)
    state.series[made.series] = made
    state.claims.follow(made, now=row.decided_at)
    return None


def _pivots(old: StandingSeries, row: LedgerRow) -> set[datetime]:
    """The occurrences of which one was the first that moved: the named one, or the first that had not begun."""
    now = row.decided_at
    names = [name for name in {*old.claims, *old.ended} if name > now]
    following = first_after(old.recurrence, now)
    return {_name_of(row), min([*names, *([following] if following else [])], default=_name_of(row))}


def _parting(old: StandingSeries, row: LedgerRow, pivot: datetime, new: Recurrence) -> Parting | None:
    """Say what a series' parting would have been, had its rule, its exceptions and where the rest begins come of it."""
    try:
        found = moved(old.recurrence, pivot, to_utc(new.start, ZoneInfo(new.time_zone)), new.length_ms)
        if found is None or replace_excluded(found, ()) != replace_excluded(new, ()):
            return None
        along = _along(old.recurrence, pivot, new)
        gone = {along(name) for name in old.ended if name >= pivot and name not in old.claims}
        known = {along(name) for name in {*old.recurrence.excluded, *old.told} if name >= pivot}
        carried = {
            along(name): claim for name, claim in old.claims.items() if name >= pivot and _alone(row, name, claim)
        }
    except OverflowError:
        return None
    carried = {name: claim for name, claim in carried.items() if gives(new, name)}
    begins = first_start(replace_excluded(new, {*new.excluded, *carried}))
    return Parting(pivot, carried) if gone <= set(new.excluded) <= known and begins == row.start_time else None


def _alone(row: LedgerRow, name: datetime, claim: Claim) -> bool:
    """Whether an occurrence that was moved alone stays where it is when its series moves."""
    return claim.moved and name != _name_of(row) and claim.start_time > row.decided_at


def _along(old: Recurrence, pivot: datetime, new: Recurrence) -> Callable[[datetime], datetime]:
    """How the names of occurrences change when those from the pivot on become another series."""
    zone = ZoneInfo(new.time_zone)
    distance = new.start - wall_clock_of(old, pivot)
    return lambda name: to_utc(wall_clock_of(old, name) + distance, zone)


def _let_go(state: State, old: StandingSeries, row: LedgerRow, pivot: datetime, new: Recurrence) -> None:
    """Let the occurrences from the pivot on stand no more, and end the rule there."""
    along = _along(old.recurrence, pivot, new)
    state.claims.leave(old)
    for name in [name for name in old.claims if name >= pivot]:
        claim = old.claims[name]
        begun = claim.moved and name != _name_of(row) and not _alone(row, name, claim)
        if old.vague or (gives(new, along(name)) and not begun):
            _end(state, old, name, BookingStatus.RESCHEDULED)
    _cut(state, old, pivot, now=row.decided_at)


def _cut(state: State, old: StandingSeries, pivot: datetime, *, now: datetime) -> None:
    """End the rule of a series before an occurrence."""
    old.went_on = True
    if _begins_before(old.recurrence, pivot):
        old.recurrence = before(old.recurrence, pivot)
        state.claims.follow(old, now=now)
    else:
        old.status = BookingStatus.RESCHEDULED


def _begins_before(recurrence: Recurrence, pivot: datetime) -> bool:
    """Whether a series begins before an instant."""
    return to_utc(recurrence.start, ZoneInfo(recurrence.time_zone)) < pivot


# ---------------------------------------------------------------------------- one occurrence


def _move_one(state: State, row: LedgerRow, series: StandingSeries, name: datetime) -> str | None:
    """Judge the move of one occurrence, and let it have its effect."""
    start_time, end_time = interval_of(row)
    claim, ended = state.claims.standing(series, name, now=row.decided_at), _ended(series, name)
    told = claim or ended
    refusal = refuse_occurrence(STANDS if told else None, _start(told, name), now=row.decided_at)
    if refusal is None and claim is None:
        refusal = Refusal(Reason.OCCURRENCE_CANCELLED)
    if _as_given(state, row, series, claim, refusal):
        return _put(state, row, series, name)
    if refusal is None and claim is not None:
        state.claims.remove(claim)
        refusal = state.claims.refuse(start_time, end_time, series.places, now=row.decided_at)
        state.claims.add(claim)
    fault = state.judge(row, refusal)
    if granted(row) and row.places != series.places:
        fault = fault or OTHER_THAN_NAMED
    return first_of([fault, _put(state, row, series, name)])


def _as_given(
    state: State, row: LedgerRow, series: StandingSeries, claim: Claim | None, refusal: Refusal | None
) -> bool:
    """Take a row about one occurrence as given, where it is not known enough of it."""
    if taken_as_given(state, row, () if refusal else STALE):
        return True
    named_by_its_own_id = row.reason in (Reason.ALREADY_CANCELLED, Reason.ALREADY_RESCHEDULED)
    if named_by_its_own_id or (claim is None and (series.vague or state.unsure)):
        state.give(NOT_KNOWN)
        return True
    return False


def _lost(series: StandingSeries, name: datetime) -> tuple[datetime, datetime] | None:
    """The time at which an occurrence would stand again: where it stood last, or where its rule leaves it out."""
    if ended := _ended(series, name):
        return ended.start_time, ended.end_time
    kept = [start for start in series.recurrence.excluded if start != name]
    if name in series.ended or not gives(replace_excluded(series.recurrence, kept), name):
        return None
    return name, name + series.length


def _refuse_restore(
    state: State, row: LedgerRow, series: StandingSeries, lost: tuple[datetime, datetime] | None
) -> Refusal | None:
    """Say why an occurrence cannot stand again, or None."""
    if series.status is not STANDS:
        cancelled = series.status is BookingStatus.CANCELLED
        return Refusal(Reason.ALREADY_CANCELLED if cancelled else Reason.ALREADY_RESCHEDULED)
    if lost is None:
        return Refusal(Reason.NOT_AN_OCCURRENCE)
    now = row.decided_at
    return refuse_occurrence(STANDS, lost[0], now=now) or state.claims.refuse(*lost, series.places, now=now)


def _put_back(state: State, row: LedgerRow, series: StandingSeries, name: datetime) -> str | None:
    """Let an occurrence that a row restored stand again."""
    return _put(state, row, series, name) if row.booking != series.series else None


def _put(state: State, row: LedgerRow, series: StandingSeries, name: datetime) -> str | None:
    """Let an occurrence stand where a granted row puts it. Returns what is wrong with it."""
    if not granted(row):
        return None
    start_time, end_time = interval_of(row)
    if not state.is_new(row.booking) or row.booking is None:
        return NOT_NEW
    if name in series.claims:
        _end(state, series, name, BookingStatus.RESCHEDULED)
    alone = (start_time, end_time) != (name, name + series.length)
    series.told.add(name)
    state.claims.put(series, name, Claim(start_time, end_time, series.places, row.ticket, row.booking, moved=alone))
    return None


def _end(
    state: State, series: StandingSeries, name: datetime, status: BookingStatus, *, booking: UUID | None = None
) -> None:
    """Let an occurrence end."""
    claim = state.claims.take_out(series, name)
    series.told.add(name)
    series.ended.setdefault(name, []).append(Ended(claim.start_time, claim.end_time, status, booking))


def _ended(series: StandingSeries, name: datetime) -> Ended | None:
    """How an occurrence ended last, unless it belongs to another series now, or stands elsewhere."""
    last = series.ended[name][-1] if name in series.ended else None
    return last if last is not None and last.status is BookingStatus.CANCELLED else None


def _was_ended_before(series: StandingSeries, name: datetime, row: LedgerRow) -> bool:
    """Whether a yes is about a row that had ended, and changes nothing."""
    return granted(row) and any(one.booking == row.booking for one in series.ended.get(name, ()))


def _shows(row: LedgerRow, told: Claim | Ended | None) -> bool:
    """Whether a row shows an occurrence where it stood."""
    return told is not None and (row.start_time, row.end_time) == (told.start_time, told.end_time)


def _doubted(state: State, fault: str | None) -> str | None:
    """A fault, unless too little is known of what stood."""
    if fault is not None and (state.unsure or state.foreign):
        state.give(NOT_KNOWN)
        return None
    return fault


def _start(told: Claim | Ended | None, name: datetime) -> datetime:
    return told.start_time if told is not None else name


def _name_of(row: LedgerRow) -> datetime:
    """The occurrence that a row names. Raises Incomplete where it names none."""
    occurrence = detail_of(row).occurrence
    if occurrence is None:
        raise Incomplete
    return occurrence
