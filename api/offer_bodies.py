"""What requests about slots, events and seats carry, and what their answers say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from api.bodies import BookingBody, SkippedBody
from api.decode import Body, Shape
from api.fields import (
    MOST_PLACES,
    AfterTicket,
    Cursor,
    EndTime,
    Fault,
    Id,
    Limit,
    Name,
    OnConflict,
    OneOf,
    RuleText,
    SeriesZone,
    StartTime,
    Text,
    Whole,
    described,
    interval_faults,
    whole_second_faults,
)
from api.windows import OpenWindow
from engine.commands import BookingStatus

LONGEST_WINDOW = timedelta(days=1)
MINUTES_OF_A_DAY = 1_440
LONGEST_HORIZON_DAYS = 400
DEFAULT_HORIZON_DAYS = 60
LONGEST_HOST = 36

SlotId = Annotated[UUID, described(Id(), "The slot.", "019e0c3d-33a0-7c11-8f52-4be0d7a3c9f1")]
EventId = Annotated[UUID, described(Id(), "The event.", "019e0c3d-4f10-7d24-9a61-0c8be5f7d2a3")]
UserId = Annotated[
    UUID,
    described(
        Id(),
        "For whom: only operators, and programs whose key has the scope bookings:write:any, may name anybody.",
        "019e0c39-70d0-7b52-8e13-f6a90c4d1b7e",
    ),
]
HostId = Annotated[
    str,
    described(
        Text(LONGEST_HOST),
        "Whose: the id of a host.",
        "019e0c38-11c0-7e40-9d24-5ab8c7e6f012",
        min_length=1,
        max_length=LONGEST_HOST,
    ),
]
Seats = Annotated[
    int, described(Whole(1, MOST_PLACES), "How many can book it, one seat each.", 1, ge=1, le=MOST_PLACES)
]
SeatsLeft = Annotated[
    int,
    described(Whole(1, MOST_PLACES, loose=True), "How many seats must be left.", 1, ge=1, le=MOST_PLACES),
]
SlotMinutes = Annotated[
    int,
    described(Whole(1, MINUTES_OF_A_DAY), "How long a slot takes, in minutes.", 30, ge=1, le=MINUTES_OF_A_DAY),
]
GapMinutes = Annotated[
    int,
    described(Whole(0, MINUTES_OF_A_DAY), "Minutes from the end of a slot to the next.", 0, ge=0, le=MINUTES_OF_A_DAY),
]
HorizonDays = Annotated[
    int,
    described(
        Whole(1, LONGEST_HORIZON_DAYS),
        "How many days ahead the slots of a rule without end are published.",
        DEFAULT_HORIZON_DAYS,
        ge=1,
        le=LONGEST_HORIZON_DAYS,
    ),
]
BookingStatusName = Annotated[
    Literal["confirmed", "cancelled", "rescheduled", "clashed"],
    described(OneOf(tuple(status.value for status in BookingStatus)), "Only bookings of this status.", "confirmed"),
]


class NewSeat(Body, frozen=True):
    """A seat to be booked: of a slot, or of an event."""

    slot_id: SlotId | UnsetType = UNSET
    event_id: EventId | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Ask for one of the two."""
        if (self.slot_id is UNSET) is not (self.event_id is UNSET):
            return []
        return [Fault("", "one_of", "exactly one of resource_id, slot_id and event_id is required")]


class Reservation(Body, frozen=True):
    """A seat of an event, for oneself or for somebody else."""

    event_id: EventId
    user_id: UserId | UnsetType = UNSET


class NewSlot(Body, frozen=True):
    """A slot to be published."""

    start_time: StartTime
    end_time: EndTime
    capacity: Seats | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the interval, which must be as long as the shortest slot at least."""
        found = interval_faults(self.start_time, self.end_time)
        start, end = self.start_time, self.end_time
        return found or (_too_short(start, end) if isinstance(start, datetime) and isinstance(end, datetime) else [])


class NewSlots(Body, frozen=True):
    """Slots to be published: a window of time, cut into slots, and repeated by a rule."""

    start_time: StartTime
    end_time: EndTime
    slot_minutes: SlotMinutes
    recurrence_rule: RuleText | UnsetType = UNSET
    gap_minutes: GapMinutes | UnsetType = UNSET
    time_zone: SeriesZone | UnsetType = UNSET
    capacity: Seats | UnsetType = UNSET
    on_conflict: OnConflict | UnsetType = UNSET
    horizon_days: HorizonDays | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the window, which has room for one slot at least and is no longer than a day."""
        found = interval_faults(self.start_time, self.end_time) + whole_second_faults(self.start_time)
        if found or not isinstance(self.start_time, datetime) or not isinstance(self.end_time, datetime):
            return found
        window = self.end_time - self.start_time
        if window > LONGEST_WINDOW:
            return [Fault("/end_time", "window_too_long", "end_time must be at most 24 hours after start_time")]
        if isinstance(self.slot_minutes, int) and timedelta(minutes=self.slot_minutes) > window:
            detail = "slot_minutes must not be more than there are from start_time to end_time"
            return [Fault("/slot_minutes", "window_too_short", detail)]
        return []


