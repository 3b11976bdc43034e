"""Bookings: made, read, cancelled, moved."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, post, put
from msgspec import UNSET

from api import operations
from api.bodies import CANCELLATION, NEW_BOOKING, NEW_TIMES
from api.callers import Headers, idempotency_key, matches, read_headers, wished_version
from api.deciding import bring
from api.fields import in_utc
from api.http import Answer, Call, json_answer, read_json, unchanged_answer, uuid_segment
from api.outcomes import etag
from api.parts import parts_of
from api.views import booking_body
from engine.commands import Book, Cancel, Command, Reschedule
from engine.errors import NotFound
from engine.store.bookings import find_booking
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask


class BookingController(Controller):
    """``/bookings``."""

    path = "/bookings"

    @post(opt={"operation": operations.BOOK})
    async def book(self, request: Call) -> Answer:
        """Book a time: join the resource's queue, and wait for the outcome."""
        headers = read_headers(request.scope["headers"])
        body = NEW_BOOKING.decode(await read_json(request, headers))
        key = idempotency_key(headers)
        resource = await parts_of(request).routes.resource(body.resource_id)
        places = 1 if body.places is UNSET else body.places
        command = Book(in_utc(body.start_time), in_utc(body.end_time), places)
        return await bring(request, headers, command, resource=resource, resource_id=body.resource_id, key=key)

    @get("/{booking_id:str}", opt={"operation": operations.READ_BOOKING})
    async def show_booking(self, request: Call) -> Answer:
        """Read a booking as it stands."""
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        booking = await ask(
            parts_of(request).primary,
            lambda connection: find_booking(connection, booking_id),
            within_s=READ_TIMEOUT_S,
        )
        if booking is None:
            raise NotFound("booking", str(booking_id))
        name, tag = etag(booking.version)
        if matches(headers, tag.decode()):
            return unchanged_answer([(name, tag)])
        return json_answer(200, booking_body(booking), [(name, tag)])

    @delete("/{booking_id:str}", status_code=200, opt={"operation": operations.REMOVE_BOOKING})
    async def remove_booking(self, request: Call) -> Answer:
        """Cancel a booking. Harmless when it was cancelled before."""
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        return await _bring(request, headers, booking_id, Cancel(booking_id, None, wished_version(headers)))

    @post("/{booking_id:str}/cancel", status_code=200, opt={"operation": operations.CANCEL_BOOKING})
    async def cancel_booking(self, request: Call) -> Answer:
        """Cancel a booking, and say why. Harmless when it was cancelled before."""
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        raw = await read_json(request, headers)
        reason = CANCELLATION.decode(raw).reason if raw else None
        command = Cancel(booking_id, None if reason is UNSET else reason, wished_version(headers))
        return await _bring(request, headers, booking_id, command)

    @put("/{booking_id:str}/reschedule", opt={"operation": operations.RESCHEDULE_BOOKING})
    async def reschedule_booking(self, request: Call) -> Answer:
        """Move a booking within its resource: a new booking stands, and the old one names it."""
        headers = read_headers(request.scope["headers"])
        booking_id = uuid_segment(request, "booking_id")
        body = NEW_TIMES.decode(await read_json(request, headers))
        command = Reschedule(booking_id, in_utc(body.start_time), in_utc(body.end_time), wished_version(headers))
        return await _bring(request, headers, booking_id, command)


async def _bring(call: Call, headers: Headers, booking_id: UUID, command: Command) -> Answer:
    """Bring a command about a booking to the queue of the booking's resource."""
    key = idempotency_key(headers)
    routes = parts_of(call).routes
    resource = await routes.home(booking_id)
    return await bring(
        call, headers, command, resource=resource, resource_id=await routes.resource_id(resource), key=key
    )
