"""The application in this process, over real servers, and people whom a trusted proxy vouches for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from api.app import Api
from engine.config import Config
from tests.people.company import Company, gathered, trusting
from tests.processes import Processes, started

ADDRESS = ("127.0.0.1", 50_000)
BASE = "http://firstcome/api/v1"


@pytest.fixture
def config(database_url: str, token_key: str) -> Config:
    return trusting(database_url, token_key)


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
