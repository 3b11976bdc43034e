"""The booking rules: what a command gets, given what stands. Pure: same arguments, same answer.

Each function returns the first Reason that applies, in the order in which Reason declares them,
or None where the command is granted. The order is part of the interface: a replay of the ledger
must find the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from engine.commands import MAX_CLASHES, BookingStatus, Clash, Reason
from engine.rules.calendar import Calendar, clashes_of, peak_use


@dataclass(slots=True)
class Standing:
    """A booking as it is while the batch decides.

    slot  whose seat it is; its own id: it claims the time of a slot; None: it is neither.
    """

    booking: UUID
    start_time: datetime
    end_time: datetime
    places: int
    status: BookingStatus
    ticket: int
    version: int
    caller: str
    rescheduled_to: UUID | None = None
    slot: UUID | None = None

    @property
    def is_seat(self) -> bool:
        """Whether it claims a seat, and no time."""
        return self.slot not in (None, self.booking)


@dataclass(slots=True, frozen=True)
class Refusal:
    """A no, with what stands in the way.

    counted, counted_limit  of a limit: what was counted, and how many there may be.
    """

    reason: Reason
    clashes: tuple[Clash, ...] = ()
    counted: int | None = None
    counted_limit: int | None = None


def refuse_claim(
    start_time: datetime, end_time: datetime, places: int, *, calendar: Calendar, capacity: int, now: datetime
) -> Refusal | None:
    """Say why ``places`` cannot be claimed for ``[start_time, end_time)``, or None where they can.

    calendar  complete for the interval; a claim that is to be moved was taken out of it before.
    capacity  places that may be taken at one instant, at least 1.
    now       the transaction's clock (UTC). A start at this very instant is past.
    """
    if start_time <= now:
        return Refusal(Reason.SLOT_IN_PAST)
    if places > capacity:
        return Refusal(Reason.PLACES_EXCEED_CAPACITY)
    found = calendar.overlapping(start_time, end_time)
    blocks = list(islice(found, MAX_CLASHES) if capacity == 1 else found)  # one is too many: no need to count them
    if blocks and peak_use(blocks, start_time=start_time) + places > capacity:
        return Refusal(Reason.CONFLICT, clashes_of(blocks))
    return None


def refuse_cancel(standing: Standing, *, if_version: int | None) -> Refusal | None:
    """Say why a booking cannot be cancelled. One that is cancelled already is no refusal."""
    if standing.status is BookingStatus.CANCELLED:
        return None
    if standing.status is BookingStatus.RESCHEDULED:
        return Refusal(Reason.ALREADY_RESCHEDULED)
    return _refuse_version(standing.version, if_version)


def refuse_move(standing: Standing, *, if_version: int | None) -> Refusal | None:
    """Say why a booking cannot be moved at all, whatever the new time."""
    if standing.status is BookingStatus.CANCELLED:
        return Refusal(Reason.ALREADY_CANCELLED)
    if standing.status is BookingStatus.RESCHEDULED:
        return Refusal(Reason.ALREADY_RESCHEDULED)
    return _refuse_version(standing.version, if_version)


def refuse_update(*, version: int, if_version: int | None, capacity: int | None, peak: int) -> Refusal | None:
    """Say why a resource cannot be changed.

    capacity  the one wished for, or None.
    peak      the most places that live bookings take at one instant: of those that have not ended, or of all
              where ``capacity`` is 1.
    """
    if refusal := _refuse_version(version, if_version):
        return refusal
    if capacity is not None and capacity < peak:
        return Refusal(Reason.CAPACITY_BELOW_TAKEN)
    return None


def _refuse_version(version: int, if_version: int | None) -> Refusal | None:
    return Refusal(Reason.STALE_VERSION) if if_version not in (None, version) else None
