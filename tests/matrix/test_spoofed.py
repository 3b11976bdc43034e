"""Headers that say who one is, where one comes from, or what one means: they count where they are set up to count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import msgspec
import pytest

from api.app import create_app
from engine.config import Config
from tests.accounts.people import Somebody, signed_in
from tests.api.steps import ROOT
from tests.application import client_of, running
from tests.schema.rows import Connection

HERE, ELSEWHERE, CLAIMED = "127.0.0.1", "127.0.0.2", "203.0.113.7"
WHENCE = {
    "x-forwarded-for": CLAIMED,
    "x-real-ip": CLAIMED,
    "forwarded": f"for={CLAIMED};host=evil.example;proto=https",
    "x-client-ip": CLAIMED,
    "true-client-ip": CLAIMED,
    "x-forwarded-host": "evil.example",
}
WHITHER = {
    "x-original-url": "/api/v1/admin/audit",
    "x-rewrite-url": "/api/v1/admin/audit",
    "x-http-method-override": "DELETE",
    "x-http-method": "DELETE",
    "x-method-override": "DELETE",
}


@asynccontextmanager
async def in_mode(config: Config, auth_mode: str, trusted: str | None) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """An API of this mode, and a client at each address."""
    app = create_app(msgspec.structs.replace(config, auth_mode=auth_mode, trusted_proxies=trusted))
    async with running(app), AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(client_of(app, name)) for name in (HERE, ELSEWHERE)}


@pytest.mark.parametrize(
    ("auth_mode", "trusted"),
    [("required", None), ("required", HERE), ("open", None), ("open", HERE), ("trusted-header", HERE)],
)
async def test_headers_count_for_what_they_are_set_up_and_for_nothing_else(
    config: Config, database: Connection, auth_mode: str, trusted: str | None
) -> None:
    async with in_mode(config, auth_mode, trusted) as clients:
        ada, ben = await signed_in(clients[HERE], "ada"), await signed_in(clients[HERE], "ben")
        for address, client in clients.items():
            await check_names(client, ada, ben, counts=auth_mode == "trusted-header", trusted=address == trusted)
            await check_whence(database, client, address, seen=CLAIMED if address == trusted else address)
            await check_whither(client, ada)


async def check_names(client: httpx.AsyncClient, ada: Somebody, ben: Somebody, *, counts: bool, trusted: bool) -> None:
    """``X-User-Id`` names whoever it names where a proxy is trusted with that; elsewhere it is nothing, or refused."""
    named = {"x-user-id": ben.user_id}
    alone = await client.get(f"{ROOT}/users/me", headers=named | WHENCE)
    beside = await client.get(f"{ROOT}/users/me", headers=named | ada.headers)
    if not counts:
        assert (alone.status_code, alone.json()["code"]) == (401, "sign_in_required")
        assert beside.json()["user_id"] == ada.user_id
    elif trusted:
        assert [answer.json()["user_id"] for answer in (alone, beside)] == [ben.user_id, ben.user_id]
    else:
        assert [answer.json()["code"] for answer in (alone, beside)] == ["untrusted_proxy", "untrusted_proxy"]


async def check_whence(database: Connection, client: httpx.AsyncClient, address: str, *, seen: str) -> None:
    """Where a request comes from is what the connection says, or a trusted proxy: the audit has nothing else."""
    tag = f"from-{address}"
    await client.post(
        f"{ROOT}/login", json={"email": "eve@example.org", "password": "x"}, headers=WHENCE | {"x-request-id": tag}
    )
    assert await database.fetchval("SELECT address FROM audit WHERE tag = $1", tag) == seen


async def check_whither(client: httpx.AsyncClient, ada: Somebody) -> None:
    """What is asked for stands in the first line of a request, and nowhere else."""
    key = (await ada.api_key("bookings:read"))["api_key_id"]
    listed = await client.get(f"{ROOT}/users/me/api-keys", headers=ada.headers | WHITHER)
    assert key in {item["api_key_id"] for item in listed.json()["items"]}
    posted = await client.post(f"{ROOT}/users/me/api-keys/{key}", headers=ada.headers | WHITHER)
    assert posted.status_code == 405
    again = await client.get(f"{ROOT}/users/me/api-keys", headers=ada.headers)
    assert key in {item["api_key_id"] for item in again.json()["items"]}
