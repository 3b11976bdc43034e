"""Bodies in, answers out: what every handler shares.

Litestar routes and calls the handler; the body is read and the answer sent here, because its own ways
cost twice as much as everything else that a booking needs of this process.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec
from litestar import Request
from litestar.types import Message, Receive, Scope, Send

from api.bodies import ProblemBody, encode
from api.callers import Headers, request_tag
from api.decode import BadRequest
from api.fields import Fault, FieldError, PublicName
from api.problems import Problem
from api.rate_fields import rate_fields
from engine import failpoints
from engine.errors import NotFound

LARGEST_BODY = 1_048_576
BODY_WITHIN_S = 20.0
"""How long a body may take to come: longer than any honest one does, on any line."""
REQUEST_TAG = b"x-request-id"
JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"
_JSON_TYPE = re.compile(rb'\s*application/(?:[a-z0-9.-]+\+)?json\s*(?:;\s*charset="?utf-8"?\s*)?;?\s*', re.IGNORECASE)

Call = Request[Any, Any, Any]
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SLASH_INSIDE = "\udc2f"
"""Stands for a slash that is part of a name: half a surrogate pair, which no decoded path has."""
RESOURCE_NAME = PublicName()

HeaderPairs = Sequence[tuple[bytes, bytes]]


class ClientGone(Exception):
    """The caller hung up before the body was there; nobody reads an answer."""


class Answer:
    """An answer that is ready to be sent: an ASGI application that takes no request."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: HeaderPairs = (), *, media_type: bytes = JSON) -> None:
        self.status = status
        self.body = body
        self.headers = [
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI brings it
        """Send it, with the id of the request, and with what is left of the rates that it counted against."""
        headers = [*self.headers, (REQUEST_TAG, request_tag(scope).encode()), *rate_fields(scope)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})
        failpoints.reach("A7", scope["path"])


def json_answer(status: int, body: msgspec.Struct, headers: HeaderPairs = ()) -> Answer:
    """Answer with a body of the interface."""
    return Answer(status, encode(body), headers)


def unchanged_answer(headers: HeaderPairs) -> Answer:
    """Answer that what the caller has is the current version (304). It has no body, so nothing is said of one."""
    answer = Answer(304, b"")
    answer.headers = list(headers)
    return answer


def problem_answer(problem: Problem, instance: str, headers: HeaderPairs = ()) -> Answer:
    """Answer with a problem.

    instance  the address of what went wrong.
    """
    body: ProblemBody = problem.body(instance)
    own = [(name.encode(), value.encode()) for name, value in problem.headers]
    return Answer(problem.status, encode(body), [*own, *headers], media_type=PROBLEM_JSON)


async def read_json(call: Call, headers: Headers) -> bytes:
    """Read the body of a request that must have one.

    Raises Problem where it is too large, or of another type than JSON.
    """
    raw = await read_body(call, headers)
    content_type = headers.get(b"content-type")
    if content_type != JSON and (raw or content_type is not None) and not _JSON_TYPE.fullmatch(content_type or b""):
        raise Problem("unsupported_media_type", "The body must be application/json, in UTF-8.")
    return raw


async def read_body(call: Call, headers: Headers) -> bytes:
    """Read the body, up to LARGEST_BODY.

    Raises Problem where it is larger, without reading on, and where it is not there within BODY_WITHIN_S.
    """
    length = headers.get(b"content-length")
    if length is not None and len(length) > 6 and (not length.isdigit() or int(length[:20]) > LARGEST_BODY):
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await _parts_of_body(call)
    except TimeoutError:
        raise Problem("body_too_slow", headers=[("connection", "close")]) from None


async def _parts_of_body(call: Call) -> bytes:
    """Put a body together from the parts in which it comes: most come in one."""
    message = await call.receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return _bounded(message["body"])
    parts = bytearray()
    while True:
        if message["type"] != "http.request":
            raise ClientGone
        parts += message["body"]
        if not message.get("more_body"):
            return _bounded(bytes(parts))
        _bounded(parts)
        message = await call.receive()


def _bounded(body: Any) -> bytes:
    if len(body) > LARGEST_BODY:
        raise _too_large()
    found: bytes = body
    return found


def _too_large() -> Problem:
    return Problem("body_too_large", f"The body must have at most {LARGEST_BODY:,} bytes.")


def routable_path(raw_path: bytes) -> str:
    """The path for routing: slashes inside of a segment (``%2F``) are set aside, so that they do not part it."""
    return "/".join(unquote(part).replace("/", SLASH_INSIDE) for part in raw_path.decode("latin-1").split("/"))


def segment(call: Call, name: str) -> str:
    """A named part of the path, decoded; slashes may be in it."""
    text: str = call.scope["path_params"][name]
    return text.replace(SLASH_INSIDE, "/")


def resource_id_segment(call: Call) -> str:
    """The name of the resource in ``/api/v1/resources/{resource_id}``. Raises NotFound where none can be so named."""
    name = segment(call, "resource_id")
    try:
        return RESOURCE_NAME.read(name)
    except FieldError:
        raise NotFound("resource", name) from None


def uuid_segment(call: Call, name: str) -> UUID:
    """A part of the path that is a UUID. Raises BadRequest where it is not one."""
    text = segment(call, name)
    if not _UUID.fullmatch(text):
        raise BadRequest([Fault(f"/{name}", "invalid_id", f"{name} must be a UUID")])
    return UUID(text)


def seen_header(resource_id: str, ticket: int) -> tuple[bytes, bytes]:
    """Make ``Firstcome-Seen``: percent-encoded, because a header is ASCII and the name of a resource is not."""
    return b"firstcome-seen", f"{_quoted(resource_id)}:{ticket}".encode()


_quoted = lru_cache(maxsize=4_096)(quote)


def tagging(send: Send, scope: Scope, methods: Mapping[str, bytes]) -> Send:
    """Wrap a ``send``, so that answers of the framework's own carry the id of the request as ours do.

    methods  of each path, for ``Allow``: the framework names only those of a path that were registered together.
    """

    async def tagged(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = [pair for pair in message["headers"] if pair[0] != b"allow"]
            template = scope.get("path_template", "")
            suffixed = template + PurePosixPath(scope["path"]).suffix
            if (allowed := methods.get(suffixed, methods.get(template))) is not None:
                headers.append((b"allow", allowed))
            message["headers"] = [*headers, (REQUEST_TAG, request_tag(scope).encode())]
        await send(message)

    return tagged
