"""Where a resource's numbers go on, after the queue that knew it was forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from engine.batch import TICKET_JUMP
from engine.store import sql
from engine.store.pools import Connection


async def claim_memory(connection: Connection, resources: Sequence[int], memory: str) -> dict[int, int]:
    """Tie resources to the Redis with this memory id, jumping where they were tied to another.

    Returns the last ticket by resource; one whose row is locked just now is missing, and is to be asked again.
    """
    rows = await connection.fetch(sql("claim_memory"), resources, memory, TICKET_JUMP)
    return {row["id"]: row["last_ticket"] for row in rows}
