"""Looking for what names a person, wherever anything is kept."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import redis.asyncio as redis

from tests.accounts.people import Somebody, log_in, sign_up
from tests.api.steps import hours

NAME, EMAIL_NAME, ADDRESS = "Zephyrine Quillfeather", "zephyrine.quillfeather", "203.0.113.77"
WORD = "quillfeather"
"""In every text that the person of these tests writes."""
TRACES = (WORD, ADDRESS)
DAILY = "RRULE:FREQ=DAILY"
TABLES = """
SELECT format('%I', relname)
FROM pg_class
WHERE relkind IN ('r', 'p', 'm') AND relnamespace = 'public'::regnamespace
"""


async def in_tables(connection: asyncpg.Connection[Any], words: tuple[str, ...] = TRACES) -> dict[str, list[str]]:
    """Tables with rows that have a word in them, in whatever column, also as bytes. Whatever case it is in."""
    found: dict[str, list[str]] = {}
    for (table,) in await connection.fetch(TABLES):
        for word in words:
            rows = await connection.fetch(
                f"SELECT row_::text FROM {table} AS row_ WHERE strpos(lower(row_::text), $1) > 0"
                " OR strpos(lower(row_::text), encode($1::text::bytea, 'hex')) > 0",
                word,
            )
            if rows:
                found.setdefault(table, []).extend(row[0] for row in rows)
    return found


async def in_redis(url: str, words: tuple[str, ...] = TRACES) -> list[bytes]:
    """Keys that have a word in them, or in what stands there, as Redis writes it out."""
    found = []
    async with redis.Redis.from_url(url) as client:
        async for key in client.scan_iter():
            kept = key + b" " + repr(await everything(client, key)).encode()
            if any(word.encode() in kept.lower() for word in words):
                found.append(kept)
    return found


async def everything(client: Any, key: bytes) -> Any:
    """What stands at a key."""
    readers = {
        b"string": lambda: client.get(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"hash": lambda: client.hgetall(key),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"stream": lambda: client.xrange(key),
    }
    return await readers[await client.type(key)]()


async def zephyrine(client: httpx.AsyncClient) -> Somebody:
    """The person who will be erased: a host and a guest, who writes her name wherever there is room for it."""
    email = f"{EMAIL_NAME}@example.org"
    answer = await sign_up(client, email, "guest", "host", name=NAME)
    assert answer.status_code == 201, answer.text
    made = Somebody(client, answer.json()["user_id"], email)
    answer = await log_in(client, email)
    assert answer.status_code == 200, answer.text
    made.tokens = answer.json()
    return made


async def has_a_life(her: Somebody, other: Somebody) -> dict[str, str]:
    """Let her make one of everything, in words of her own, and another take a seat of hers. Returns their ids."""
    made: dict[str, str] = {}

    async def post(name: str, path: str, body: dict[str, Any], of: str, by: Somebody = her, *, key: str = "") -> None:
        answer = await by.post(path, body, **({"idempotency-key": key} if key else {}))
        assert answer.status_code in {200, 201}, answer.text
        made[name] = answer.json().get(of, "")

    await post("room", "/resources", {"name": f"{NAME}'s room", "resource_id": "room-1"}, "resource_id")
    await post("other room", "/resources", {"name": "Hall", "resource_id": "hall"}, "resource_id", other)
    await post("booking", "/bookings", {"resource_id": "hall", **hours(1)}, "booking_id", key=f"{WORD}-1")
    await post("cancelled", "/bookings", {"resource_id": "hall", **hours(3)}, "booking_id")
    reason = {"reason": f"{NAME} is ill"}
    await post("cancellation", f"/bookings/{made['cancelled']}/cancel", reason, "booking_id")
    daily = {"resource_id": "hall", **hours(5), "recurrence_rule": DAILY}
    await post("series", "/bookings", daily, "booking_id")
    await post("slot", "/slots", hours(1), "slot_id")
    await post("seat", "/bookings", {"slot_id": made["slot"]}, "booking_id", other)
    window = {**hours(8), "recurrence_rule": DAILY, "slot_minutes": 30}
    await post("rule", "/slots/bulk", window, "rule_id")
    await post("event", "/events", {"name": f"Tea with {NAME}", "total_seats": 9}, "event_id")
    await post("guest", "/bookings", {"event_id": made["event"]}, "booking_id", other)
    await post("in her room", "/bookings", {"resource_id": "room-1", **hours(1)}, "booking_id", other)
    given = {"reason": f"says {NAME}"}
    await post("cancelled by her", f"/bookings/{made['in her room']}/cancel", given, "booking_id")
    for whose, room, hour in ((her, "hall", 7), (other, "room-1", 7)):
        weekly = {"resource_id": room, **hours(hour), "recurrence_rule": "RRULE:FREQ=WEEKLY;COUNT=3"}
        await post("weekly", "/bookings", weekly, "booking_id", whose)
        await post("none", f"/bookings/{made['weekly']}/cancel", given, "booking_id")
    await post("key", "/users/me/api-keys", {"scopes": ["bookings:read"], "name": f"{NAME}'s"}, "api_key_id")
    return made
