"""Resources and their ledgers over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from tests.api.steps import ROOT, book, booked, make_resource


async def test_a_resource_is_made_with_what_is_left_out_filled_in(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{ROOT}/resources", json={"name": "Room 1"})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["time_zone"], made["capacity"], made["version"]) == ("Room 1", "UTC", 1, 1)
    assert answer.headers["location"] == f"{ROOT}/resources/{made['resource_id']}"
    assert answer.headers["firstcome-seen"] == f"{made['resource_id']}:0"
    read = await client.get(answer.headers["location"])
    assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, '"1"')
    unchanged = await client.get(answer.headers["location"], headers={"If-None-Match": '"1"'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_a_name_that_is_taken_is_a_conflict(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    answer = await client.post(f"{ROOT}/resources", json={"resource_id": "room-1", "name": "Other"})
    assert (answer.status_code, answer.json()["code"]) == (409, "resource_exists")
    assert (await client.get(f"{ROOT}/resources/room-1")).json()["name"] == "Room"


async def test_a_zone_that_does_not_exist_is_refused(client: httpx.AsyncClient) -> None:
    for zone in ("Mars/Olympus", "CEST", "+02:00", "", "../etc/passwd", "Europe", "europe/berlin", "UTC "):
        answer = await client.post(f"{ROOT}/resources", json={"name": "Room", "time_zone": zone})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_time_zone"), zone
    assert (await client.get(f"{ROOT}/resources")).json()["items"] == []


@pytest.mark.parametrize(
    "resource_id",
    [
        "a/b",
        "/",
        "a//b/",
        "...",
        "a/../b",
        ".a",
        "a b",
        " x",
        "50%",
        "%2F",
        "ü",
        "🏳️‍🌈",
        "a:b,c",
        "a?b#c",
        "x" * 255,
        "会議室　一",
    ],
)
async def test_any_name_without_control_characters_works_everywhere(
    client: httpx.AsyncClient, resource_id: str
) -> None:
    await make_resource(client, resource_id)
    address = f"{ROOT}/resources/{quote(resource_id, safe='').replace('.', '%2E')}"
    assert (await client.get(address)).json()["resource_id"] == resource_id
    answer = await book(client, resource_id=resource_id)
    assert answer.status_code == 201
    ledger = await client.get(f"{address}/ledger")
    assert [item["ticket"] for item in ledger.json()["items"]] == [1]
    seen = await client.get(
        f"{ROOT}/availability",
        params={"resource_id": resource_id, "start_date": "2036-08-11", "end_date": "2036-08-11"},
        headers={"Firstcome-Seen": answer.headers["firstcome-seen"]},
    )
    assert seen.status_code == 200, seen.text
    changed = await client.patch(address, json={"name": "Another"})
    assert (changed.status_code, changed.json()["name"]) == (200, "Another")


async def test_a_name_that_cannot_be_is_unknown(client: httpx.AsyncClient) -> None:
    for text in ("%00", "%1F", "x" * 256, "%FF%FE", "%20"):
        for answer in (
            await client.get(f"{ROOT}/resources/{text}"),
            await client.get(f"{ROOT}/resources/{text}/ledger"),
            await client.patch(f"{ROOT}/resources/{text}", json={"name": "x"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "resource_unknown")


async def test_resources_are_listed_in_pages(client: httpx.AsyncClient) -> None:
    names = [f"room-{number}" for number in range(7)]
    for name in names:
        await make_resource(client, name)
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"{ROOT}/resources", params=params)).json()
        found += [item["resource_id"] for item in page["items"]]
        cursor = page["next"]
    assert found == names
    assert cursor is None
    full = (await client.get(f"{ROOT}/resources", params={"limit": "7"})).json()
    assert (len(full["items"]), full["next"]) == (7, None)


async def test_a_cursor_of_nobodys_making_is_refused(client: httpx.AsyncClient) -> None:
    for cursor in ("x", "====", "LTE", "MA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "é", "0" * 255):
        answer = await client.get(f"{ROOT}/resources", params={"cursor": cursor})
        assert answer.status_code == 400, cursor
        assert answer.json()["errors"][0]["pointer"] == "/cursor"


async def test_a_capacity_below_what_is_taken_is_a_conflict(client: httpx.AsyncClient) -> None:
    await make_resource(client, "yoga", capacity=5)
    await booked(client, resource_id="yoga", places=3)
    refused = await client.patch(f"{ROOT}/resources/yoga", json={"capacity": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "capacity_below_taken")
    answer = await client.patch(f"{ROOT}/resources/yoga", json={"capacity": 3}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["capacity"], answer.headers["etag"]) == (200, 3, '"2"')
    assert answer.headers["firstcome-seen"] == "yoga:3"
    stale = await client.patch(f"{ROOT}/resources/yoga", json={"capacity": 9}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")


async def test_the_ledger_tells_every_ticket_in_order_and_nobody(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await booked(client)
    await book(client)
    await client.delete(f"{ROOT}/bookings/{made['booking_id']}")
    await client.patch(f"{ROOT}/resources/room-1", json={"capacity": 4})
    page = (await client.get(f"{ROOT}/resources/room-1/ledger")).json()
    assert page["next"] is None
    told = [(item["ticket"], item["kind"], item["outcome"], item["reason"]) for item in page["items"]]
    assert told == [
        (1, "book", "confirmed", None),
        (2, "book", "refused", "conflict"),
        (3, "cancel", "confirmed", None),
        (4, "update_resource", "confirmed", None),
    ]
    assert page["items"][3]["capacity"] == 4
    assert made["request_id"] not in str(page)
    assert "anonymous" not in str(page)
    assert len({item["row_hash"] for item in page["items"]}) == 4
    first = (await client.get(f"{ROOT}/resources/room-1/ledger", params={"limit": "2"})).json()
    assert first == {"items": page["items"][:2], "next": 2}
    rest = (await client.get(f"{ROOT}/resources/room-1/ledger", params={"after": "2"})).json()
    assert rest == {"items": page["items"][2:], "next": None}
    beyond = await client.get(f"{ROOT}/resources/room-1/ledger", params={"after": str(2**63 - 1)})
    assert beyond.json() == {"items": [], "next": None}
    assert (await client.get(f"{ROOT}/resources/room-1/ledger", params={"after": "-1"})).status_code == 400
