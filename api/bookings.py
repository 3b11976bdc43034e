"""Bookings: made, read, cancelled, moved."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, delete, get, post, put
from msgspec import UNSET

from api import operations
from api.access import caller_of, check_cancel, check_change, check_read
from api.bodies import CANCELLATION, NEW_BOOKING, NEW_TIMES, NewBooking
from api.calendars import SUFFIX, calendar_id, show_calendar
from api.callers import Headers, idempotency_key, matches, read_headers, wished_version
from api.deciding import bring, bring_home
from api.fields import in_utc
from api.http import Answer, Call, json_answer, read_json, unchanged_answer, uuid_segment
from api.languages import language_of
from api.outcomes import etag
from api.parts import parts_of
from api.problems import Problem
from api.recurrence import asked_for, checked, places_of, series_command, zone_of
from api.seats import asks_for_seat, book_seat
from api.series_views import series_body
from api.views import booking_body
from engine.commands import Book, Cancel, CancelOccurrence, CancelSeries, Command, MoveOccurrence, Reschedule
from engine.errors import NotFound
from engine.store.audit import Action
from engine.store.bookings import Booking, Home, SeriesBooking, find_booking, find_series_booking
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask
from engine.store.resources import ResourceHome


class BookingController(Controller):
    """``/bookings``."""

    path = "/bookings"

    @post(opt={"operation": operations.BOOK})
    async def book(self, request: Call) -> Answer:
        """Book a time, or with a rule a series of times, or a seat: join the queue, and wait for the outcome."""
        headers = read_headers(request.scope["headers"])
        raw = await read_json(request, headers)
        if asks_for_seat(raw):
            return await book_seat(request, headers, raw)
        body = NEW_BOOKING.decode(raw)
        key = idempotency_key(headers)
        resource = _bookable(request, await parts_of(request).routes.resource_home(body.resource_id), body.resource_id)
        if body.recurring:
            return await _book_series(request, headers, body, resource=resource, key=key)
        command = Book(in_utc(body.start_time), in_utc(body.end_time), places_of(body))
        return await bring(request, headers, command, resource=resource, resource_id=body.resource_id, key=key)

    @get(
        "/{booking_id:str}",
        opt={
            "operation": operations.READ_BOOKING,
            "suffixes": {SUFFIX: (show_calendar, operations.READ_CALENDAR)},
        },
    )
    async def show_booking(self, request: Call) -> Answer:
        """Read a booking as it stands: a single one, a series, or an occurrence."""
        if (exported := calendar_id(request)) is not None:
            return await show_calendar(request, exported)
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        check_read(caller_of(request), booking_id, await parts_of(request).routes.home(booking_id))
        found = await ask(
            parts_of(request).primary, lambda connection: _find(connection, booking_id), within_s=READ_TIMEOUT_S
        )
        if found is None:
            raise NotFound("booking", str(booking_id))
        entity = [etag(found.version), *_varying(found)]
        if matches(headers, entity[0][1].decode()) and not _grows(found):
            return unchanged_answer(entity)
        if isinstance(found, Booking):
            return json_answer(200, booking_body(found), entity)
        return json_answer(200, series_body(found, language_of(headers.get(b"accept-language"))), entity)

    @delete("/{booking_id:str}", status_code=200, opt={"operation": operations.REMOVE_BOOKING})
    async def remove_booking(self, request: Call) -> Answer:
        """Cancel a booking: a single one, a series, or an occurrence. Harmless when it was cancelled before."""
        if calendar_id(request) is not None:
            raise Problem("method_not_allowed", "A calendar is only read.", headers=[("allow", "GET, OPTIONS")])
        headers = read_headers(request.scope["headers"])
        return await _cancel(request, headers, uuid_segment(request, "booking_id"), None)

    @post("/{booking_id:str}/cancel", status_code=200, opt={"operation": operations.CANCEL_BOOKING})
    async def cancel_booking(self, request: Call) -> Answer:
        """Cancel a booking of any kind, and say why. Harmless when it was cancelled before."""
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        raw = await read_json(request, headers)
        reason = CANCELLATION.decode(raw).reason if raw else None
        return await _cancel(request, headers, booking_id, None if reason is UNSET else reason)

    @put("/{booking_id:str}/reschedule", opt={"operation": operations.RESCHEDULE_BOOKING})
    async def reschedule_booking(self, request: Call) -> Answer:
        """Move a booking within its resource: a new booking stands, and the old one names it."""
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        body = NEW_TIMES.decode(await read_json(request, headers))
        if_version, key = wished_version(headers), idempotency_key(headers)
        home = await parts_of(request).routes.home(booking_id)
        check_change(caller_of(request), booking_id, home)
        command = _move(booking_id, home, in_utc(body.start_time), in_utc(body.end_time), if_version=if_version)
        act = Action.CHANGE_FOR_ANOTHER
        return await bring_home(request, headers, command, home=home, key=key, act=act, booking=booking_id)


def _bookable(call: Call, home: ResourceHome, resource_id: str) -> int:
    """The number of a resource of which somebody may book time: of a calendar only whose it is, of an event nobody."""
    if home.kind == "event":
        raise NotFound("resource", resource_id)
    if home.kind == "calendar" and home.owner != caller_of(call).name:
        raise Problem("not_yours", "Only its host books time of a calendar; everyone else books the host's slots.")
    return home.resource


async def _book_series(call: Call, headers: Headers, body: NewBooking, *, resource: int, key: str | None) -> Answer:
    """Check and expand what repeats, and bring it to the queue as one command."""
    time_zone = await zone_of(body, resource, parts_of(call).routes)
    command = series_command(body, await checked(body, time_zone))
    return await bring(
        call,
        headers,
        command,
        resource=resource,
        resource_id=body.resource_id,
        key=key,
        wish=asked_for(body, time_zone),
    )


async def _find(connection: Connection, booking_id: UUID) -> Booking | SeriesBooking | None:
    booking = await find_booking(connection, booking_id)
    return await find_series_booking(connection, booking_id) if booking is None else booking


def _varying(found: Booking | SeriesBooking) -> list[tuple[bytes, bytes]]:
    """What a series repeats is summed up in the caller's language."""
    return [(b"vary", b"accept-language")] if isinstance(found, SeriesBooking) else []


