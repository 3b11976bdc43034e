"""Exports: of the engine's own ledgers, and of one that is written here, row by row, to be damaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.chain import GENESIS, LedgerRow, row_hash
from engine.export import export_lines
from engine.proof import Head, decode_row, encode_line, encode_row, instant_text, read_document, signed
from engine.signing import SigningKey
from tests.schema.rows import Connection

NINE = datetime(2036, 8, 11, 9, tzinfo=UTC)
DECIDED_AT = datetime(2026, 8, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
"""Signs what is written here."""


async def exported(connection: Connection, resource_id: str, key: SigningKey | None = None) -> list[bytes]:
    """The lines of an export."""
    chunks = [chunk async for chunk in export_lines(connection, resource_id, key)]
    return b"".join(chunks).splitlines(keepends=True)


def made(ticket: int) -> UUID:
    """The id of the booking that a ticket of ours made."""
    return UUID(int=2**100 + ticket)


def row_of(ticket: int, kind: str, /, **more: Any) -> LedgerRow:
    """A row with nothing in it but what is named."""
    members: dict[str, Any] = dict.fromkeys(LedgerRow.__struct_fields__)
    members |= {"resource": 7, "ticket": ticket, "kind": kind, "outcome": "confirmed", "clashes": ()}
    members |= {"request_id": UUID(int=2**110 + ticket), "joined_at": DECIDED_AT}
    members |= {"decided_at": DECIDED_AT + timedelta(microseconds=ticket)}
    return LedgerRow(**(members | more))


def book(ticket: int, start: float, end: float, *clashes: int, places: int = 1, **more: Any) -> LedgerRow:
    """A booking of hours from NINE on: granted, or refused where it clashes with what tickets made."""
    wanted = {"start_time": NINE + start * HOUR, "end_time": NINE + end * HOUR, "places": places}
    if not clashes and "reason" not in more:
        return row_of(ticket, "book", **({"booking": made(ticket)} | wanted | more))
    refused = {"outcome": "refused", "reason": "conflict", "clashes": tuple(map(made, clashes))}
    return row_of(ticket, "book", **(wanted | refused | more))


def cancel(ticket: int, of: LedgerRow, **more: Any) -> LedgerRow:
    """The cancellation of what a row made."""
    stood = {name: getattr(of, name) for name in ("start_time", "end_time", "places", "booking")}
    return row_of(ticket, "cancel", subject=of.booking, **(stood | more))


def reschedule(ticket: int, of: LedgerRow, start: float, end: float, **more: Any) -> LedgerRow:
    """The move of what a row made."""
    wanted = {"start_time": NINE + start * HOUR, "end_time": NINE + end * HOUR, "subject": of.booking}
    return row_of(ticket, "reschedule", **(wanted | {"booking": made(ticket), "places": of.places} | more))


@dataclass
class Ledger:
    """A ledger that is written here.

    event  what its head says of the event that the resource is.
    """

    rows: list[LedgerRow] = field(default_factory=list)
    capacity: int = 1
    resource: int = 7
    event: dict[str, Any] = field(default_factory=dict)

    def lines(self, key: SigningKey | None = KEY) -> list[bytes]:
        """Its export, with a chain and a head that fit whatever the rows are."""
        hashed, lines = GENESIS, list[bytes]()
        for row in self.rows:
            hashed = row_hash(hashed, row)
            lines.append(encode_row(row, hashed))
        head = Head(
            resource_id="room",
            resource=self.resource,
            initial_capacity=self.capacity,
            time_zone="Europe/Berlin",
            last_ticket=self.rows[-1].ticket if self.rows else 0,
            row_hash=hashed.hex(),
            exported_at=instant_text(DECIDED_AT),
            **self.event,
        )
        return [encode_line(signed(head, key)), *lines]

    def change(self, ticket: int, **more: Any) -> Ledger:
        """The same ledger with another row at a ticket, and a chain over it."""
        changed = [msgspec.structs.replace(row, **more) if row.ticket == ticket else row for row in self.rows]
        return replace(self, rows=changed)


def ledger_of(lines: Sequence[bytes]) -> Ledger:
    """The ledger of an export, to be changed."""
    head = read_document(lines[0], Head)
    event = {name: getattr(head, name) for name in ("event", "initial_seats", "start_time", "end_time")}
    return Ledger([decode_row(line)[0] for line in lines[1:]], head.initial_capacity, head.resource, event)


def edit_line(lines: Sequence[bytes], ticket: int, edit: Callable[[bytes], bytes]) -> list[bytes]:
    """An export with the line of a ticket edited, and nothing made to fit it."""
    return [lines[0], *(edit(line) if decode_row(line)[0].ticket == ticket else line for line in lines[1:])]


def story() -> Ledger:
    """A room's ledger with something of every kind."""
    first, second = book(1, 0, 1), book(5, 2, 3)
    return Ledger(
        [
            first,
            book(2, 0.5, 1.5, 1),
            cancel(3, first),
            cancel(4, first),
            second,
            book(6, 2, 3, first_ticket=5, outcome="repeated", booking=None),
            reschedule(7, second, 2.5, 3.5),
            book(8, 0, 1, reason="key_reused", clashes=()),
            row_of(9, "book", outcome="withdrawn", start_time=NINE, end_time=NINE + HOUR, places=1),
            row_of(10, "update_resource", capacity=2),
            book(11, 2.5, 3.5),
            book(12, 3, 4, 7, 11),
            row_of(13, "update_resource", outcome="refused", capacity=1, reason="capacity_below_taken"),
            cancel(14, second, outcome="refused", reason="already_rescheduled", booking=None),
            book(1_000_000, 3, 4, 7, 11, places=2),
            book(1_000_001, 9, 10, reason="places_exceed_capacity", places=3, clashes=()),
            book(1_000_002, -24 * 365 * 11, 0, reason="slot_in_past", clashes=()),
        ]
    )
