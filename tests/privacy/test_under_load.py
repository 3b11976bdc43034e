"""Erasure while bookings run, through the queues, with processes as they run in earnest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from redis.asyncio import Redis

from engine.privacy import finish_erasures
from tests.accounts.people import PASSWORD, Somebody, signed_in
from tests.api.steps import hours
from tests.clients import clean, open_intake, pool_of
from tests.privacy.test_erasure import ahead
from tests.privacy.traces import ADDRESS, NAME, TRACES, WORD, has_a_life, in_redis, in_tables, zephyrine
from tests.processes import Api, Processes
from tests.schema.rows import Connection

GUESTS = 4
ROUNDS_AFTER = 5


@asynccontextmanager
async def client_from(api: Api, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client behind a proxy that says where it comes from."""
    headers = {"x-forwarded-for": address}
    async with httpx.AsyncClient(base_url=api.address, headers=headers, timeout=40, trust_env=False) as client:
        yield client


class Crowd:
    """Guests who book slots and time of a host and give them back, and the host, who books and publishes."""

    def __init__(self, host: Somebody, guests: list[Somebody]) -> None:
        self._host = host
        self._guests = guests
        self.answered = asyncio.Semaphore(0)
        self.erased = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, guest in enumerate(self._guests):
                group.create_task(self._repeat(self._visit, guest, random.Random(number)))
            group.create_task(self._repeat(self._live, self._host, random.Random(WORD)))

    async def _repeat(self, act: object, somebody: Somebody, chance: random.Random) -> None:
        left = ROUNDS_AFTER
        while left:
            await act(somebody, chance)  # type: ignore[operator]
            self.answered.release()
            left -= self.erased.is_set()

    async def _visit(self, guest: Somebody, chance: random.Random) -> None:
        open_slots = (await guest.get(f"/slots?host_id={self._host.user_id}&limit=20")).json()["items"]
        if open_slots:
            await self._book(guest, {"slot_id": chance.choice(open_slots)["slot_id"]}, give_back=chance.random() < 0.5)
        await self._book(guest, {"resource_id": "room-1", **hours(chance.randrange(2_000))}, give_back=False)

    async def _live(self, host: Somebody, chance: random.Random) -> None:
        await self._book(host, {"resource_id": "hall", **hours(chance.randrange(2_000))}, give_back=True)
        await self._book(host, {"resource_id": "hall", **hours(chance.randrange(2_000))}, give_back=False)
        await self._let_in(await host.post("/slots", hours(chance.randrange(2_000))))
        await self._let_in(await host.ask("PATCH", "/resources/room-1", {"name": f"{NAME} {chance.random()}"}))

    async def _book(self, somebody: Somebody, what: dict[str, str], *, give_back: bool) -> None:
        answer = await self._let_in(await somebody.post("/bookings", what))
        if answer.status_code == 201 and give_back:
            reason = {"reason": f"because of {NAME}" if somebody is self._host else "plans"}
            await self._let_in(await somebody.post(f"/bookings/{answer.json()['booking_id']}/cancel", reason))

    async def _let_in(self, answer: httpx.Response) -> httpx.Response:
        assert answer.status_code < 500, answer.text
        return answer


async def test_an_erasure_while_bookings_run(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await processes.worker()
    api = await processes.api()
    async with client_from(api, ADDRESS) as near, client_from(api, "198.51.100.7") as far:
        her, other = await zephyrine(near), await signed_in(far, "other", "host")
        await has_a_life(her, other)
        crowd = Crowd(her, [await signed_in(far, f"guest{number}") for number in range(GUESTS)])
        running = asyncio.create_task(crowd.run())
        for _ in range(10 * GUESTS):
            await crowd.answered.acquire()
        assert await in_tables(database), "there is something to be taken away"
        answer = await her.ask("DELETE", "/users/me", {"password": PASSWORD})
        assert (answer.status_code, answer.json()["user_id"]) == (200, her.user_id), answer.text
        crowd.erased.set()
        await running
        # What was under way may have written a text; the clock job looks again.
        async with pool_of(database_url) as pool, open_intake(redis_url, database_url) as intake:
            await finish_erasures(pool, intake)

    assert await ahead(database, her.user_id) == []
    assert await in_tables(database) == {}
    assert await in_redis(redis_url, (WORD,)) == []
    await forgotten_in_time(redis_url)
    for process in processes.all:
        said = process.log.read_text().lower()
        assert said
        assert not [trace for trace in TRACES if trace in said], process.log
    await clean(database_url)


async def test_a_look_through_redis_sees_every_kind_of_value(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set("string", WORD)
        await redis.set(WORD, "in the key")
        await redis.hset("hash", "field", NAME)
        await redis.rpush("list", "other", NAME)
        await redis.sadd("set", NAME)
        await redis.zadd("zset", {NAME: 1})
        await redis.xadd("stream", {"field": NAME})
        await redis.set("other", "nobody")
    assert len(await in_redis(redis_url, (WORD,))) == 7


async def forgotten_in_time(redis_url: str) -> None:
    """Her address stands where calls of it are counted, and there only, for as long as they count."""
    async with Redis.from_url(redis_url) as redis:
        for kept in await in_redis(redis_url, (ADDRESS,)):
            key = kept.partition(b" ")[0]
            assert b"-address:" in key, kept
            assert 0 < await redis.ttl(key) <= 3_600
