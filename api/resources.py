"""Resources: made, read, listed, changed; and their ledgers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from litestar import Controller, get, patch, post
from msgspec import UNSET

from api import operations
from api.access import Caller, caller_of, check_change_resource
from api.audit import act_of
from api.bodies import (
    DEFAULT_LIMIT,
    LEDGER_QUERY,
    NEW_RESOURCE,
    RESOURCE_CHANGE,
    RESOURCE_QUERY,
    LedgerPage,
    NewResource,
    ResourcePage,
    encode,
)
from api.callers import idempotency_key, matches, read_headers, wished_version
from api.deciding import REPLAYED, bring
from api.decode import BadRequest
from api.fields import Fault
from api.http import (
    JSON,
    PROBLEM_JSON,
    Answer,
    Call,
    json_answer,
    read_json,
    resource_id_segment,
    seen_header,
    unchanged_answer,
)
from api.keeping import KeptAnswer, make_once
from api.outcomes import etag
from api.parts import parts_of
from api.problems import Problem
from api.views import ledger_item, resource_body
from engine.commands import ANONYMOUS, UpdateResource
from engine.errors import NotFound
from engine.identifiers import uuid7
from engine.store.audit import Act, Action, insert_audit
from engine.store.ledger import list_ledger
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask
from engine.store.resources import ResourceHome, create_resource, find_resource, list_resources


class ResourceController(Controller):
    """``/resources``."""

    path = "/resources"

    @post(opt={"operation": operations.CREATE_RESOURCE})
    async def make_resource(self, request: Call) -> Answer:
        """Make a resource. It needs no queue: nothing can be booked before it is there."""
        headers = read_headers(request.scope["headers"])
        body = NEW_RESOURCE.decode(await read_json(request, headers))
        key = idempotency_key(headers)
        act = partial(act_of, request, Action.MAKE_RESOURCE)
        owner = caller_of(request).name
        kept, replayed = await make_once(
            request, body, lambda connection: _insert_resource(connection, body, owner, act), key=key
        )
        return _kept_answer(kept, replayed=replayed)

    @get(opt={"operation": operations.LIST_RESOURCES})
    async def show_resources(self, request: Call) -> Answer:
        """List the resources, oldest first."""
        query = RESOURCE_QUERY.decode_query(request.scope["query_string"])
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        after = 0 if query.cursor is UNSET else _read_cursor(query.cursor)
        found = await ask(
            parts_of(request).primary,
            lambda connection: list_resources(connection, after=after, limit=limit + 1),
            within_s=READ_TIMEOUT_S,
        )
        page = found[:limit]
        following = _cursor(page[-1].resource) if len(found) > limit else None
        return json_answer(200, ResourcePage(items=[resource_body(item) for item in page], next=following))

    @get("/{resource_id:str}", opt={"operation": operations.READ_RESOURCE})
    async def show_resource(self, request: Call) -> Answer:
        """Read a resource."""
        headers = read_headers(request.scope["headers"])
        resource_id = resource_id_segment(request)
        resource = await ask(
            parts_of(request).primary,
            lambda connection: find_resource(connection, resource_id),
            within_s=READ_TIMEOUT_S,
        )
        if resource is None or resource.kind == "event":
            raise NotFound("resource", resource_id)
        name, tag = etag(resource.version)
        if matches(headers, tag.decode()):
            return unchanged_answer([(name, tag)])
        return json_answer(200, resource_body(resource), [(name, tag)])

    @patch("/{resource_id:str}", opt={"operation": operations.CHANGE_RESOURCE})
    async def change_resource(self, request: Call) -> Answer:
        """Change a resource: decided in its queue, between the bookings before and after."""
        headers = read_headers(request.scope["headers"])
        resource_id = resource_id_segment(request)
        body = RESOURCE_CHANGE.decode(await read_json(request, headers))
        command = UpdateResource(
            None if body.name is UNSET else body.name,
            None if body.capacity is UNSET else body.capacity,
            wished_version(headers),
        )
        key = idempotency_key(headers)
        home = await parts_of(request).routes.resource_home(resource_id)
        _check_change(caller_of(request), home, resource_id)
        return await bring(
            request,
            headers,
            command,
            resource=home.resource,
            resource_id=resource_id,
            key=key,
            audited=(Action.CHANGE_RESOURCE, resource_id),
        )

    @get("/{resource_id:str}/ledger", opt={"operation": operations.READ_LEDGER})
    async def show_ledger(self, request: Call) -> Answer:
        """Read the resource's ledger: every ticket and its outcome, in order."""
        resource_id = resource_id_segment(request)
        query = LEDGER_QUERY.decode_query(request.scope["query_string"])
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        after = 0 if query.after is UNSET else query.after
        parts = parts_of(request)
        resource = await parts.routes.resource(resource_id)
        found = await ask(
            parts.primary,
            lambda connection: list_ledger(connection, resource, after=after, limit=limit + 1),
            within_s=READ_TIMEOUT_S,
        )
        page = found[:limit]
        following = page[-1].ticket if len(found) > limit else None
        return json_answer(200, LedgerPage(items=[ledger_item(entry) for entry in page], next=following))


def _check_change(caller: Caller, home: ResourceHome, resource_id: str) -> None:
    """Raise NotFound where it is an event, Problem where it is another's, or a calendar, which nobody changes."""
    if home.kind == "event":
        raise NotFound("resource", resource_id)
    check_change_resource(caller, home.owner or ANONYMOUS)
    if home.kind == "calendar":
        raise Problem("not_yours", "A calendar is the engine's: it has one place, and is changed by what is booked.")


async def _insert_resource(
    connection: Connection, body: NewResource, owner: str, act: Callable[[str], Act]
) -> KeptAnswer:
    resource_id = str(uuid7()) if body.resource_id is UNSET else body.resource_id
    made = await create_resource(
        connection,
        resource_id=resource_id,
        name=body.name,
        time_zone="UTC" if body.time_zone is UNSET else body.time_zone,
        capacity=1 if body.capacity is UNSET else body.capacity,
        owner=owner,
    )
    if made is None:
        problem = Problem("resource_exists", f"There is a resource {resource_id} already.")
        return KeptAnswer(status=problem.status, body=encode(problem.body("/api/v1/resources")).decode())
    await insert_audit(connection, act(resource_id))
    return KeptAnswer(status=201, body=encode(resource_body(made)).decode(), resource_id=resource_id)


def _kept_answer(kept: KeptAnswer, *, replayed: bool) -> Answer:
    headers = [REPLAYED] if replayed else []
    if kept.resource_id is None:
        return Answer(kept.status, kept.body.encode(), headers, media_type=PROBLEM_JSON)
    headers += [(b"location", resource_address(kept.resource_id)), seen_header(kept.resource_id, 0)]
    if not replayed:
        headers.append(etag(1))
    return Answer(kept.status, kept.body.encode(), headers, media_type=JSON)


def resource_address(resource_id: str) -> bytes:
    """Where a resource is."""
    return f"/api/v1/resources/{quote(resource_id, safe='')}".encode()


def _cursor(resource: int) -> str:
    return base64.urlsafe_b64encode(str(resource).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    """Read a cursor that ``_cursor`` made. Raises BadRequest where it is not one."""
    try:
        number = int(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        number = -1
    if not 0 < number < 2**63:
        raise BadRequest([Fault("/cursor", "invalid_cursor", "cursor must be the next of an earlier page")])
    return number
