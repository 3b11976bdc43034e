"""Redis losing its memory, or coming back with an older one."""

from __future__ import annotations

import shutil
from pathlib import Path

from redis.asyncio import Redis

from engine.embedded import Valkey


async def copy_memory(valkey: Valkey) -> Path:
    """Copy what the server has written to its append-only file up to now, while it runs."""
    async with Redis.from_url(valkey.url) as redis:
        await redis.set("mark", "1")
        on_disk, _ = await redis.execute_command("WAITAOF", 1, 0, 5_000)
    assert on_disk == 1
    copy = valkey.data.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(valkey.data, copy)
    return copy


def put_back(valkey: Valkey, copy: Path) -> None:
    """Let the server crash, and come back as it was when the copy was made."""
    valkey.kill()
    shutil.rmtree(valkey.data)
    shutil.copytree(copy, valkey.data)
    valkey.start()


def lose(valkey: Valkey) -> None:
    """Let the server crash, and come back knowing nothing."""
    valkey.kill()
    valkey.empty()
    valkey.start()
