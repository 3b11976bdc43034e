"""Availability: when a resource is free. Advice, from the replica while it is near enough."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from hashlib import blake2b
from typing import Annotated, Any, Literal
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec
from litestar import Controller, get
from msgspec import UNSET, Struct, UnsetType

from api.bodies import SlotBody, instant_out
from api.callers import Headers, matches, read_headers
from api.decode import BadRequest, Body, Shape
from api.fields import (
    FIRST_YEAR,
    LARGEST_TICKET,
    LAST_YEAR,
    LONGEST_INTERVAL,
    MOST_PLACES,
    Fault,
    FieldError,
    Instant,
    ResourceId,
    Whole,
    described,
)
from api.http import Answer, Call, json_answer, unchanged_answer
from api.openapi import Operation, Success
from api.parts import parts_of
from engine.errors import NotFound
from engine.rules.free_time import Interval, free_intervals
from engine.store.availability import StandingClaims, standing_claims

DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BARE_PLUS = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)", re.ASCII)
_SEEN = re.compile(r"([^:,][^,]*):(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class DayOrInstant:
    """An end of a window: a plain date, or an instant."""

    def read(self, value: object) -> date | datetime:
        """Read a date or an instant.

        An offset whose plus sign was not escaped arrives with a space: nothing else can have been meant.
        """
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            return Instant().read(_BARE_PLUS.sub("+", value) if isinstance(value, str) else value)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise FieldError("invalid_date", "must be a date that exists") from None
        if not FIRST_YEAR <= day.year < LAST_YEAR:
            raise FieldError("out_of_range", f"must be in the years {FIRST_YEAR} to {LAST_YEAR - 1}")
        return day


StartDate = Annotated[
    Any,
    described(
        DayOrInstant(), "First day, or the instant from which on.", "2036-08-10", extra_json_schema={"type": "string"}
    ),
]
EndDate = Annotated[
    Any,
    described(
        DayOrInstant(),
        "Last day, or the instant until which (not part of it).",
        "2036-08-14",
        extra_json_schema={"type": "string"},
    ),
]
WantedPlaces = Annotated[
    int, described(Whole(1, MOST_PLACES, loose=True), "How many places must be free.", 1, ge=1, le=MOST_PLACES)
]


class AvailabilityQuery(Body, frozen=True):
    """Which resource, and when: both ends instants, or both plain dates."""

    resource_id: ResourceId
    start_date: StartDate
    end_date: EndDate
    places: WantedPlaces | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Check the window, if both ends are right by themselves."""
        start, end = self.start_date, self.end_date
        if not isinstance(start, date) or not isinstance(end, date):  # a datetime is a date
            return []
        if isinstance(start, datetime) is not isinstance(end, datetime):
            detail = "end_date must be of the same kind as start_date: both plain dates, or both instants"
            return [Fault("/end_date", "mixed_window", detail)]
        if not isinstance(end, datetime):
            end += DAY  # the last day is part of it
        if start >= end:
            return [Fault("/start_date", "invalid_interval", "start_date must be before end_date")]
        if end - start > LONGEST_INTERVAL:
            return [Fault("/end_date", "interval_too_long", "start_date and end_date must be at most 366 days apart")]
        return []

    def window(self, time_zone: str) -> Interval:
        """The window in UTC. Plain dates are days of the resource's zone, so some have 23 or 25 hours."""
        if isinstance(self.start_date, datetime):
            return self.start_date, self.end_date
        zone = ZoneInfo(time_zone)
        first, behind = (
            datetime.combine(day, time(), zone).astimezone(UTC) for day in (self.start_date, self.end_date + DAY)
        )
        return first, behind

    def any_window(self) -> Interval:
        """What must be loaded while the resource's zone is not known: days begin within a day of UTC's."""
        start, end = self.window("UTC")
        return (start, end) if isinstance(self.start_date, datetime) else (start - DAY, end + DAY)


AVAILABILITY_QUERY = Shape(AvailabilityQuery)


class AvailabilityBody(Struct, kw_only=True):
    """When a resource is free, and how new that is: everything decided by ``as_of`` is in it."""

    resource_id: str
    start_date: str
    end_date: str
    available_slots: list[SlotBody]
    as_of: str
    source: Literal["replica", "primary"]
    staleness_ms: int


