"""Log-in, refresh, log-out."""

from __future__ import annotations

import asyncio
from typing import Any

import argon2
import asyncpg
import httpx
import pytest

from api.session import SESSION_DAYS
from engine.forget_sessions import forget_sessions
from tests.accounts.people import Somebody, bearer, log_in, operator, signed_in
from tests.api.steps import ROOT
from tests.clients import pool_of
from tests.support import wait_until


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were compared with."""
    seen: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(hasher: argon2.PasswordHasher, kept: str, password: bytes) -> bool:
        seen.append(kept)
        return bool(verify(hasher, kept, password))

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return seen


async def test_a_wrong_password_and_no_account_are_the_same_and_cost_the_same(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any], hashed: list[str]
) -> None:
    ada = await signed_in(client, "ada")
    hashed.clear()
    answers = [await log_in(client, ada.email, "not the password"), await log_in(client, "nobody@example.org")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert len(hashed) == 2
    assert hashed[0] == await database.fetchval("SELECT password_hash FROM person")
    cost = [kept.rpartition("$")[0].rpartition("$")[0] for kept in hashed]
    assert cost == 2 * ["$argon2id$v=19$m=19456,t=2,p=1"]


async def test_a_password_is_the_same_however_its_letters_are_composed(client: httpx.AsyncClient) -> None:
    ada = await signed_in(client, "ada", password="cafe\u0301 au lait")
    assert ada.tokens
    assert (await log_in(client, ada.email, "caf\u00e9 au lait")).status_code == 200


async def test_each_refresh_token_is_good_once(client: httpx.AsyncClient, database: asyncpg.Connection[Any]) -> None:
    ada = await signed_in(client, "ada")
    first = dict(ada.tokens)
    assert first["token_type"] == "Bearer"
    assert first["expires_in"] == 900
    for _ in range(3):
        answer = await ada.refresh()
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
    assert len({first["refresh_token"], ada.tokens["refresh_token"]}) == 2
    assert (await ada.get("/users/me")).status_code == 200
    kept = str([dict(row) for row in await database.fetch("SELECT * FROM refresh_token")])
    assert ada.tokens["refresh_token"] not in kept
    lasts = await database.fetchval("SELECT expires_at - created_at FROM session")
    assert lasts.days == SESSION_DAYS


async def test_a_refresh_token_that_comes_twice_ends_its_session_and_no_other(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    ada = await signed_in(client, "ada")
    elsewhere = Somebody(client, ada.user_id, ada.email, (await log_in(client, ada.email)).json())
    stolen = Somebody(client, ada.user_id, ada.email, dict(ada.tokens))
    assert (await ada.refresh()).status_code == 200
    answer = await stolen.refresh()
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert (await ada.refresh()).status_code == 401
    assert (await elsewhere.refresh()).status_code == 200
    assert await database.fetch("SELECT end_reason FROM session ORDER BY id") == [("reused",), (None,)]
    rows = await database.fetch("SELECT actor, outcome FROM audit WHERE action = 'session.reuse'")
    assert [tuple(row) for row in rows] == [(ada.user_id, "refused")]


async def test_of_two_uses_at_once_one_goes_through_and_the_session_ends(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    ada = await signed_in(client, "ada")
    body = {"refresh_token": ada.tokens["refresh_token"]}
    answers = await asyncio.gather(*(client.post(f"{ROOT}/token/refresh", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert await database.fetchval("SELECT end_reason FROM session") == "reused"


@pytest.mark.parametrize(
    "over", ["UPDATE session SET expires_at = now()", "UPDATE session SET ended_at = now(), end_reason = 'logged_out'"]
)
async def test_a_session_that_is_over_is_not_gone_on_with(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any], over: str
) -> None:
    ada = await signed_in(client, "ada")
    await database.execute(over)
    assert (await ada.refresh()).status_code == 401
    assert (await client.post(f"{ROOT}/token/refresh", json={"refresh_token": "x"})).status_code == 401


async def test_log_out_ends_the_session_by_either_token(client: httpx.AsyncClient) -> None:
    ada = await signed_in(client, "ada")
    assert (await ada.post("/logout")).json() == {"sessions_ended": 1}
    assert (await ada.refresh()).status_code == 401
    again = (await log_in(client, ada.email)).json()
    by_refresh_token = {"refresh_token": again["refresh_token"]}
    assert (await client.post(f"{ROOT}/logout", json=by_refresh_token)).json() == {"sessions_ended": 1}
    assert (await client.post(f"{ROOT}/logout", json=by_refresh_token)).json() == {"sessions_ended": 0}
    assert (await client.post(f"{ROOT}/logout", json={"refresh_token": "x"})).json() == {"sessions_ended": 0}
    answer = await client.post(f"{ROOT}/logout")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_what_is_revoked_works_nowhere_within_five_seconds(
    client: httpx.AsyncClient, other_client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    """At another process, which is told nothing: every session, a key, a role, and a person who was erased."""
    ada, ben, boss = await signed_in(client, "ada"), await signed_in(client, "ben"), await operator(client, database)
    second = (await log_in(client, ada.email)).json()
    key = await ada.api_key("resources:read")
    shown = {
        "a session": (bearer(ada.tokens["access_token"]), "/users/me"),
        "another session": (bearer(second["access_token"]), "/users/me"),
        "a key": (bearer(key["api_key"]), "/resources"),
        "a person": (ben.headers, "/users/me"),
        "a role": (boss.headers, "/admin/audit"),
    }

    async def statuses() -> dict[str, int]:
        asked = (other_client.get(ROOT + path, headers=headers) for headers, path in shown.values())
        return {name: answer.status_code for name, answer in zip(shown, await asyncio.gather(*asked), strict=True)}

    assert set((await statuses()).values()) == {200}
    await ada.ask("DELETE", f"/users/me/api-keys/{key['api_key_id']}")
    assert (await ada.post("/logout", {"everywhere": True})).json() == {"sessions_ended": 2}
    await database.execute(
        "UPDATE person SET erased_at = now(), email = NULL, email_key = NULL, name = NULL, password_hash = NULL"
        " WHERE id = $1",
        ben.person,
    )
    await database.execute("UPDATE person SET roles = '{guest}' WHERE id = $1", boss.person)
    expected = dict.fromkeys(shown, 401) | {"a role": 403}

    async def revoked() -> bool:
        return await statuses() == expected

    await wait_until(revoked, within_s=5.0)


async def test_sessions_that_are_over_are_forgotten_and_the_others_stay(
    client: httpx.AsyncClient, database_url: str, database: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.forget_sessions.AT_ONCE", 2)
    ada = await signed_in(client, "ada")
    await database.execute(
        "INSERT INTO session (id, person, expires_at) SELECT gen_random_uuid(), $1, now() - '1 s'::interval"
        " FROM generate_series(1, 5)",
        ada.person,
    )
    await database.execute("INSERT INTO refresh_token (hash, session) SELECT sha256(id::text::bytea), id FROM session")
    async with pool_of(database_url) as pool:
        await forget_sessions(pool)
    assert await database.fetchval("SELECT count(*) FROM session") == 1
    assert await database.fetchval("SELECT count(*) FROM refresh_token") == 2
    assert (await ada.refresh()).status_code == 200
