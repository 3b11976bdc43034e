"""What a hostile user tries: other people's things by every name, what is the server's to say, and rubbish."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from api import http
from api.http import LARGEST_BODY
from api.openapi import Operation
from api.operations import BOOK, NEW_SERIES
from tests.accounts.people import Somebody, log_in, sign_up, signed_in
from tests.api.steps import ROOT, hours
from tests.matrix.world import NOT_IN_PATHS, ROOM, World, fingerprint, operations_of
from tests.schema.rows import Connection

OF_BOOKINGS = {"booking", "series", "seat"}
KINDS = {
    "booking_id": OF_BOOKINGS,
    "request_id": {"request"},
    "slot_id": {"slot"},
    "rule_id": {"rule"},
    "event_id": {"event"},
    "user_id": {"user"},
    "api_key_id": {"api_key"},
    "resource_id": {"resource", "calendar", "event_resource"},
}
"""What each id in a path may name; everything else is of another kind."""
THE_SERVERS = (
    "status",
    "booking_id",
    "caller",
    "user_id",
    "host_id",
    "owner",
    "roles",
    "scopes",
    "ticket",
    "request_id",
    "version",
    "created_at",
    "has_conflict",
    "seats_left",
    "__proto__",
)
RUBBISH = {
    "a list": b"[]",
    "null": b"null",
    "a string": b'"status"',
    "half an object": b'{"name": ',
    "two objects": b"{}{}",
    "not UTF-8": b'{"name": "\xff"}',
    "deep lists": b'{"name": ' + b"[" * 100_000,
    "deep objects": b'{"name":' * 50_000,
    "not a number": b'{"capacity": NaN, "places": Infinity, "total_seats": -Infinity}',
    "a byte too much": b" " * (LARGEST_BODY + 1),
}
NUMBERS = ("1e400", "-1e400", "1" * 401, "-1", "9223372036854775808", "0.1")


async def test_an_id_of_another_kind_names_nothing(app: Litestar, world: World, database: Connection) -> None:
    """Slots are bookings of their host's calendar inside, events have resources: nobody gets at one as the other."""
    things = {kind: await world.make(kind) for kinds in KINDS.values() for kind in sorted(kinds)}
    before = await fingerprint(database)
    asked = 0
    for route, operation in operations_of(app).items():
        method, path = route.split()
        for name in sorted(set(operation.path) & set(KINDS)):
            for kind, named in things.items():
                if kind in KINDS[name]:
                    continue
                for somebody in (world.people["operator"], world.host):
                    answer = await somebody.ask(method, _filled(path, named), operation.example)
                    refused = answer.status_code in {400, 403, 404}
                    assert refused, f"{route} with the id of a {kind}: {answer.text}"
                    asked += 1
    assert asked > 300
    for body in (
        {"slot_id": things["event"]},
        {"event_id": things["slot"]},
        {"slot_id": things["booking"]},
        {"event_id": things["series"]},
        {"resource_id": things["slot"], **hours(1)},
        {"resource_id": things["event_resource"], **hours(1)},
    ):
        assert (await world.guest.post("/bookings", body)).status_code == 404, body
    for user_id in (things["booking"], things["api_key"], str(uuid4())):
        body = {"event_id": things["event"], "user_id": user_id}
        assert (await world.people["operator"].post("/bookings/reserve", body)).json()["code"] == "user_unknown"
    assert await fingerprint(database) == before


