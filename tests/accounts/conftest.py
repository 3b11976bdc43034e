"""The application as it stands by default: everyone signs in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from api.app import create_app
from engine.config import Config
from tests.application import client_of, running


@pytest.fixture
def config(database_url: str, token_key: str) -> Config:
    return Config(
        database_url=database_url, booking_mode="direct", token_key=token_key, direct_pool_size=4, read_pool_size=4
    )


@pytest.fixture
async def other_client(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another API process of the same installation."""
    other = create_app(config)
    async with running(other), client_of(other) as made:
        yield made
