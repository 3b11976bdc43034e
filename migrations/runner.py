"""Brings a database to the schema of this release, and back: one numbered file after another.

A file holds what to apply and how to take it back, under the two marks below. Each runs in a transaction
of its own, together with the row in ``schema_migration`` that says so: a crash leaves a whole number of
migrations. An advisory lock lets one runner act at a time, so any number may start at once. The hash of
a file is kept: a file that changed after it was applied stops everything, because nobody could say then
what schema a database has.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg

FILES = Path(__file__).parent
APPLY = "-- migrate: apply\n"
ROLLBACK = "-- migrate: rollback\n"
ADVISORY_LOCK = 0x66_63_6D_69_67
"""Any number, the same for every runner: ``fcmig`` in ASCII."""
LOCK_TIMEOUT = "10s"
"""A change that waits longer for a busy table gives up, so that nobody queues behind it for longer."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class MigrationError(Exception):
    """Files and database do not fit together. The message is one sentence that names the migration."""


@dataclass(frozen=True)
class Migration:
    """A migration and when this database got it, None if it did not."""

    name: str
    applied_at: datetime | None


@dataclass(frozen=True)
class _File:
    name: str
    sha256: str
    apply: str
    rollback: str


async def up(database_url: str, *, files: Path = FILES) -> list[str]:
    """Apply what this database does not have yet, in order. Returns the names of what was applied.

    Migrations of a later release are left alone, so that an older one can still start beside it.
    Raises MigrationError where an applied file was edited, or a new one sorts before an applied one.
    """
    applied_now = []
    async with _connected(database_url) as connection:
        for file in _read(files):
            async with _locked(connection):
                applied = await _applied(connection)
                if file.name in applied:
                    _check_unchanged(file, applied)
                    continue
                if later := [name for name in applied if name > file.name]:
                    raise MigrationError(f"{file.name} is new but sorts before {max(later)}, which is applied.")
                await connection.execute(file.apply)
                await connection.execute(
                    "INSERT INTO public.schema_migration (name, sha256) VALUES ($1, $2)",
                    file.name,
                    file.sha256,
                )
            applied_now.append(file.name)
    return applied_now


async def down(database_url: str, steps: int = 1, *, files: Path = FILES) -> list[str]:
    """Take back the last ``steps`` migrations, the newest first. Returns the names of what was taken back.

    Raises MigrationError where the newest was edited since, or is not among the files of this release.
    """
    known = {file.name: file for file in _read(files)}
    taken_back: list[str] = []
    async with _connected(database_url) as connection:
        while len(taken_back) < steps:
            async with _locked(connection):
                applied = await _applied(connection)
                if not applied:
                    break
                newest = max(applied)
                if newest not in known:
                    raise MigrationError(f"{newest} is applied, but its file is not in this release.")
                _check_unchanged(known[newest], applied)
                await connection.execute(known[newest].rollback)
                await connection.execute("DELETE FROM public.schema_migration WHERE name = $1", newest)
            taken_back.append(newest)
    return taken_back


async def status(database_url: str, *, files: Path = FILES) -> list[Migration]:
    """List every migration, those of the files and those of the database, in order. Changes nothing."""
    async with _connected(database_url) as connection:
        exists = await connection.fetchval("SELECT to_regclass('public.schema_migration') IS NOT NULL")
        applied = await _rows(connection) if exists else {}
    names = sorted({file.name for file in _read(files)} | set(applied))
    return [Migration(name, applied[name]["applied_at"] if name in applied else None) for name in names]


def _read(files: Path) -> list[_File]:
    return [_parse(path) for path in sorted(files.glob("[0-9][0-9][0-9][0-9]_*.sql"))]


def _parse(path: Path) -> _File:
    text = path.read_text(encoding="utf-8")
    if text.count(APPLY) != 1 or text.count(ROLLBACK) != 1 or text.index(APPLY) > text.index(ROLLBACK):
        raise MigrationError(f"{path.name} needs the lines {APPLY.strip()!r} and {ROLLBACK.strip()!r}, in order.")
    _, _, sections = text.partition(APPLY)
    apply, _, rollback = sections.partition(ROLLBACK)
    return _File(path.stem, hashlib.sha256(text.encode()).hexdigest(), apply, rollback)


def _check_unchanged(file: _File, applied: dict[str, asyncpg.Record]) -> None:
    if applied[file.name]["sha256"] != file.sha256:
        raise MigrationError(f"{file.name} was edited after it was applied; a change needs a new migration.")


async def _applied(connection: Connection) -> dict[str, asyncpg.Record]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS public.schema_migration"
        " (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    return await _rows(connection)


async def _rows(connection: Connection) -> dict[str, asyncpg.Record]:
    rows = await connection.fetch("SELECT name, sha256, applied_at FROM public.schema_migration")
    return {row["name"]: row for row in rows}


@asynccontextmanager
async def _locked(connection: Connection) -> AsyncIterator[None]:
    """Open a transaction that one runner at a time can be in."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", ADVISORY_LOCK)
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        yield


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[Connection]:
    settings = {
        "application_name": "firstcome migrate",
        "search_path": "public",
        "client_min_messages": "warning",
    }
    connection = await asyncpg.connect(database_url, timeout=10.0, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close(timeout=5.0)
