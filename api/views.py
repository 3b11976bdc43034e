"""From what the engine knows to what the interface says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from api.bodies import (
    BookingBody,
    ClashBody,
    LedgerItem,
    QueuedBody,
    ResourceBody,
    SlotBody,
    instant_out,
    optional_instant_out,
)
from engine.commands import UNDATED, BookingStatus, Clash, Outcome, Queued
from engine.rules.recurrence_rule import PREFIX
from engine.store.bookings import Booking
from engine.store.ledger import LedgerEntry
from engine.store.resources import Resource

MESSAGES = {
    BookingStatus.CONFIRMED: "Booking confirmed",
    BookingStatus.CANCELLED: "Booking cancelled",
    BookingStatus.RESCHEDULED: "Booking rescheduled",
}
OCCURRENCE_MESSAGES = {
    BookingStatus.CONFIRMED: "Occurrence confirmed",
    BookingStatus.CANCELLED: "Occurrence cancelled",
    BookingStatus.RESCHEDULED: "Occurrence rescheduled",
    BookingStatus.CLASHED: "Occurrence lost to an older series",
}
MADE_MESSAGES = {
    "book": "Booking created",
    "book_seat": "Booking created",
    "reschedule": "Booking rescheduled",
    "move_occurrence": "Occurrence moved",
}


def made_booking_body(outcome: Outcome, resource_id: str) -> BookingBody:
    """Show the booking that a command made, from its outcome alone."""
    return made_body(outcome, resource_id, MADE_MESSAGES[outcome.kind])


def made_body(outcome: Outcome, resource_id: str, message: str) -> BookingBody:
    """Show what bookings and series have in common of what a command made, from its outcome alone."""
    made = outcome.booking
    assert made is not None
    return BookingBody(
        booking_id=made.booking,
        resource_id=resource_id,
        start_time=instant_out(made.start_time),
        end_time=instant_out(made.end_time),
        status=made.status.value,
        places=made.places,
        ticket=outcome.ticket,
        request_id=outcome.request_id,
        created_at=instant_out(outcome.decided_at),
        message=message,
    )


def booking_body(booking: Booking) -> BookingBody:
    """Show a single booking or an occurrence as it stands."""
    messages = MESSAGES if booking.series is None else OCCURRENCE_MESSAGES
    body = BookingBody(
        booking_id=booking.booking,
        resource_id=booking.resource_id,
        start_time=instant_out(booking.start_time),
        end_time=instant_out(booking.end_time),
        status=booking.status.value,
        places=booking.places,
        ticket=booking.ticket,
        request_id=booking.request_id,
        created_at=instant_out(booking.created_at),
        message=messages[booking.status],
        ended_at=optional_instant_out(booking.ended_at),
        cancellation_reason=booking.cancellation_reason,
        rescheduled_from=booking.rescheduled_from,
        rescheduled_to=booking.rescheduled_to,
    )
    if booking.slot is not None and booking.host is not None:
        return _with_offer(body, booking)
    if booking.series is None or booking.occurrence is None:
        return body
    return msgspec.structs.replace(
        body,
        recurrence_rule=rule_out(booking.rule),
        parent_booking_id=booking.series,
        occurrence_start=instant_out(booking.occurrence),
    )


def _with_offer(body: BookingBody, booking: Booking) -> BookingBody:
    """Say of a seat what it is a seat of."""
    body.start_time, body.end_time = dated(booking.start_time, booking.end_time)
    offer = {"event_id" if booking.is_event else "slot_id": booking.slot}
    return msgspec.structs.replace(body, host_id=booking.host, **offer)


def dated(start_time: datetime, end_time: datetime) -> tuple[str | None, str | None]:
    """Write the times of an event or of a seat; None where it has no date."""
    if (start_time, end_time) == UNDATED:
        return None, None
    return instant_out(start_time), instant_out(end_time)


def rule_out(text: str | None) -> str | None:
    """Write a rule as iCalendar does, with its prefix; None: there is none."""
    return None if text is None else f"{PREFIX}{text}"


def resource_body(resource: Resource) -> ResourceBody:
    """Show a resource."""
    return ResourceBody(
        resource_id=resource.resource_id,
        name=resource.name,
        time_zone=resource.time_zone,
        capacity=resource.capacity,
        version=resource.version,
        created_at=instant_out(resource.created_at),
    )


def ledger_item(entry: LedgerEntry) -> LedgerItem:
    """Show a ticket and its outcome."""
    return LedgerItem(
        ticket=entry.ticket,
        kind=entry.kind,
        outcome=entry.outcome,
        reason=entry.reason,
        start_time=optional_instant_out(entry.start_time),
        end_time=optional_instant_out(entry.end_time),
        places=entry.places,
        capacity=entry.capacity,
        first_ticket=entry.first_ticket,
        joined_at=instant_out(entry.joined_at),
        decided_at=instant_out(entry.decided_at),
        row_hash=entry.row_hash.hex(),
    )


def clash_bodies(clashes: Iterable[Clash]) -> list[ClashBody]:
    """Show what stands in the way."""
    return [
        ClashBody(
            booking_id=clash.booking,
            start_time=instant_out(clash.start_time),
            end_time=instant_out(clash.end_time),
        )
        for clash in clashes
    ]


def slot_bodies(slots: Iterable[tuple[datetime, datetime]]) -> list[SlotBody]:
    """Show free times."""
    return [SlotBody(start_time=instant_out(start), end_time=instant_out(end)) for start, end in slots]


def queued_body(queued: Queued) -> QueuedBody:
    """Show a request that waits."""
    return QueuedBody(request_id=queued.request_id, ticket=queued.ticket, position=queued.position, status="queued")


def request_address(request_id: object) -> str:
    """Where the outcome of a request is."""
    return f"/api/v1/requests/{request_id}"
