"""What requests carry and what answers say: the JSON of the interface."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from api.decode import Body, Shape
from api.fields import (
    AfterTicket,
    CancellationReason,
    Capacity,
    Cursor,
    EndTime,
    Exceptions,
    ExtraStarts,
    Fault,
    Limit,
    Name,
    OnConflict,
    Places,
    ResourceId,
    RuleText,
    ScopeName,
    SeriesZone,
    StartTime,
    TimeZoneName,
    interval_faults,
    whole_second_faults,
)
from api.windows import Window

DEFAULT_LIMIT = 20
RESERVED_NAME = re.compile(r"(calendar|event)-([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|anonymous)", re.ASCII)


class NewResource(Body, frozen=True):
    """A resource to be made. ``resource_id`` is made up where it is left out."""

    name: Name
    resource_id: ResourceId | UnsetType = UNSET
    time_zone: TimeZoneName | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Keep the names of calendars and events, which the engine makes, for them."""
        if isinstance(self.resource_id, str) and RESERVED_NAME.fullmatch(self.resource_id):
            return [Fault("/resource_id", "reserved_name", "resource_id is a name that calendars or events have")]
        return []


class ResourceChange(Body, frozen=True):
    """What to change about a resource."""

    name: Name | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Refuse a change of nothing."""
        if self.name is UNSET and self.capacity is UNSET:
            return [Fault("", "nothing_to_change", "name or capacity is required")]
        return []


class NewBooking(Body, frozen=True):
    """A booking to be made. With a rule, or with further starts, it is a recurring one."""

    resource_id: ResourceId
    start_time: StartTime
    end_time: EndTime
    recurrence_rule: RuleText | UnsetType = UNSET
    exdates: Exceptions | UnsetType = UNSET
    rdates: ExtraStarts | UnsetType = UNSET
    time_zone: SeriesZone | UnsetType = UNSET
    on_conflict: OnConflict | UnsetType = UNSET
    places: Places | UnsetType = UNSET

    @property
    def recurring(self) -> bool:
        """Whether it asks for a series. A field that is not right by itself counts as there."""
        return self.recurrence_rule is not UNSET or (self.rdates is not UNSET and self.rdates != [])

    def faults(self) -> list[Fault]:
        """Check the interval, and that what belongs to a series stands in one."""
        found = interval_faults(self.start_time, self.end_time)
        if self.recurring:
            return found + whole_second_faults(self.start_time)
        detail = "is for a recurring booking, and there is neither a recurrence_rule nor a start in rdates"
        return found + [
            Fault(f"/{name}", "recurrence_required", f"{name} {detail}")
            for name in ("exdates", "rdates", "time_zone", "on_conflict")
            if getattr(self, name) is not UNSET
        ]


class NewTimes(Body, frozen=True):
    """Where to move a booking to."""

    start_time: StartTime
    end_time: EndTime

    def faults(self) -> list[Fault]:
        """Check the interval."""
        return interval_faults(self.start_time, self.end_time)


class OccurrenceTimes(Body, frozen=True):
    """Where to move an occurrence to, and how many go with it."""

    start_time: StartTime
    end_time: EndTime
    scope: ScopeName | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the interval. One occurrence may begin at any millisecond, a series at whole seconds."""
        found = interval_faults(self.start_time, self.end_time)
        if self.scope in (UNSET, None, "this"):
            return found
        return found + whole_second_faults(self.start_time)


class Cancellation(Body, frozen=True):
    """Why a booking is cancelled."""

    reason: CancellationReason | UnsetType = UNSET


class ResourceQuery(Body, frozen=True):
    """A page of resources."""

    limit: Limit | UnsetType = UNSET
    cursor: ResourceId | UnsetType = UNSET


class OccurrenceQuery(Window, frozen=True):
    """A page of the occurrences that begin in a window."""

    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


class LedgerQuery(Body, frozen=True):
    """A page of a ledger."""

    after: AfterTicket | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET


