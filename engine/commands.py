"""What crosses the queue, both ways: commands to it, outcomes from it.

Everything here is a frozen value. Instants are aware datetimes in UTC on a grid of milliseconds,
intervals are half-open ``[start_time, end_time)``. ``resource`` is the number a resource has inside
(SQL and Redis keys); its public name is ``resource_id``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from operator import add
from uuid import UUID

import msgspec

from engine.rules.recurrence import Recurrence


class Reason(StrEnum):
    """Why a command was refused, in order of precedence: the first that applies is the one given."""

    KEY_REUSED = "key_reused"
    """The caller used the idempotency key before, for something else."""
    ALREADY_CANCELLED = "already_cancelled"
    """A cancelled booking cannot be rescheduled."""
    ALREADY_RESCHEDULED = "already_rescheduled"
    """The booking was moved; its successor is the one to change."""
    NOT_AN_OCCURRENCE = "not_an_occurrence"
    """The series has no occurrence that began, or was to begin, at that instant."""
    OCCURRENCE_IN_PAST = "occurrence_in_past"
    """The occurrence has begun: what is past stays as it was."""
    OCCURRENCE_CANCELLED = "occurrence_cancelled"
    """The occurrence was cancelled, so it cannot be moved before it is restored."""
    STALE_VERSION = "stale_version"
    """``If-Match`` named an older version of the booking, series, resource or event."""
    SLOT_CANCELLED = "slot_cancelled"
    """The slot was taken back by its host."""
    SLOT_BOOKED = "slot_booked"
    """Seats of the slot are taken, so it cannot be taken back."""
    TOO_LATE_TO_CANCEL = "too_late_to_cancel"
    """A seat is given back so long before its time at least; that moment has passed."""
    RULE_CANNOT_MOVE = "rule_cannot_move"
    """No rule gives the moved occurrences of the series."""
    SERIES_OVERLAPS_ITSELF = "series_overlaps_itself"
    """Occurrences of the series would overlap each other."""
    SLOT_IN_PAST = "slot_in_past"
    """The start is not after the transaction's clock."""
    PLACES_EXCEED_CAPACITY = "places_exceed_capacity"
    """More places than the resource has at all."""
    TOO_MANY_SERIES = "too_many_series"
    """As many series without end stand on the resource as may."""
    CONFLICT = "conflict"
    """The time is taken, or too few places are left in it."""
    CAPACITY_BELOW_TAKEN = "capacity_below_taken"
    """More places are taken at some instant than the new capacity has."""
    ALREADY_BOOKED = "already_booked"
    """The person has a seat of this slot or event."""
    NO_SEATS_LEFT = "no_seats_left"
    """Every seat of the slot or event is taken."""
    MAX_ACTIVE_BOOKINGS = "max_active_bookings"
    """The person has as many bookings ahead as one may have."""
    MAX_BOOKINGS_WITH_HOST = "max_bookings_with_host"
    """The person has as many slots of this host ahead as one may have."""


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
    CLASHED = "clashed"
    """An occurrence that lost its time to an older series when it was to be stored, decades after both were made."""


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


class BookSeries(msgspec.Struct, frozen=True, array_like=True, tag="book_series"):
    """Claim ``places`` for every occurrence of a series. Its rule was checked, and expanded once.

    first         start of the first occurrence.
    gaps_ms       from the start of each occurrence to that of the next.
    materialised_until  before which all occurrences are listed; None: these are all.
    skip          True: book what is free and leave out what is not. False: all or nothing.
    warnings      what the caller is told about the wish; the outcome keeps it.
    """

    recurrence: Recurrence
    first: datetime
    gaps_ms: tuple[int, ...]
    materialised_until: datetime | None
    places: int = 1
    skip: bool = False
    warnings: tuple[str, ...] = ()


class CancelSeries(msgspec.Struct, frozen=True, array_like=True, tag="cancel_series"):
    """Give back every occurrence of a series that has not begun. Harmless when it was cancelled before."""

    series: UUID
    reason: str | None = None
    if_version: int | None = None


class CancelOccurrence(msgspec.Struct, frozen=True, array_like=True, tag="cancel_occurrence"):
    """Give one occurrence back. Harmless when it was cancelled before.

    occurrence  the start that the rule gives it: its name, also after it was moved.
    booking     the row that the caller means, where it was named by its own id.
    """

    series: UUID
    occurrence: datetime
    reason: str | None = None
    if_version: int | None = None
    booking: UUID | None = None


class RestoreOccurrence(msgspec.Struct, frozen=True, array_like=True, tag="restore_occurrence"):
    """Claim a cancelled occurrence again. Harmless when it stands."""

    series: UUID
    occurrence: datetime
    if_version: int | None = None


