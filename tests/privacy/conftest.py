"""The application in this process, over a real database; and processes in queue mode, from an address of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from api.app import Api
from engine.config import Config
from tests.accounts.people import Somebody
from tests.application import client_of
from tests.privacy.traces import ADDRESS, zephyrine
from tests.processes import Processes, started


@pytest.fixture
def config(database_url: str, token_key: str) -> Config:
    return Config(
        database_url=database_url,
        booking_mode="direct",
        token_key=token_key,
        rate_limits="off",
        direct_pool_size=4,
        read_pool_size=4,
    )


@pytest.fixture
async def her(app: Api) -> AsyncIterator[Somebody]:
    """The person of these tests, at an address of her own."""
    async with client_of(app, ADDRESS) as made:
        yield await zephyrine(made)


@pytest.fixture
def processes(tmp_path: Path, database_url: str, redis_url: str, token_key: str) -> Iterator[Processes]:
    """Workers and API processes in queue mode, ended at the test's end. They believe who says where they come from."""
    yield from started(
        tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        FIRSTCOME_TRUSTED_PROXIES="127.0.0.1",
        FIRSTCOME_MAX_ACTIVE_BOOKINGS="0",
        FIRSTCOME_MAX_BOOKINGS_WITH_HOST="0",
        FIRSTCOME_BOOKING_RATE="off",
        FIRSTCOME_LOG_LEVEL="debug",
        FIRSTCOME_TOKEN_KEY=token_key,
    )
