"""Which database a command is about, and a connection to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from cli.urls import read_urls
from engine.errors import StartupRefused
from engine.store.startup import told_in_a_sentence

CONNECT_WITHIN_S = 5.0


def database_url(data: Path) -> str:
    """DATABASE_URL, or the database of the ``firstcome up`` that runs on ``data``.

    Raises StartupRefused where there is neither.
    """
    named = os.environ.get("DATABASE_URL") or read_urls(data).get("DATABASE_URL")
    if not named:
        raise StartupRefused(
            f"DATABASE_URL is not set, and no firstcome up runs on {data.resolve()}: start one, "
            "or name its folder with --data."
        )
    return named


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to the database. Raises StartupRefused where it cannot be reached."""
    with told_in_a_sentence(url):
        connection = await asyncpg.connect(url, timeout=CONNECT_WITHIN_S)
    try:
        yield connection
    finally:
        await connection.close()
