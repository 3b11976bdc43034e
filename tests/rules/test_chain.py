"""The ledger's chain: its hashes are kept for ever, so how they are made must never change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
import pytest

from engine.chain import GENESIS, LedgerRow, row_hash

GOLDEN = LedgerRow(
    resource=7,
    ticket=1_000_001,
    request_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    kind="book",
    start_time=datetime(2036, 8, 11, 9, tzinfo=UTC),
    end_time=datetime(2036, 8, 11, 10, 0, 0, 1000, tzinfo=UTC),
    places=2,
    capacity=None,
    subject=None,
    outcome="refused",
    reason="conflict",
    booking=None,
    clashes=(UUID(int=1), UUID(int=2)),
    first_ticket=None,
    joined_at=datetime(2026, 8, 10, 12, 0, 0, 123456, tzinfo=UTC),
    decided_at=datetime(2026, 8, 10, 12, 0, 0, 234567, tzinfo=UTC),
)


def test_the_hash_of_a_row_is_what_it_always_was() -> None:
    assert row_hash(GENESIS, GOLDEN).hex() == "1573da55909ff5af8ea55655b7e0d6e361e7997119e3cf914c6ca8655f7c59b2"
    assert (
        row_hash(row_hash(GENESIS, GOLDEN), GOLDEN).hex()
        == "6c04466bcde2ae15c930c3bda840adcd646c656052ab573b344aa32b3ccdce6b"
    )


@dataclass(frozen=True)
class Changed:
    field: str
    value: Any


@pytest.mark.parametrize(
    "changed",
    [
        Changed("resource", 8),
        Changed("ticket", 1_000_002),
        Changed("request_id", UUID(int=3)),
        Changed("kind", "cancel"),
        Changed("start_time", datetime(2036, 8, 11, 9, 0, 0, 1, tzinfo=UTC)),
        Changed("end_time", None),
        Changed("places", 1),
        Changed("capacity", 2),
        Changed("subject", UUID(int=4)),
        Changed("outcome", "confirmed"),
        Changed("reason", None),
        Changed("booking", UUID(int=5)),
        Changed("clashes", (UUID(int=2), UUID(int=1))),
        Changed("first_ticket", 1),
        Changed("joined_at", datetime(2026, 8, 10, 12, 0, 0, 123457, tzinfo=UTC)),
        Changed("decided_at", datetime(2026, 8, 10, 12, 0, 0, 234568, tzinfo=UTC)),
    ],
    ids=lambda changed: changed.field,
)
def test_every_field_is_under_the_hash(changed: Changed) -> None:
    other = msgspec.structs.replace(GOLDEN, **{changed.field: changed.value})
    assert row_hash(GENESIS, other) != row_hash(GENESIS, GOLDEN)


def test_every_field_was_changed_above() -> None:
    parameters = test_every_field_is_under_the_hash.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {changed.field for changed in parameters} == set(LedgerRow.__struct_fields__)


def test_the_row_before_is_under_the_hash() -> None:
    assert row_hash(sha256(b"another").digest(), GOLDEN) != row_hash(GENESIS, GOLDEN)
