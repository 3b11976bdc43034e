"""Idempotency keys, as the API uses them. A batch takes its own keys, see ``decisions``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from engine.store import sql
from engine.store.pools import Connection

Key = tuple[str, str]
"""(caller, key): the scope of an idempotency key."""


@dataclass(slots=True, frozen=True)
class Kept:
    """What a key was used for.

    ticket  None where the command needed no queue; its ``answer`` is kept then, as JSON.
    """

    body_hash: bytes
    request_id: UUID
    resource: int | None
    ticket: int | None
    answer: str | None


async def find_keys(connection: Connection, keys: Sequence[Key]) -> dict[Key, Kept]:
    """Look keys up: (caller, key). One that was never used, or was forgotten, is missing."""
    rows = await connection.fetch(sql("find_keys"), [caller for caller, _ in keys], [key for _, key in keys])
    return {
        (row["caller"], row["key"]): Kept(
            row["body_hash"], row["request_id"], row["resource"], row["ticket"], row["answer"]
        )
        for row in rows
    }


async def keep_answer(
    connection: Connection, *, caller: str, key: str, body_hash: bytes, request_id: UUID, answer: str
) -> bool:
    """Keep the answer to a command that needs no queue, in the transaction that makes it true.

    answer  JSON.

    Returns False where the key is taken; the caller rolls back then. Waits where another transaction takes it.
    """
    done = await connection.execute(sql("keep_answer"), caller, key, body_hash, request_id, answer)
    return done == "INSERT 0 1"


async def forget_keys(connection: Connection, *, hours: int, limit: int) -> int:
    """Delete at most ``limit`` keys that are older than ``hours`` hours. Returns how many."""
    done = await connection.execute(sql("forget_keys"), hours, limit)
    return int(done.rpartition(" ")[2])
