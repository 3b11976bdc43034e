"""The export: everything that is kept of a person, and nothing of others."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import msgspec

from api.app import Api
from api.parts import Parts
from api.privacy_bodies import ExportBody
from engine.store.privacy import SECTIONS
from tests.accounts.people import Somebody, operator, signed_in
from tests.privacy.traces import ADDRESS, EMAIL_NAME, NAME, has_a_life


async def test_it_has_everything_of_the_person(
    client: httpx.AsyncClient, database: asyncpg.Connection[Any], her: Somebody
) -> None:
    other = await signed_in(client, "other", "host")
    made = await has_a_life(her, other)
    boss = await operator(client, database)
    await boss.ask("DELETE", f"/bookings/{made['booking']}")

    answer = await her.get("/users/me/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    assert int(answer.headers["content-length"]) == len(answer.content)
    export = msgspec.json.decode(answer.content, type=ExportBody)
    raw = answer.json()
    assert list(raw) == ["exported_at", "profile", *SECTIONS]
    assert (raw["profile"]["email"], raw["profile"]["name"]) == (f"{EMAIL_NAME}@example.org", NAME)

    def ids(section: str, name: str) -> set[str]:
        return {item[name] for item in raw[section]}

    assert made["key"] in ids("api_keys", "api_key_id")
    own = {made["booking"], made["cancelled"]}
    assert own <= ids("bookings", "booking_id")
    assert ids("bookings", "series_id") == {None} | ids("series", "series_id")
    assert not ids("bookings", "booking_id") & {made["seat"], made["guest"], made["in her room"]}
    assert made["series"] in ids("series", "series_id")
    assert made["weekly"] not in ids("series", "series_id"), "it is another's"
    assert {item["resource_id"] for item in raw["resources"]} >= {"room-1"}
    assert {made["slot"], made["event"]} <= ids("slots", "slot_id")
    assert ids("slot_rules", "rule_id") == {made["rule"]}
    assert [item.key for item in export.idempotency_keys] == ["quillfeather-1"]
    assert ids("requests", "booking_id") >= own
    kinds = ids("requests", "kind")
    assert kinds == {"book", "book_series", "cancel", "cancel_series", "publish_slots"}
    mine = [item for item in raw["audit"] if item["actor"] == her.user_id]
    assert {"user.create", "session.open", "user.export"} <= {item["action"] for item in mine}
    assert {item["address"] for item in mine} == {ADDRESS}

    for secret in ("password_hash", "$argon2", her.tokens["refresh_token"], "other@example.org"):
        assert secret not in answer.text
    hashes = await database.fetch(
        "SELECT encode(hash, 'hex') FROM refresh_token UNION SELECT encode(hash, 'hex') FROM api_key"
    )
    assert not any(row[0] in answer.text for row in hashes)


async def test_it_is_for_the_person_alone_and_one_at_a_time(app: Api, client: httpx.AsyncClient, her: Somebody) -> None:
    assert (await client.get("/api/v1/users/me/export")).status_code == 401
    program = await her.api_key("bookings:read")
    answer = await client.get("/api/v1/users/me/export", headers={"authorization": f"Bearer {program['api_key']}"})
    assert answer.json()["code"] == "scope_missing"
    parts: Parts = app.state["parts"]
    async with parts.exporting:
        answer = await her.get("/users/me/export")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_waiting")
        assert answer.headers["retry-after"]
    assert (await her.get("/users/me/export")).status_code == 200
