"""The occurrences of a recurring booking: listed, cancelled, restored, moved.

In a path an occurrence is named by its original start in UTC, ``20260810T090000Z``, also after it was moved.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from litestar import Controller, delete, get, post, put
from msgspec import UNSET

from api import operations
from api.access import Caller, caller_of, check_cancel, check_change, check_read
from api.bodies import DEFAULT_LIMIT, OCCURRENCE_QUERY, OCCURRENCE_TIMES, OccurrencePage
from api.callers import idempotency_key, read_headers, wished_version
from api.deciding import bring_home
from api.decode import BadRequest
from api.fields import FIRST_YEAR, Fault, in_utc
from api.http import Answer, Call, json_answer, read_json, segment, uuid_segment
from api.parts import parts_of
from api.problems import Problem
from api.series_views import occurrence_body
from engine.chain import EPOCH
from engine.commands import CancelOccurrence, MoveOccurrence, RestoreOccurrence, Scope
from engine.occurrences import Place, read_occurrences
from engine.rules.recurrence import start_of
from engine.rules.recurrence_check import LAST_YEAR
from engine.store.audit import Action
from engine.store.bookings import Home

MILLISECOND = timedelta(milliseconds=1)


class OccurrenceController(Controller):
    """``/bookings/{booking_id}/occurrences``."""

    path = "/bookings/{booking_id:str}/occurrences"

    @get(opt={"operation": operations.LIST_OCCURRENCES})
    async def show_occurrences(self, request: Call) -> Answer:
        """List the occurrences that begin in a window: each once, where it is now, cancelled ones included."""
        query = OCCURRENCE_QUERY.decode_query(request.scope["query_string"])
        after = None if query.cursor is UNSET else _read_cursor(query.cursor)
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        series, home = await _home(request, check_read)
        assert home.time_zone is not None, "a series has one"
        start, end = query.window(home.time_zone)
        found = await read_occurrences(
            parts_of(request).primary, series, start=start, end=end, after=after, limit=limit + 1
        )
        page = found[:limit]
        following = _cursor(page[-1].place) if len(found) > limit else None
        return json_answer(200, OccurrencePage(items=[occurrence_body(item, series) for item in page], next=following))

    @delete("/{start:str}", status_code=200, opt={"operation": operations.REMOVE_OCCURRENCE})
    async def remove_occurrence(self, request: Call) -> Answer:
        """Cancel one occurrence. Harmless when it was cancelled before."""
        headers = read_headers(request.scope["headers"])
        occurrence = _occurrence(request)
        if_version, key = wished_version(headers), idempotency_key(headers)
        series, home = await _home(request, check_cancel)
        command = CancelOccurrence(series, occurrence, if_version=if_version)
        act = Action.CANCEL_FOR_ANOTHER
        return await bring_home(request, headers, command, home=home, key=key, act=act, booking=series)

    @post("/{start:str}/restore", status_code=200, opt={"operation": operations.RESTORE_OCCURRENCE})
    async def restore_occurrence(self, request: Call) -> Answer:
        """Take the cancellation of an occurrence back, if its time is free. Harmless when it stands."""
        headers = read_headers(request.scope["headers"])
        occurrence = _occurrence(request)
        if_version, key = wished_version(headers), idempotency_key(headers)
        series, home = await _home(request, check_change)
        command = RestoreOccurrence(series, occurrence, if_version)
        act = Action.CHANGE_FOR_ANOTHER
        return await bring_home(request, headers, command, home=home, key=key, act=act, booking=series)

    @put("/{start:str}", opt={"operation": operations.MOVE_OCCURRENCE})
    async def move_occurrence(self, request: Call) -> Answer:
        """Move an occurrence, or it and those that follow, or all that have not begun: those are a new series then."""
        headers = read_headers(request.scope["headers"])
        occurrence = _occurrence(request)
        body = OCCURRENCE_TIMES.decode(await read_json(request, headers))
        if_version, key = wished_version(headers), idempotency_key(headers)
        series, home = await _home(request, check_change)
        scope = Scope.THIS if body.scope is UNSET else Scope(body.scope)
        start_time, end_time = in_utc(body.start_time), in_utc(body.end_time)
        command = MoveOccurrence(series, occurrence, start_time, end_time, scope, if_version)
        act = Action.CHANGE_FOR_ANOTHER
        return await bring_home(request, headers, command, home=home, key=key, act=act, booking=series)


async def _home(call: Call, check: Callable[[Caller, UUID, Home], None]) -> tuple[UUID, Home]:
    """The series that the path names, by its own id or that of an occurrence. Raises NotFound, or Problem.

    check  whether the caller may do this to it.
    """
    booking_id = uuid_segment(call, "booking_id")
    home = await parts_of(call).routes.home(booking_id)
    check(caller_of(call), booking_id, home)
    if home.series is None:
        raise Problem("not_recurring", f"Booking {booking_id} is a single booking; it has no occurrences.")
    return home.series, home


def _occurrence(call: Call) -> datetime:
    """The name of an occurrence in the path. Raises BadRequest where it, or the id before it, cannot be one."""
    uuid_segment(call, "booking_id")
    try:
        occurrence = start_of(segment(call, "start"))
    except ValueError:
        occurrence = datetime.min.replace(tzinfo=UTC)
    if not FIRST_YEAR <= occurrence.year <= LAST_YEAR:
        detail = "start must be the original start of an occurrence in UTC, such as 20260810T090000Z"
        raise BadRequest([Fault("/start", "invalid_occurrence", detail)])
    return occurrence


def _cursor(place: Place) -> str:
    """The place of the last item of a page, for whoever asks for the next one."""
    counted = ".".join(str((instant - EPOCH) // MILLISECOND) for instant in place)
    return base64.urlsafe_b64encode(counted.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Place:
    """Read a cursor that ``_cursor`` made. Raises BadRequest where it is not one."""
    try:
        counted = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        start, name = (EPOCH + int(number) * MILLISECOND for number in counted.split(b"."))
    except (ValueError, OverflowError):  # binascii.Error is a ValueError
        raise BadRequest([Fault("/cursor", "invalid_cursor", "cursor must be the next of an earlier page")]) from None
    return start, name
