"""Real servers for the tests: one stack for the run, a fresh database and a fresh Redis for each test."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from engine.embedded import Stack, Valkey, start
from engine.embedded.binaries import redis_server
from tests.support import wait_until

TEMPLATE = "migrated"
REDIS_NUMBERS = 63
"""Logical databases that tests use in rotation; number 0 is left alone."""


def temporary_folder() -> Path:
    """A short path, as nobody looks into it after the run."""
    return Path(tempfile.mkdtemp(prefix="firstcome-"))


async def migrate(database_url: str) -> None:
    """Bring a database to the present schema."""
    from migrations.runner import up  # noqa: PLC0415  # a run that needs no schema must not need migrations

    await up(database_url)


async def execute(database_url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The servers of this run: primary, streaming replica, Valkey. Not to be killed; see ``own_stack``."""
    stack = start(temporary_folder(), ephemeral=True)
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def template(stack: Stack) -> str:
    """Name of a migrated, empty database, from which the others are copied."""
    asyncio.run(execute(stack.database_url, f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(migrate(stack.primary.database_url(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
async def database_url(stack: Stack, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own, on the primary."""
    name = f"test_{secrets.token_hex(6)}"
    await execute(stack.database_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield stack.primary.database_url(name)
    await execute(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection to the test's database on the primary."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def replica_url(stack: Stack, database_url: str) -> str:
    """The test's database on the replica, where it has arrived."""
    url = stack.replica.database_url(database_url.rpartition("/")[2])

    async def connects() -> bool:
        try:
            connection = await asyncpg.connect(url)
        except (asyncpg.PostgresError, OSError):
            return False
        await connection.close()
        return True

    await wait_until(connects)
    return url


@pytest.fixture(scope="session")
def redis_numbers() -> Iterator[int]:
    """Numbers of logical databases, in rotation."""
    return (1 + turn % REDIS_NUMBERS for turn in count())


@pytest.fixture
def redis_url(stack: Stack, redis_numbers: Iterator[int]) -> Iterator[str]:
    """An empty logical database of the run's Valkey. Channels are not divided by it: keys are."""
    url = stack.valkey.database_url(next(redis_numbers))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of the test's own, which it may kill, stop, empty and start again on the same port."""
    with tempfile.TemporaryDirectory(prefix="firstcome-") as folder:
        data = Path(folder)
        server = Valkey(data / "valkey", program=redis_server(), password=secrets.token_hex(8), log=data / "valkey.log")
        server.start()
        yield server
        if server.alive:
            server.kill()


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A stack of the test's own, migrated, whose servers it may kill and restart."""
    stack = start(temporary_folder(), ephemeral=True)
    try:
        asyncio.run(migrate(stack.database_url))
        yield stack
    finally:
        stack.stop()
