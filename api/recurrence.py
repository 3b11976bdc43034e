"""Recurring bookings: what a stranger wrote, checked and expanded once, before any queue; and what it would give."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from zoneinfo import ZoneInfo

from litestar import Controller, post
from msgspec import UNSET

from api import operations
from api.bodies import NEW_BOOKING, NewBooking, instant_out
from api.callers import idempotency_key, read_headers
from api.decode import BadRequest
from api.fields import Fault, in_utc
from api.http import Answer, Call, json_answer, read_json
from api.languages import language_of
from api.parts import parts_of
from api.routing import Routes
from api.series_views import preview_body
from engine.commands import HORIZON, BookSeries
from engine.errors import NotFound
from engine.preview import foresee
from engine.rules.recurrence import name_of
from engine.rules.recurrence_check import Checked, check_recurrence
from engine.rules.recurrence_rule import Frequency, RuleError, RuleFault, parse_rule
from engine.rules.series import GUARANTEED_YEARS, INSTANT, first_after, too_far
from engine.wish import Wish

MILLISECOND = timedelta(milliseconds=1)
SHORT = 30
"""Occurrences of a plain rule by the day or week, and dates, that are found about as soon as a thread is: in 0.1 ms, at
worst in half a millisecond.
"""


class RecurrenceController(Controller):
    """``/recurrence``."""

    path = "/recurrence"

    @post("/preview", status_code=200, opt={"operation": operations.PREVIEW})
    async def preview_series(self, request: Call) -> Answer:
        """Show what a recurring booking would give and what would stand in its way. Nothing is written."""
        headers = read_headers(request.scope["headers"])
        body = NEW_BOOKING.decode(await read_json(request, headers))
        if not body.recurring:
            detail = "recurrence_rule is required, or a start in rdates"
            raise BadRequest([Fault("/recurrence_rule", "required", detail)])
        idempotency_key(headers)  # it needs none, but a bad one is told
        parts = parts_of(request)
        resource = await parts.routes.resource(body.resource_id)
        found = await checked(body, await zone_of(body, resource, parts.routes))
        wish = Wish(found.recurrence, found.starts, found.until, places_of(body))
        answer = await parts.reader.read(lambda connection: foresee(connection, resource, wish))
        foreseen = answer.value
        if foreseen is None:
            raise NotFound("resource", body.resource_id)
        shown = preview_body(
            found,
            foreseen,
            body.resource_id,
            as_of=answer.as_of or foreseen.now,
            source=answer.source,
            language=language_of(headers.get(b"accept-language")),
        )
        return json_answer(200, shown)


def places_of(body: NewBooking) -> int:
    """How many places a wished booking takes."""
    return 1 if body.places is UNSET else body.places


async def zone_of(body: NewBooking, resource: int, routes: Routes) -> str:
    """The zone in which a wished series lives: the one that was named, or its resource's."""
    return await routes.time_zone(resource) if body.time_zone is UNSET else body.time_zone


async def checked(body: NewBooking, time_zone: str) -> Checked:
    """Check what a wished series repeats, and expand it. The event loop goes on meanwhile, unless that is soon done.

    Raises RuleError where it is refused, BadRequest where another field than the rule is to blame.
    """
    now = datetime.now(UTC)
    try:
        if is_short(body, time_zone):
            return _check(body, time_zone, now=now)
        return await asyncio.to_thread(_check, body, time_zone, now=now)
    except RuleError as error:
        field = _blamed(body, error)
        if field is None:
            raise
        raise BadRequest([Fault(f"/{field}", "out_of_range", f"{field} has {error.part}: {error.detail}")]) from None


def is_short(body: NewBooking, time_zone: str) -> bool:
    """Whether a wished series has few occurrences, and few days have to be looked at for them. Raises RuleError."""
    number = sum(len(dates) for dates in (body.rdates, body.exdates) if dates is not UNSET)
    if body.recurrence_rule is not UNSET:
        rule = parse_rule(body.recurrence_rule, zone=ZoneInfo(time_zone))
        chosen = rule.by_month or rule.by_month_day or rule.by_set_position
        if rule.count is None or chosen or rule.frequency not in (Frequency.DAILY, Frequency.WEEKLY):
            return False
        number += rule.count
    return number <= SHORT


def _check(body: NewBooking, time_zone: str, *, now: datetime) -> Checked:
    """Check, and expand as much of it as will be stored: of a series without end a first occurrence at least.

    now  by this process's clock, which decides nothing: what is missing is stored later on.
    """
    start_time = in_utc(body.start_time)
    check = partial(
        check_recurrence,
        start_time,
        in_utc(body.end_time),
        rule=None if body.recurrence_rule is UNSET else body.recurrence_rule,
        time_zone=time_zone,
        extra=() if body.rdates is UNSET else [in_utc(start) for start in body.rdates],
        excluded=() if body.exdates is UNSET else [in_utc(start) for start in body.exdates],
    )
    found = check(horizon=now + HORIZON)
    if found.recurrence.infinite and too_far(start_time, now=now):
        detail = f"A series without end starts within {GUARANTEED_YEARS} years from now."
        raise RuleError(RuleFault.RRULE_TOO_LONG, instant_out(start_time), detail)
    if found.starts:
        return found
    first = first_after(found.recurrence, start_time - INSTANT)
    if first is None:
        raise RuleError(RuleFault.NO_OCCURRENCES, "", "Every occurrence within 50 years of the start is left out.")
    return check(horizon=first + HORIZON)


def _blamed(body: NewBooking, error: RuleError) -> str | None:
    """The field beside the rule that is to blame for a rule's not being valid, if one is."""
    if error.code is not RuleFault.INVALID_RRULE:
        return None
    if error.part == str(in_utc(body.start_time)):
        return "start_time"
    rdates = () if body.rdates is UNSET else body.rdates
    return "rdates" if error.part in {name_of(start) for start in rdates} else None


def series_command(body: NewBooking, found: Checked) -> BookSeries:
    """The command that books a checked series."""
    return BookSeries(
        found.recurrence,
        found.starts[0],
        tuple((later - earlier) // MILLISECOND for earlier, later in pairwise(found.starts)),
        found.until,
        places_of(body),
        body.on_conflict == "skip",
        found.warnings,
    )


def asked_for(body: NewBooking, time_zone: str) -> tuple[object, ...]:
    """What makes two requests for a series the same, in whatever words and whenever they came."""
    rule = None if body.recurrence_rule is UNSET else body.recurrence_rule.upper().removeprefix("RRULE:")
    return (
        in_utc(body.start_time),
        in_utc(body.end_time),
        rule,
        time_zone,
        () if body.exdates is UNSET else body.exdates,
        () if body.rdates is UNSET else body.rdates,
        places_of(body),
        body.on_conflict == "skip",
    )
