"""The description of the interface: OpenAPI 3.1, made from the very structs that decode and encode.

A handler brings what is not in its method, path and docstring as ``opt={"operation": Operation(...)}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.routes import BaseRoute, HTTPRoute

from api.access import Access, Scope
from api.bodies import ProblemBody
from api.decode import Body
from api.fields import NULLABLE
from api.problems import DETAILS, PROBLEMS

TITLE = "firstcome"
VERSION = "0.1.0"
DESCRIPTION = (
    "A queue-serialized booking engine: strictly first come, first served, and it can prove it. "
    "Instants are RFC 3339 with an offset; intervals have their start in them and not their end."
)
SCHEMAS = "#/components/schemas/{name}"
EVERYWHERE = ("internal_error",)
FOR_CALLERS = ("sign_in_required", "invalid_token", "scope_missing", "untrusted_proxy", "unavailable")
FOR_BODIES = ("invalid_request", "invalid_json", "body_too_slow", "body_too_large", "unsupported_media_type")
FOR_COUNTED = ("rate_limited",)
FOR_DECISIONS = (
    "invalid_idempotency_key",
    "key_reused",
    "not_promised",
    "queue_full",
    "too_many_waiting",
    "storage_full",
    "withdrawn",
    "failed",
)


class Counted(Enum):
    """As what a call counts against the rates (api/rate_limits.py)."""

    READS = "a read"
    CHANGES = "a command, or anything else that changes something"
    LOGINS = "an attempt to log in, or an account that is made: its handler counts it"
    NEVER = "not counted"


@dataclass(frozen=True, slots=True)
class Success:
    """What an operation answers when it went well.

    or_media_type  another form in which it may come; the example is of the first.
    """

    description: str
    body: type[msgspec.Struct] | None = None
    example: Any = None
    media_type: str = "application/json"
    or_media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What the description says about an operation.

    body      the struct of the request's body, with an example that works.
    or_body   another struct that it may have instead.
    optional  the body may be left out.
    query     the struct of the query, with examples of what is required.
    path      an example of each part of the path.
    answers   by status.
    problems  the codes it can end with, beyond those that its other properties bring.
    access    who may call it.
    scope     what an API key needs for it; None: no key can.
    keyed     it takes an idempotency key.
    decided   it goes through a queue: it waits, and may be answered 202.
    versioned it takes ``If-Match``.
    counted   as what it counts against the rates; None: by its method, a GET is a read.
    """

    body: type[Body] | None = None
    or_body: type[Body] | None = None
    example: Any = None
    optional: bool = False
    query: type[Body] | None = None
    query_example: Mapping[str, Any] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[int, Success] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    access: Access = Access.PERSON
    scope: Scope | None = None
    keyed: bool = False
    decided: bool = False
    versioned: bool = False
    counted: Counted | None = None

    def codes(self) -> list[str]:
        """Every problem that it can end with."""
        found = [*self.problems, *EVERYWHERE]
        if self.access is not Access.PUBLIC:
            found += FOR_CALLERS
        if self.access in {Access.HOST, Access.OPERATOR}:
            found.append("role_required")
        if self.body is not None:
            found += FOR_BODIES
        if self.query is not None:
            found.append("invalid_request")
        if self.decided:
            found += FOR_DECISIONS
        if self.keyed:
            found += ("invalid_idempotency_key", "key_reused")
        if self.versioned:
            found.append("stale_version")
        if self.counted is not Counted.NEVER:
            found += FOR_COUNTED
        return sorted(set(found), key=lambda code: (PROBLEMS[code][0], code))


