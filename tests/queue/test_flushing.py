"""What a promise rests on: a flush that is forced, by one process at a time, on a server that is then as it was."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from engine.embedded import Valkey
from engine.errors import StartupRefused
from engine.queue import flushing
from engine.queue.check import check_redis
from engine.queue.flushing import LOCKED_MS, Flusher, Server, ask_server
from tests.proxy import proxied
from tests.support import wait_until

ROOT = Path(__file__).parents[2]
DIES = """
import asyncio, os, signal, sys
from redis.asyncio import Redis
from engine.queue.flushing import Flusher, ask_server

async def die():
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    redis = Redis.from_url(sys.argv[1])
    await Flusher(redis, await ask_server(redis)).flush(die)

asyncio.run(main())
"""


@pytest.fixture
async def own(valkey: Valkey) -> AsyncIterator[Redis]:
    """A client of the test's own server: its settings are the server's, not the database's."""
    async with Redis.from_url(valkey.url) as redis:
        yield redis


async def setting(redis: Redis) -> str:
    return str((await redis.config_get("appendfsync"))["appendfsync"])


async def write(redis: Redis, done: list[str]) -> None:
    """Write, and note what the server was set to."""
    await redis.set("written", "1")
    done.append(await setting(redis))


async def allow(redis: Redis, *rules: str) -> None:
    """Change what the server's user may do."""
    await redis.execute_command("ACL", "SETUSER", "default", *rules)  # type: ignore[no-untyped-call]


async def flush(redis: Redis) -> list[str]:
    """Flush as a process that starts now would. Returns what the server was set to at each of its writes."""
    done: list[str] = []
    await Flusher(redis, await ask_server(redis)).flush(lambda: write(redis, done))
    return done


async def test_a_flush_sets_the_server_back_and_takes_no_second(own: Redis) -> None:
    since = time.monotonic()
    for _ in range(3):
        assert await flush(own) == ["always"]
    assert time.monotonic() - since < 1
    assert await setting(own) == "everysec"
    assert await own.keys("fc:*") == []


async def test_two_processes_at_once_flush_one_after_the_other(valkey: Valkey, own: Redis) -> None:
    inside: list[int] = []
    crowds: list[int] = []

    async def alone(number: int, redis: Redis) -> None:
        inside.append(number)
        await redis.set("written", number)
        crowds.append(len(inside))
        inside.remove(number)

    async def process(number: int) -> None:
        async with Redis.from_url(valkey.url) as redis:
            flusher = Flusher(redis, await ask_server(redis))
            for _ in range(10):
                await flusher.flush(lambda: alone(number, redis))

    await asyncio.gather(process(1), process(2), process(3))
    assert crowds == [1] * 30, "each had the server for itself, and none had to repeat anything"
    assert await setting(own) == "everysec"
    assert await own.keys("fc:*") == []


async def test_a_flush_in_which_another_set_the_server_back_is_repeated(own: Redis) -> None:
    done: list[str] = []

    async def disturbed() -> None:
        await write(own, done)
        if len(done) == 1:  # one that lost the lock by standing still goes on now
            await own.config_set("appendfsync", "everysec")

    await Flusher(own, await ask_server(own)).flush(disturbed)
    assert done == ["always", "always"]
    assert await setting(own) == "everysec"


async def test_a_flush_of_a_server_that_never_stays_forced_is_no_promise(
    own: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flushing, "ON_DISK_WITHIN_MS", 300)

    async def disturbed() -> None:
        await own.config_set("appendfsync", "everysec")

    with pytest.raises(TimeoutError):
        await Flusher(own, await ask_server(own)).flush(disturbed)
    assert await setting(own) == "everysec"


@pytest.mark.parametrize("by", ["the next flush", "the next start"])
async def test_a_server_that_a_killed_process_left_forced_is_set_back(valkey: Valkey, own: Redis, by: str) -> None:
    server = await ask_server(own)
    dying = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, valkey.url, cwd=ROOT)
    assert await dying.wait() == -signal.SIGKILL
    assert await setting(own) == "always"
    since = time.monotonic()
    if by == "the next flush":
        done: list[str] = []
        await Flusher(own, server).flush(lambda: write(own, done))
        assert done == ["always"]
    else:
        assert await ask_server(own) == server
    assert time.monotonic() - since < LOCKED_MS / 1_000 + 1, "the dead one's lock is waited for"
    assert await setting(own) == "everysec"
    assert await own.keys("fc:*") == []


