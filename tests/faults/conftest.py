"""Processes on the servers of the run, or on a Redis of the test's own that it may kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.embedded import Valkey
from tests.processes import Processes, started


@pytest.fixture
def processes(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Processes]:
    """Workers and API processes on the run's servers, ended at the test's end."""
    yield from started(tmp_path, database_url=database_url, redis_url=redis_url)


@pytest.fixture
def own_processes(tmp_path: Path, database_url: str, valkey: Valkey) -> Iterator[Processes]:
    """The same on the test's own Redis."""
    yield from started(tmp_path, database_url=database_url, redis_url=valkey.url)