def describe(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Describe every operation of the routes that brings its ``Operation``.

    A handler that answers for a path with something behind its last part, too, brings under ``suffixes`` what that
    is, who answers, and what it says about that.
    """
    paths: dict[str, dict[str, Any]] = {}
    structs: list[Any] = [ProblemBody]
    for route in routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            operation = handler.opt.get("operation")
            if isinstance(operation, Operation):
                structs += _structs(operation)
                for method in handler.http_methods:
                    paths.setdefault(route.path_format, {})[method.lower()] = _operation(handler.fn, operation)
            for suffix, (answering, suffixed) in handler.opt.get("suffixes", {}).items():
                structs += _structs(suffixed)
                paths.setdefault(route.path_format + suffix, {})["get"] = _operation(answering, suffixed)
    _, components = msgspec.json.schema_components(list(dict.fromkeys(structs)), ref_template=SCHEMAS)
    _let_be_null(components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": components, "headers": HEADERS, "securitySchemes": SECURITY},
    }


def _let_be_null(components: Mapping[str, Any]) -> None:
    """Say of the fields that are marked so that they take null, which is the same as leaving them out."""
    for schema in components.values():
        for field_schema in schema.get("properties", {}).values():
            if field_schema.pop(NULLABLE, False):
                field_schema["type"] = [field_schema["type"], "null"]


def _structs(operation: Operation) -> list[Any]:
    bodies = [answer.body for answer in operation.answers.values() if answer.body is not None]
    return [*bodies, *(body for body in (operation.body, operation.or_body) if body is not None)]


def _operation(handler: Callable[..., Any], operation: Operation) -> dict[str, Any]:
    text = " ".join((handler.__doc__ or "").split())
    summary = text.partition(". ")[0].partition(":")[0].rstrip(".")
    described: dict[str, Any] = {
        "operationId": handler.__name__,
        "summary": summary,
        "description": text,
        "parameters": _parameters(operation),
        "security": _security(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        schema: dict[str, Any] = _reference(operation.body)
        if operation.or_body is not None:
            schema = {"anyOf": [schema, _reference(operation.or_body)]}
        described["requestBody"] = {
            "required": not operation.optional,
            "content": {"application/json": {"schema": schema, "example": operation.example}},
        }
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    """Describe what an operation asks for: an access token, or an API key with a scope."""
    if operation.access is Access.PUBLIC:
        return []
    token: dict[str, list[str]] = {"accessToken": []}
    return [token] if operation.scope is None else [token, {"apiKey": [operation.scope.value]}]


def _reference(struct: type[Any]) -> dict[str, str]:
    return {"$ref": SCHEMAS.format(name=struct.__name__)}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name), "example": example}
        for name, example in operation.path.items()
    ]
    if operation.query is not None:
        found += [_query_parameter(item, operation) for item in msgspec.structs.fields(operation.query)]
    if operation.keyed:
        found.append(IDEMPOTENCY_KEY)
    if operation.decided:
        found.append(PREFER)
    if operation.versioned:
        found.append(IF_MATCH)
    return found


def _path_schema(name: str) -> dict[str, Any]:
    """Describe a part of a path: the public name of a resource, the start of an occurrence, or an id."""
    match name:
        case "resource_id":
            return {"type": "string", "minLength": 1}
        case "start":
            return {"type": "string", "pattern": r"^\d{8}T\d{6}Z$"}
    return {"type": "string", "format": "uuid"}


def _query_parameter(item: msgspec.structs.FieldInfo, operation: Operation) -> dict[str, Any]:
    schema = msgspec.json.schema(item.type)
    parameter: dict[str, Any] = {
        "name": item.name,
        "in": "query",
        "required": item.required,
        "description": schema.pop("description", ""),
        "schema": schema,
    }
    if item.name in operation.query_example:
        parameter["example"] = operation.query_example[item.name]
    return parameter


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {
        str(status): _success(status, answer) for status, answer in sorted(operation.answers.items())
    }
    by_status: dict[int, list[str]] = {}
    for code in operation.codes():
        by_status.setdefault(PROBLEMS[code][0], []).append(code)
    for status, codes in by_status.items():
        responses[str(status)] = _problems(status, codes)
    if operation.counted is not Counted.NEVER:
        for described in responses.values():
            described["headers"] |= _header_references(["RateLimit", "RateLimit-Policy"])
    return responses


def _success(status: int, answer: Success) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description, "headers": _headers(status)}
    if answer.body is not None or answer.example is not None:
        schema: dict[str, str] = {"type": "string"} if answer.body is None else _reference(answer.body)
        described["content"] = {answer.media_type: {"schema": schema, "example": msgspec.to_builtins(answer.example)}}
        if answer.or_media_type is not None:
            described["content"][answer.or_media_type] = {"schema": schema}
    return described


def _problems(status: int, codes: list[str]) -> dict[str, Any]:
    """Describe the problems of a status."""
    examples = {
        code: {
            "summary": PROBLEMS[code][1],
            "value": {
                "type": f"/docs/problems/{code}",
                "title": PROBLEMS[code][1],
                "status": status,
                "detail": DETAILS.get(code, PROBLEMS[code][1]),
                "instance": "/api/v1/…",
                "code": str(code),
            },
        }
        for code in codes
    }
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
        "headers": _headers(status),
        "content": {"application/problem+json": {"schema": _reference(ProblemBody), "examples": examples}},
    }


def _headers(status: int) -> dict[str, Any]:
    names = ["X-Request-Id"]
    if status in {201, 202}:
        names.append("Location")
    if status == 401:
        names.append("WWW-Authenticate")
    if status in {429, 503}:
        names.append("Retry-After")
    return _header_references(names)


def _header_references(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


SECURITY: dict[str, Any] = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access_token of a log-in.",
    },
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "fc_…",
        "description": "An API key that has the scope.",
    },
}
HEADERS: dict[str, Any] = {
    "X-Request-Id": {"description": "The caller's own, or one of ours.", "schema": {"type": "string"}},
    "Location": {"description": "Where it is, or will be.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to say who one is (RFC 6750).", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}},
    "RateLimit": {
        "description": "Where rates are counted: r calls are left, and in t seconds there is one more.",
        "schema": {"type": "string"},
        "example": '"bookings";r=119;t=1, "bookings-address";r=2999;t=1',
    },
    "RateLimit-Policy": {
        "description": "Where rates are counted: q calls in w seconds are allowed.",
        "schema": {"type": "string"},
        "example": '"bookings";q=120;w=60, "bookings-address";q=3000;w=60',
    },
}
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes the request safe to repeat: the same key and body have the same outcome. "
    "X-Idempotency-Key is taken as the same.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "respond-async: 202 at once. wait=N: wait up to N seconds for the outcome, at most 30, then 202.",
    "schema": {"type": "string"},
}
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the version that is to be changed.",
    "schema": {"type": "string", "minLength": 1},
}
