"""The application in this process, over real servers, and people whom a trusted proxy vouches for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from api.app import Api, create_app
from engine.accounts.tokens import new_token_key
from engine.config import Config
from tests.api.conftest import running
from tests.people.company import Company, gathered
from tests.processes import Processes, started

ADDRESS = ("127.0.0.1", 50_000)
BASE = "http://firstcome/api/v1"


@pytest.fixture(scope="session")
def token_key() -> str:
    """A key that signs access tokens, in PEM: the application asks for one, though nobody logs in here."""
    return new_token_key()


@pytest.fixture
def config(database_url: str, token_key: str) -> Config:
    return Config(
        database_url=database_url,
        booking_mode="direct",
        direct_pool_size=6,
        read_pool_size=6,
        auth_mode="trusted-header",
        trusted_proxies="127.0.0.1",
        rate_limits="off",
        token_key=token_key,
    )


@pytest.fixture
async def app(config: Config) -> AsyncIterator[Api]:
    made = create_app(config)
    async with running(made):
        yield made


@pytest.fixture
async def company(app: Api, database_url: str) -> AsyncIterator[Company]:
    """People at the application, from an address that it trusts."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=ADDRESS)
    async with gathered(database_url, httpx.AsyncClient(transport=transport, base_url=BASE)) as company:
        yield company


@pytest.fixture
def processes(tmp_path: Path, database_url: str, redis_url: str, token_key: str) -> Iterator[Processes]:
    """Workers and API processes in queue mode, ended at the test's end."""
    yield from started(
        tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        AUTH_MODE="trusted-header",
        FIRSTCOME_TRUSTED_PROXIES="127.0.0.1",
        FIRSTCOME_RATE_LIMITS="off",
        FIRSTCOME_TOKEN_KEY=token_key,
    )