class NewEvent(Body, frozen=True):
    """An event to be made. One without times has no date yet."""

    name: Name
    total_seats: Seats
    start_time: StartTime | UnsetType = UNSET
    end_time: EndTime | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the interval: both ends of it, or none."""
        if (self.start_time is UNSET) is not (self.end_time is UNSET):
            missing = "start_time" if self.start_time is UNSET else "end_time"
            return [Fault(f"/{missing}", "required", f"{missing} is required where the other end is given")]
        return interval_faults(self.start_time, self.end_time)


class EventChange(Body, frozen=True):
    """What to change about an event."""

    name: Name | UnsetType = UNSET
    total_seats: Seats | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Refuse a change of nothing."""
        if self.name is UNSET and self.total_seats is UNSET:
            return [Fault("", "nothing_to_change", "name or total_seats is required")]
        return []


class SlotQuery(OpenWindow, frozen=True):
    """A page of the slots that can be booked and begin in a window."""

    host_id: HostId | UnsetType = UNSET
    seats: SeatsLeft | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


class WindowQuery(OpenWindow, frozen=True):
    """A page of what begins in a window."""

    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


class SlotRuleQuery(Body, frozen=True):
    """A page of rules."""

    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


class OwnBookingQuery(OpenWindow, frozen=True):
    """A page of the bookings that have time in a window."""

    status: BookingStatusName | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


class TimelineQuery(Body, frozen=True):
    """A page of a timeline."""

    after: AfterTicket | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET


def _too_short(start: datetime, end: datetime) -> list[Fault]:
    if end - start >= timedelta(minutes=1):
        return []
    return [Fault("/end_time", "window_too_short", "end_time must be at least a minute after start_time")]


NEW_SEAT = Shape(NewSeat)
RESERVATION = Shape(Reservation)
NEW_SLOT = Shape(NewSlot)
NEW_SLOTS = Shape(NewSlots)
NEW_EVENT = Shape(NewEvent)
EVENT_CHANGE = Shape(EventChange)
SLOT_QUERY = Shape(SlotQuery)
WINDOW_QUERY = Shape(WindowQuery)
SLOT_RULE_QUERY = Shape(SlotRuleQuery)
OWN_BOOKING_QUERY = Shape(OwnBookingQuery)
TIMELINE_QUERY = Shape(TimelineQuery)


class OfferedSlotBody(Struct, kw_only=True):
    """A slot.

    status   available: it can be booked; booked: no seat is left, or it has begun and was booked; past: it has begun
             and was not booked; cancelled: its host took it back.
    rule_id  the rule that published it, or null.
    """

    slot_id: UUID
    host_id: str
    start_time: str
    end_time: str
    capacity: int
    seats_left: int
    status: Literal["available", "booked", "past", "cancelled"]
    rule_id: UUID | None
    created_at: str


class SlotPage(Struct, kw_only=True):
    """A page of slots. ``next`` is the cursor of the next page, null on the last."""

    items: list[OfferedSlotBody]
    next: str | None


class FreshSlotPage(Struct, kw_only=True):
    """A page of slots, and how new it is: what was decided ``staleness_ms`` ago is in it."""

    items: list[OfferedSlotBody]
    next: str | None
    source: Literal["replica", "primary"]
    staleness_ms: int


class PublishedBody(Struct, kw_only=True):
    """What was published.

    rule_id  of a rule without end, by which more are published later; null: these are all.
    slot_id  where it was one slot.
    skipped  the starts that were left out, the first of them at least; ``left_out`` says how many there are.
    """

    message: str
    created: int
    left_out: int
    skipped: list[SkippedBody]
    rule_id: UUID | None
    slot_id: UUID | None
    ticket: int
    request_id: UUID


class SlotRuleBody(Struct, kw_only=True):
    """A rule that publishes slots.

    start_time, end_time  the first window.
    published_until       before which its slots were published.
    status                active, or ended: it publishes no more.
    """

    rule_id: UUID
    host_id: str
    start_time: str
    end_time: str
    recurrence_rule: str
    time_zone: str
    slot_minutes: int
    gap_minutes: int
    capacity: int
    horizon_days: int
    published_until: str | None
    status: Literal["active", "ended"]
    created_at: str
    ended_at: str | None


class SlotRulePage(Struct, kw_only=True):
    """A page of rules. ``next`` is the cursor of the next page, null on the last."""

    items: list[SlotRuleBody]
    next: str | None


class EventBody(Struct, kw_only=True):
    """An event. Its times are null while it has no date."""

    event_id: UUID
    host_id: str
    name: str
    total_seats: int
    seats_left: int
    start_time: str | None
    end_time: str | None
    version: int
    created_at: str


class EventPage(Struct, kw_only=True):
    """A page of events. ``next`` is the cursor of the next page, null on the last."""

    items: list[EventBody]
    next: str | None


class BookingPage(Struct, kw_only=True):
    """A page of bookings. ``next`` is the cursor of the next page, null on the last."""

    items: list[BookingBody]
    next: str | None


class ChangeBody(Struct, kw_only=True):
    """One decision that made a booking what it is.

    actor     who asked for it: you, the guest whose booking it is, its host, an operator; unknown: it was decided
              before that was noted.
    actor_id  for operators alone.
    """

    ticket: int
    kind: str
    status: str
    at: str
    actor: Literal["you", "guest", "host", "operator", "unknown"]
    request_id: UUID
    start_time: str | None
    end_time: str | None
    rescheduled_to: UUID | UnsetType = UNSET
    actor_id: Annotated[str | UnsetType | None, Meta(description="For operators alone.")] = UNSET


class Timeline(Struct, kw_only=True):
    """What befell a booking, in order. ``next`` is the ``after`` of the next page, null on the last."""

    booking_id: UUID
    items: list[ChangeBody]
    next: int | None
