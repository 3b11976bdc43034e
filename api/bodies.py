"""What requests carry and what answers say: the JSON of the interface."""

from __future__ import annotations

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
    EndTime,
    Fault,
    Limit,
    Name,
    NoRecurrence,
    Places,
    ResourceId,
    StartTime,
    TimeZoneName,
    interval_faults,
)

DEFAULT_LIMIT = 20


class NewResource(Body, frozen=True):
    """A resource to be made. ``resource_id`` is made up where it is left out."""

    name: Name
    resource_id: ResourceId | UnsetType = UNSET
    time_zone: TimeZoneName | UnsetType = UNSET
    capacity: Capacity | UnsetType = UNSET


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
    """A booking to be made."""

    resource_id: ResourceId
    start_time: StartTime
    end_time: EndTime
    recurrence_rule: NoRecurrence | UnsetType = UNSET
    places: Places | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the interval."""
        return interval_faults(self.start_time, self.end_time)


class NewTimes(Body, frozen=True):
    """Where to move a booking to."""

    start_time: StartTime
    end_time: EndTime

    def faults(self) -> list[Fault]:
        """Check the interval."""
        return interval_faults(self.start_time, self.end_time)


class Cancellation(Body, frozen=True):
    """Why a booking is cancelled."""

    reason: CancellationReason | UnsetType = UNSET


class ResourceQuery(Body, frozen=True):
    """A page of resources."""

    limit: Limit | UnsetType = UNSET
    cursor: ResourceId | UnsetType = UNSET


class LedgerQuery(Body, frozen=True):
    """A page of a ledger."""

    after: AfterTicket | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET


NEW_RESOURCE = Shape(NewResource)
RESOURCE_CHANGE = Shape(ResourceChange)
NEW_BOOKING = Shape(NewBooking)
NEW_TIMES = Shape(NewTimes)
CANCELLATION = Shape(Cancellation)
RESOURCE_QUERY = Shape(ResourceQuery)
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


class BookingBody(Struct, kw_only=True):
    """A booking. The last four fields stand in an answer that reads or ends one."""

    booking_id: UUID
    resource_id: str
    start_time: str
    end_time: str
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


class ClashBody(Struct, kw_only=True):
    """A live booking that stands in the way."""

    booking_id: UUID
    start_time: str
    end_time: str


class SlotBody(Struct, kw_only=True):
    """A free time."""

    start_time: str
    end_time: str


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
    next_available_slots: list[SlotBody] | UnsetType = UNSET
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
