"""People, their sessions and their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from engine.store import sql
from engine.store.pools import Connection
from engine.store.slots import lock_people

EndReason = Literal["logged_out", "reused", "erased"]
"""Why a session ended before its time."""


@dataclass(slots=True, frozen=True)
class Person:
    """Somebody. ``email`` is as they wrote it."""

    person: UUID
    email: str
    name: str
    time_zone: str
    roles: tuple[str, ...]
    created_at: datetime


@dataclass(slots=True, frozen=True)
class Account:
    """What a log-in is compared with. Without a hash nobody can log in."""

    person: UUID
    password_hash: str | None


@dataclass(slots=True, frozen=True)
class Signed:
    """Whose a session is. ``at`` is the database's clock."""

    person: UUID
    session: UUID
    at: datetime


@dataclass(slots=True, frozen=True)
class Standing:
    """What is good at present, and what the person is whose it is.

    scopes      of an API key; None: it is none.
    expires_at  of an API key, or None.
    at          the database's clock.
    """

    person: UUID
    roles: frozenset[str]
    at: datetime
    session: UUID | None = None
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None


@dataclass(slots=True, frozen=True)
class ApiKey:
    """A key of a program, without the key."""

    key: UUID
    name: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


async def insert_person(
    connection: Connection,
    person: UUID,
    *,
    email: str,
    email_key: str,
    name: str,
    time_zone: str,
    roles: Sequence[str],
    password_hash: str,
) -> Person | None:
    """Make a person. None: someone has this e-mail."""
    row = await connection.fetchrow(
        sql("insert_person"), person, email, email_key, name, time_zone, roles, password_hash
    )
    return None if row is None else _person(row)


async def find_person(connection: Connection, person: UUID) -> Person | None:
    """Read a person. None: there is none, or they were erased."""
    row = await connection.fetchrow(sql("find_person"), person)
    return None if row is None else _person(row)


async def find_account(connection: Connection, email_key: str) -> Account | None:
    """Read what a log-in is compared with. None: there is no such account."""
    row = await connection.fetchrow(sql("find_account"), email_key)
    return None if row is None else Account(row["id"], row["password_hash"])


async def use_operator_code(connection: Connection, code_hash: bytes) -> bool:
    """Use the installation's one-time code up. False: it is not the code, or it was used."""
    return await connection.fetchval(sql("use_operator_code"), code_hash) is not None


async def set_operator_code(connection: Connection, code_hash: bytes) -> None:
    """Set the installation's one-time code, whatever it was before."""
    await connection.execute(sql("set_operator_code"), code_hash)


async def offer_operator_code(connection: Connection, code_hash: bytes) -> bool:
    """Set the installation's one-time code. False: it has an operator, or a code that waits to be used."""
    return await connection.fetchval(sql("offer_operator_code"), code_hash) is not None


async def open_session(
    connection: Connection, person: UUID, session: UUID, *, days: int, token_hash: bytes
) -> Signed | None:
    """Begin a session with its first refresh token. None: the person was erased."""
    at = await connection.fetchval(sql("open_session"), session, person, days, token_hash)
    return None if at is None else Signed(person, session, at)


async def rotate_refresh_token(connection: Connection, token_hash: bytes, successor_hash: bytes) -> Signed | None:
    """Use a refresh token up and keep the next. None: it is none, was used before, or its session has ended."""
    row = await connection.fetchrow(sql("rotate_refresh_token"), token_hash, successor_hash)
    return None if row is None else Signed(row["person"], row["session"], row["at"])


async def end_reused_session(connection: Connection, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """End the session of a refresh token that was used before.

    Returns (session, person); None: it was not used before, or the session had ended.
    """
    row = await connection.fetchrow(sql("end_reused_session"), token_hash)
    return None if row is None else (row["id"], row["person"])


async def session_of_token(connection: Connection, token_hash: bytes) -> tuple[UUID, UUID] | None:
    """Find (session, person) of a refresh token. None: it is none of ours."""
    row = await connection.fetchrow(sql("session_of_token"), token_hash)
    return None if row is None else (row["id"], row["person"])


async def end_sessions(connection: Connection, person: UUID, session: UUID | None, *, reason: EndReason) -> int:
    """End a session of a person, or all of them. Returns how many had not ended before."""
    return len(await connection.fetch(sql("end_sessions"), person, session, reason))


async def forget_sessions(connection: Connection, *, limit: int) -> int:
    """Delete at most ``limit`` sessions that are over. Returns how many."""
    done = await connection.execute(sql("forget_sessions"), limit)
    return int(done.rpartition(" ")[2])


async def standing_sessions(connection: Connection, sessions: Sequence[UUID]) -> dict[UUID, Standing]:
    """Look up sessions. One that has ended is missing."""
    rows = await connection.fetch(sql("standing_sessions"), sessions)
    return {row["id"]: Standing(row["person"], frozenset(row["roles"]), row["at"], session=row["id"]) for row in rows}


async def standing_api_keys(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, Standing]:
    """Look up API keys by their hashes. One that has ended is missing."""
    rows = await connection.fetch(sql("standing_api_keys"), hashes)
    return {
        row["hash"]: Standing(
            row["person"],
            frozenset(row["roles"]),
            row["at"],
            scopes=frozenset(row["scopes"]),
            expires_at=row["expires_at"],
        )
        for row in rows
    }


async def standing_people(connection: Connection, people: Sequence[UUID]) -> dict[UUID, Standing]:
    """Look up what people are. One who was erased is missing."""
    rows = await connection.fetch(sql("standing_people"), people)
    return {row["id"]: Standing(row["id"], frozenset(row["roles"]), row["at"]) for row in rows}


async def insert_api_key(
    connection: Connection,
    person: UUID,
    *,
    key: UUID,
    name: str | None,
    key_hash: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
    most: int,
) -> ApiKey | None:
    """Keep an API key, in a transaction of the caller's. None: the person has ``most`` already."""
    await lock_people(connection, [str(person)])
    row = await connection.fetchrow(sql("insert_api_key"), key, person, name, key_hash, scopes, expires_at, most)
    return None if row is None else _api_key(row)


async def list_api_keys(connection: Connection, person: UUID, *, after: UUID | None, limit: int) -> list[ApiKey]:
    """Read the keys of a person that are good for something, oldest first."""
    return [_api_key(row) for row in await connection.fetch(sql("list_api_keys"), person, after, limit)]


async def end_api_key(connection: Connection, person: UUID, key: UUID) -> tuple[ApiKey, bool] | None:
    """End a key. Returns it and whether it had not ended before; None: the person has no such key."""
    row = await connection.fetchrow(sql("end_api_key"), key, person)
    return None if row is None else (_api_key(row), row["ended_now"])


def _person(row: asyncpg.Record) -> Person:
    return Person(row["id"], row["email"], row["name"], row["time_zone"], tuple(row["roles"]), row["created_at"])


def _api_key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(row["id"], row["name"], tuple(row["scopes"]), row["created_at"], row["expires_at"])
