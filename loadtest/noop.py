"""The ceiling: bare Litestar apps that take a booking's body and answer with a booking, and do nothing in between.

Two of them, because it matters what is compared with. The first is what anybody would write: Litestar reads
the body and writes the answer. The second reads and writes as this API does, which is quicker; a ratio to
it leaves nothing to the framework's own ways. Both run in one process under the very server settings of
``firstcome api``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Litestar, post

from api.bodies import NEW_BOOKING, BookingBody, NewBooking, instant_out
from api.callers import read_headers
from api.http import Answer, Call, json_answer, read_json

BARE = "/bare"
LEAN = "/lean"
NOBODY = UUID(int=0)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@post(BARE)
async def bare(data: NewBooking) -> BookingBody:
    """Answer as if the time had been booked. Litestar decodes and encodes."""
    return _booked(data)


@post(LEAN)
async def lean(request: Call) -> Answer:
    """Answer as if the time had been booked. Decoded and encoded as the API does."""
    body = NEW_BOOKING.decode(await read_json(request, read_headers(request.scope["headers"])))
    return json_answer(201, _booked(body))


def create_noop() -> Litestar:
    """Put the apps together."""
    handlers: list[Any] = [bare, lean]
    return Litestar(route_handlers=handlers, openapi_config=None, logging_config=None)


def _booked(wish: NewBooking) -> BookingBody:
    return BookingBody(
        booking_id=NOBODY,
        resource_id=wish.resource_id,
        start_time=instant_out(wish.start_time),
        end_time=instant_out(wish.end_time),
        status="confirmed",
        places=1,
        ticket=1,
        request_id=NOBODY,
        created_at=instant_out(LONG_AGO),
        message="Booking created",
    )