READ_AVAILABILITY = Operation(
    query=AvailabilityQuery,
    query_example={"resource_id": "room-1", "start_date": "2036-08-10", "end_date": "2036-08-10", "places": 1},
    answers={
        200: Success(
            "When it is free.",
            AvailabilityBody,
            AvailabilityBody(
                resource_id="room-1",
                start_date="2036-08-10",
                end_date="2036-08-10",
                available_slots=[SlotBody(start_time="2036-08-09T22:00:00.000Z", end_time="2036-08-10T22:00:00.000Z")],
                as_of="2026-05-09T08:15:30.125Z",
                source="replica",
                staleness_ms=140,
            ),
        ),
        304: Success("What the caller has still holds."),
    },
    problems=(
        "invalid_interval",
        "interval_too_long",
        "timezone_required",
        "instant_too_fine",
        "resource_unknown",
        "unavailable",
    ),
)


class AvailabilityController(Controller):
    """``/availability``."""

    path = "/availability"

    @get(opt={"operation": READ_AVAILABILITY})
    async def free(self, request: Call) -> Answer:
        """Show when a resource has that many places free, from now on. Advice: only a booking decides."""
        headers = read_headers(request.scope["headers"])
        query = AVAILABILITY_QUERY.decode_query(request.scope["query_string"])
        seen = seen_ticket(headers, query.resource_id)
        start, end = query.any_window()
        answer = await parts_of(request).reader.read(
            partial(standing_claims, resource=query.resource_id, start=start, end=end),
            fresh=None if seen is None else lambda claims: claims.last_ticket >= seen,
        )
        claims = answer.value
        if claims is None:
            raise NotFound("resource", query.resource_id)
        now = on_grid(claims.now)
        free = _free(query, claims, now)
        entity = [(b"etag", etag(free, now)), (b"cache-control", b"no-cache")]
        if matches(headers, etag(free, now).decode()):
            return unchanged_answer(entity)
        body = AvailabilityBody(
            resource_id=claims.resource_id,
            start_date=_shown(query.start_date),
            end_date=_shown(query.end_date),
            available_slots=[SlotBody(start_time=instant_out(s), end_time=instant_out(e)) for s, e in free],
            as_of=instant_out(answer.as_of or claims.now),
            source=answer.source,
            staleness_ms=answer.staleness_ms,
        )
        return json_answer(200, body, entity)


def seen_ticket(headers: Headers, resource_id: str) -> int | None:
    """Read from ``Firstcome-Seen`` the last ticket of the resource whose effect the caller has seen.

    The header may name several resources, each ``<resource_id>:<ticket>`` as it was given, percent-encoded.

    Returns None where it does not name this one.
    Raises BadRequest where it cannot be read.
    """
    field = headers.get(b"firstcome-seen")
    if field is None:
        return None
    seen: int | None = None
    for part in field.decode("latin-1").split(","):
        matched = _SEEN.fullmatch(part.strip())
        if matched is None or int(matched[2]) > LARGEST_TICKET:
            detail = "Firstcome-Seen must be <resource_id>:<ticket>, as an answer gave it"
            raise BadRequest([Fault("/Firstcome-Seen", "invalid_seen", detail)])
        if unquote(matched[1]) == resource_id:
            seen = max(seen or 0, int(matched[2]))
    return seen


def on_grid(instant: datetime) -> datetime:
    """The first instant of the interface's grid of milliseconds that is not before this one."""
    return instant + timedelta(microseconds=-instant.microsecond % 1000)


def etag(free: list[Interval], now: datetime) -> bytes:
    """Make a weak entity tag: equal for answers that mean the same.

    now  where a free time begins now, that start moves on with every look and is no difference.
    """
    meant = [(None if start == now else start, end) for start, end in free]
    return b'W/"%s"' % blake2b(msgspec.msgpack.encode(meant), digest_size=12).hexdigest().encode()


def _free(query: AvailabilityQuery, claims: StandingClaims, now: datetime) -> list[Interval]:
    start, end = query.window(claims.time_zone)
    places = 1 if query.places is UNSET else query.places
    return free_intervals(claims.taken, start=start, end=end, capacity=claims.capacity, places=places, now=now)


def _shown(given: date | datetime) -> str:
    return instant_out(given) if isinstance(given, datetime) else given.isoformat()
