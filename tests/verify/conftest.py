"""A history of series, written once and copied for each test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from engine.embedded import Stack
from tests.conftest import execute
from tests.verify.history import History
from tests.verify.series_history import write_series_history

STORY = "series_story"


@pytest.fixture(scope="session")
def written(stack: Stack, template: str) -> History:
    """The history, in a database that nobody is connected to any more."""

    async def write() -> History:
        await execute(stack.database_url, f"CREATE DATABASE {STORY} TEMPLATE {template}")
        connection = await asyncpg.connect(stack.primary.database_url(STORY))
        try:
            return await write_series_history(connection)
        finally:
            await connection.close()

    return asyncio.run(write())


@pytest.fixture
async def story(stack: Stack, written: History) -> AsyncIterator[History]:
    """The history in a database of the test's own."""
    name = f"test_{secrets.token_hex(6)}"
    await execute(stack.database_url, f"CREATE DATABASE {name} TEMPLATE {STORY}")
    connection = await asyncpg.connect(stack.primary.database_url(name))
    yield replace(written, connection=connection)
    await connection.close()
    await execute(stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")
