"""The kinds of fields that requests are made of: what each accepts, said once for bodies and for queries.

A kind is used twice: msgspec enforces its type and bounds in one pass where a request is right, and
``Kind.read`` says exactly what is wrong where it is not. ``read`` has the last word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import UNSET, Meta

from engine.rules.recurrence_rule import RuleError, RuleFault, parse_rule

FIRST_YEAR, LAST_YEAR = 1970, 9999
LONGEST_INTERVAL = timedelta(days=366)
MOST_PLACES = 1_000_000
LONGEST_NAME = 255
DOT_SEGMENTS = (".", "..")
LONGEST_REASON = 2_000
LONGEST_RULE = 1_000
MOST_EXCEPTIONS = 500
LARGEST_LIST = 100
NULLABLE = "nullable"
"""Marks a field that takes null, until the description says it as JSON Schema does."""
LARGEST_TICKET = 2**63 - 1
_UTC = ZoneInfo("UTC")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.ASCII | re.IGNORECASE)
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


class NarrowText:
    """A kind of text that is narrower than its type can say: what msgspec takes for it is read a second time."""

    __slots__ = ()


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
class PublicName:
    """A name that stands in paths: any text but those that RFC 3986 (5.2.4) takes out of a path."""

    def read(self, value: object) -> str:
        """Read a name."""
        name = Text(LONGEST_NAME).read(value)
        if name in DOT_SEGMENTS:
            raise FieldError("dot_segment", 'must not be "." or "..", which no path can name')
        return name


@dataclass(frozen=True, slots=True)
class Id:
    """The id of something: a UUID."""

    def read(self, value: object) -> UUID:
        """Read an id."""
        if not isinstance(value, str):
            raise FieldError("wrong_type", "must be a string")
        if not _ID.fullmatch(value):
            raise FieldError("invalid_id", "must be a UUID")
        return UUID(value)


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
class TimeZone(NarrowText):
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
class WholeSeconds:
    """Instants on whole seconds, some: a list of a bounded length."""

    most: int

    def read(self, value: object) -> list[datetime]:
        """Read a list of instants. The first that does not fit is named by its place, counted from one."""
        if type(value) is not list:  # the members of an object come as another kind of list
            raise FieldError("wrong_type", "must be a list of instants")
        if len(value) > self.most:
            raise FieldError("too_many", f"must have at most {self.most:,} instants")
        return [self._item(number, item) for number, item in enumerate(value, 1)]

    def _item(self, number: int, item: object) -> datetime:
        try:
            instant = Instant().read(item)
        except FieldError as error:
            raise FieldError(error.code, f"item {number} {error.detail}") from None
        if instant.microsecond:
            raise FieldError("whole_second_required", f"item {number} must be a whole second")
        return instant


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        """Read a word."""
        if not isinstance(value, str):
            raise FieldError("wrong_type", "must be a string")
        if value not in self.words:
            raise FieldError("unknown_value", f"must be one of {', '.join(self.words)}")
        return value


@dataclass(frozen=True, slots=True)
class RuleWords(NarrowText):
    """The text of a recurrence rule, or null, which is the same as leaving it out.

    It is read here so that what is wrong with it is named beside the other faults of a request. What the rule gives,
    and in which zone, is asked later.
    """

    def read(self, value: object) -> Any:
        """Read a rule. Null is UNSET."""
        if value is None:
            return UNSET
        text = Text(LONGEST_RULE).read(value)
        try:
            parse_rule(text, zone=_UTC)
        except RuleError as error:
            if error.code is RuleFault.INVALID_RRULE:
                raise FieldError(error.code, f"has {error.part}: {error.detail}") from None
        return text


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
    described(
        PublicName(),
        "The resource's public name.",
        "room-1",
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=r"^(?!\.{1,2}$)",
    ),
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
RuleText = Annotated[
    str,
    described(
        RuleWords(),
        "How the booking repeats: an RRULE of RFC 5545. Null: it does not.",
        "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10",
        min_length=1,
        max_length=LONGEST_RULE,
        extra_json_schema={NULLABLE: True},
    ),
]
Exceptions = Annotated[
    list[Annotated[datetime, Meta(tz=True)]],
    described(
        WholeSeconds(MOST_EXCEPTIONS),
        "Starts that the rule gives and that are left out (EXDATE).",
        ["2036-08-18T09:00:00Z"],
        max_length=MOST_EXCEPTIONS,
    ),
]
ExtraStarts = Annotated[
    list[Annotated[datetime, Meta(tz=True)]],
    described(
        WholeSeconds(MOST_EXCEPTIONS),
        "Further starts, beside those of the rule (RDATE).",
        ["2036-08-20T09:00:00Z"],
        max_length=MOST_EXCEPTIONS,
    ),
]
SeriesZone = Annotated[
    str,
    described(TimeZone(), "The IANA time zone in which the rule lives; the resource's by default.", "Europe/Berlin"),
]
OnConflict = Annotated[
    Literal["fail", "skip"],
    described(
        OneOf(("fail", "skip")),
        "Where some occurrences are taken: book nothing (fail, the default), or what is free (skip).",
        "fail",
    ),
]
ScopeName = Annotated[
    Literal["this", "this_and_following", "all"],
    described(
        OneOf(("this", "this_and_following", "all")),
        "Which occurrences move, by the same distance on the wall clock: this one (the default), it and those that "
        "follow, or all that have not begun.",
        "this",
    ),
]
Cursor = Annotated[
    str, described(Text(LONGEST_NAME), "The next of an earlier page.", min_length=1, max_length=LONGEST_NAME)
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


def whole_second_faults(start_time: object) -> list[Fault]:
    """Say whether a start is too fine for a series, whose occurrences are named by their starts to the second."""
    if not isinstance(start_time, datetime) or not start_time.microsecond:
        return []
    return [Fault("/start_time", "whole_second_required", "start_time of a recurring booking must be a whole second")]
