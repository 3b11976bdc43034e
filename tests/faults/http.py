"""Callers over HTTP: what they send, and how they ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from tests.clients import hour

ROOMS = 4
"""Rooms that ``make_rooms`` makes: ``room-0`` and so on."""
AGAIN_S = 0.02
UNDECIDED = frozenset({202, 429, 503})
"""Answers that say nothing of the outcome: the request is sent again."""


async def make_rooms(client: httpx.AsyncClient, count: int = ROOMS, *, capacity: int = 1) -> None:
    for room in range(count):
        wanted = {"resource_id": f"room-{room}", "name": "Room", "capacity": capacity}
        made = await client.post("/resources", json=wanted)
        assert made.status_code == 201, made.text


def booking(number: int) -> dict[str, str]:
    """The body of a request for the hour with this number."""
    wanted = hour(number)
    return {
        "resource_id": f"room-{number % ROOMS}",
        "start_time": wanted.start_time.isoformat(),
        "end_time": wanted.end_time.isoformat(),
    }


async def book(client: httpx.AsyncClient, number: int, key: str | None = None, *, wait_s: float = 10) -> httpx.Response:
    """Send one request, once."""
    headers = {"Prefer": f"wait={wait_s:g}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return await client.post("/bookings", json=booking(number), headers=headers)


async def ask_until_answered(
    clients: Sequence[httpx.AsyncClient], key: str, number: int, within_s: float = 30
) -> httpx.Response:
    """Book as a caller does whose connection may break: again with the same key, at whoever answers."""
    attempt = 0
    async with asyncio.timeout(within_s):
        while True:
            try:
                answer = await book(clients[attempt % len(clients)], number, key)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in UNDECIDED:
                assert answer.status_code in {201, 409}, answer.text
                return answer
            attempt += 1
            await asyncio.sleep(AGAIN_S)