def _grows(found: Booking | SeriesBooking) -> bool:
    """Whether more of it is stored as time goes on, without a new version: then no caller has what it is now."""
    return isinstance(found, SeriesBooking) and found.materialised_until is not None


async def _cancel(call: Call, headers: Headers, booking_id: UUID, reason: str | None) -> Answer:
    if_version, key = wished_version(headers), idempotency_key(headers)
    home = await parts_of(call).routes.home(booking_id)
    check_cancel(caller_of(call), booking_id, home)
    command = _cancellation(booking_id, home, reason, if_version)
    act = Action.CANCEL_FOR_ANOTHER
    return await bring_home(call, headers, command, home=home, key=key, act=act, booking=booking_id)


def _cancellation(booking_id: UUID, home: Home, reason: str | None, if_version: int | None) -> Command:
    if home.series is None:
        return Cancel(booking_id, reason, if_version)
    if home.occurrence is None:
        return CancelSeries(home.series, reason, if_version)
    return CancelOccurrence(home.series, home.occurrence, reason, if_version, booking_id)


def _move(booking_id: UUID, home: Home, start_time: datetime, end_time: datetime, *, if_version: int | None) -> Command:
    if home.slot is not None:
        raise Problem("not_reschedulable", "A seat has the time of its slot or event; cancel it, and book another.")
    if home.series is None:
        return Reschedule(booking_id, start_time, end_time, if_version)
    if home.occurrence is None:
        raise Problem("not_reschedulable")
    return MoveOccurrence(home.series, home.occurrence, start_time, end_time, if_version=if_version, booking=booking_id)
