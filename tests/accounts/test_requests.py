"""Whose request it is, while it is queued and after."""

from __future__ import annotations

from redis.asyncio import Redis

from engine.queue import scripts
from tests.clients import decided, open_intake, queued, request
from tests.schema.rows import Connection, add_resource
from tests.turns import ask_of, enqueue, turning

ADA, BEN = "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a77", "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a78"


async def test_a_request_is_found_and_withdrawn_by_whose_it_is(
    redis_url: str, database_url: str, database: Connection
) -> None:
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake, Redis.from_url(redis_url) as redis:
        item = request(room, caller=ADA)
        place = queued(await intake.decide(item, wait_s=0))
        assert await intake.find(item.request_id, caller=BEN) is None
        assert await intake.withdraw(item.request_id, caller=BEN) is None
        assert await redis.smembers(f"fc:withdrawn:{room}") == set()
        assert await intake.find(item.request_id, caller=ADA) == place
        assert await intake.find(item.request_id) == place
        async with turning(redis_url, database_url) as turns:
            await turns.serve_all()
        outcome = decided(await intake.find(item.request_id, caller=ADA))
        assert outcome.request_id == item.request_id
        assert await intake.find(item.request_id, caller=BEN) is None
        assert await intake.find(item.request_id) == outcome


async def test_an_address_of_an_older_release_is_everyones(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        item = request(7)
        await enqueue(redis, [item])
        await redis.set(b"fc:request:" + item.request_id.bytes, ask_of(item).field + b"7")
        assert await scripts.find(redis, item.request_id, caller="anonymous") == (1, 0)
        assert await scripts.find(redis, item.request_id, caller=ADA) is None