NEW_RESOURCE = Shape(NewResource)
RESOURCE_CHANGE = Shape(ResourceChange)
NEW_BOOKING = Shape(NewBooking)
NEW_TIMES = Shape(NewTimes)
OCCURRENCE_TIMES = Shape(OccurrenceTimes)
CANCELLATION = Shape(Cancellation)
RESOURCE_QUERY = Shape(ResourceQuery)
OCCURRENCE_QUERY = Shape(OccurrenceQuery)
LEDGER_QUERY = Shape(LedgerQuery)


class ResourceBody(Struct, kw_only=True):
    """A resource."""

    resource_id: str
    name: str
    time_zone: str
    capacity: int
    version: int
    created_at: str


class ResourcePage(Struct, kw_only=True):
    """A page of resources. ``next`` is the cursor of the next page, null on the last."""

    items: list[ResourceBody]
    next: str | None


class ClashBody(Struct, kw_only=True):
    """A live booking that stands in the way. ``occurrence_start`` is the wished occurrence that it meets."""

    booking_id: UUID
    start_time: str
    end_time: str
    occurrence_start: str | UnsetType = UNSET


class SkippedBody(Struct, kw_only=True):
    """A start that was left out."""

    start_time: str
    reason: str


class BookingBody(Struct, kw_only=True):
    """A booking: a single one, a series, or an occurrence of one.

    The first twelve fields stand in every answer, the next four in one that reads or ends a booking.

    parent_booking_id, occurrence_start  of an occurrence: its series, and the start that the rule gives it.
    cancelled_date  the same start, where the occurrence has just been cancelled.
    time_zone to summary  of a series. ``occurrences`` counts those that stand, of an infinite series as far as they
                    are stored, which is ``stored_until``.
    skipped, warnings  what was left out, and what was passed over, when the series was made.
    slot_id, event_id, host_id  of a seat: what it is a seat of, and who offers that. An event may have no times.
    """

    booking_id: UUID
    resource_id: str
    start_time: str | None
    end_time: str | None
    recurrence_rule: str | None = None
    status: str
    places: int
    ticket: int
    request_id: UUID
    created_at: str
    has_conflict: bool = False
    message: str
    ended_at: str | UnsetType | None = UNSET
    cancellation_reason: str | UnsetType | None = UNSET
    rescheduled_from: UUID | UnsetType | None = UNSET
    rescheduled_to: UUID | UnsetType | None = UNSET
    parent_booking_id: UUID | UnsetType = UNSET
    occurrence_start: str | UnsetType = UNSET
    cancelled_date: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    exdates: list[str] | UnsetType = UNSET
    rdates: list[str] | UnsetType = UNSET
    occurrences: int | UnsetType = UNSET
    stored_until: str | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    skipped: list[SkippedBody] | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    slot_id: UUID | UnsetType = UNSET
    event_id: UUID | UnsetType = UNSET
    host_id: str | UnsetType = UNSET


class OccurrenceBody(Struct, kw_only=True):
    """An occurrence in a list.

    booking_id  null where it is not stored yet.
    occurrence  its name in a path: the start that the rule gives it, also where it was moved.
    """

    booking_id: UUID | None
    parent_booking_id: UUID
    start_time: str
    end_time: str
    occurrence: str
    status: str


class OccurrencePage(Struct, kw_only=True):
    """A page of occurrences. ``next`` is the cursor of the next page, null on the last."""

    items: list[OccurrenceBody]
    next: str | None


class PreviewItem(Struct, kw_only=True):
    """An occurrence as it would be. ``occurrence`` is its name."""

    start_time: str
    end_time: str
    occurrence: str


