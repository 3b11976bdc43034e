"""The description of the interface: OpenAPI 3.1, made from the very structs that decode and encode.

A handler brings what is not in its method, path and docstring as ``opt={"operation": Operation(...)}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from api.bodies import ProblemBody
from api.decode import Body
from api.problems import DETAILS, PROBLEMS

TITLE = "firstcome"
VERSION = "0.1.0"
DESCRIPTION = (
    "A queue-serialized booking engine: strictly first come, first served, and it can prove it. "
    "Instants are RFC 3339 with an offset; intervals have their start in them and not their end."
)
SCHEMAS = "#/components/schemas/{name}"
EVERYWHERE = ("internal_error",)
FOR_BODIES = ("invalid_request", "invalid_json", "body_too_large", "unsupported_media_type")
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


@dataclass(frozen=True, slots=True)
class Success:
    """What an operation answers when it went well."""

    description: str
    body: type[msgspec.Struct] | None = None
    example: Any = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """What the description says about an operation.

    body      the struct of the request's body, with an example that works.
    optional  the body may be left out.
    query     the struct of the query, with examples of what is required.
    path      an example of each part of the path.
    answers   by status.
    problems  the codes it can end with, beyond those that its other properties bring.
    keyed     it takes an idempotency key.
    decided   it goes through a queue: it waits, and may be answered 202.
    versioned it takes ``If-Match``.
    """

    body: type[Body] | None = None
    example: Any = None
    optional: bool = False
    query: type[Body] | None = None
    query_example: Mapping[str, Any] = field(default_factory=dict)
    path: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[int, Success] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    keyed: bool = False
    decided: bool = False
    versioned: bool = False

    def codes(self) -> list[str]:
        """Every problem that it can end with."""
        found = [*self.problems, *EVERYWHERE]
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
        return sorted(set(found), key=lambda code: (PROBLEMS[code][0], code))


def describe(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Describe every operation of the routes that brings its ``Operation``."""
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
                    paths.setdefault(route.path_format, {})[method.lower()] = _operation(handler, operation)
    _, components = msgspec.json.schema_components(list(dict.fromkeys(structs)), ref_template=SCHEMAS)
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
        "components": {"schemas": components, "headers": HEADERS},
    }


def _structs(operation: Operation) -> list[Any]:
    bodies = [answer.body for answer in operation.answers.values() if answer.body is not None]
    return [*bodies, operation.body] if operation.body is not None else bodies


def _operation(handler: HTTPRouteHandler, operation: Operation) -> dict[str, Any]:
    text = " ".join((handler.fn.__doc__ or "").split())
    summary = text.partition(". ")[0].partition(":")[0].rstrip(".")
    described: dict[str, Any] = {
        "operationId": handler.fn.__name__,
        "summary": summary,
        "description": text,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.optional,
            "content": {"application/json": {"schema": _reference(operation.body), "example": operation.example}},
        }
    return described


def _reference(struct: type[Any]) -> dict[str, str]:
    return {"$ref": SCHEMAS.format(name=struct.__name__)}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": example}
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
    return responses


def _success(status: int, answer: Success) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description, "headers": _headers(status)}
    if answer.body is not None:
        described["content"] = {
            answer.media_type: {"schema": _reference(answer.body), "example": msgspec.to_builtins(answer.example)}
        }
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
    if status == 503:
        names.append("Retry-After")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


HEADERS: dict[str, Any] = {
    "X-Request-Id": {"description": "The caller's own, or one of ours.", "schema": {"type": "string"}},
    "Location": {"description": "Where it is, or will be.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}},
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
    "schema": {"type": "string"},
}
