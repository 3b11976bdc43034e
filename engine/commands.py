"""What crosses the queue, both ways: commands to it, outcomes from it.

Everything here is a frozen value. Instants are aware datetimes in UTC on a grid of milliseconds,
intervals are half-open ``[start_time, end_time)``. ``resource`` is the number a resource has inside
(SQL and Redis keys); its public name is ``resource_id``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Reason(StrEnum):
    """Why a command was refused, in order of precedence: the first that applies is the one given."""

    KEY_REUSED = "key_reused"
    """The caller used the idempotency key before, for something else."""
    ALREADY_CANCELLED = "already_cancelled"
    """A cancelled booking cannot be rescheduled."""
    ALREADY_RESCHEDULED = "already_rescheduled"
    """The booking was moved; its successor is the one to change."""
    STALE_VERSION = "stale_version"
    """``If-Match`` named an older version of the booking or resource."""
    SLOT_IN_PAST = "slot_in_past"
    """The start is not after the transaction's clock."""
    PLACES_EXCEED_CAPACITY = "places_exceed_capacity"
    """More places than the resource has at all."""
    CONFLICT = "conflict"
    """The time is taken, or too few places are left in it."""
    CAPACITY_BELOW_TAKEN = "capacity_below_taken"
    """More places are taken at some instant than the new capacity has."""


class Status(StrEnum):
    """How a command ended."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class BookingStatus(StrEnum):
    """What became of a booking. Only ``confirmed`` claims its time."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    RESCHEDULED = "rescheduled"


class Book(msgspec.Struct, frozen=True, array_like=True, tag="book"):
    """Claim ``places`` of the resource for an interval."""

    start_time: datetime
    end_time: datetime
    places: int = 1


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag="cancel"):
    """Give a booking's time back. Harmless when it was cancelled before."""

    booking: UUID
    reason: str | None = None
    if_version: int | None = None


class Reschedule(msgspec.Struct, frozen=True, array_like=True, tag="reschedule"):
    """Move a booking within its resource: a new booking stands, the old one names it."""

    booking: UUID
    start_time: datetime
    end_time: datetime
    if_version: int | None = None


class UpdateResource(msgspec.Struct, frozen=True, array_like=True, tag="update_resource"):
    """Change the resource itself. ``None`` leaves a property as it is."""

    name: str | None = None
    capacity: int | None = None
    if_version: int | None = None


class Unreadable(msgspec.Struct, frozen=True, array_like=True, tag="unreadable"):
    """Stands for an entry whose body nobody can read. It fails; its bytes are kept as a dead letter."""

    body: bytes


Command = Book | Cancel | Reschedule | UpdateResource | Unreadable


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A command with who asks, as the API hands it to the queue.

    caller    who asks; the scope of ``key``.
    key       the caller's idempotency key, or None.
    body_hash hash of method, path and decoded body: what makes a repeated key the same request.
    """

    request_id: UUID
    resource: int
    caller: str
    key: str | None
    body_hash: bytes
    command: Command


@dataclass(slots=True, frozen=True)
class Entry:
    """A request with its place in the order: what a turn finds at the head of a queue.

    raw        the bytes that stand in the queue, empty in direct mode. Trimming compares them.
    joined_at  when it was given its ticket: Redis's time, the transaction's in direct mode.
    waiting    the API processes that wait for the reply.
    withdrawn  the caller asked for it not to be decided.
    """

    ticket: int
    joined_at: datetime
    request: Request
    raw: bytes = b""
    waiting: tuple[str, ...] = ()
    withdrawn: bool = False


class Clash(msgspec.Struct, frozen=True, array_like=True):
    """A live booking that stands in the way."""

    booking: UUID
    start_time: datetime
    end_time: datetime


class BookingView(msgspec.Struct, frozen=True, array_like=True):
    """A booking as the outcome left it."""

    booking: UUID
    start_time: datetime
    end_time: datetime
    places: int
    status: BookingStatus


class Outcome(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The one decision about a request: exactly what its ledger row says.

    kind      tag of the command (``book``, ``cancel``, ``reschedule``, ``update_resource``).
    ticket    the command's place in its resource's order.
    booking   the booking made or changed, for ``confirmed``.
    capacity  the capacity asked for (``update_resource``).
    clashes   at most MAX_CLASHES, in order of start.
    repeated  True where an earlier request with the same key was decided and this is its outcome.
    """

    status: Status
    kind: str
    resource: int
    ticket: int
    request_id: UUID
    joined_at: datetime
    decided_at: datetime
    reason: Reason | None = None
    booking: BookingView | None = None
    capacity: int | None = None
    clashes: tuple[Clash, ...] = ()
    repeated: bool = False


class Queued(msgspec.Struct, frozen=True):
    """A request that has its ticket and waits for its decision.

    position  how many commands of the resource are decided before and including this one, at least 1.
    """

    request_id: UUID
    ticket: int
    position: int


MAX_CLASHES = 5
"""How many clashing bookings an outcome names."""


def kind_of(command: Command) -> str:
    """The word that the ledger and the logs use for a command."""
    return _KINDS[type(command)]


_KINDS: dict[type[Command], str] = {
    Book: "book",
    Cancel: "cancel",
    Reschedule: "reschedule",
    UpdateResource: "update_resource",
    Unreadable: "unreadable",
}
