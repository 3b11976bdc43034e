"""The kinds of fields that requests are made of: what each accepts, said once for bodies and for queries.

A kind is used twice: msgspec enforces its type and bounds in one pass where a request is right, and
``Kind.read`` says exactly what is wrong where it is not. ``read`` has the last word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Protocol
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Meta

FIRST_YEAR, LAST_YEAR = 1970, 9999
LONGEST_INTERVAL = timedelta(days=366)
MOST_PLACES = 1_000_000
LONGEST_NAME = 255
LONGEST_REASON = 2_000
LARGEST_LIST = 100
LARGEST_TICKET = 2**63 - 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request. ``pointer`` is a JSON pointer (RFC 6901) to it."""

    pointer: str
    code: str
    detail: str


class FieldError(Exception):
    """A value does not fit its field. ``detail`` goes on after the field's name."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Kind(Protocol):
    """What a field accepts."""

    def read(self, value: object) -> Any:
        """Read a decoded JSON value. Raises FieldError saying what does not fit."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a bounded length. ``prose`` may have line breaks and may be empty."""

    longest: int
    prose: bool = False

    def read(self, value: object) -> str:
        """Read a text."""
        if not isinstance(value, str):
            raise FieldError("wrong_type", "must be a string")
        if _SURROGATE.search(value):
            raise FieldError("invalid_text", "must be valid Unicode; it has half of a surrogate pair")
        if (_CONTROL_IN_PROSE if self.prose else _CONTROL).search(value):
            raise FieldError("invalid_text", "must not have control characters")
        if len(value) > self.longest:
            raise FieldError("too_long", f"must have at most {self.longest:,} characters")
        if not self.prose and not value.strip():
            raise FieldError("blank", "must not be blank")
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds. ``loose`` takes it from the text of a query, too."""

    least: int
    most: int
    loose: bool = False

    def read(self, value: object) -> int:
        """Read a whole number."""
        if self.loose and isinstance(value, str) and re.fullmatch(r"-?\d{1,20}", value, re.ASCII):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise FieldError("wrong_type", "must be a whole number")
        if not self.least <= value <= self.most:
            raise FieldError("out_of_range", f"must be from {self.least:,} to {self.most:,}")
        return value


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time: RFC 3339 with an offset, on the grid of milliseconds."""

    def read(self, value: object) -> datetime:
        """Read an instant.

        Returns it in UTC.
        """
        if not isinstance(value, str):
            raise FieldError("wrong_type", "must be a string with an instant such as 2026-08-10T09:00:00Z")
        matched = _INSTANT.fullmatch(value)
        if matched is None:
            raise FieldError("invalid_instant", "must be an RFC 3339 instant such as 2026-08-10T09:00:00Z")
        seconds, fraction, offset = matched.groups()
        if offset is None:
            raise FieldError("timezone_required", "must have an offset, such as Z or +02:00")
        digits = (fraction or ".")[1:].rstrip("0")
        if len(digits) > 3:
            raise FieldError("instant_too_fine", "must not be finer than a millisecond")
        return _in_utc(f"{seconds}.{digits:0<3}{offset.upper()}")


def _in_utc(text: str) -> datetime:
    try:
        instant = msgspec.convert(text, datetime).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise FieldError("invalid_instant", "must be an instant that exists") from None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise FieldError("out_of_range", f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return instant


@dataclass(frozen=True, slots=True)
class TimeZone:
    """The name of an IANA time zone."""

    def read(self, value: object) -> str:
        """Read the name of a zone."""
        if not isinstance(value, str):
            raise FieldError("wrong_type", "must be a string")
        if value not in _zone_names():
            raise FieldError("unknown_time_zone", "must be the name of an IANA time zone such as Europe/Berlin")
        ZoneInfo(value)
        return value


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class Absent:
    """A field of a capability that is not there yet: null, or left out."""

    what: str

    def read(self, value: object) -> None:
        """Read null."""
        if value is not None:
            raise FieldError("not_supported", f"must be null: {self.what}")


@dataclass(frozen=True, slots=True)
class OrNull:
    """Another kind, or null."""

    kind: Kind

    def read(self, value: object) -> Any:
        """Read null, or what the other kind reads."""
        return None if value is None else self.kind.read(value)


def described(kind: Kind, description: str, *examples: object, **bounds: Any) -> Meta:
    """Tie a kind to a type, with what the interface's description says about it."""
    return Meta(description=description, examples=list(examples), extra={"kind": kind}, **bounds)


ResourceId = Annotated[
    str,
    described(Text(LONGEST_NAME), "The resource's public name.", "room-1", min_length=1, max_length=LONGEST_NAME),
]
Name = Annotated[
    str, described(Text(LONGEST_NAME), "What people call it.", "Room 1", min_length=1, max_length=LONGEST_NAME)
]
TimeZoneName = Annotated[str, described(TimeZone(), "An IANA time zone.", "Europe/Berlin")]
Places = Annotated[int, described(Whole(1, MOST_PLACES), "How many places are taken.", 1, ge=1, le=MOST_PLACES)]
Capacity = Annotated[int, described(Whole(1, MOST_PLACES), "How many places it has.", 20, ge=1, le=MOST_PLACES)]
StartTime = Annotated[
    datetime,
    described(Instant(), "When it begins: RFC 3339 with an offset.", "2026-08-10T09:00:00Z", tz=True),
]
EndTime = Annotated[
    datetime,
    described(Instant(), "When it ends; not part of it.", "2026-08-10T10:00:00Z", tz=True),
]
NoRecurrence = Annotated[
    None, described(Absent("recurring bookings are not there yet"), "Reserved for recurring bookings.", None)
]
CancellationReason = (
    Annotated[
        str,
        described(
            OrNull(Text(LONGEST_REASON, prose=True)), "Why.", "The meeting was moved.", max_length=LONGEST_REASON
        ),
    ]
    | None
)
Limit = Annotated[
    int,
    described(Whole(1, LARGEST_LIST, loose=True), "Items at most.", 20, ge=1, le=LARGEST_LIST),
]
AfterTicket = Annotated[
    int,
    described(Whole(0, LARGEST_TICKET, loose=True), "The ticket after which the page begins.", 0, ge=0),
]


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC. It is far enough from the ends of time, see ``Instant``."""
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)


def interval_faults(start_time: object, end_time: object) -> list[Fault]:
    """Say what is wrong with an interval whose ends are right by themselves; of others nothing is said."""
    if not isinstance(start_time, datetime) or not isinstance(end_time, datetime):
        return []
    if start_time >= end_time:
        return [Fault("/start_time", "invalid_interval", "start_time must be before end_time")]
    if end_time - start_time > LONGEST_INTERVAL:
        return [Fault("/end_time", "interval_too_long", "end_time must be at most 366 days after start_time")]
    return []
