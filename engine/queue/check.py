"""Does Redis keep what a queue must keep? Asked once, at start."""

from __future__ import annotations

import asyncio
import logging

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError

from engine.errors import StartupRefused
from engine.queue.client import TROUBLE, open_client
from engine.queue.flushing import ALWAYS, EVERYSEC, UNKNOWN, ask_server, is_honest

OLDEST = (7, 0)
LOADING_S = 10.0
"""A server that says that it is loading its file is waited for this long."""
LOADING_PAUSE_S = 0.1

logger = logging.getLogger(__name__)


async def check_redis(url: str) -> None:
    """Ask as soon as the server, which may be loading its file, answers.

    Raises StartupRefused where a setting of the server breaks a guarantee, or it does not answer.
    """
    client = open_client(url)
    try:
        await _once_loaded(client)
        await _check(client)
    except TROUBLE as error:
        raise StartupRefused(f"Redis at REDIS_URL cannot be asked: {str(error).rstrip('.')}.") from error
    finally:
        await client.aclose()


async def _once_loaded(client: Redis) -> None:
    """Wait, for LOADING_S at most, while the server loads its file: it takes connections then, and no commands."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOADING_S
    told = False
    while True:
        try:
            await client.ping()
        except BusyLoadingError:
            if loop.time() > deadline:
                raise
        else:
            return
        if not told:
            logger.warning("Redis is loading its file and is waited for", extra={"within_s": LOADING_S})
            told = True
        await asyncio.sleep(LOADING_PAUSE_S)


async def _check(client: Redis) -> None:
    server = await client.info("server")
    version = str(server.get("valkey_version", server["redis_version"]))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise StartupRefused(f"Redis is version {version}; it must be 7.0 or later, or Valkey.")
    policy = (await client.info("memory"))["maxmemory_policy"]
    if policy != "noeviction":
        raise StartupRefused(
            f"Redis runs with maxmemory-policy {policy}; it must be noeviction: it would throw tickets away."
        )
    if not (await client.info("persistence"))["aof_enabled"]:
        raise StartupRefused("Redis runs with appendonly no; it must be yes: a restart would lose accepted commands.")
    await _check_flushing(client, version)


async def _check_flushing(client: Redis, version: str) -> None:
    """Raise StartupRefused where nothing can make sure that the queue is on disk."""
    server = await ask_server(client)
    if server.appendfsync == ALWAYS:
        return
    if server.appendfsync not in {EVERYSEC, UNKNOWN}:
        raise StartupRefused(f"Redis runs with appendfsync {server.appendfsync}; it must be everysec or always.")
    if server.settable:
        return
    if not server.waitaof or not await is_honest(client):
        raise StartupRefused(
            f"Redis {version} does not tell when it has flushed, and its user may not set it; let it run with "
            "appendfsync always and allow CONFIG GET, or allow CONFIG SET as well, "
            "or an accepted command could be lost in a power cut."
        )
