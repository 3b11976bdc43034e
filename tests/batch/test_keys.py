"""Idempotency keys within one batch, where the key was taken before."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.batch import decide_batch
from engine.commands import Entry, Reason, Request, Status
from engine.identifiers import uuid7
from engine.verify import verify
from tests.clients import hour
from tests.schema.rows import Connection, add_resource


async def test_a_key_is_refused_for_something_else_and_repeated_for_the_same_in_one_batch(database: Connection) -> None:
    """The first of the batch has another content than the key stands for; the one behind it has the same."""
    room = await add_resource(database, capacity=1)

    def asked(ticket: int, body: bytes) -> Entry:
        return Entry(ticket, datetime.now(UTC), Request(uuid7(), room, "anonymous", "key", body, hour()))

    outcomes = []
    for batch in ([asked(1, b"same")], [asked(2, b"another"), asked(3, b"same")]):
        async with database.transaction():
            decided = await decide_batch(database, {room: batch})
        outcomes += [outcome for _, outcome in decided.answers[room]]
    first, other, again = outcomes
    assert (first.status, other.reason) == (Status.CONFIRMED, Reason.KEY_REUSED)
    assert (again.repeated, again.ticket, again.booking) == (True, 1, first.booking)
    report = await verify(database)
    assert report.violations == []