async def test_what_is_the_servers_to_say_is_no_field_of_a_request(
    app: Litestar, world: World, database: Connection
) -> None:
    before = await fingerprint(database)
    for route, operation in operations_of(app).items():
        bodies = [operation.example] if operation.body else []
        if operation is BOOK:
            bodies += [NEW_SERIES, {"slot_id": str(uuid4())}, {"event_id": str(uuid4())}]
        for body in bodies:
            known = {name for kind in (operation.body, operation.or_body) if kind for name in kind.__struct_fields__}
            for name in set(THE_SERVERS) - known:
                answer = await _send(world, route, json.dumps(body | {name: "confirmed"}).encode())
                faults = [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
                assert (answer.status_code, faults) == (400, [(f"/{name}", "unknown_field")]), f"{route}: {name}"
    assert await fingerprint(database) == before


async def test_rubbish_is_refused_everywhere_and_does_nothing(
    app: Litestar, world: World, database: Connection
) -> None:
    before = await fingerprint(database)
    for route, operation in operations_of(app).items():
        if operation.body is None:
            continue
        for kind, raw in (RUBBISH | _twisted(operation)).items():
            answer = await _send(world, route, raw)
            assert answer.status_code in {400, 413}, f"{route} with {kind}: {answer.text}"
        answer = await _send(world, route, json.dumps(operation.example).encode(), "text/plain")
        assert answer.status_code == 415, route
    assert await fingerprint(database) == before


def _twisted(operation: Operation) -> dict[str, bytes]:
    """The body of an example with every field twice, and with every field a number that it cannot be."""
    found = {}
    for name, value in operation.example.items():
        rest = json.dumps({other: value for other, value in operation.example.items() if other != name})[1:-1]
        fields = [rest] if rest else []
        shown = json.dumps(value)
        found[f"two of {name}"] = (
            "{" + ", ".join([*fields, f'"{name}": {shown}', f'"{name}": {shown}']) + "}"
        ).encode()
        for number in NUMBERS:
            found[f"{name} of {number[:9]}"] = ("{" + ", ".join([*fields, f'"{name}": {number}']) + "}").encode()
    return found


async def test_a_cursor_opens_no_list_but_ones_own(app: Litestar, world: World) -> None:
    """Cursors are places, not secrets: one of another list, or of another person, shows nothing of theirs."""
    for kind in ("booking", "booking", "series", "slot", "slot", "event", "event", "rule", "rule"):
        await world.make(kind)
    lists = {
        route: _filled(route.split()[1], world.guest.user_id)
        for route, operation in operations_of(app).items()
        if operation.query is not None and "cursor" in operation.query.__struct_fields__ and "start" not in route
    }
    lists = {route: path for route, path in lists.items() if "/occurrences" not in route}
    assert len(lists) >= 8
    cursors = _made_up()
    for path in lists.values():
        for somebody in world.people.values():
            answer = await somebody.get(f"{path}?limit=1")
            cursors.append(str(answer.json().get("next") or "e30"))
    for route, path in lists.items():
        own = {json.dumps(item) for item in (await world.host.get(f"{path}?limit=100")).json().get("items", [])}
        for cursor in cursors:
            answer = await world.client.get(
                ROOT + path, params={"limit": 100, "cursor": cursor}, headers=world.host.headers
            )
            assert answer.status_code in {200, 400, 403, 404}, f"{route} at {cursor}: {answer.text}"
            found = {json.dumps(item) for item in answer.json().get("items", [])}
            assert found <= own, f"{route} at {cursor} shows what is another's"
            audit = await world.people["operator"].ask("GET", f"/admin/audit?cursor={cursor}")
            assert audit.status_code in {200, 400}, cursor


def _made_up() -> list[str]:
    """Cursors that nobody handed out."""
    places = (
        "0.0",
        "9" * 30 + "." + "0" * 32,
        "-" + "9" * 14 + "." + uuid4().hex,
        "253402300799999." + uuid4().hex,
        "-62135596800000." + uuid4().hex,
        "1." + "g" * 32,
        "NaN.NaN",
        str(2**63),
        "-1",
        str(uuid4()),
    )
    encoded = [base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in places]
    return [*encoded, "0" * 15 + "1" + "0" * 30, "9" * 255, "1" * 20, str(2**63), "%00", "AAAA", "a", "_" * 255]


async def test_a_key_of_another_replays_nothing(world: World) -> None:
    """An idempotency key is one's own: the same one of somebody else is another key."""
    key = {"idempotency-key": "the same"}
    body = {"resource_id": ROOM, **hours(1)}
    first = await world.guest.post("/bookings", body, **key)
    other = await world.people["other_guest"].post("/bookings", body, **key)
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["booking_id"] != other.json()["booking_id"]
    assert "idempotency-replayed" not in other.headers
    room = {"resource_id": "room-2", "name": "Room"}
    assert (await world.host.post("/resources", room, **key)).status_code == 201
    taken = await world.people["other_host"].post("/resources", room, **key)
    assert (taken.status_code, taken.json()["code"]) == (409, "resource_exists")
    assert (await world.host.post("/resources", room, **key)).headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("email", "answer"),
    [
        ("\uff21\uff24\uff21@example.org", (409, "email_taken")),  # the letters of East Asian type
        ("ada@EXAMPLE.ORG", (409, "email_taken")),
        ("\u0430da@example.org", (201, None)),  # a Cyrillic letter: somebody else
        ("ada\u200b@example.org", (400, "invalid_request")),  # what is not seen
        ("\u202eada@example.org", (400, "invalid_request")),
        ("ada@example.org\r\nBcc: eve@example.org", (400, "invalid_request")),
        ("ada@example.org\x00", (400, "invalid_request")),
        ("ada@example.org@example.net", (400, "invalid_request")),
        ("\ufdfa@example.org", (400, "invalid_request")),  # eighteen letters in one, with blanks between them
    ],
)
async def test_nobody_passes_for_another_by_their_address(
    client: httpx.AsyncClient, email: str, answer: tuple[int, str | None]
) -> None:
    await signed_in(client, "ada")
    made = await sign_up(client, email)
    assert (made.status_code, made.json().get("code")) == answer
    if made.status_code == 201:
        assert (await log_in(client, "ada@example.org", "another password")).status_code == 401


