"""Processes on the servers of the run, or on a Redis of the test's own that it may kill; and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.embedded import Stack
from tests.faults.matrix import Recoveries
from tests.processes import Processes, started

RECOVERIES = pytest.StashKey[Recoveries]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell how soon everything went on."""
    lines = list(config.stash.get(RECOVERIES, Recoveries()).lines())
    if lines:
        terminalreporter.section("recovery")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def recoveries(request: pytest.FixtureRequest) -> Recoveries:
    """Where measured spans go."""
    return request.config.stash.setdefault(RECOVERIES, Recoveries())


@pytest.fixture
def stack_processes(tmp_path: Path, own_stack: Stack) -> Iterator[Processes]:
    """Workers and API processes on servers that are all the test's own."""
    yield from started(tmp_path, database_url=own_stack.database_url, redis_url=own_stack.redis_url)
