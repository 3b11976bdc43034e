"""Signing up, and who may see whom."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from api.account_bodies import NEW_API_KEY, NEW_USER
from api.bodies import NEW_BOOKING, NEW_RESOURCE
from api.decode import BadRequest, Shape
from tests.accounts.people import PASSWORD, log_in, new_user, operator, operator_code, sign_up, signed_in
from tests.api.steps import ROOT


async def test_who_signs_up_is_a_guest_with_the_present_name_of_their_zone(client: httpx.AsyncClient) -> None:
    answer = await sign_up(client, "Ada@Example.org", time_zone="US/Eastern")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["email"], made["roles"], made["time_zone"]) == ("Ada@Example.org", ["guest"], "America/New_York")
    assert answer.headers["location"] == f"{ROOT}/users/{made['user_id']}"
    assert PASSWORD not in answer.text
    assert (await log_in(client, "ADA@EXAMPLE.ORG")).status_code == 200


@pytest.mark.parametrize("same", ["ADA@example.org", "\uff41da@example.org", "ada@EXAMPLE.ORG"])
async def test_an_address_has_one_account_however_it_is_written(client: httpx.AsyncClient, same: str) -> None:
    assert (await sign_up(client, "ada@example.org")).status_code == 201
    answer = await sign_up(client, same)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


async def test_of_many_who_take_one_address_at_once_one_has_it(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    answers = await asyncio.gather(*(sign_up(client, "ada@example.org") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + 7 * [409]
    assert await database.fetchval("SELECT count(*) FROM person") == 1
    assert await database.fetchval("SELECT count(*) FROM audit WHERE action = 'user.create'") == 1


@pytest.mark.parametrize(
    ("wrong", "codes"),
    [
        ({"email": "no address"}, {"/email": "invalid_email"}),
        ({"email": "a@b@c"}, {"/email": "invalid_email"}),
        ({"password": "seven77"}, {"/password": "too_short"}),
        ({"password": 12345678}, {"/password": "wrong_type"}),
        ({"password": "ADA@example.org"}, {"/password": "guessable"}),
        ({"time_zone": "Mars/Olympus"}, {"/time_zone": "unknown_time_zone"}),
        ({"roles": []}, {"/roles": "invalid_list"}),
        ({"roles": ["guest", "guest"]}, {"/roles": "invalid_list"}),
        ({"roles": ["admin"]}, {"/roles": "unknown_value"}),
        ({"operator_code": "x"}, {"/operator_code": "unneeded"}),
        (
            {"email": "x", "name": "", "password": "short"},
            {"/email": "invalid_email", "/name": "blank", "/password": "too_short"},
        ),
    ],
)
def test_a_sign_up_that_is_not_right_is_told_every_fault(wrong: dict[str, Any], codes: dict[str, str]) -> None:
    body = new_user("ada@example.org") | wrong
    with pytest.raises(BadRequest) as caught:
        NEW_USER.decode(msgspec.json.encode(body))
    assert {fault.pointer: fault.code for fault in caught.value.faults} == codes
    assert str(body["password"]) not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        *(
            (NEW_USER, new_user("a@b", **{name: "x"}))
            for name in ("user_id", "created_at", "password_hash", "erased_at")
        ),
        (NEW_API_KEY, {"scopes": ["bookings:read"], "person": "x"}),
        (NEW_API_KEY, {"scopes": ["bookings:read"], "api_key": "fc_mine"}),
        (NEW_RESOURCE, {"name": "Room", "owner": "x"}),
        (NEW_RESOURCE, {"name": "Room", "kind": "calendar"}),
        (NEW_BOOKING, {"resource_id": "r", "start_time": "2036-01-01T00:00Z", "caller": "x"}),
        (NEW_BOOKING, {"resource_id": "r", "start_time": "2036-01-01T00:00Z", "ticket": 1}),
    ],
)
def test_what_the_server_sets_nobody_else_does(shape: Shape[Any], body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        shape.decode(msgspec.json.encode(body))
    assert "unknown_field" in {fault.code for fault in caught.value.faults}


async def test_others_are_not_there_but_for_operators(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    ada, ben, boss = (
        await signed_in(client, "ada"),
        await signed_in(client, "ben", "host"),
        await operator(client, database),
    )
    own = await ada.get("/users/me")
    assert own.json()["user_id"] == ada.user_id
    assert (await ada.get(f"/users/{ada.user_id}")).json() == own.json()
    assert (await boss.get(f"/users/{ada.user_id}")).json() == own.json()
    hidden = await ben.get(f"/users/{ada.user_id}")
    missing = await ben.get("/users/01a1fec4-46df-7577-ae2e-4e320cd421c7")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json()["code"] == missing.json()["code"] == "user_unknown"
    assert (await client.get(f"{ROOT}/users/me")).status_code == 401


async def test_the_same_key_makes_one_account_and_keeps_nothing_of_it(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    async def ask(**more: Any) -> httpx.Response:
        body = new_user("ada@example.org") | more
        return await client.post(f"{ROOT}/users", json=body, headers={"idempotency-key": "k"})

    answers = await asyncio.gather(*(ask() for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count(None) == 1
    assert (await ask(password="another password")).status_code == 422
    kept = await database.fetchrow("SELECT * FROM idempotency")
    assert "ada" not in repr(kept)


async def test_two_who_use_the_operators_code_at_once_one_is_the_operator(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    code = await operator_code(database)
    answers = await asyncio.gather(
        *(sign_up(client, f"op{number}@example.org", "operator", operator_code=code) for number in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
    assert {answer.json().get("code") for answer in answers} == {None, "operator_code_invalid"}
    assert await database.fetchval("SELECT count(*) FROM person") == 1


async def test_a_sign_up_that_fails_uses_no_code_up(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any]
) -> None:
    code = await operator_code(database)
    assert (await sign_up(client, "ada@example.org")).status_code == 201
    assert (await sign_up(client, "ada@example.org", "operator", operator_code=code)).status_code == 409
    assert (await sign_up(client, "eve@example.org", "operator")).json()["code"] == "operator_code_invalid"
    assert (await sign_up(client, "eve@example.org", "operator", operator_code=code.upper())).status_code == 201
