"""PostgreSQL. Every function takes the caller's connection; the SQL is in ``sql/``, one statement per file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_SQL = Path(__file__).parent / "sql"


@cache
def sql(name: str) -> str:
    """The statement in ``sql/<name>.sql``."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")
