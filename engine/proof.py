"""What leaves the installation for others to check: receipts, and ledgers with a signed head. Pure; see docs/proof.md.

An export is lines of JSON: the head, then the rows in ticket order. A row's line has every field of ``LedgerRow`` by
its name, so everything that is hashed, and the hash; a field that is null, or a list without members, is left out. No
person is in it: a ledger row has none but as random ids.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from engine.chain import LedgerRow
from engine.signing import KEY_ID, SIGNATURE, Document, SigningKey

LEDGER_FORMAT: Literal["firstcome-ledger-1"] = "firstcome-ledger-1"
RECEIPT_FORMAT: Literal["firstcome-receipt-1"] = "firstcome-receipt-1"
LONGEST_LINE = 16_000_000
"""Characters of a line; a row with the longest series in it has far fewer."""

Count = Annotated[int, Meta(ge=0, lt=2**53)]
Positive = Annotated[int, Meta(ge=1, lt=2**53)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""SHA-256, hexadecimal."""
Instant = Annotated[datetime, Meta(tz=True)]
SignedT = TypeVar("SignedT", bound="Signed")


class Unreadable(Exception):
    """A file or a line is not what it should be. The message says in a clause how."""


class Signed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document that its installation signs: ``key_id`` and ``signature`` are null where it has no key."""

    @property
    def document(self) -> Document:
        """The members as they are signed and written."""
        members: Document = msgspec.to_builtins(self)
        return members


class OfferedEvent(NamedTuple):
    """An event as it was made."""

    event: UUID
    seats: int
    start_time: datetime
    end_time: datetime


class Head(Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of an export.

    resource     the number that every row is of.
    event        the event that the resource is; ``initial_seats``, ``start_time`` and ``end_time`` are of it as it was
                 made. Where the resource is no event, all four are left out.
    last_ticket  of the last row; 0 where there is none.
    row_hash     of the last row; 64 zeros where there is none.
    exported_at  the instant whose snapshot it is, by the database's clock.
    """

    format: Literal["firstcome-ledger-1"] = LEDGER_FORMAT
    resource_id: str
    resource: Positive
    initial_capacity: Positive
    time_zone: str
    event: UUID | UnsetType = UNSET
    initial_seats: Positive | UnsetType = UNSET
    start_time: str | UnsetType = UNSET
    end_time: str | UnsetType = UNSET
    last_ticket: Count
    row_hash: Hash
    exported_at: str
    key_id: str | None = None
    signature: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where an event is told in part."""
        _ = self.offered

    @property
    def offered(self) -> OfferedEvent | None:
        """The event as it was made, None where the resource is none. Raises ValueError."""
        match self.event, self.initial_seats, self.start_time, self.end_time:
            case UUID() as event, int(seats), str(start_time), str(end_time):
                return OfferedEvent(event, seats, instant_of(start_time), instant_of(end_time))
            case members if all(member is UNSET for member in members):
                return None
            case _:
                raise ValueError("it tells an event in part")


class Receipt(Signed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller takes along: the ticket, and the hash that the ledger must have at it for ever."""

    format: Literal["firstcome-receipt-1"] = RECEIPT_FORMAT
    resource_id: str
    ticket: Positive
    request_id: UUID
    row_hash: Hash
    joined_at: str
    decided_at: str
    outcome: str
    key_id: str | None = None
    signature: str | None = None


def signed(document: SignedT, key: SigningKey | None) -> SignedT:
    """Sign a document. Without a key it stays as it is."""
    if key is None:
        return document
    asked = {name: value for name, value in document.document.items() if name not in (KEY_ID, SIGNATURE)}
    return msgspec.convert(key.sign(asked), type(document))


def instant_text(instant: datetime) -> str:
    """How signed documents say an instant: UTC, with all microseconds."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def instant_of(text: str) -> datetime:
    """Read what ``instant_text`` wrote. Raises ValueError."""
    if not text.endswith("Z"):
        raise ValueError("an instant is UTC")
    return datetime.fromisoformat(text)


def read_document(line: bytes, kind: type[SignedT]) -> SignedT:
    """Read a head or a receipt. Raises Unreadable."""
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"it is no {kind.__name__.lower()}: {_lowered(error)}") from None


# ---------------------------------------------------------------------------- rows


def _aware(kind: Any) -> Any:
    """The type of a field as a line may have it: an instant has an offset."""
    if kind is datetime:
        return Instant
    if isinstance(kind, UnionType):
        first, *others = (_aware(part) for part in get_args(kind))
        for other in others:
            first = first | other
        return first
    return kind


def _described(item: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    """A field of ``LedgerRow`` as a field of a line: what may be left out has a default."""
    if type(None) in get_args(item.type):
        return item.encode_name, _aware(item.type), None
    if item.name == "clashes":
        return item.encode_name, item.type, ()
    return item.encode_name, _aware(item.type)


_FIELDS = LedgerRow.__struct_fields__
Line = msgspec.defstruct(
    "Line",
    [*map(_described, msgspec.structs.fields(LedgerRow)), ("row_hash", Hash)],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    module=__name__,
)
"""A row of an export."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode_line(document: Struct) -> bytes:
    """One line of an export, or a receipt, with the end of its line."""
    return _encoder.encode(document) + b"\n"


def encode_row(row: LedgerRow, row_hash: bytes) -> bytes:
    """The line of a ledger row."""
    members = dict(zip(_FIELDS, msgspec.structs.astuple(row), strict=True))
    return encode_line(Line(**members, row_hash=row_hash.hex()))


def decode_row(line: bytes) -> tuple[LedgerRow, bytes]:
    """Read a row and the hash that it carries. Raises Unreadable."""
    try:
        *members, row_hash = msgspec.structs.astuple(_decoder.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"it is no row: {_lowered(error)}") from None
    return LedgerRow(**dict(zip(_FIELDS, members, strict=True))), bytes.fromhex(row_hash)


def _lowered(error: Exception) -> str:
    said = str(error)
    return said if said[:4].isupper() else said[:1].lower() + said[1:]
