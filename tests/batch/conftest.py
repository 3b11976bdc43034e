"""What tests of batches decide for, and how thoroughly properties are tried."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.schema.rows import Connection, add_resource
from tests.series import Deciding

PROFILE = "thorough"
"""Chosen by ``--hypothesis-profile``, so not by where the tests run."""

settings.register_profile(PROFILE, print_blob=True, database=None)


@pytest.fixture
async def room(database: Connection) -> Deciding:
    """A resource with one place."""
    return Deciding(database, await add_resource(database, capacity=1))
