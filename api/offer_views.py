"""From what the engine knows about slots, events and seats to what the interface says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import UNSET

from api.access import Caller
from api.bodies import BookingBody, SkippedBody, SlotBody, instant_out, optional_instant_out
from api.offer_bodies import ChangeBody, EventBody, OfferedSlotBody, PublishedBody, SlotRuleBody
from api.views import dated, made_booking_body, rule_out
from engine.commands import Outcome, Reason
from engine.rules.wall_clock import to_utc
from engine.store.offers import OfferHome, Offering, StoredRule
from engine.store.timeline import Change, Concerned

MINUTE_MS = 60_000
ENDING = frozenset({"cancel", "cancel_series", "cancel_occurrence"})
MOVING = frozenset({"reschedule", "move_occurrence"})


def slot_body(slot: Offering) -> OfferedSlotBody:
    """Show a slot as it stands."""
    return OfferedSlotBody(
        slot_id=slot.slot,
        host_id=slot.host,
        start_time=instant_out(slot.start_time),
        end_time=instant_out(slot.end_time),
        capacity=slot.capacity,
        seats_left=0 if slot.cancelled else slot.capacity - slot.taken,
        status=_status(slot),
        rule_id=slot.rule,
        created_at=instant_out(slot.created_at),
    )


def _status(slot: Offering) -> Literal["available", "booked", "past", "cancelled"]:
    if slot.cancelled:
        return "cancelled"
    if slot.taken == slot.capacity:
        return "booked"
    if slot.start_time > slot.now:
        return "available"
    return "booked" if slot.taken else "past"


def open_slot_bodies(slots: Iterable[Offering]) -> list[SlotBody]:
    """Show slots as suggestions."""
    return [
        SlotBody(start_time=instant_out(slot.start_time), end_time=instant_out(slot.end_time), slot_id=slot.slot)
        for slot in slots
    ]


def event_body(event: Offering) -> EventBody:
    """Show an event as it stands."""
    assert event.name is not None, "an event has one"
    start_time, end_time = dated(event.start_time, event.end_time)
    return EventBody(
        event_id=event.slot,
        host_id=event.host,
        name=event.name,
        total_seats=event.capacity,
        seats_left=event.capacity - event.taken,
        start_time=start_time,
        end_time=end_time,
        version=event.version,
        created_at=instant_out(event.created_at),
    )


def made_seat_body(outcome: Outcome, home: OfferHome) -> BookingBody:
    """Show the seat that a command booked, from its outcome and what never changes."""
    body = made_booking_body(outcome, home.resource_id)
    assert outcome.booking is not None
    assert outcome.subject is not None, "it names the slot or event"
    body.start_time, body.end_time = dated(outcome.booking.start_time, outcome.booking.end_time)
    body.host_id = home.host
    if home.is_event:
        body.event_id = outcome.subject
    else:
        body.slot_id = outcome.subject
    return body


def published_body(outcome: Outcome) -> PublishedBody:
    """Show what a command published, from its outcome alone."""
    detail = outcome.detail
    assert detail is not None
    noun = "slot" if detail.occurrences == 1 else "slots"
    return PublishedBody(
        message=f"{detail.occurrences:,} {noun} published",
        created=detail.occurrences,
        left_out=detail.clashing,
        skipped=[SkippedBody(start_time=instant_out(start), reason=Reason.CONFLICT.value) for start in detail.skipped],
        rule_id=outcome.subject,
        slot_id=None if outcome.booking is None else outcome.booking.booking,
        ticket=outcome.ticket,
        request_id=outcome.request_id,
    )


def slot_rule_body(rule: StoredRule) -> SlotRuleBody:
    """Show a rule that publishes slots."""
    recurrence = rule.recurrence
    start_time = to_utc(recurrence.start, ZoneInfo(recurrence.time_zone))
    text = rule_out(recurrence.rule.text if recurrence.rule is not None else None)
    assert text is not None, "what is kept has a rule"
    return SlotRuleBody(
        rule_id=rule.rule,
        host_id=rule.host,
        start_time=instant_out(start_time),
        end_time=instant_out(start_time + timedelta(milliseconds=recurrence.length_ms)),
        recurrence_rule=text,
        time_zone=recurrence.time_zone,
        slot_minutes=rule.slot_ms // MINUTE_MS,
        gap_minutes=(rule.step_ms - rule.slot_ms) // MINUTE_MS,
        capacity=rule.capacity,
        horizon_days=rule.horizon_days,
        published_until=optional_instant_out(rule.published_until if rule.ended_at is None else None),
        status="active" if rule.ended_at is None else "ended",
        created_at=instant_out(rule.created_at),
        ended_at=optional_instant_out(rule.ended_at),
    )


def change_body(change: Change, concerned: Concerned, caller: Caller) -> ChangeBody:
    """Show one decision that made a booking what it is, to whoever may see the booking."""
    moved = change.kind in MOVING and change.subject == concerned.booking and change.booking is not None
    start_time, end_time = (None, None) if change.start_time is None else (change.start_time, change.end_time)
    shown = (None, None) if start_time is None or end_time is None else dated(start_time, end_time)
    return ChangeBody(
        ticket=change.ticket,
        kind=change.kind,
        status="cancelled" if change.kind in ENDING else "rescheduled" if moved else "confirmed",
        at=instant_out(change.decided_at),
        actor=_actor(change.caller, concerned, caller),
        request_id=change.request_id,
        start_time=shown[0],
        end_time=shown[1],
        rescheduled_to=change.booking if moved and change.booking is not None else UNSET,
        actor_id=change.caller if caller.operates else UNSET,
    )


def _actor(
    who: str | None, concerned: Concerned, caller: Caller
) -> Literal["you", "guest", "host", "operator", "unknown"]:
    """Say who asked for something, in the eyes of whoever reads it."""
    if who is None:
        return "unknown"
    if who == caller.name:
        return "you"
    if who == concerned.home.caller:
        return "guest"
    return "host" if who in (concerned.home.host, concerned.home.owner) else "operator"
