"""Histories of series and of slots, written once and copied for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from engine.embedded import Stack
from tests.conftest import copied, execute
from tests.connections import connected
from tests.verify.history import Connection, History
from tests.verify.series_history import write_series_history
from tests.verify.slot_history import write_slot_history

STORY = "series_story"
SLOT_STORY = "slot_story"


def write_once(stack: Stack, template: str, name: str, writing: Callable[[Connection], Awaitable[History]]) -> History:
    """Write a history into a database that nobody is connected to any more then."""

    async def write() -> History:
        await execute(stack.database_url, f"CREATE DATABASE {name} TEMPLATE {template}")
        async with connected(stack.primary.database_url(name)) as connection:
            return await writing(connection)

    return asyncio.run(write())


@asynccontextmanager
async def retold(stack: Stack, written: History, template: str) -> AsyncIterator[History]:
    """A history in a database of the test's own."""
    async with copied(stack.database_url, template) as url, connected(url) as connection:
        yield replace(written, connection=connection)


@pytest.fixture(scope="session")
def written(stack: Stack, template: str) -> History:
    """The history of series."""
    return write_once(stack, template, STORY, write_series_history)


@pytest.fixture(scope="session")
def slots_written(stack: Stack, template: str) -> History:
    """The history of slots."""
    return write_once(stack, template, SLOT_STORY, write_slot_history)


@pytest.fixture
async def story(stack: Stack, written: History) -> AsyncIterator[History]:
    """The history of series in a database of the test's own."""
    async with retold(stack, written, STORY) as history:
        yield history


@pytest.fixture
async def slot_story(stack: Stack, slots_written: History) -> AsyncIterator[History]:
    """The history of slots in a database of the test's own."""
    async with retold(stack, slots_written, SLOT_STORY) as history:
        yield history
