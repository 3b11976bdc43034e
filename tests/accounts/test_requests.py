"""Whose request it is, while it is queued and after."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from api.app import create_app
from engine.config import Config
from engine.queue import scripts
from tests.accounts.people import operator, signed_in
from tests.application import client_of, running
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


async def test_an_operator_withdraws_what_another_has_in_the_queue_and_it_is_noted(
    config: Config, redis_url: str, database: Connection
) -> None:
    app = create_app(msgspec.structs.replace(config, booking_mode="queue", redis_url=redis_url))
    async with running(app), client_of(app) as client:
        host, guest = await signed_in(client, "host", "host"), await signed_in(client, "guest")
        other, head = await signed_in(client, "other"), await operator(client, database)
        assert (await host.post("/resources", {"resource_id": "room", "name": "Room"})).status_code == 201
        body = {"resource_id": "room", "start_time": "2036-08-11T09:00:00Z", "end_time": "2036-08-11T10:00:00Z"}
        made = await guest.post("/bookings", body, prefer="respond-async")
        assert made.status_code == 202, made.text
        address = f"/requests/{made.json()['request_id']}"
        assert (await other.ask("DELETE", address)).status_code == 404
        assert (await head.ask("DELETE", address)).status_code == 202
        noted = await database.fetch("SELECT actor, subject FROM audit WHERE action = 'request.withdraw'")
        assert [tuple(row) for row in noted] == [(head.user_id, made.json()["request_id"])]
        async with turning(redis_url, str(config.database_url)) as turns:
            await turns.serve_all()
        found = (await guest.get(address)).json()
        assert (found["status"], found["outcome"]["code"]) == ("withdrawn", "withdrawn")


async def test_an_address_of_an_older_release_is_everyones(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        item = request(7)
        await enqueue(redis, [item])
        await redis.set(b"fc:request:" + item.request_id.bytes, ask_of(item).field + b"7")
        assert await scripts.find(redis, item.request_id, caller="anonymous") == (1, 0)
        assert await scripts.find(redis, item.request_id, caller=ADA) is None
