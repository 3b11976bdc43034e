"""People of the tests: signed up and logged in over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from engine.accounts.credentials import new_operator_code, secret_hash
from engine.store.people import set_operator_code
from tests.api.steps import ROOT

PASSWORD = "correct horse battery staple"


@dataclass
class Somebody:
    """A person who is signed in, and the client that they use."""

    client: httpx.AsyncClient
    user_id: str
    email: str
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def person(self) -> UUID:
        return UUID(self.user_id)

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.tokens["access_token"])

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request as this person."""
        return await self.client.request(method, ROOT + path, json=body, headers=self.headers | headers)

    async def get(self, path: str) -> httpx.Response:
        return await self.ask("GET", path)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.ask("POST", path, body, **headers)

    async def refresh(self) -> httpx.Response:
        answer = await self.client.post(f"{ROOT}/token/refresh", json={"refresh_token": self.tokens["refresh_token"]})
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    async def api_key(self, *scopes: str, **more: Any) -> dict[str, Any]:
        answer = await self.post("/users/me/api-keys", {"scopes": scopes} | more)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def new_user(email: str, **more: Any) -> dict[str, Any]:
    return {"email": email, "name": "Somebody", "password": PASSWORD} | more


async def sign_up(client: httpx.AsyncClient, email: str, *roles: str, **more: Any) -> httpx.Response:
    body = new_user(email, **more) | ({"roles": roles} if roles else {})
    return await client.post(f"{ROOT}/users", json=body)


async def log_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post(f"{ROOT}/login", json={"email": email, "password": password})


async def signed_in(client: httpx.AsyncClient, name: str, *roles: str, **more: Any) -> Somebody:
    """Sign somebody up, and log them in."""
    email = f"{name}@example.org"
    answer = await sign_up(client, email, *roles, **more)
    assert answer.status_code == 201, answer.text
    made = Somebody(client, answer.json()["user_id"], email)
    answer = await log_in(client, email, more.get("password", PASSWORD))
    assert answer.status_code == 200, answer.text
    made.tokens = answer.json()
    return made


async def operator_code(database: asyncpg.Connection[Any]) -> str:
    """Make the installation's one-time code."""
    code = new_operator_code()
    await set_operator_code(database, secret_hash(code))
    return code


async def operator(client: httpx.AsyncClient, database: asyncpg.Connection[Any], name: str = "operator") -> Somebody:
    return await signed_in(client, name, "operator", operator_code=await operator_code(database))
