"""What requests about privacy carry and what answers say."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from api.account_bodies import ApiKeyBody, AuditItem, GivenPassword, UserBody
from api.decode import Body, Shape


class Erase(Body, frozen=True):
    """Who is to be erased says so once more, with the password."""

    password: GivenPassword


ERASE_ME = Shape(Erase)


class ErasedBody(Struct, kw_only=True):
    """That a person was erased. ``finished`` is false while what they had ahead is still being cancelled."""

    user_id: UUID
    erased_at: str
    finished: bool


class ExportedSession(Struct, kw_only=True):
    """From a log-in until it ended."""

    session_id: UUID
    created_at: str
    expires_at: str
    ended_at: str | None
    end_reason: str | None


class ExportedApiKey(ApiKeyBody, kw_only=True):
    """A key of a program, without the key."""

    ended_at: str | None


class ExportedBooking(Struct, kw_only=True):
    """A booking, a seat, or an occurrence of a series."""

    booking_id: UUID
    resource_id: str
    start_time: str
    end_time: str
    places: int
    status: str
    created_at: str
    ended_at: str | None
    cancellation_reason: str | None
    rescheduled_to: UUID | None
    rescheduled_from: UUID | None
    series_id: UUID | None
    occurrence: str | None
    slot_id: UUID | None
    request_id: UUID
    ticket: int


class ExportedSeries(Struct, kw_only=True):
    """A series. ``wall_clock`` is when it begins in its zone."""

    series_id: UUID
    resource_id: str
    wall_clock: str
    time_zone: str
    length_ms: int
    rule: str | None
    extra: list[str]
    excluded: list[str]
    places: int
    status: str
    created_at: str
    ended_at: str | None
    cancellation_reason: str | None
    rescheduled_to: UUID | None
    rescheduled_from: UUID | None
    request_id: UUID
    ticket: int


class ExportedResource(Struct, kw_only=True):
    """A resource, a calendar, or what gives away an event's seats."""

    resource_id: str
    kind: str
    name: str
    time_zone: str
    capacity: int
    created_at: str


class ExportedSlot(Struct, kw_only=True):
    """A slot or event that the person offers."""

    slot_id: UUID
    kind: str
    name: str | None
    start_time: str
    end_time: str
    capacity: int
    taken: int
    status: str
    rule_id: UUID | None
    created_at: str
    ended_at: str | None


class ExportedSlotRule(Struct, kw_only=True):
    """A rule by which the person's slots are published."""

    rule_id: UUID
    wall_clock: str
    time_zone: str
    window_ms: int
    rule: str
    slot_ms: int
    step_ms: int
    capacity: int
    horizon_days: int
    published_until: str | None
    created_at: str
    ended_at: str | None


class ExportedKey(Struct, kw_only=True):
    """An idempotency key that is still remembered."""

    key: str
    request_id: UUID
    created_at: str


class ExportedRequest(Struct, kw_only=True):
    """What the person asked a queue for, and what became of it: a row of the ledger."""

    resource_id: str
    ticket: int
    request_id: UUID
    kind: str
    outcome: str
    reason: str | None
    start_time: str | None
    end_time: str | None
    places: int | None
    capacity: int | None
    subject: UUID | None
    booking_id: UUID | None
    joined_at: str
    decided_at: str


class ExportBody(Struct, kw_only=True):
    """Everything that is kept of a person, but for what only says whether a secret is right."""

    exported_at: str
    profile: UserBody
    sessions: list[ExportedSession]
    api_keys: list[ExportedApiKey]
    bookings: list[ExportedBooking]
    series: list[ExportedSeries]
    resources: list[ExportedResource]
    slots: list[ExportedSlot]
    slot_rules: list[ExportedSlotRule]
    idempotency_keys: list[ExportedKey]
    audit: list[AuditItem]
    requests: list[ExportedRequest]
