"""The application as it stands by default: everyone signs in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import Api, create_app
from engine.accounts.tokens import new_token_key
from engine.config import Config
from tests.api.conftest import client_of, running


@pytest.fixture(scope="session")
def token_key() -> str:
    return new_token_key()


@pytest.fixture
def config(database_url: str, token_key: str) -> Config:
    return Config(
        database_url=database_url, booking_mode="direct", token_key=token_key, direct_pool_size=4, read_pool_size=4
    )


@pytest.fixture
async def app(config: Config) -> AsyncIterator[Api]:
    made = create_app(config)
    async with running(made):
        yield made


@pytest.fixture
async def client(app: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


@pytest.fixture
async def other_client(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another API process of the same installation."""
    other = create_app(config)
    async with running(other), client_of(other) as made:
        yield made
