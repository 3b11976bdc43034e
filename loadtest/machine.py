"""What was measured on: the machine, the servers, the libraries."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import asyncpg
import msgspec
from redis import Redis

from loadtest.ground import Servers, ask

LIBRARIES = ("uvicorn", "litestar", "uvloop", "asyncpg", "arq", "redis", "msgspec")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The ground, in words."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    file_system: str
    python: str
    postgresql: str
    redis: str
    libraries: dict[str, str]
    servers: str
    durability: str

    def told(self) -> list[tuple[str, str]]:
        """Its lines."""
        return [
            ("machine", f"{self.processor}, {self.cores} cores, {self.memory_gb} GB, {self.system}"),
            ("servers", f"{self.servers}: PostgreSQL {self.postgresql}, {self.redis}, data on {self.file_system}"),
            ("durability", self.durability),
            ("Python", ", ".join([self.python, *(f"{name} {number}" for name, number in self.libraries.items())])),
        ]


def describe(servers: Servers) -> Machine:
    """Look at what there is. A Redis whose address is empty is not asked."""
    redis, file = _redis(servers.redis_url) if servers.redis_url else ("Redis of theirs", "theirs")
    postgresql = ask(servers.database_url, _postgresql)
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        system=f"{platform.system()} {platform.release()}",
        file_system=_file_system(servers.stack.data) if servers.stack else "what is theirs",
        python=platform.python_version(),
        postgresql=postgresql["server_version"].split()[0],
        redis=redis,
        libraries={name: version(name) for name in LIBRARIES},
        servers="embedded" if servers.stack else "named by DATABASE_URL",
        durability=f"fsync {postgresql['fsync']}, synchronous_commit {postgresql['synchronous_commit']}, "
        f"replicas that stream: {postgresql['streaming']}, append-only file {file}",
    )


def _redis(url: str) -> tuple[str, str]:
    """Its name with its version, and whether it keeps a file."""
    with Redis.from_url(url) as client:
        told, kept = client.info("server"), client.info("persistence")
    name = "Valkey" if "valkey_version" in told else "Redis"
    return f"{name} {told.get('valkey_version', told['redis_version'])}", "on" if kept["aof_enabled"] else "off"


async def _postgresql(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, str]:
    """Settings on which a figure hangs, and how many replicas stream at this moment."""
    names = ("server_version", "fsync", "synchronous_commit")
    settings = {name: str(await connection.fetchval("SELECT current_setting($1)", name)) for name in names}
    streaming = await connection.fetchval("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
    return {**settings, "streaming": str(streaming)}


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system(folder: Path) -> str:
    """The kind of the file system that the folder is on; whether a flush costs anything hangs on it."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    on = [fields for fields in mounts if folder.resolve().is_relative_to(fields[1])]
    return max(on, key=lambda fields: len(fields[1]))[2] if on else "an unknown file system"
