"""A real PostgreSQL pair and a Redis-compatible server for one machine, with nothing to install or configure.

Every server is a process of its own that ends when its owner ends, however that comes: see ``launch.py``.
"""

from __future__ import annotations

from engine.embedded.postgres import Postgres
from engine.embedded.stack import Stack, start
from engine.embedded.valkey import Valkey

__all__ = ["Postgres", "Stack", "Valkey", "start"]
