"""API keys: for programs that act for a person, as far as their scopes reach.

Nobody gets a key by a key: whoever finds one can do with it what it is for, until it is ended, and no more.
"""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, post
from msgspec import UNSET

from api import account_operations as operations
from api.access import OPERATOR, OPERATORS_SCOPES, caller_of, person_of
from api.account_bodies import API_KEY_QUERY, NEW_API_KEY, ApiKeyBody, ApiKeyPage
from api.audit import act_of
from api.bodies import DEFAULT_LIMIT, instant_out, optional_instant_out
from api.callers import idempotency_key, read_headers
from api.decode import BadRequest
from api.fields import Fault, in_utc
from api.http import Answer, Call, json_answer, read_json, uuid_segment
from api.parts import parts_of
from api.problems import Problem
from engine.accounts.credentials import new_api_key, secret_hash
from engine.errors import NotFound
from engine.identifiers import uuid7
from engine.store.audit import Action, insert_audit
from engine.store.people import ApiKey, end_api_key, insert_api_key, list_api_keys
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask

MOST_API_KEYS = 100
"""Keys that a person may have at one time."""


class ApiKeyController(Controller):
    """``/users/me/api-keys``."""

    path = "/users/me/api-keys"

    @post(opt={"operation": operations.MAKE_API_KEY})
    async def make_api_key(self, request: Call) -> Answer:
        """Make an API key. The answer shows it, and nothing shows it again; so no idempotency key brings it back."""
        person = person_of(request)
        body = NEW_API_KEY.decode(await read_json(request, read_headers(request.scope["headers"])))
        scopes = sorted(set(body.scopes))
        if OPERATORS_SCOPES & set(scopes) and OPERATOR not in caller_of(request).roles:
            raise Problem("role_required", f"Only operators make keys with {' or '.join(sorted(OPERATORS_SCOPES))}.")
        key, secret = uuid7(), new_api_key()
        act = act_of(request, Action.MAKE_KEY, str(key), detail=" ".join(scopes))

        async def make(connection: Connection) -> ApiKey | None:
            async with connection.transaction():
                made = await insert_api_key(
                    connection,
                    person,
                    key=key,
                    name=None if body.name is UNSET else body.name,
                    key_hash=secret_hash(secret),
                    scopes=scopes,
                    expires_at=in_utc(body.expires_at) if body.expires_at else None,
                    most=MOST_API_KEYS,
                )
                if made is not None:
                    await insert_audit(connection, act)
                return made

        made = await ask(parts_of(request).primary, make, within_s=READ_TIMEOUT_S)
        if made is None:
            raise Problem("too_many_api_keys")
        headers = [(b"location", f"/api/v1/users/me/api-keys/{key}".encode()), (b"cache-control", b"no-store")]
        return json_answer(201, _body(made, secret), headers)

    @get(opt={"operation": operations.LIST_API_KEYS})
    async def show_api_keys(self, request: Call) -> Answer:
        """List the API keys of the person who asks, oldest first, without the keys themselves."""
        person = person_of(request)
        query = API_KEY_QUERY.decode_query(request.scope["query_string"])
        after = None if query.cursor is UNSET else _read_cursor(query.cursor)
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        found = await ask(
            parts_of(request).primary,
            lambda connection: list_api_keys(connection, person, after=after, limit=limit + 1),
            within_s=READ_TIMEOUT_S,
        )
        page = found[:limit]
        following = str(page[-1].key) if len(found) > limit else None
        return json_answer(200, ApiKeyPage(items=[_body(item) for item in page], next=following))

    @delete("/{api_key_id:str}", status_code=200, opt={"operation": operations.END_API_KEY})
    async def end_api_key(self, request: Call) -> Answer:
        """End an API key: within five seconds it works nowhere. Harmless when it was ended before."""
        person = person_of(request)
        idempotency_key(read_headers(request.scope["headers"]))
        key = uuid_segment(request, "api_key_id")
        act = act_of(request, Action.END_KEY, str(key))

        async def end(connection: Connection) -> ApiKey | None:
            async with connection.transaction():
                found = await end_api_key(connection, person, key)
                if found is None:
                    return None
                if found[1]:
                    await insert_audit(connection, act)
                return found[0]

        ended = await ask(parts_of(request).primary, end, within_s=READ_TIMEOUT_S)
        if ended is None:
            raise NotFound("api_key", str(key))
        return json_answer(200, _body(ended))


def _body(key: ApiKey, secret: str | None = None) -> ApiKeyBody:
    return ApiKeyBody(
        api_key_id=key.key,
        name=key.name,
        scopes=list(key.scopes),
        created_at=instant_out(key.created_at),
        expires_at=optional_instant_out(key.expires_at),
        api_key=UNSET if secret is None else secret,
    )


def _read_cursor(cursor: str) -> UUID:
    """Read the id of a key. Raises BadRequest where it is none."""
    try:
        return UUID(cursor)
    except ValueError:
        raise BadRequest([Fault("/cursor", "invalid_cursor", "cursor must be the next of an earlier page")]) from None
