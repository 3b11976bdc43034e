"""What tests of the interface do over and over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

ROOT = "/api/v1"
NINE = datetime(2036, 8, 11, 9, tzinfo=UTC)
"""A Monday far enough in the future for the life of these tests."""


def hours(start: float = 0, length: float = 1) -> dict[str, str]:
    """An interval that begins ``start`` hours after NINE."""
    begin = NINE + timedelta(hours=start)
    return {"start_time": begin.isoformat(), "end_time": (begin + timedelta(hours=length)).isoformat()}


async def make_resource(client: httpx.AsyncClient, resource_id: str = "room-1", **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{ROOT}/resources", json={"resource_id": resource_id, "name": "Room"} | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def book(
    client: httpx.AsyncClient,
    start: float = 0,
    *,
    resource_id: str = "room-1",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    body = {"resource_id": resource_id} | hours(start) | more
    return await client.post(f"{ROOT}/bookings", json=body, headers=headers)


async def booked(client: httpx.AsyncClient, start: float = 0, **more: Any) -> dict[str, Any]:
    answer = await book(client, start, **more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def series_booked(client: httpx.AsyncClient, rule: str, start: float = 0, **more: Any) -> dict[str, Any]:
    """A series that begins ``start`` hours after NINE."""
    return await booked(client, start, recurrence_rule=rule, **more)


async def occurrences(
    client: httpx.AsyncClient, series: str, first: str = "2036-08-01", last: str = "2037-07-31", **more: Any
) -> list[dict[str, Any]]:
    """The occurrences that begin in a window, on one page."""
    query: dict[str, Any] = {"start_date": first, "end_date": last, "limit": 100} | more
    answer = await client.get(f"{ROOT}/bookings/{series}/occurrences", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"] is None
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