async def test_known_and_unknown_accounts_are_answered_byte_for_byte_alike(client: httpx.AsyncClient) -> None:
    await signed_in(client, "ada")
    answers = [await log_in(client, f"{name}@example.org", "a wrong password") for name in ("ada", "eve")]
    known, unknown = ((answer.status_code, answer.content, _fields(answer)) for answer in answers)
    assert known == unknown
    assert known[0] == 401


async def test_nothing_that_is_sent_comes_back_as_a_header(world: World) -> None:
    name = "room\u00e9/\u2028,;=%0d%0aSet-Cookie: a=b"
    made = await world.host.post("/resources", {"resource_id": name, "name": "Room"})
    assert made.status_code == 201
    assert "set-cookie" not in made.headers
    for field in ("location", "firstcome-seen"):
        assert made.headers[field].isascii()
        assert " " not in made.headers[field]
    sent = {
        "x-request-id": "a b",
        "prefer": "wait=1;x=\x7f, <script>",
        "firstcome-seen": "\x01:\x02",
        "if-match": '"\x01"',
    }
    answer = await world.guest.ask("GET", "/bookings", **sent)
    assert answer.status_code == 200
    assert not {"a b", "<script>"} & set(answer.headers.values())


async def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(
    world: World, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_WITHIN_S", 0.05)
    before = await fingerprint(database)

    async def dripping() -> AsyncIterator[bytes]:
        yield b'{"resource_id": '
        await asyncio.Event().wait()

    headers = world.guest.headers | {"content-type": "application/json"}
    async with asyncio.timeout(5):
        answer = await world.client.post(f"{ROOT}/bookings", content=dripping(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "body_too_slow")
    assert answer.headers["connection"] == "close"
    assert await fingerprint(database) == before


def _fields(answer: httpx.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.items() if name != "x-request-id")


def _filled(path: str, named: str) -> str:
    """A path with an id in the place of each of its names."""
    while "{" in path:
        name = path.partition("{")[2].partition("}")[0]
        path = path.replace(f"{{{name}}}", NOT_IN_PATHS.get(name, named))
    return path


async def _send(world: World, route: str, raw: bytes, media_type: str = "application/json") -> httpx.Response:
    """Send a body as an operator, who may everything."""
    boss: Somebody = world.people["operator"]
    method, path = route.split()
    headers = boss.headers | {"content-type": media_type}
    return await world.client.request(method, ROOT + _filled(path, str(uuid4())), content=raw, headers=headers)
