"""Whose it is: bookings, series, requests and resources, seen and changed by everyone there is."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from api.access import Caller, may_cancel, may_change, may_read
from engine.store.bookings import Home
from tests.accounts.people import Somebody, operator, signed_in
from tests.api.steps import hours

HOME = Home(1, caller="guest", host="host", owner="owner")


@pytest.mark.parametrize(
    ("caller", "read", "cancel", "change"),
    [
        (Caller("guest"), True, True, True),
        (Caller("host"), True, True, False),
        (Caller("owner"), True, True, False),
        (Caller("other"), False, False, False),
        (Caller("boss", roles=frozenset({"operator"})), True, True, True),
        (Caller("boss", roles=frozenset({"operator"}), scopes=frozenset({"bookings:write"})), False, False, False),
        (Caller("boss", roles=frozenset({"operator"}), scopes=frozenset({"bookings:write:any"})), True, True, True),
        (Caller("other", roles=frozenset({"host"}), scopes=frozenset({"bookings:write:any"})), False, False, False),
        (Caller(), False, False, False),
    ],
)
def test_what_one_may_do_to_a_booking(caller: Caller, read: bool, cancel: bool, change: bool) -> None:
    assert (may_read(caller, HOME), may_cancel(caller, HOME), may_change(caller, HOME)) == (read, cancel, change)


class Cast:
    """A host with a room, a guest who booked it, once and every week, another guest, another host, an operator."""

    def __init__(self, **people: Somebody) -> None:
        self.people = people
        self.booking = self.series = self.request = ""

    async def tell(self) -> None:
        host, guest = self.people["host"], self.people["guest"]
        assert (await host.post("/resources", {"name": "Room", "resource_id": "room-1"})).status_code == 201
        made = (await guest.post("/bookings", {"resource_id": "room-1", **hours()})).json()
        self.booking, self.request = made["booking_id"], made["request_id"]
        weekly = {"resource_id": "room-1", **hours(2), "recurrence_rule": "RRULE:FREQ=WEEKLY;COUNT=9"}
        self.series = (await guest.post("/bookings", weekly)).json()["booking_id"]

    async def codes(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """What everyone is answered: a code, or None where they were let in."""
        found = {}
        for name, somebody in self.people.items():
            answer = await somebody.ask(method, path, body)
            refused = answer.status_code >= 400 and answer.headers["content-type"] == "application/problem+json"
            found[name] = answer.json()["code"] if refused else None
        return found


@pytest.fixture
async def cast(client: httpx.AsyncClient, database: asyncpg.Connection[Any]) -> Cast:
    made = Cast(
        other=await signed_in(client, "other"),
        other_host=await signed_in(client, "other_host", "host"),
        host=await signed_in(client, "host", "host"),
        guest=await signed_in(client, "guest"),
        operator=await operator(client, database),
    )
    await made.tell()
    return made


def only(cast: Cast, *names: str, code: str) -> dict[str, Any]:
    return {name: None if name in names else code for name in cast.people}


async def test_bookings_are_seen_by_those_who_have_to_do_with_them(cast: Cast) -> None:
    seen = only(cast, "host", "guest", "operator", code="booking_unknown")
    for path in (
        f"/bookings/{cast.booking}",
        f"/bookings/{cast.booking}.ics",
        f"/bookings/{cast.series}",
        f"/bookings/{cast.series}.ics",
        f"/bookings/{cast.series}/occurrences?start_date=2036-08-01&end_date=2036-09-30",
    ):
        assert await cast.codes("GET", path) == seen, path
    single = {name: code or "not_recurring" for name, code in seen.items()}
    changed = single | {"host": "not_yours"}
    for method, path, expected in (
        ("GET", f"/bookings/{cast.booking}/occurrences?start_date=2036-08-01&end_date=2036-09-30", single),
        ("DELETE", f"/bookings/{cast.booking}/occurrences/20360811T110000Z", single),
        ("POST", f"/bookings/{cast.booking}/occurrences/20360811T110000Z/restore", changed),
    ):
        assert await cast.codes(method, path) == expected, "who may not see it is not told what it is"
    own = only(cast, "guest", "operator", code="request_unknown")
    assert await cast.codes("GET", f"/requests/{cast.request}") == own
    assert await cast.codes("DELETE", f"/requests/{cast.request}") == own


async def test_bookings_are_moved_by_whose_they_are(cast: Cast) -> None:
    not_theirs = {"other": "booking_unknown", "other_host": "booking_unknown", "host": "not_yours"}
    moves = [
        ("PUT", f"/bookings/{cast.booking}/reschedule", hours(8)),
        ("PUT", f"/bookings/{cast.series}/occurrences/20360811T110000Z", hours(9)),
        ("POST", f"/bookings/{cast.series}/occurrences/20360818T110000Z/restore", None),
    ]
    for method, path, body in moves:
        codes = await cast.codes(method, path, body)
        assert {name: codes[name] for name in not_theirs} == not_theirs, path
        assert codes["guest"] is None, path
        assert codes["operator"] in {None, "already_rescheduled"}, path


async def test_bookings_are_cancelled_by_those_who_see_them(cast: Cast, database: asyncpg.Connection[Any]) -> None:
    seen = only(cast, "host", "guest", "operator", code="booking_unknown")
    assert await cast.codes("DELETE", f"/bookings/{cast.booking}") == seen
    assert await cast.codes("POST", f"/bookings/{cast.booking}/cancel", {"reason": "Rain"}) == seen
    assert await cast.codes("DELETE", f"/bookings/{cast.series}/occurrences/20360825T110000Z") == seen
    assert await cast.codes("DELETE", f"/bookings/{cast.series}") == seen
    noted = await database.fetch("SELECT actor, subject FROM audit WHERE action = 'booking.cancel' ORDER BY id")
    by = [cast.people[name].user_id for name in ("host", "operator")]
    assert [tuple(row) for row in noted] == [
        (actor, subject) for subject in (cast.booking, cast.booking, cast.series, cast.series) for actor in by
    ]


async def test_a_resource_is_everyones_to_see_and_its_owners_to_change(cast: Cast) -> None:
    everyone = only(cast, *cast.people, code="")
    assert await cast.codes("GET", "/resources/room-1") == everyone
    assert await cast.codes("GET", "/resources/room-1/ledger") == everyone
    owners = only(cast, "host", "operator", code="not_yours")
    assert await cast.codes("PATCH", "/resources/room-1", {"name": "Large room"}) == owners


async def test_the_audit_tells_operators_who_did_what(cast: Cast, database: asyncpg.Connection[Any]) -> None:
    boss, guest, host = (cast.people[name] for name in ("operator", "guest", "host"))
    await guest.client.post("/api/v1/login", json={"email": guest.email, "password": "wrong"})
    await boss.ask("DELETE", f"/bookings/{cast.booking}", **{"x-request-id": "desk-7"})

    async def rows(query: str) -> list[dict[str, Any]]:
        answer = await boss.get(f"/admin/audit?{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    (cancelled,) = await rows("action=booking.cancel")
    decided = await database.fetchval("SELECT request_id FROM ledger WHERE kind = 'cancel' AND outcome = 'confirmed'")
    assert cancelled | {"at": ""} == {
        "at": "",
        "actor": boss.user_id,
        "action": "booking.cancel",
        "subject": cast.booking,
        "outcome": "done",
        "request_id": str(decided),
        "address": "127.0.0.1",
        "detail": None,
    }
    refused = [row for row in await rows(f"subject={guest.user_id}") if row["outcome"] == "refused"]
    assert [(row["actor"], row["action"]) for row in refused] == [("anonymous", "session.open")]
    assert {row["action"] for row in await rows(f"actor={host.user_id}")} == {
        "user.create",
        "session.open",
        "resource.create",
    }
    assert await rows("end_date=2020-01-01") == []
    assert len(await rows("start_date=2020-01-01&action=user.create")) == len(cast.people)
    found, cursor = [], ""
    while True:
        page = (await boss.get(f"/admin/audit?limit=4{cursor}")).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(found) == await database.fetchval("SELECT count(*) FROM audit")
    assert found == sorted(found, key=lambda row: row["at"], reverse=True)
    assert "example.org" not in str(found)
    for wrong in ("cursor=x", "cursor=0", "start_date=soon", "limit=0", "other=1"):
        assert (await boss.get(f"/admin/audit?{wrong}")).status_code == 400


async def test_what_an_operator_ends_of_others_is_noted_and_what_is_ones_own_is_not(
    cast: Cast, database: asyncpg.Connection[Any]
) -> None:
    boss, host = cast.people["operator"], cast.people["host"]
    day = {"start_time": "2036-09-01T09:00:00Z", "end_time": "2036-09-01T10:00:00Z"}
    published = [
        (await host.ask("POST", "/slots", day | {"start_time": f"2036-09-01T09:{minute}:00Z"})).json()["slot_id"]
        for minute in ("00",)
    ]
    later = {"start_time": "2036-09-02T09:00:00Z", "end_time": "2036-09-02T10:00:00Z"}
    published.append((await host.ask("POST", "/slots", later)).json()["slot_id"])
    endless = {"slot_minutes": 60, "recurrence_rule": "RRULE:FREQ=WEEKLY", "horizon_days": 30}
    rule = (
        await host.ask(
            "POST", "/slots/bulk", endless | {"start_time": "2036-10-01T09:00:00Z", "end_time": "2036-10-01T10:00:00Z"}
        )
    ).json()["rule_id"]
    assert (await host.ask("DELETE", f"/slots/{published[0]}")).status_code == 200
    assert (await boss.ask("DELETE", f"/slots/{published[1]}")).status_code == 200
    assert (await boss.ask("DELETE", f"/slots/rules/{rule}")).status_code == 200
    own = await boss.ask("POST", "/bookings", {"resource_id": "room-1", **hours(20)})
    assert (await boss.ask("DELETE", f"/requests/{own.json()['request_id']}")).status_code == 202
    assert (await boss.ask("DELETE", f"/requests/{cast.request}")).status_code == 202
    noted = await database.fetch(
        "SELECT action, subject, tag FROM audit"
        " WHERE actor = $1 AND action ~ '^(slot|slot_rule|request)\\.' ORDER BY id",
        boss.user_id,
    )
    assert [(row["action"], row["subject"]) for row in noted] == [
        ("slot.end", published[1]),
        ("slot_rule.end", rule),
    ]
    decided = {str(row["request_id"]) for row in await database.fetch("SELECT request_id FROM ledger")}
    assert {row["tag"] for row in noted} <= decided, "the ledger has them under the same id"


async def test_a_key_that_is_none_is_refused_also_where_it_would_keep_nothing(cast: Cast) -> None:
    guest, boss = cast.people["guest"], cast.people["operator"]
    for somebody, path in ((guest, "/users/me"), (boss, f"/users/{guest.user_id}")):
        answer = await somebody.ask("DELETE", path, {"password": "wrong"}, **{"idempotency-key": "x" * 300})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