class Scope(StrEnum):
    """Which occurrences a change is for."""

    THIS = "this"
    THIS_AND_FOLLOWING = "this_and_following"
    ALL = "all"


class MoveOccurrence(msgspec.Struct, frozen=True, array_like=True, tag="move_occurrence"):
    """Move an occurrence, and with it, by the same distance on the wall clock, those that ``scope`` names.

    Past occurrences stay as they were, whatever the scope.

    booking  the row that the caller means, where it was named by its own id.
    """

    series: UUID
    occurrence: datetime
    start_time: datetime
    end_time: datetime
    scope: Scope = Scope.THIS
    if_version: int | None = None
    booking: UUID | None = None


class SlotRule(msgspec.Struct, frozen=True, array_like=True):
    """A window of the wall clock that repeats, cut into slots.

    rule             its id.
    recurrence       when the window begins, day by day; its length is the window's.
    step_ms          from the start of a slot to that of the next in the same window.
    horizon_days     how far ahead slots are published.
    published_until  before which this command publishes them.
    """

    rule: UUID
    recurrence: Recurrence
    step_ms: int
    horizon_days: int
    published_until: datetime


class UpdateResource(msgspec.Struct, frozen=True, array_like=True, tag="update_resource"):
    """Change the resource itself. ``None`` leaves a property as it is."""

    name: str | None = None
    capacity: int | None = None
    if_version: int | None = None


class PublishSlots(msgspec.Struct, frozen=True, array_like=True, tag="publish_slots"):
    """Offer slots on a host's calendar, the home of the command: each claims its time there.

    first, gaps_ms  as of BookSeries: the starts of the slots, at most MAX_SLOTS.
    slot_ms         how long each takes.
    capacity        seats of each.
    skip            True: publish what is free and leave out what is not. False: all or nothing.
    rule            by which more are published later, or None.
    """

    first: datetime
    gaps_ms: tuple[int, ...]
    slot_ms: int
    capacity: int = 1
    skip: bool = False
    rule: SlotRule | None = None


class CancelSlot(msgspec.Struct, frozen=True, array_like=True, tag="cancel_slot"):
    """Take back a slot that nobody has booked. Harmless when it was taken back before."""

    slot: UUID


class CancelSlotRule(msgspec.Struct, frozen=True, array_like=True, tag="cancel_slot_rule"):
    """Let a rule publish no more slots. Those that it published stay. Harmless when it was ended before."""

    rule: UUID


class BookSeat(msgspec.Struct, frozen=True, array_like=True, tag="book_seat"):
    """Claim a seat of a slot or event.

    person  whose it will be, where that is not who asks.
    """

    slot: UUID
    person: str | None = None


class ChangeEvent(msgspec.Struct, frozen=True, array_like=True, tag="change_event"):
    """Change an event. ``None`` leaves a property as it is."""

    event: UUID
    name: str | None = None
    total_seats: int | None = None
    if_version: int | None = None


class Unreadable(msgspec.Struct, frozen=True, array_like=True, tag="unreadable"):
    """Stands for an entry whose body nobody can read. It fails; its bytes are kept as a dead letter."""

    body: bytes


OfSeries = CancelSeries | CancelOccurrence | RestoreOccurrence | MoveOccurrence
"""Commands that change a series that stands."""
OfSlots = PublishSlots | CancelSlot | CancelSlotRule | BookSeat | ChangeEvent
"""Commands about slots and events."""
Command = Book | Cancel | Reschedule | BookSeries | OfSeries | UpdateResource | OfSlots | Unreadable


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """What whoever asks is held to. It comes with the request, so that a replay needs no settings.

    active       bookings that one may have ahead; None: any number.
    with_host    of these, slots of one host; None: any number.
    cancel_ms    so long before its start, at the latest, a seat can be given back: later than that, and at that very
                 instant, it cannot. None: at any time.
    """

    active: int | None = None
    with_host: int | None = None
    cancel_ms: int | None = None


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A command with who asks, as the API hands it to the queue.

    caller    who asks: a person's id, or ANONYMOUS; the scope of ``key``.
    key       the caller's idempotency key, or None.
    body_hash hash of method, path and decoded body: what makes a repeated key the same request.
    limits    what whoever gets the booking is held to; None: nothing.
    """

    request_id: UUID
    resource: int
    caller: str
    key: str | None
    body_hash: bytes
    command: Command
    limits: Limits | None = None


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


class OccurrenceClash(msgspec.Struct, frozen=True, array_like=True):
    """A claim that stands in the way of an occurrence.

    wanted_start  the start of the occurrence that was wished for.
    booking       a booking; the series, where the occurrence that stands is not stored yet.
    """

    wanted_start: datetime
    booking: UUID
    start_time: datetime
    end_time: datetime


class SeriesDetail(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What an outcome says beyond its ledger row's columns, wherever a series is concerned.

    recurrence   the series made or wished for, or what is left of one.
    occurrence   the one that the command named, by its original start.
    occurrences  how many were booked, cancelled or moved. Of an infinite series: as far as they are stored.
    clashing     how many of the wished ones cannot be had, and MAX_OCCURRENCE_CLASHES at most of what stands there.
    skipped      starts that were left out as the caller wished, MAX_SKIPPED at most.
    materialised_until  of a series that was made: before which its occurrences are stored; None: all of them are.
    warnings     what the caller was told about the wish.
    """

    recurrence: Recurrence | None = None
    occurrence: datetime | None = None
    occurrences: int = 0
    clashing: int = 0
    clashes: tuple[OccurrenceClash, ...] = ()
    skipped: tuple[datetime, ...] = ()
    materialised_until: datetime | None = None
    warnings: tuple[str, ...] = ()


