"""A ledger written out, with a signed head, for whoever wants to check it without asking us."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET

from engine.errors import NotFound
from engine.proof import Head, Receipt, encode_line, encode_row, instant_text, signed
from engine.signing import SigningKey
from engine.store import ledger as store
from engine.store.pools import Connection
from engine.store.verify import one_snapshot


async def export_lines(connection: Connection, resource_id: str, key: SigningKey | None) -> AsyncIterator[bytes]:
    """Write the ledger of a resource as of one instant: the head, then ``store.CHUNK`` rows at a time.

    key  None: the head is not signed.

    Yields whole lines. No more than a chunk is held at a time, however long the ledger is.
    Raises NotFound.
    """
    async with one_snapshot(connection) as as_of:
        found = await store.ledger_head(connection, resource_id)
        if found is None:
            raise NotFound("resource", resource_id)
        head = Head(
            resource_id=found.resource_id,
            resource=found.resource,
            initial_capacity=found.initial_capacity,
            time_zone=found.time_zone,
            event=found.event or UNSET,
            initial_seats=found.initial_seats or UNSET,
            start_time=instant_text(found.start_time) if found.start_time else UNSET,
            end_time=instant_text(found.end_time) if found.end_time else UNSET,
            last_ticket=found.last_ticket,
            row_hash=found.row_hash.hex(),
            exported_at=instant_text(as_of),
        )
        yield encode_line(signed(head, key))
        async for rows in store.export_ledger(connection, found.resource):
            yield b"".join(encode_row(row, row_hash) for row, row_hash in rows)


def receipt_of(decided: store.DecidedRequest) -> Receipt:
    """Make the receipt of a decided request, not signed yet."""
    return Receipt(
        resource_id=decided.resource_id,
        ticket=decided.ticket,
        request_id=decided.request_id,
        row_hash=decided.row_hash.hex(),
        joined_at=instant_text(decided.joined_at),
        decided_at=instant_text(decided.decided_at),
        outcome=decided.outcome,
    )
