"""Seats of slots and events: booked, reserved."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Controller, post
from msgspec import UNSET

from api import offer_operations as operations
from api.access import Caller, caller_of, not_yours
from api.callers import Headers, idempotency_key, read_headers
from api.deciding import bring
from api.http import Answer, Call, read_json
from api.offer_bodies import NEW_SEAT, RESERVATION
from api.parts import Parts, parts_of
from api.problems import Problem
from engine.commands import ANONYMOUS, BookSeat
from engine.errors import NotFound
from engine.store.audit import Action
from engine.store.offers import OfferHome
from engine.store.people import find_person
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

NAMES = ("slot_id", "event_id")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ReservationController(Controller):
    """``/bookings/reserve``."""

    path = "/bookings/reserve"

    @post(opt={"operation": operations.RESERVE})
    async def reserve(self, request: Call) -> Answer:
        """Book a seat of an event, for oneself or, as an operator, for somebody else."""
        headers = read_headers(request.scope["headers"])
        body = RESERVATION.decode(await read_json(request, headers))
        key = idempotency_key(headers)
        parts = parts_of(request)
        home = await parts.routes.event(body.event_id)
        person = None if body.user_id is UNSET else await _holder(parts, caller_of(request), body.user_id)
        audited = None if person is None else (Action.BOOK_FOR_ANOTHER, person)
        return await _bring(request, headers, BookSeat(body.event_id, person), home=home, key=key, audited=audited)


def asks_for_seat(raw: bytes) -> bool:
    """Whether the body of a booking names a slot or an event, rightly or wrongly.

    A resource may be called ``slot_id``, so the look at the bytes, which is all that most bodies need, does not say.
    """
    if not any(b'"%s"' % name.encode() in raw for name in NAMES):
        return False
    try:
        return not _members.decode(raw).keys().isdisjoint(NAMES)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False  # whoever decodes it says what is wrong


async def book_seat(call: Call, headers: Headers, raw: bytes) -> Answer:
    """Book a seat of the slot or event that the body of a booking names."""
    body = NEW_SEAT.decode(raw)
    key = idempotency_key(headers)
    routes = parts_of(call).routes
    if body.slot_id is UNSET:
        assert body.event_id is not UNSET, "it names one of the two"
        return await _bring(call, headers, BookSeat(body.event_id), home=await routes.event(body.event_id), key=key)
    home = await routes.slot(body.slot_id)
    if home.host == caller_of(call).name != ANONYMOUS:
        raise Problem("own_slot")
    return await _bring(call, headers, BookSeat(body.slot_id), home=home, key=key)


async def _bring(
    call: Call,
    headers: Headers,
    command: BookSeat,
    *,
    home: OfferHome,
    key: str | None,
    audited: tuple[Action, str] | None = None,
) -> Answer:
    return await bring(
        call, headers, command, resource=home.resource, resource_id=home.resource_id, key=key, audited=audited
    )


async def _holder(parts: Parts, caller: Caller, user: UUID) -> str | None:
    """Whose the seat will be. None: the caller's. Raises Problem where it may not be another's, NotFound."""
    if caller.person == user:
        return None
    if not caller.operates:
        raise not_yours("account")
    known = await ask(parts.primary, lambda connection: find_person(connection, user), within_s=READ_TIMEOUT_S)
    if known is None:
        raise NotFound("user", str(user))
    return str(user)