async def test_a_server_that_its_operator_runs_with_always_is_never_touched(valkey: Valkey) -> None:
    valkey.settings["appendfsync"] = "always"
    await asyncio.to_thread(valkey.restart)
    async with Redis.from_url(valkey.url) as redis:
        await redis.set("fc:everysec", "an earlier run of the server")
        await check_redis(valkey.url)
        assert await flush(redis) == ["always"]
        assert await setting(redis) == "always"
        commands = await redis.info("commandstats")
        assert commands["cmdstat_config|set"]["calls"] == 2, "each start tried it, with another setting"
        assert "cmdstat_waitaof" not in commands or commands["cmdstat_waitaof"]["calls"] == 2


async def test_an_operator_may_change_the_setting_at_any_time(own: Redis) -> None:
    flusher = Flusher(own, await ask_server(own))
    for chosen in ("always", "everysec", "always"):
        await own.config_set("appendfsync", chosen)
        done: list[str] = []
        await flusher.flush(lambda done=done: write(own, done))  # type: ignore[misc]
        assert done[-1] == "always"
        assert await setting(own) == chosen


async def test_no_flush_counts_while_the_file_is_rewritten(own: Redis) -> None:
    for number in range(5):
        await own.set(f"key {number}", "1")
    await own.config_set("rdb-key-save-delay", 100_000)
    await own.bgrewriteaof()  # type: ignore[no-untyped-call]
    assert (await own.info("persistence"))["aof_rewrite_in_progress"]
    await flush(own)
    assert not (await own.info("persistence"))["aof_rewrite_in_progress"]


async def test_a_server_that_was_started_anew_in_between_is_forced_again(valkey: Valkey, own: Redis) -> None:
    done: list[str] = []

    async def interrupted() -> None:
        await write(own, done)
        if len(done) == 1:
            await asyncio.to_thread(valkey.kill)
            await asyncio.to_thread(valkey.start)

    await Flusher(own, await ask_server(own)).flush(interrupted)
    assert done == ["always", "always"]
    assert await setting(own) == "everysec"
    assert await own.keys("fc:*") == []


async def test_a_mark_of_an_earlier_run_means_nothing(valkey: Valkey, own: Redis) -> None:
    dying = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, valkey.url, cwd=ROOT)
    await dying.wait()
    await wait_until(lambda: own.exists("fc:everysec"))
    valkey.settings["appendfsync"] = "always"
    await asyncio.to_thread(valkey.restart)
    assert (await ask_server(own)).appendfsync == "always"
    assert await setting(own) == "always"


async def test_without_config_a_server_that_answers_too_early_is_refused(valkey: Valkey, own: Redis) -> None:
    await allow(own, "-config")
    with pytest.raises(StartupRefused, match="appendfsync always"):
        await check_redis(valkey.url)


async def test_without_config_a_server_that_answers_after_its_flush_is_waited_for(valkey: Valkey, own: Redis) -> None:
    await allow(own, "-config")
    async with proxied(valkey.url) as proxy:
        proxy.delay_s = lambda link: 0.6 if b"WAITAOF" in link.asked else 0.0
        await check_redis(proxy.url)
        async with Redis.from_url(proxy.url, single_connection_client=True) as redis:
            server = await ask_server(redis)
            assert server == Server("unknown", settable=False, waitaof=True)
            since = time.monotonic()
            await Flusher(redis, server).flush(lambda: redis.set("written", "1"))
            assert time.monotonic() - since > 0.5


async def test_where_only_reading_the_setting_is_allowed_always_is_believed(valkey: Valkey, own: Redis) -> None:
    await allow(own, "-config", "+config|get")
    with pytest.raises(StartupRefused, match="appendfsync always"):
        await check_redis(valkey.url)
    await allow(own, "+config|set")
    await own.config_set("appendfsync", "always")
    await allow(own, "-config|set")
    await check_redis(valkey.url)
    assert await flush(own) == ["always"]


async def test_a_server_that_never_flushes_is_refused(valkey: Valkey, own: Redis) -> None:
    await own.config_set("appendfsync", "no")
    with pytest.raises(StartupRefused, match="appendfsync no"):
        await check_redis(valkey.url)
