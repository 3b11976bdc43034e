"""``/bookings/{booking_id}.ics``: a booking or a series for people's own calendars."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from uuid import UUID

from api.access import caller_of, check_read
from api.calendar_text import calendar_text
from api.callers import matches, read_headers
from api.decode import BadRequest
from api.fields import Fault
from api.http import Answer, Call, segment, unchanged_answer
from api.parts import parts_of
from api.problems import Problem
from engine.commands import UNDATED
from engine.errors import NotFound
from engine.store.calendars import CalendarBooking, find_for_calendar
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

SUFFIX = ".ics"
CALENDAR = b"text/calendar; charset=utf-8"


def calendar_id(call: Call) -> UUID | None:
    """The booking of which the path ``/bookings/{booking_id}.ics`` wants a calendar. None: the path is another one.

    Paths are routed by whole segments, so the suffix is told apart here.
    Raises BadRequest where what comes before the suffix is no UUID.
    """
    name = segment(call, "booking_id")
    if not name.endswith(SUFFIX):
        return None
    text = name.removesuffix(SUFFIX)
    try:
        booking_id = UUID(text)
    except ValueError:
        booking_id = None
    if booking_id is None or str(booking_id) != text.lower():  # braces and the like are no part of a path
        raise BadRequest([Fault("/booking_id", "invalid_id", "booking_id must be a UUID")])
    return booking_id


async def show_calendar(call: Call, booking_id: UUID) -> Answer:
    """Read a booking as iCalendar: a single one, an occurrence, or a series with its rule and exceptions."""
    check_read(caller_of(call), booking_id, await parts_of(call).routes.home(booking_id))
    found = await ask(
        parts_of(call).primary,
        lambda connection: find_for_calendar(connection, booking_id),
        within_s=READ_TIMEOUT_S,
    )
    if found is None:
        raise NotFound("booking", str(booking_id))
    if isinstance(found, CalendarBooking) and (found.start_time, found.end_time) == UNDATED:
        raise Problem("no_date", "The event has no date yet, so there is nothing to put into a calendar.")
    text = await asyncio.to_thread(calendar_text, found)  # a series of many years takes a while
    tag = f'"{blake2b(text, digest_size=12).hexdigest()}"'
    headers = [(b"etag", tag.encode()), (b"cache-control", b"no-cache")]
    if matches(read_headers(call.scope["headers"]), tag):
        return unchanged_answer(headers)
    name = f'attachment; filename="{booking_id}{SUFFIX}"'.encode()
    return Answer(200, text, [*headers, (b"content-disposition", name)], media_type=CALENDAR)
