"""Availability: when a resource is free. Advice, from the replica while it is near enough."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Annotated, Literal
from urllib.parse import unquote

import msgspec
from litestar import Controller, get
from msgspec import UNSET, Struct, UnsetType

from api.access import Scope
from api.bodies import SlotBody, instant_out
from api.callers import Headers, matches, read_headers
from api.decode import BadRequest, Shape
from api.fields import (
    LARGEST_TICKET,
    MOST_PLACES,
    Fault,
    ResourceId,
    Whole,
    described,
)
from api.http import Answer, Call, json_answer, unchanged_answer
from api.openapi import Operation, Success
from api.parts import parts_of
from api.windows import DAY, Window
from engine.errors import NotFound
from engine.rules.free_time import Interval, free_intervals
from engine.store.availability import ClaimsQuery, StandingClaims

_SEEN = re.compile(r"([^:,][^,]*):(\d{1,19})", re.ASCII)

WantedPlaces = Annotated[
    int, described(Whole(1, MOST_PLACES, loose=True), "How many places must be free.", 1, ge=1, le=MOST_PLACES)
]


class AvailabilityQuery(Window, frozen=True):
    """Which resource, and when: both ends instants, or both plain dates of its zone."""

    resource_id: ResourceId
    places: WantedPlaces | UnsetType = UNSET

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
    scope=Scope.READ_RESOURCES,
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
        answer = await parts_of(request).reader.read_claims(
            ClaimsQuery(query.resource_id, *query.any_window()),
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
    return seen_tickets(headers).get(resource_id)


def seen_tickets(headers: Headers) -> dict[str, int]:
    """Read ``Firstcome-Seen`` whole: the last ticket that the caller has seen the effect of, by resource.

    Raises BadRequest where it cannot be read.
    """
    field = headers.get(b"firstcome-seen")
    seen: dict[str, int] = {}
    for part in field.decode("latin-1").split(",") if field is not None else ():
        matched = _SEEN.fullmatch(part.strip())
        if matched is None or int(matched[2]) > LARGEST_TICKET:
            detail = "Firstcome-Seen must be <resource_id>:<ticket>, as an answer gave it"
            raise BadRequest([Fault("/Firstcome-Seen", "invalid_seen", detail)])
        name = unquote(matched[1])
        seen[name] = max(seen.get(name, 0), int(matched[2]))
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
