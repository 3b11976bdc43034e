"""Who is let in where: every operation, every way to say who one is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest
from litestar.routes import HTTPRoute

from api import admission
from api.access import Access, Scope
from api.app import Api, create_app
from api.docs import DocumentationController
from api.openapi import Operation
from engine.config import Config
from tests.accounts.people import bearer, operator, signed_in
from tests.api.steps import ROOT
from tests.application import client_of, running


def handlers(app: Api) -> list[tuple[str, str, Any]]:
    """Every route but those of the pages: method, path, handler."""
    return [
        (method, route.path_format, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if not handler.fn.__qualname__.startswith(DocumentationController.__name__)
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


async def test_every_route_says_who_may_call_it_and_is_held_to_it(app: Api) -> None:
    found = handlers(app)
    assert len(found) > 20
    for method, path, handler in found:
        operation = handler.opt.get("operation")
        assert isinstance(operation, Operation), f"{method} {path} says nothing"
        assert handler.resolve_before_request() is not None, f"{method} {path} is not held to it"
        assert operation.scope is None or operation.access is not Access.PUBLIC
    public = {f"{method} {path}" for method, path, handler in found if handler.opt["operation"].access is Access.PUBLIC}
    assert public >= {f"POST {ROOT}/{name}" for name in ("users", "login", "logout", "token/refresh")}
    assert {path for path in public if path.startswith("GET")} <= {
        f"GET {ROOT}/{name}" for name in ("health/live", "health/ready", "keys", "ledger-keys")
    }


async def test_who_comes_where(app: Api, client: httpx.AsyncClient, database: asyncpg.Connection[Any]) -> None:
    """Every route against everyone: refused for who they are, or let in, whatever becomes of it then."""
    people = {
        "anonymous": {},
        "guest": (await signed_in(client, "guest")).headers,
        "host": (await signed_in(client, "host", "host")).headers,
        "operator": (boss := await operator(client, database)).headers,
    }
    every_scope = bearer((await boss.api_key(*Scope))["api_key"])
    for method, path, handler in handlers(app):
        operation: Operation = handler.opt["operation"]
        if operation.access is Access.PUBLIC:
            continue
        address = path
        for name in ("start", "resource_id"):
            address = address.replace(f"{{{name}}}", "20360101T000000Z")
        while "{" in address:
            address = address.partition("{")[0] + str(uuid4()) + address.partition("{")[2].partition("}")[2]
        codes = {}
        for name, headers in people.items():
            answer = await client.request(method, address, headers=headers)
            codes[name] = answer.json().get("code") if answer.status_code >= 400 else None
        refused = {name for name, code in codes.items() if code in {"sign_in_required", "role_required"}}
        expected = {
            Access.PERSON: {"anonymous"},
            Access.HOST: {"anonymous", "guest"},
            Access.OPERATOR: {"anonymous", "guest", "host"},
        }[operation.access]
        assert refused == expected, f"{method} {path}: {codes}"
        by_key = await client.request(method, address, headers=every_scope)
        lacks = by_key.status_code == 403 and by_key.json()["code"] == "scope_missing"
        assert lacks is (operation.scope is None), f"{method} {path}"


async def test_what_there_is_not_is_not_there_for_anyone(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{ROOT}/nothing")).status_code == 404
    assert (await client.request("TRACE", f"{ROOT}/resources")).status_code == 405
    options = await client.options(f"{ROOT}/resources")
    assert options.status_code == 204
    assert (await client.head(f"{ROOT}/resources")).status_code == 401


async def test_a_name_in_a_header_counts_for_nothing(client: httpx.AsyncClient) -> None:
    ada, ben = await signed_in(client, "ada"), await signed_in(client, "ben")
    named = {"x-user-id": ben.user_id, "x-forwarded-for": "127.0.0.1"}
    assert (await client.get(f"{ROOT}/users/me", headers=named)).status_code == 401
    answer = await client.get(f"{ROOT}/users/me", headers=ada.headers | named)
    assert answer.json()["user_id"] == ada.user_id


@asynccontextmanager
async def trusting(config: Config, *addresses: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """An API behind a proxy at 127.0.0.1, and clients at these addresses."""
    app = create_app(msgspec.structs.replace(config, auth_mode="trusted-header", trusted_proxies="127.0.0.1"))
    async with running(app), AsyncExitStack() as stack:
        yield [await stack.enter_async_context(client_of(app, address)) for address in addresses]


async def test_a_trusted_proxy_says_who_it_is_and_nobody_else(config: Config) -> None:
    async with trusting(config, "127.0.0.1", "127.0.0.2") as (proxy, elsewhere):
        ada, ben = await signed_in(proxy, "ada"), await signed_in(proxy, "ben")
        named = {"x-user-id": ben.user_id}

        async def asks(client: httpx.AsyncClient, **headers: str) -> tuple[int, str | None]:
            answer = await client.get(f"{ROOT}/users/me", headers=headers)
            return answer.status_code, answer.json().get("user_id") or answer.json()["code"]

        assert await asks(proxy, **named) == (200, ben.user_id)
        assert await asks(proxy, **named, **ada.headers) == (200, ben.user_id)
        assert await asks(elsewhere, **named) == (403, "untrusted_proxy")
        assert await asks(elsewhere, **named, **ada.headers) == (403, "untrusted_proxy")
        assert await asks(elsewhere, **named, **{"x-forwarded-for": "127.0.0.1"}) == (403, "untrusted_proxy")
        assert await asks(elsewhere, **ada.headers) == (200, ada.user_id)
        assert await asks(proxy) == (401, "sign_in_required")
        for nobody in ("", "root", str(uuid4()), ada.user_id + ", " + ben.user_id):
            assert await asks(proxy, **{"x-user-id": nobody}) == (401, "invalid_token")
        # what one way has remembered is not believed the other way
        assert await asks(elsewhere, authorization=ben.user_id) == (401, "invalid_token")


async def test_in_open_mode_who_signs_in_is_known_and_the_others_are_everyone(config: Config) -> None:
    app = create_app(msgspec.structs.replace(config, auth_mode="open"))
    async with running(app), client_of(app) as client:
        ada = await signed_in(client, "ada", "host")
        assert (await ada.get("/users/me")).json()["user_id"] == ada.user_id
        for path in ("/users/me", "/users/me/api-keys", "/admin/audit"):
            answer = await client.get(ROOT + path)
            assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
        assert (await client.get(f"{ROOT}/resources")).status_code == 200
        assert (await client.get(f"{ROOT}/resources", headers=bearer("x"))).status_code == 401


async def test_many_requests_with_one_token_ask_the_database_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = admission.Known.ask

    async def counted(known: admission.Known[Any]) -> None:
        asked.append(1)
        await real(known)

    ada = await signed_in(client, "ada")
    monkeypatch.setattr(admission.Known, "ask", counted)
    monkeypatch.setattr(admission, "RECHECK_S", 60.0)
    assert (await ada.get("/users/me")).status_code == 200
    answers = await asyncio.gather(*(ada.get("/users/me") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(asked) == 1


async def test_what_is_remembered_is_bounded_and_what_is_not_good_is_forgotten(
    app: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "REMEMBERED", 2)
    people = [await signed_in(client, name) for name in ("ada", "ben", "eve")]
    for _ in range(2):
        for somebody in people:
            assert (await somebody.get("/users/me")).status_code == 200
    for number in range(5):
        assert (await client.get(f"{ROOT}/users/me", headers=bearer(f"fc_{number}"))).status_code == 401
    assert len(app.state["parts"].admission._bearers) == 2


async def test_a_credential_is_remembered_once_and_short_however_it_is_written(
    app: Api, client: httpx.AsyncClient
) -> None:
    ada = await signed_in(client, "ada")
    (shown,) = ada.headers.values()
    secret = shown.split()[1]
    remembered = app.state["parts"].admission._bearers
    for written in (f"Bearer {secret}", f"bearer {secret}", f"BEARER    {secret}"):
        assert (await client.get(f"{ROOT}/users/me", headers={"authorization": written})).status_code == 200
    assert list(remembered) == [secret.encode()]
    for written in (f"Bearer {' ' * 5_000}{secret}", f"Bearer {'x' * 5_000}"):
        assert (await client.get(f"{ROOT}/users/me", headers={"authorization": written})).status_code == 401
    assert list(remembered) == [secret.encode()]
