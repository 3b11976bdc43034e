"""Processes on the servers of the run, with a database and a Redis of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Processes, started


@pytest.fixture
def processes(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Processes]:
    """Workers and API processes, ended at the test's end."""
    yield from started(tmp_path, database_url=database_url, redis_url=redis_url)
