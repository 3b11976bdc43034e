"""Events: a number of seats at one time, or at none yet; made, listed, read, changed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from litestar import Controller, get, patch, post
from msgspec import UNSET

from api import offer_operations as operations
from api.access import caller_of, check_change_resource
from api.audit import act_of
from api.bodies import DEFAULT_LIMIT, encode
from api.callers import idempotency_key, read_headers, wished_version
from api.cursors import cursor_of, place_of
from api.deciding import REPLAYED, bring
from api.fields import in_utc
from api.http import JSON, Answer, Call, json_answer, read_json, seen_header, uuid_segment
from api.keeping import KeptAnswer, make_once
from api.offer_bodies import EVENT_CHANGE, NEW_EVENT, WINDOW_QUERY, EventPage, NewEvent
from api.offer_views import event_body
from api.outcomes import etag
from api.parts import parts_of
from api.problems import Problem
from engine.commands import UNDATED, ChangeEvent, Reason
from engine.errors import NotFound
from engine.identifiers import uuid7
from engine.store.audit import Action, insert_audit
from engine.store.offers import END, FIRST, Window, create_event, find_offering, list_events
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask


class EventController(Controller):
    """``/events``."""

    path = "/events"

    @post(opt={"operation": operations.CREATE_EVENT})
    async def make_event(self, request: Call) -> Answer:
        """Make an event. It needs no queue: no seat can be booked before it is there."""
        headers = read_headers(request.scope["headers"])
        body = NEW_EVENT.decode(await read_json(request, headers))
        kept, replayed = await make_once(request, body, partial(_insert, request, body), key=idempotency_key(headers))
        assert kept.resource_id is not None, "only what was made is kept"
        event_id = kept.resource_id.removeprefix("event-")
        location = (b"location", f"/api/v1/events/{event_id}".encode())
        extra = [REPLAYED] if replayed else [etag(1)]
        return Answer(
            kept.status, kept.body.encode(), [location, seen_header(kept.resource_id, 0), *extra], media_type=JSON
        )

    @get(opt={"operation": operations.LIST_EVENTS})
    async def show_events(self, request: Call) -> Answer:
        """List the events in order of start, from now on or from another start_date on; those without a date last."""
        query = WINDOW_QUERY.decode_query(request.scope["query_string"])
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        start, end = query.ends("UTC")
        after = (start or datetime.now(UTC), FIRST) if query.cursor is UNSET else place_of(query.cursor)
        found = await ask(
            parts_of(request).primary,
            partial(list_events, window=Window(after, end or END, limit + 1)),
            within_s=READ_TIMEOUT_S,
        )
        items = found[:limit]
        following = cursor_of(items[-1].place) if len(found) > limit else None
        return json_answer(200, EventPage(items=[event_body(item) for item in items], next=following))

    @get("/{event_id:str}", opt={"operation": operations.READ_EVENT})
    async def show_event(self, request: Call) -> Answer:
        """Read an event, with the seats that are left of it. Its ETag is for If-Match: seats go without changing it."""
        event_id = uuid_segment(request, "event_id")
        found = await ask(
            parts_of(request).primary, lambda connection: find_offering(connection, event_id), within_s=READ_TIMEOUT_S
        )
        if found is None or not found.is_event:
            raise NotFound("event", str(event_id))
        return json_answer(200, event_body(found), [etag(found.version)])

    @patch("/{event_id:str}", opt={"operation": operations.CHANGE_EVENT})
    async def change_event(self, request: Call) -> Answer:
        """Change an event: decided in its queue, between the seats that are booked before and after."""
        headers = read_headers(request.scope["headers"])
        event_id = uuid_segment(request, "event_id")
        body = EVENT_CHANGE.decode(await read_json(request, headers))
        command = ChangeEvent(
            event_id,
            None if body.name is UNSET else body.name,
            None if body.total_seats is UNSET else body.total_seats,
            wished_version(headers),
        )
        key = idempotency_key(headers)
        home = await parts_of(request).routes.event(event_id)
        check_change_resource(caller_of(request), home.host)
        return await bring(
            request,
            headers,
            command,
            resource=home.resource,
            resource_id=home.resource_id,
            key=key,
            audited=(Action.CHANGE_EVENT, str(event_id)),
        )


async def _insert(call: Call, body: NewEvent, connection: Connection) -> KeptAnswer:
    """Make an event. Raises Problem where it would begin in the past."""
    times = UNDATED
    if body.start_time is not UNSET and body.end_time is not UNSET:
        times = in_utc(body.start_time), in_utc(body.end_time)
    made = await create_event(
        connection,
        event=uuid7(),
        host=caller_of(call).name,
        name=body.name,
        total_seats=body.total_seats,
        start_time=times[0],
        end_time=times[1],
    )
    if made is None:
        raise Problem(Reason.SLOT_IN_PAST)
    await insert_audit(connection, act_of(call, Action.MAKE_EVENT, str(made.slot)))
    return KeptAnswer(status=201, body=encode(event_body(made)).decode(), resource_id=f"event-{made.slot}")
