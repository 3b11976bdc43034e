"""The table of keys against what really stands in Redis while everything happens."""

from __future__ import annotations

import asyncio
import re

from redis.asyncio import Redis

from engine.embedded import Valkey
from engine.intake import Count
from engine.queue import keys
from engine.rules.rate import Bucket, Rate
from tests.clients import add_resources, ask_until_decided, decide_all, drained, hour, open_intake, queued, request
from tests.processes import Processes
from tests.schema.rows import Connection
from tests.support import wait_until

TYPE_OF = {
    "list": ("rpush", "lpush", "lpop", "rpop", "ltrim", "lset"),
    "hash": ("hset", "hdel", "hincrby"),
    "set": ("sadd", "srem"),
    "zset": ("zadd", "zrem", "zpopmin", "zincr"),
    "string": ("set", "incrby"),
}
DAY_S = 86_400


def table() -> dict[str, str]:
    """The documented keys: pattern to type. Channels are no keys."""
    assert keys.__doc__ is not None
    rows = re.findall(r"^((?:fc|arq):\S*(?: id>)?) +(string|list|hash|set|zset|channel) ", keys.__doc__, re.MULTILINE)
    return {name: kind for name, kind in rows if kind != "channel"}


def pattern_of(name: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"<[^>]*>", ".+", re.sub(r"([.*+?])", r"\\\1", name)), re.DOTALL)


async def test_the_table_names_every_key_with_its_type_and_no_key_that_is_not_there(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    rooms = await add_resources(database, 3)
    seen: dict[str, set[str]] = {}
    async with Redis.from_url(valkey.url) as redis:
        await redis.config_set("notify-keyspace-events", "KA")
        watching = asyncio.Event()
        listener = asyncio.create_task(watch(redis, seen, watching))
        await watching.wait()
        await be_busy(own_processes, valkey, database_url, rooms)
        kinds = {name: await redis.type(name) for name in await redis.keys("*")}
        left = {name.decode("latin-1"): await redis.ttl(name) for name in kinds}
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)

    documented = table()
    assert len(documented) > 10, "the table cannot be read"
    found: dict[str, set[str]] = {}
    for key, events in seen.items():
        names = [name for name in documented if pattern_of(name).fullmatch(key)]
        assert names, f"{key!r} is not in the table: {sorted(events)}"
        kinds_of_key = {kind for kind, of_kind in TYPE_OF.items() if events & set(of_kind)}
        assert len(kinds_of_key) <= 1, (key, events)
        for name in names:
            found.setdefault(name, set()).update(kinds_of_key)
    assert {name: {kind} for name, kind in documented.items()} == found

    # What is left when nobody asks for anything: it goes by itself, or is one of a few.
    for key, ttl_s in left.items():
        if key.startswith("fc:state:"):
            assert 0 < ttl_s <= DAY_S
        elif ttl_s == -1:
            assert key in {
                "fc:memory",
                "fc:turns",
                "fc:workers",
                "fc:announced",
                "fc:wake:turns",
                "fc:wake:workers",
                "fc:jobs",
            }


async def be_busy(processes: Processes, valkey: Valkey, database_url: str, rooms: list[int]) -> None:
    """Have everything happen: equal requests, addresses, withdrawal, a death, a poisonous command."""
    async with (
        open_intake(valkey.url, database_url) as intake,
        open_intake(valkey.url, database_url) as other,
        Redis.from_url(valkey.url) as redis,
    ):
        equal = [
            asyncio.create_task(which.decide(request(rooms[0], key="a"), wait_s=30)) for which in (intake, other, other)
        ]
        gone = request(rooms[1])
        queued(await intake.decide(gone, wait_s=0))
        await intake.withdraw(gone.request_id)
        counted = Count([Bucket("bookings", Rate(5, 60), "ann")])
        queued(await intake.decide(request(rooms[1], hour(200)), wait_s=0, count=counted))
        dying = await processes.worker(FIRSTCOME_FAILPOINTS="W5=kill")
        await wait_until(lambda: dying.ended)
        await asyncio.gather(*(processes.worker() for _ in range(2)))
        await asyncio.gather(*equal)
        await decide_all(intake, [request(room, hour(at)) for at in range(100) for room in rooms])
        await ask_until_decided(intake, request(rooms[2], hour(500)))
        await drained(redis, rooms)


async def watch(redis: Redis, seen: dict[str, set[str]], watching: asyncio.Event) -> None:
    """Note every key that anything happens to, with what happens."""
    async with redis.pubsub() as channel:
        await channel.psubscribe("__keyspace@0__:*")
        async for message in channel.listen():
            if message["type"] == "psubscribe":
                watching.set()
            else:
                key = message["channel"].decode("latin-1").removeprefix("__keyspace@0__:")
                seen.setdefault(key, set()).add(message["data"].decode())
