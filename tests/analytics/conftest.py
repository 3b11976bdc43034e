"""An installation with a replica, its people, and what answers questions about it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from api.app import ROOT, Api
from engine.config import Config
from engine.reader import Reader
from engine.store.pools import DECIDING, Pool, open_pool
from tests.application import client_of
from tests.people.company import Company, trusting
from tests.schema.rows import Connection


@pytest.fixture
def config(database_url: str, replica_url: str, token_key: str) -> Config:
    settings = trusting(database_url, token_key)
    return msgspec.structs.replace(settings, replica_url=replica_url, replica_lag_bound_ms=60_000)


@pytest.fixture
async def company(app: Api, database_url: str, database: Connection) -> AsyncIterator[Company]:
    """People at the application; every answer is held against the description of the interface."""
    async with client_of(app) as client:
        client.base_url = httpx.URL(f"http://firstcome{ROOT}")
        yield Company(database_url, database, client)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections like those of a worker."""
    opened = await open_pool(database_url, size=4, name="test", settings=DECIDING)
    yield opened
    opened.terminate()


@pytest.fixture
def reader(pool: Pool, database_url: str) -> Reader:
    """Reads from the primary, as there is no replica."""
    return Reader(pool, Config(database_url=database_url, booking_mode="direct"))
