"""The rules of seats: who may have one of a slot or event, and how many bookings a person may have. Pure.

Each function returns the first Reason that applies, in the order in which Reason declares them, or None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from engine.commands import ANONYMOUS, BookingStatus, Limits, Reason
from engine.rules.decide import Refusal, Standing


@dataclass(slots=True)
class Offer:
    """A slot or event as it is while the batch decides.

    one_each  whether the slots of its host count together for a person: so it is with slots, not with events.
    capacity  how many seats it has, and ``taken`` how many of them are taken.
    holders   of those who ask in this batch, who has a seat.
    """

    slot: UUID
    resource: int
    host: str
    one_each: bool
    start_time: datetime
    end_time: datetime
    capacity: int
    taken: int
    cancelled: bool
    version: int
    holders: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Account:
    """What a person has ahead.

    bookings  active ones by id, a series as one, with the host of a slot or None.
    """

    bookings: dict[UUID, str | None] = field(default_factory=dict)

    def with_host(self, host: str) -> int:
        """How many slots of a host there are among them."""
        return sum(1 for other in self.bookings.values() if other == host)


def refuse_seat(offer: Offer, caller: str, *, now: datetime) -> Refusal | None:
    """Say why nobody can have a seat, or not this caller, or None where there is one.

    now  the transaction's clock (UTC). A start at this very instant is past.
    """
    if offer.cancelled:
        return Refusal(Reason.SLOT_CANCELLED)
    if offer.start_time <= now:
        return Refusal(Reason.SLOT_IN_PAST)
    if caller != ANONYMOUS and caller in offer.holders:
        return Refusal(Reason.ALREADY_BOOKED)
    if offer.taken >= offer.capacity:
        return Refusal(Reason.NO_SEATS_LEFT)
    return None


def refuse_limit(account: Account, limits: Limits, *, host: str | None = None) -> Refusal | None:
    """Say which limit one more booking of a person would exceed, with what was counted, or None.

    host  of the slot that is wished for; None: it is no slot.
    """
    active = len(account.bookings)
    if limits.active is not None and active >= limits.active:
        return Refusal(Reason.MAX_ACTIVE_BOOKINGS, counted=active, counted_limit=limits.active)
    if limits.with_host is not None and host is not None and (count := account.with_host(host)) >= limits.with_host:
        return Refusal(Reason.MAX_BOOKINGS_WITH_HOST, counted=count, counted_limit=limits.with_host)
    return None


def refuse_late(standing: Standing, limits: Limits | None, *, now: datetime) -> Refusal | None:
    """Say whether it is too late to give a seat back. One that was given back before is no refusal."""
    if limits is None or limits.cancel_ms is None or standing.status is not BookingStatus.CONFIRMED:
        return None
    late = standing.start_time - timedelta(milliseconds=limits.cancel_ms) <= now
    return Refusal(Reason.TOO_LATE_TO_CANCEL) if late else None


def refuse_slot_cancel(offer: Offer) -> Refusal | None:
    """Say why a slot cannot be taken back. One that was taken back before is no refusal."""
    return Refusal(Reason.SLOT_BOOKED) if offer.taken else None


def refuse_event_change(offer: Offer, *, total_seats: int | None, if_version: int | None) -> Refusal | None:
    """Say why an event cannot be changed.

    total_seats  the number wished for, or None.
    """
    if if_version not in (None, offer.version):
        return Refusal(Reason.STALE_VERSION)
    if total_seats is not None and total_seats < offer.taken:
        return Refusal(Reason.CAPACITY_BELOW_TAKEN)
    return None
