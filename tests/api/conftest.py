"""How the application is set in these tests: over a real database, deciding in direct mode, open to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import Config
from engine.signing import make_signing_key


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    key = tmp_path / "ledger-key.pem"
    make_signing_key(key)
    return Config(
        database_url=database_url,
        booking_mode="direct",
        auth_mode="open",
        direct_pool_size=4,
        read_pool_size=4,
        ledger_key_file=str(key),
    )
