"""An installation with a replica, its people, and what answers questions about it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import ROOT, Api, create_app
from engine.accounts.tokens import new_token_key
from engine.config import Config
from engine.reader import Reader
from engine.store.pools import DECIDING, Pool, open_pool
from tests.api.conftest import client_of, running
from tests.people.company import Company
from tests.schema.rows import Connection


@pytest.fixture
def config(database_url: str, replica_url: str) -> Config:
    return Config(
        database_url=database_url,
        replica_url=replica_url,
        replica_lag_bound_ms=60_000,
        booking_mode="direct",
        direct_pool_size=4,
        read_pool_size=4,
        auth_mode="trusted-header",
        trusted_proxies="127.0.0.1",
        rate_limits="off",
        token_key=new_token_key(),
    )


@pytest.fixture
async def app(config: Config) -> AsyncIterator[Api]:
    made = create_app(config)
    async with running(made):
        yield made


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
