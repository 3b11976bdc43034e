"""Erasure: what names the person goes, what they have ahead is cancelled, and all that is counted stays."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx

from api.app import Api
from api.parts import Parts
from engine.privacy import HOST_LEFT, finish_erasures
from engine.store.audit import Act, Action
from engine.store.privacy import erase_person
from tests.accounts.people import PASSWORD, Somebody, log_in, operator, sign_up, signed_in
from tests.clients import clean
from tests.privacy.traces import WORD, has_a_life, in_tables
from tests.schema.rows import Connection
from tests.support import wait_until

AHEAD = """
SELECT 'booking', booking.id FROM booking
WHERE caller = $1 AND status = 'confirmed' AND lower(during) > now() AND slot IS DISTINCT FROM id
UNION ALL SELECT 'slot', id FROM slot WHERE host = $1 AND kind = 'slot' AND status = 'open' AND lower(during) > now()
UNION ALL SELECT 'rule', id FROM slot_rule WHERE host = $1 AND ended_at IS NULL
UNION ALL SELECT 'series', id FROM series WHERE caller = $1 AND status = 'confirmed'
"""

GIVEN_UP = """
INSERT INTO dead_letter (resource, ticket, request_id, command, error)
SELECT resource, ticket, request_id, convert_to($2, 'UTF8'), $2 FROM ledger WHERE caller = $1 LIMIT 1
"""


async def ahead(database: Connection, person: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await database.fetch(AHEAD, person)]


async def statuses(database: Connection) -> dict[str, tuple[str, str | None]]:
    rows = await database.fetch("SELECT id, status, cancellation_reason FROM booking")
    return {str(row["id"]): (row["status"], row["cancellation_reason"]) for row in rows}


async def counted(database: Connection) -> dict[str, int]:
    """How many rows there are of what is never deleted."""
    tables = ("person", "resource", "booking", "series", "slot", "slot_rule", "ledger", "audit", "api_key", "session")
    return {table: await database.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


async def test_nothing_names_an_erased_person_and_the_counts_stay(
    client: httpx.AsyncClient, database: Connection, database_url: str, her: Somebody
) -> None:
    other = await signed_in(client, "other", "host")
    made = await has_a_life(her, other)
    assert (await log_in(her.client, her.email, "wrong")).status_code == 401
    await database.execute(GIVEN_UP, her.user_id, WORD)
    tables = {"person", "booking", "series", "slot", "resource", "api_key", "idempotency", "audit", "dead_letter"}
    assert set(await in_tables(database)) == tables
    before = await counted(database)

    refused = await her.ask("DELETE", "/users/me", {"password": "something else"})
    assert (refused.status_code, refused.json()["code"]) == (401, "wrong_credentials")
    answer = await her.ask("DELETE", "/users/me", {"password": PASSWORD})
    assert (answer.status_code, answer.json()["finished"]) == (200, True), answer.text

    assert await in_tables(database) == {}
    assert await ahead(database, her.user_id) == []
    bookings = await statuses(database)
    assert bookings[made["seat"]] == ("cancelled", HOST_LEFT), "the guest is told why"
    assert bookings[made["guest"]] == ("confirmed", None), "events go on"
    assert bookings[made["booking"]] == bookings[made["in her room"]] == ("cancelled", None)
    after = await counted(database)
    assert all(after[table] >= before[table] for table in before), "counts stay"
    await database.execute("DELETE FROM dead_letter")  # of a ticket that did not fail in truth
    await clean(database_url)

    async def shut_out() -> bool:
        return (await her.get("/users/me")).status_code == 401

    await wait_until(shut_out, 6)
    assert (await her.refresh()).status_code == (await log_in(client, her.email)).status_code == 401
    again = await sign_up(client, her.email)
    assert again.status_code == 201, "the address is free"
    assert again.json()["user_id"] != her.user_id


async def test_an_operator_erases_somebody_and_a_second_run_does_nothing(
    client: httpx.AsyncClient, database: Connection, her: Somebody
) -> None:
    boss, other = await operator(client, database), await signed_in(client, "other", "host")
    await has_a_life(her, other)
    path = f"/users/{her.user_id}"
    assert (await other.ask("DELETE", path)).json()["code"] == "role_required"
    first = await boss.ask("DELETE", path)
    assert (first.status_code, first.json()["finished"]) == (200, True), first.text
    assert await in_tables(database) == {}
    assert (await boss.get(path)).status_code == 404

    before, stood = await counted(database), await statuses(database)
    second = await boss.ask("DELETE", path)
    assert second.json() == first.json()
    assert (await counted(database), await statuses(database)) == (before, stood)
    noted = await database.fetch("SELECT actor, address FROM audit WHERE action = 'user.erase'")
    assert [tuple(row) for row in noted] == [(boss.user_id, "127.0.0.1")], "where operators come from is theirs"
    assert (await boss.ask("DELETE", f"/users/{UUID(int=7)}")).json()["code"] == "user_unknown"


async def test_what_a_crash_interrupted_is_finished(
    app: Api, client: httpx.AsyncClient, database: Connection, database_url: str, her: Somebody
) -> None:
    """The first step was committed and nothing else was done; somebody else is not touched."""
    other = await signed_in(client, "other", "host")
    await has_a_life(her, other)
    await erase_person(database, her.person, Act(her.user_id, Action.ERASE, her.user_id))
    assert await ahead(database, her.user_id)
    theirs = await ahead(database, other.user_id)
    parts: Parts = app.state["parts"]
    await finish_erasures(parts.primary, parts.intake)
    assert await ahead(database, her.user_id) == []
    assert await in_tables(database) == {}
    left = set(theirs) - set(await ahead(database, other.user_id))
    assert len(left) == 1, "of others only the seat of her slot is cancelled"
    await clean(database_url)
