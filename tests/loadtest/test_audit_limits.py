"""The audit of an installation as it is by default: people sign in, and have five bookings ahead at most."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from engine.config import Config
from loadtest.audit import audit
from loadtest.record import CONFIRMED, Entry, Head, write_history
from tests.accounts.people import Somebody, signed_in
from tests.api.steps import hours

ROOM = "room-1"


@pytest.fixture
def config(database_url: str, token_key: str) -> Config:
    return Config(
        database_url=database_url, booking_mode="direct", token_key=token_key, direct_pool_size=2, read_pool_size=2
    )


async def asked(guest: Somebody, operation: str, path: str, body: object) -> Entry:
    """Send a command, and write down what its caller saw."""
    sent = time.monotonic()
    answer = await guest.post(path, body)
    told = answer.json()
    return Entry(
        operation=operation,
        caller=guest.user_id,
        resource=ROOM,
        sent=sent,
        answered=time.monotonic(),
        status=answer.status_code,
        outcome=told.get("code", CONFIRMED),
        ticket=int(answer.headers["firstcome-seen"].partition(":")[2]),
        booking=told.get("booking_id"),
    )


async def test_a_sixth_booking_is_refused_for_its_number_and_breaks_nothing(
    client: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    host, guest = await signed_in(client, "host", "host"), await signed_in(client, "guest")
    assert (await host.post("/resources", {"resource_id": ROOM, "name": "Room"})).status_code == 201
    entries = [
        await asked(guest, "book", "/bookings", {"resource_id": ROOM, **hours(start)}) for start in (0, *range(6))
    ]
    told = [entry.outcome for entry in entries]
    assert told == [CONFIRMED, "conflict", *[CONFIRMED] * 4, "max_active_bookings"]
    entries.append(await asked(guest, "cancel", f"/bookings/{entries[0].booking}/cancel", {}))
    entries.append(await asked(guest, "book", "/bookings", {"resource_id": ROOM, **hours(5)}))
    assert entries[-1].outcome == CONFIRMED
    history = tmp_path / "history.jsonl"
    write_history(history, Head(profile="limits", began=datetime.now(UTC), whole=True), entries)
    found = await audit(history, database_url)
    assert found.clean, found.text()
    assert {check.rule: check.checked for check in found.checks}["replay"] == len(entries)
