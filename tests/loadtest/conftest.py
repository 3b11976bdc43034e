"""Servers that the benchmark did not start."""

from __future__ import annotations

import pytest

from engine.embedded import Stack


@pytest.fixture
def servers_of_others(stack: Stack, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The run's servers, named as those of others are. Returns the address of the primary."""
    monkeypatch.setenv("DATABASE_URL", stack.database_url)
    monkeypatch.setenv("REPLICA_URL", stack.replica_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return stack.database_url
