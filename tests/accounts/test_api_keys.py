"""API keys: what they are good for, and what never."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from api.access import Scope
from tests.accounts.people import bearer, operator, signed_in
from tests.api.steps import ROOT, hours


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    ada = await signed_in(client, "ada")
    made = await ada.api_key("bookings:read", "bookings:write", name="Desk", expires_at="2099-01-01T00:00:00Z")
    assert made["api_key"].startswith("fc_")
    listed = (await ada.get("/users/me/api-keys")).json()
    assert listed["items"] == [{name: value for name, value in made.items() if name != "api_key"}]
    row = await database.fetchrow("SELECT * FROM api_key")
    assert made["api_key"] not in repr(row)
    path = f"/users/me/api-keys/{made['api_key_id']}"
    assert (await ada.ask("DELETE", path)).status_code == 200
    assert (await ada.ask("DELETE", path)).status_code == 200
    assert (await ada.get("/users/me/api-keys")).json() == {"items": [], "next": None}


async def test_keys_come_in_pages_and_others_keys_are_not_there(client: httpx.AsyncClient) -> None:
    ada, ben = await signed_in(client, "ada"), await signed_in(client, "ben")
    keys = [(await ada.api_key("bookings:read"))["api_key_id"] for _ in range(3)]
    found, path = [], "/users/me/api-keys?limit=2"
    while path:
        page = (await ada.get(path)).json()
        found += [item["api_key_id"] for item in page["items"]]
        path = f"/users/me/api-keys?limit=2&cursor={page['next']}" if page["next"] else ""
    assert found == keys
    assert (await ben.get("/users/me/api-keys")).json()["items"] == []
    answer = await ben.ask("DELETE", f"/users/me/api-keys/{keys[0]}")
    assert (answer.status_code, answer.json()["code"]) == (404, "api_key_unknown")
    assert (await ada.get("/users/me/api-keys?cursor=x")).status_code == 400


async def test_a_key_does_what_its_scopes_say_and_nothing_else(client: httpx.AsyncClient) -> None:
    host = await signed_in(client, "host", "host", "guest")
    room = {"name": "Room", "resource_id": "room-1"}
    assert (await host.post("/resources", room)).status_code == 201
    booked = (await host.post("/bookings", {"resource_id": "room-1", **hours()})).json()["booking_id"]
    times = hours(5)
    calls: dict[str, tuple[str, str, Any]] = {
        "resources:read": ("GET", "/resources/room-1", None),
        "resources:write": ("POST", "/resources", {"name": "Another"}),
        "bookings:read": ("GET", f"/bookings/{booked}", None),
        "bookings:write": ("POST", "/bookings", {"resource_id": "room-1", **times}),
    }
    never = [
        ("GET", "/users/me", None),
        ("GET", "/users/me/api-keys", None),
        ("POST", "/users/me/api-keys", {"scopes": ["bookings:read"]}),
        ("POST", "/logout", {"everywhere": True}),
    ]
    for scope in calls:
        headers = bearer((await host.api_key(scope))["api_key"])
        for needed, (method, path, body) in calls.items():
            answer = await client.request(method, ROOT + path, json=body, headers=headers)
            if needed == scope:
                assert answer.status_code in {200, 201}, answer.text
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
                assert f'scope="{needed}"' in answer.headers["www-authenticate"]
        for method, path, body in never:
            answer = await client.request(method, ROOT + path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), path


async def test_an_expired_key_is_none(client: httpx.AsyncClient) -> None:
    ada = await signed_in(client, "ada")
    key = await ada.api_key("resources:read", expires_at="2020-01-01T00:00:00Z")
    assert (await client.get(f"{ROOT}/resources", headers=bearer(key["api_key"]))).status_code == 401


@pytest.mark.parametrize("scope", ["admin:read", "bookings:write:any"])
async def test_only_operators_make_keys_for_what_operators_do(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any], scope: str
) -> None:
    host = await signed_in(client, "host", "host")
    refused = await host.post("/users/me/api-keys", {"scopes": [scope]})
    assert (refused.status_code, refused.json()["code"]) == (403, "role_required")
    boss = await operator(client, database)
    assert (await boss.api_key(scope))["scopes"] == [scope]


async def test_an_operators_key_acts_on_others_things_only_where_it_was_made_for_that(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    host, boss = await signed_in(client, "host", "host"), await operator(client, database)
    await host.post("/resources", {"name": "Room", "resource_id": "room-1"})
    booked = (await host.post("/bookings", {"resource_id": "room-1", **hours()})).json()["booking_id"]
    narrow = bearer((await boss.api_key("bookings:write"))["api_key"])
    wide = bearer((await boss.api_key("bookings:write", "bookings:write:any"))["api_key"])
    assert (await client.delete(f"{ROOT}/bookings/{booked}", headers=narrow)).status_code == 404
    assert (await client.delete(f"{ROOT}/bookings/{booked}", headers=wide)).status_code == 200


async def test_a_person_has_so_many_keys_and_no_more(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.api_keys.MOST_API_KEYS", 3)
    ada = await signed_in(client, "ada")
    body = {"scopes": ["bookings:read"]}
    answers = await asyncio.gather(*(ada.post("/users/me/api-keys", body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == 3 * [201] + 5 * [409]
    assert await database.fetchval("SELECT count(*) FROM api_key") == 3


def test_the_scopes_are_a_closed_list() -> None:
    assert [scope.value for scope in Scope] == [
        "resources:read",
        "resources:write",
        "slots:write",
        "bookings:read",
        "bookings:write",
        "bookings:write:any",
        "admin:read",
    ]
