"""The ledger's chain: each row carries a hash over itself and the row before it.

A row that is changed, taken out or put in later breaks the chain from there on, for anyone who
recomputes it. The hash is SHA-256 (FIPS 180-4) over the previous row's hash followed by the row's
content as a MessagePack array in the order of ``LedgerRow``. Its last two fields are in the array only where a
limit was counted: rows from before there were limits keep their hashes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import msgspec

from engine.commands import SeriesDetail

GENESIS = bytes(32)
"""What stands before a resource's first row."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class LedgerRow(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One ticket and its outcome: the content of a ledger row, in the order in which it is hashed."""

    resource: int
    ticket: int
    request_id: UUID
    kind: str
    start_time: datetime | None
    end_time: datetime | None
    places: int | None
    capacity: int | None
    subject: UUID | None
    outcome: str
    reason: str | None
    booking: UUID | None
    clashes: tuple[UUID, ...]
    first_ticket: int | None
    joined_at: datetime
    decided_at: datetime
    detail: bytes | None
    counted: int | None = None
    counted_limit: int | None = None


UNCOUNTED = len(LedgerRow.__struct_fields__) - 2
"""Fields of a row for which no limit was counted."""
_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_detail_decoder = msgspec.msgpack.Decoder(SeriesDetail)


def encode_detail(detail: SeriesDetail | None) -> bytes | None:
    """What the ledger keeps of an outcome's detail."""
    return None if detail is None else _encoder.encode(detail)


def decode_detail(kept: bytes | None) -> SeriesDetail | None:
    """Read it again."""
    return None if kept is None else _detail_decoder.decode(kept)


def row_hash(previous: bytes, row: LedgerRow) -> bytes:
    """Chain a row to the one before it.

    previous  the hash of the resource's row with the next lower ticket, GENESIS for the first.

    Returns 32 bytes.
    """
    counted = (row.counted, row.counted_limit) != (None, None)
    content = row if counted else msgspec.structs.astuple(row)[:UNCOUNTED]
    return sha256(previous + _encoder.encode(content)).digest()
