"""What is one's own: the list of one's bookings, and what befell one of them."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get
from msgspec import UNSET

from api import offer_operations as operations
from api.access import caller_of, may_read
from api.bodies import DEFAULT_LIMIT
from api.cursors import cursor_of, place_of
from api.http import Answer, Call, json_answer, uuid_segment
from api.offer_bodies import OWN_BOOKING_QUERY, TIMELINE_QUERY, BookingPage, OwnBookingQuery, Timeline
from api.offer_views import change_body
from api.parts import parts_of
from api.views import booking_body
from engine.chain import EPOCH
from engine.errors import NotFound
from engine.store.offers import END, LAST, Window
from engine.store.people import find_person
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask
from engine.store.timeline import Change, Concerned, find_concerned, list_changes, list_own_bookings

DAYS_OF = "UTC"
"""Plain dates are days of this zone: one's bookings may be in many."""


class OwnBookingController(Controller):
    """``/bookings``, read as a list."""

    path = "/bookings"

    @get(opt={"operation": operations.LIST_OWN_BOOKINGS})
    async def show_own_bookings(self, request: Call) -> Answer:
        """List the caller's own bookings and seats, those that end last first; of a series each stored occurrence."""
        query = OWN_BOOKING_QUERY.decode_query(request.scope["query_string"])
        return await _bookings(request, caller_of(request).name, query)

    @get("/{booking_id:str}/timeline", opt={"operation": operations.READ_TIMELINE})
    async def show_timeline(self, request: Call) -> Answer:
        """Read what befell a booking: each decision that made it what it is, with its ticket and who asked."""
        booking_id = uuid_segment(request, "booking_id")
        query = TIMELINE_QUERY.decode_query(request.scope["query_string"])
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        after = 0 if query.after is UNSET else query.after
        caller = caller_of(request)

        async def read(connection: Connection) -> tuple[Concerned, list[Change], int | None] | None:
            concerned = await find_concerned(connection, booking_id)
            if concerned is None or not may_read(caller, concerned.home):
                return None
            return concerned, *await list_changes(connection, concerned, after=after, limit=limit)

        found = await ask(parts_of(request).primary, read, within_s=READ_TIMEOUT_S)
        if found is None:
            raise NotFound("booking", str(booking_id))
        concerned, changes, following = found
        items = [change_body(change, concerned, caller) for change in changes]
        return json_answer(200, Timeline(booking_id=booking_id, items=items, next=following))


class UserBookingController(Controller):
    """``/users/{user_id}/bookings``."""

    path = "/users/{user_id:str}/bookings"

    @get(opt={"operation": operations.LIST_USER_BOOKINGS})
    async def show_user_bookings(self, request: Call) -> Answer:
        """List a person's bookings: one's own, or as an operator anybody's."""
        user = uuid_segment(request, "user_id")
        query = OWN_BOOKING_QUERY.decode_query(request.scope["query_string"])
        if not await _may_list(request, user):
            raise NotFound("user", str(user))
        return await _bookings(request, str(user), query)


async def _may_list(call: Call, user: UUID) -> bool:
    """Whether somebody may list a person's bookings: their own, and operators those of anybody who is there."""
    caller = caller_of(call)
    if caller.person == user or not caller.operates:
        return caller.person == user
    known = await ask(parts_of(call).primary, lambda connection: find_person(connection, user), within_s=READ_TIMEOUT_S)
    return known is not None


async def _bookings(call: Call, whose: str, query: OwnBookingQuery) -> Answer:
    start, end = query.ends(DAYS_OF)
    limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
    window = Window((END, LAST) if query.cursor is UNSET else place_of(query.cursor), END, limit + 1)
    status = None if query.status is UNSET else query.status
    found = await ask(
        parts_of(call).primary,
        lambda connection: list_own_bookings(
            connection, whose, window, start=start or EPOCH, end=end or END, status=status
        ),
        within_s=READ_TIMEOUT_S,
    )
    items = found[:limit]
    following = cursor_of((items[-1].end_time, items[-1].booking)) if len(found) > limit else None
    return json_answer(200, BookingPage(items=[booking_body(item) for item in items], next=following))
