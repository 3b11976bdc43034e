"""A process that would break a promise refuses to start, with one sentence that names the setting."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from engine.embedded import Stack, Valkey
from tests.processes import Child, Processes, started
from tests.schema.rows import Connection
from tests.support import wait_until

REFUSED = 2


async def refusals(processes: Processes, **more: str) -> list[str]:
    """What a worker and an API process say instead of starting, one sentence each."""
    children: list[Child] = [processes.start_worker(**more), processes.start_api(**more)]
    said = []
    for child in children:
        await wait_until(lambda child=child: child.ended, 30)  # type: ignore[misc]
        assert child.process.returncode == REFUSED, child.log.read_text()
        text = child.log.read_text()
        assert "Traceback" not in text
        said.append(text)
    return said


@pytest.mark.parametrize(("setting", "value"), [("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")])
async def test_a_redis_that_would_lose_tickets_is_refused(
    own_processes: Processes, valkey: Valkey, setting: str, value: str
) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.config_set(setting, value)
    for said in await refusals(own_processes):
        assert f"{setting} {value}" in said


async def test_a_redis_that_does_not_answer_is_refused(own_processes: Processes, valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.kill)
    for said in await refusals(own_processes):
        assert "REDIS_URL" in said


async def test_a_process_of_the_other_mode_refuses_to_start(own_processes: Processes, database: Connection) -> None:
    await own_processes.worker()
    assert await database.fetchval("SELECT booking_mode FROM installation") == "queue"
    direct = own_processes.start_api(BOOKING_MODE="direct")
    await wait_until(lambda: direct.ended, 30)
    assert direct.process.returncode == REFUSED
    assert "BOOKING_MODE is 'direct', but this installation runs in mode 'queue'" in direct.log.read_text()


async def test_a_queue_process_refuses_an_installation_in_direct_mode(
    own_processes: Processes, database: Connection
) -> None:
    await own_processes.api(BOOKING_MODE="direct")
    assert await database.fetchval("SELECT booking_mode FROM installation") == "direct"
    for said in await refusals(own_processes):
        assert "BOOKING_MODE is 'queue', but this installation runs in mode 'direct'" in said


async def test_a_database_of_an_older_release_is_refused(own_processes: Processes, database: Connection) -> None:
    await database.execute("DELETE FROM schema_migration WHERE name = (SELECT max(name) FROM schema_migration)")
    for said in await refusals(own_processes):
        assert said.endswith("is not migrated: run firstcome migrate up.\n"), said


async def test_a_database_of_a_later_release_is_served(own_processes: Processes, database: Connection) -> None:
    await database.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_later', 'x')")
    await own_processes.worker()


async def test_failpoints_are_refused_in_production(own_processes: Processes) -> None:
    for said in await refusals(own_processes, FIRSTCOME_FAILPOINTS="W1=kill", FIRSTCOME_ENVIRONMENT="production"):
        assert "FIRSTCOME_FAILPOINTS" in said


async def test_a_postgresql_that_would_lose_bookings_is_refused(own_stack: Stack, tmp_path: Path) -> None:
    settings = [("synchronous_commit", "off"), ("full_page_writes", "off"), ("fsync", "off")]
    urls = {"database_url": own_stack.database_url, "redis_url": own_stack.redis_url}
    with contextmanager(started)(tmp_path, **urls) as processes:
        for name, value in settings:
            await alter(own_stack, f"ALTER SYSTEM SET {name} = {value}")
            for said in await refusals(processes):
                assert f"{name}={value}" in said
            await alter(own_stack, f"ALTER SYSTEM RESET {name}")
        for said in await refusals(processes, DATABASE_URL=own_stack.replica_url):
            assert "DATABASE_URL" in said
        await processes.worker()


async def alter(stack: Stack, statement: str) -> None:
    """Change a setting of the primary, and have it read."""
    connection = await asyncpg.connect(stack.database_url)
    try:
        before = await connection.fetchval("SELECT pg_conf_load_time()")
        await connection.execute(statement)
        await connection.execute("SELECT pg_reload_conf()")

        async def is_read() -> bool:
            other = await asyncpg.connect(stack.database_url)
            try:
                return bool(await other.fetchval("SELECT pg_conf_load_time() > $1", before))
            finally:
                await other.close()

        await wait_until(is_read)
    finally:
        await connection.close()
