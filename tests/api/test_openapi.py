"""The description of the interface: complete, coherent, and every example in it works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from api import operations
from api.app import CONTROLLERS, ROOT
from api.docs import DocumentationController
from api.openapi import Operation
from api.problems import PROBLEMS

DESCRIBED: dict[str, Operation] = {
    f"{method} {controller.path}{next(iter(handler.paths)).rstrip('/')}": handler.opt["operation"]
    for controller in CONTROLLERS
    for handler in vars(controller).values()
    if hasattr(handler, "opt")
    for method in handler.http_methods
}


def every_reference(part: Any) -> Iterator[str]:
    """Every reference in a part of the description."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from every_reference(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from every_reference(inner)


async def description(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(f"{ROOT}/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    described: dict[str, Any] = answer.json()
    return described


async def test_every_operation_is_described(client: httpx.AsyncClient, app: Litestar) -> None:
    described = await description(client)
    assert described["openapi"] == "3.1.0"
    served = {
        (route.path_format, method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS" and not handler.fn.__qualname__.startswith(DocumentationController.__name__)
    }
    assert {(path, method) for path, methods in described["paths"].items() for method in methods} == served
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert "500" in operation["responses"]
            assert any(status < "400" for status in operation["responses"])
    names = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names), "clients are made from these names"


async def test_every_reference_leads_somewhere(client: httpx.AsyncClient) -> None:
    described = await description(client)
    references = set(every_reference(described))
    assert len(references) > 10
    for reference in references:
        part = described
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        assert part


def test_every_problem_is_one_that_some_operation_has() -> None:
    mentioned = {str(code) for operation in DESCRIBED.values() for code in operation.codes()}
    assert set(map(str, PROBLEMS)) - mentioned == {"not_found", "method_not_allowed"}


@pytest.fixture
async def known(client: httpx.AsyncClient, request: pytest.FixtureRequest) -> dict[str, str]:
    """What stands before an example is executed: what the examples before it made."""
    operation: str = request.getfixturevalue("operation")
    known = {"resource_id": operations.RESOURCE_ID}
    if operation != "POST /resources":
        made = await client.post(f"{ROOT}/resources", json=operations.CREATE_RESOURCE.example)
        assert made.status_code == 201
    if operation not in {"POST /resources", "POST /bookings"}:
        booked = await client.post(f"{ROOT}/bookings", json=operations.BOOK.example)
        assert booked.status_code == 201
        known |= {name: booked.json()[name] for name in ("booking_id", "request_id")}
    if "/occurrences" in operation:
        series = await client.post(f"{ROOT}/bookings", json=operations.NEW_SERIES)
        assert series.status_code == 201
        known |= {"booking_id": series.json()["booking_id"], "start": operations.OCCURRENCE}
    return known


@pytest.mark.parametrize("operation", DESCRIBED)
async def test_an_example_works(client: httpx.AsyncClient, known: dict[str, str], operation: str) -> None:
    method, _, path = operation.partition(" ")
    described = DESCRIBED[operation]
    path = path.replace(":str", "")
    assert {name for name in known if f"{{{name}}}" in path} == set(described.path)
    query = {name: str(value) for name, value in described.query_example.items()}
    answer = await client.request(method, ROOT + path.format(**known), params=query, json=described.example)
    success = min(described.answers)
    assert answer.status_code == success, answer.text
    expected = described.answers[success]
    assert expected.body is not None
    example = json.loads(msgspec.json.encode(expected.example))
    if operation == "GET /health/ready":
        del example["replica"]  # this installation has none
    assert_same_form(answer.json(), example)
    msgspec.json.decode(answer.content, type=expected.body)


def assert_same_form(found: Any, example: Any) -> None:
    """The same members with the same kinds of values, down to the leaves."""
    if isinstance(example, dict):
        assert set(found) == set(example)
        for name in example:
            assert_same_form(found[name], example[name])
    elif isinstance(example, list):
        for item in found:
            assert_same_form(item, example[0])
    elif example is not None and found is not None:
        assert type(found) is type(example)
        if isinstance(example, str) and example[-1:] == "Z":
            assert (len(found), found[-1]) == (len(example), "Z")