class BookingView(msgspec.Struct, frozen=True, array_like=True):
    """A booking as the outcome left it."""

    booking: UUID
    start_time: datetime
    end_time: datetime
    places: int
    status: BookingStatus


class Outcome(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The one decision about a request: exactly what its ledger row says.

    kind      tag of the command (``book``, ``cancel``, …).
    ticket    the command's place in its resource's order.
    booking   the booking or series made or changed, for ``confirmed``.
    capacity  the capacity asked for (``update_resource``).
    clashes   at most MAX_CLASHES, in order of start.
    subject   the booking or series that the command named.
    detail    where a series, or several slots are concerned.
    counted   what was counted of the person under their row's lock, and the limit it was held against: the active
              bookings, or the slots of the host where that is the reason; (None, None) where nothing is limited.
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
    subject: UUID | None = None
    detail: SeriesDetail | None = None
    repeated: bool = False
    counted: int | None = None
    counted_limit: int | None = None


class Queued(msgspec.Struct, frozen=True):
    """A request that has its ticket and waits for its decision.

    position  how many commands of the resource are decided before and including this one, at least 1.
    """

    request_id: UUID
    ticket: int
    position: int


MAX_CLASHES = 5
"""How many clashing bookings an outcome names."""
MAX_OCCURRENCE_CLASHES = 50
"""How many clashes of a series an outcome names."""
MAX_SKIPPED = 1_000
"""How many occurrences may be skipped: what more than that clashes is refused."""
HORIZON = timedelta(days=400)
"""How far ahead the occurrences of an infinite series are stored."""


MAX_SLOTS = 5_000
"""Slots that one command publishes."""
ANONYMOUS = "anonymous"
"""Everyone, where nobody signs in."""
UNDATED = (datetime(9000, 1, 1, tzinfo=UTC), datetime(9000, 1, 2, tzinfo=UTC))
"""When an event takes place that has no time: far enough ahead of everything."""


WHOLE_SERIES = 1_000
"""What a change of a whole series counts for in a batch: it may have so many occurrences."""


def starts_of(command: BookSeries | PublishSlots) -> list[datetime]:
    """The starts of the occurrences or slots that a command lists."""
    return list(accumulate((timedelta(milliseconds=gap) for gap in command.gaps_ms), add, initial=command.first))


def weight_of(command: Command) -> int:
    """What a command counts for in a batch: as many as it has occurrences."""
    match command:
        case BookSeries() | PublishSlots():
            return len(command.gaps_ms) + 1
        case CancelSeries():
            return WHOLE_SERIES
        case MoveOccurrence() if command.scope is not Scope.THIS:
            return WHOLE_SERIES
        case _:
            return 1


def kind_of(command: Command) -> str:
    """The word that the ledger and the logs use for a command."""
    return _KINDS[type(command)]


_KINDS: dict[type[Command], str] = {
    Book: "book",
    Cancel: "cancel",
    Reschedule: "reschedule",
    BookSeries: "book_series",
    CancelSeries: "cancel_series",
    CancelOccurrence: "cancel_occurrence",
    RestoreOccurrence: "restore_occurrence",
    MoveOccurrence: "move_occurrence",
    UpdateResource: "update_resource",
    PublishSlots: "publish_slots",
    CancelSlot: "cancel_slot",
    CancelSlotRule: "cancel_slot_rule",
    BookSeat: "book_seat",
    ChangeEvent: "change_event",
    Unreadable: "unreadable",
}