class PreviewBody(Struct, kw_only=True):
    """What a recurring booking would be, and what would stand in its way.

    items           the occurrences that would be stored, ``occurrences`` of them.
    as_of, source   how new that is: nothing is kept for whoever looks.
    """

    resource_id: str
    start_time: str
    end_time: str
    recurrence_rule: str | None
    time_zone: str
    exdates: list[str]
    rdates: list[str]
    occurrences: int
    stored_until: str | UnsetType = UNSET
    summary: str
    items: list[PreviewItem]
    has_conflict: bool
    conflicts: list[ClashBody]
    clashing_occurrences: int
    warnings: list[str]
    as_of: str
    source: str


class RestoredBody(Struct, kw_only=True):
    """An occurrence that stands again. ``restored_date`` is the start that the rule gives it."""

    message: str
    booking_id: UUID
    parent_booking_id: UUID
    restored_date: str


class SlotBody(Struct, kw_only=True):
    """A free time. ``slot_id`` where it is a host's slot."""

    start_time: str
    end_time: str
    slot_id: UUID | UnsetType = UNSET


class QueuedBody(Struct, kw_only=True):
    """A request that is not decided yet, or of which only the state is told."""

    request_id: UUID
    ticket: int
    position: int
    status: str


class RequestBody(Struct, kw_only=True):
    """What became of a request. ``outcome`` is the body it was answered with, null while it is queued."""

    request_id: UUID
    ticket: int
    status: str
    position: int
    outcome: Any


class KeyBody(Struct, kw_only=True, omit_defaults=True):
    """A public key (RFC 7517). ``kid`` is its thumbprint (RFC 7638); the other members depend on ``kty``."""

    kty: str
    kid: str
    use: str
    alg: str
    crv: str | UnsetType = UNSET
    x: str | UnsetType = UNSET
    y: str | UnsetType = UNSET
    n: str | UnsetType = UNSET
    e: str | UnsetType = UNSET


class KeySetBody(Struct, kw_only=True):
    """Public keys (RFC 7517, section 5)."""

    keys: list[KeyBody]


class LedgerItem(Struct, kw_only=True):
    """A ticket and its outcome. ``row_hash`` chains it to the ticket before."""

    ticket: int
    kind: str
    outcome: str
    reason: str | None
    start_time: str | None
    end_time: str | None
    places: int | None
    capacity: int | None
    first_ticket: int | None
    joined_at: str
    decided_at: str
    row_hash: str


class LedgerPage(Struct, kw_only=True):
    """A page of a ledger. ``next`` is the ``after`` of the next page, null on the last."""

    items: list[LedgerItem]
    next: int | None


class ProblemBody(Struct, kw_only=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: tuple[Fault, ...] | UnsetType = UNSET
    has_conflict: bool | UnsetType = UNSET
    conflicts: list[ClashBody] | UnsetType = UNSET
    clashing_occurrences: int | UnsetType = UNSET
    next_available_slots: list[SlotBody] | UnsetType = UNSET
    rule: str | UnsetType = UNSET
    count: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    resets_at: str | UnsetType | None = UNSET
    retry_after_s: int | UnsetType = UNSET


class PartBody(Struct, kw_only=True):
    """The state of one part. ``lag_ms`` is how far a replica is behind."""

    ok: bool
    lag_ms: int | UnsetType | None = UNSET


class HealthBody(Struct, kw_only=True):
    """Whether this process can take bookings."""

    status: str
    primary: PartBody | UnsetType = UNSET
    queue: PartBody | UnsetType = UNSET
    replica: PartBody | UnsetType = UNSET


@lru_cache(maxsize=4_096)  # a launch asks for the same few times, and a batch is decided at one
def instant_out(instant: datetime) -> str:
    """Write an instant as the interface does: UTC with milliseconds."""
    if instant.tzinfo is not UTC:
        instant = instant.astimezone(UTC)
    return instant.isoformat("T", "milliseconds")[:23] + "Z"


def optional_instant_out(instant: datetime | None) -> str | None:
    """Write an instant, or None."""
    return None if instant is None else instant_out(instant)


encode = msgspec.json.Encoder().encode
