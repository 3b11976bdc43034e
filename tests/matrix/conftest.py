"""The application as it stands by default, without the limits that other tests are about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from engine.config import Config
from engine.signing import make_signing_key
from tests.matrix.world import World
from tests.processes import Processes, started
from tests.schema.rows import Connection


@pytest.fixture
def config(database_url: str, token_key: str, tmp_path: Path) -> Config:
    key = tmp_path / "ledger-key.pem"
    make_signing_key(key)
    return Config(
        database_url=database_url,
        booking_mode="direct",
        direct_pool_size=4,
        read_pool_size=4,
        token_key=token_key,
        ledger_key_file=str(key),
        rate_limits="off",
        max_active_bookings=0,
        max_bookings_with_host=0,
    )


@pytest.fixture
async def world(client: httpx.AsyncClient, database: Connection) -> World:
    return await World.made(client, database)


@pytest.fixture
def processes(tmp_path: Path, database_url: str, token_key: str, config: Config) -> Iterator[Processes]:
    """API processes in direct mode, ended at the test's end."""
    assert config.ledger_key_file is not None
    yield from started(
        tmp_path,
        database_url=database_url,
        redis_url=None,
        BOOKING_MODE="direct",
        AUTH_MODE="required",
        FIRSTCOME_TOKEN_KEY=token_key,
        FIRSTCOME_LEDGER_KEY_FILE=config.ledger_key_file,
        FIRSTCOME_RATE_LIMITS="off",
        FIRSTCOME_MAX_ACTIVE_BOOKINGS="0",
        FIRSTCOME_MAX_BOOKINGS_WITH_HOST="0",
    )
