"""How thoroughly properties of batches are tried."""

from __future__ import annotations

from hypothesis import settings

PROFILE = "thorough"
"""Chosen by ``--hypothesis-profile``, so not by where the tests run."""

settings.register_profile(PROFILE, print_blob=True, database=None)
