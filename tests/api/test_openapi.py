"""The description of the interface: complete, coherent, and every example in it works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from api import offer_operations, operations
from api.account_operations import MAKE_API_KEY, SIGN_UP
from api.app import CONTROLLERS, ROOT
from api.docs import DocumentationController
from api.openapi import Operation
from api.problems import PROBLEMS
from tests.accounts.people import Somebody, operator

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
    served.add((f"{ROOT}/bookings/{{booking_id}}.ics", "get"))  # it has no route of its own
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
    described = (*DESCRIBED.values(), operations.READ_CALENDAR)  # which is no route of its own
    mentioned = {str(code) for operation in described for code in operation.codes()}
    assert set(map(str, PROBLEMS)) - mentioned == {"not_found", "method_not_allowed"}


@pytest.fixture
async def boss(client: httpx.AsyncClient, database: asyncpg.Connection[Any]) -> Somebody:
    """Who executes the examples: an operator, who may everything."""
    return await operator(client, database)


@pytest.fixture
async def known(boss: Somebody, request: pytest.FixtureRequest) -> dict[str, str]:
    """What stands before an example is executed: what the examples before it made."""
    operation: str = request.getfixturevalue("operation")
    known = {"resource_id": operations.RESOURCE_ID, "user_id": boss.user_id}
    if operation == "POST /login":
        assert (await boss.post("/users", SIGN_UP.example)).status_code == 201
    if "/api-keys" in operation:
        made = await boss.post("/users/me/api-keys", MAKE_API_KEY.example)
        known |= {"api_key_id": made.json()["api_key_id"]}
    if operation != "POST /resources":
        made = await boss.post("/resources", operations.CREATE_RESOURCE.example)
        assert made.status_code == 201
    if operation not in {"POST /resources", "POST /bookings"}:
        booked = await boss.post("/bookings", operations.BOOK.example)
        assert booked.status_code == 201
        known |= {name: booked.json()[name] for name in ("booking_id", "request_id")}
    if "/occurrences" in operation:
        series = await boss.post("/bookings", operations.NEW_SERIES)
        assert series.status_code == 201
        known |= {"booking_id": series.json()["booking_id"], "start": operations.OCCURRENCE}
    return known | await offered(boss, operation)


async def offered(boss: Somebody, operation: str) -> dict[str, str]:
    """The slot, rule or event that an example is about."""
    for named, path, example, name in (
        ("{slot_id", "/slots", offer_operations.PUBLISH_SLOT.example, "slot_id"),
        ("{rule_id", "/slots/bulk", offer_operations.PUBLISH_SLOTS.example, "rule_id"),
        ("{event_id", "/events", offer_operations.CREATE_EVENT.example, "event_id"),
        ("/reserve", "/events", offer_operations.CREATE_EVENT.example, "event_id"),
    ):
        if named in operation:
            made = await boss.post(path, example)
            assert made.status_code == 201, made.text
            return {name: made.json()[name]}
    return {}


@pytest.mark.parametrize("operation", DESCRIBED)
async def test_an_example_works(boss: Somebody, known: dict[str, str], operation: str) -> None:
    method, _, path = operation.partition(" ")
    described = DESCRIBED[operation]
    path = path.replace(":str", "")
    assert {name for name in known if f"{{{name}}}" in path} == set(described.path)
    query = {name: str(value) for name, value in described.query_example.items()}
    body = described.example
    if operation == "POST /token/refresh":
        body = {"refresh_token": boss.tokens["refresh_token"]}  # the one of the example is nobody's
    if operation == "POST /bookings/reserve":
        body = {"event_id": known["event_id"]}
    answer = await boss.client.request(
        method, ROOT + path.format(**known), params=query, json=body, headers=boss.headers
    )
    success = min(described.answers)
    assert answer.status_code == success, answer.text
    expected = described.answers[success]
    if expected.body is None:
        assert answer.headers["content-type"].partition(";")[0] == expected.media_type
        assert answer.text.partition("\r\n")[0] == expected.example.partition("\r\n")[0]
        return
    example = json.loads(msgspec.json.encode(expected.example))
    if operation == "GET /health/ready":
        del example["replica"]  # this installation has none
    if operation == "GET /admin/analytics":
        example["refusals_by_reason"] = {}  # nobody was refused
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
