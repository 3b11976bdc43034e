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
    detail=b"what a series is",
)


def test_the_hash_of_a_row_is_what_it_always_was() -> None:
    """The row is from before there were limits: nothing was counted, and nothing of that is under its hash."""
    assert (GOLDEN.counted, GOLDEN.counted_limit) == (None, None)
    assert row_hash(GENESIS, GOLDEN).hex() == "2f7a77809bbf7064292c12c04a9e6d15a6ea2e57f443f08834d17f80f935920b"
    assert (
        row_hash(row_hash(GENESIS, GOLDEN), GOLDEN).hex()
        == "9092a5ae6c03caf38fc2c54c8c707e976efb8259228ef9e406f992d9db8bd6c4"
    )


def test_the_hash_of_a_row_for_which_a_limit_was_counted_is_what_it_always_was() -> None:
    limited = msgspec.structs.replace(GOLDEN, counted=4, counted_limit=5)
    assert row_hash(GENESIS, limited).hex() == "13208b5916f081f45ef60f7eb8d36d52343ecb658bf49f2d0af38cfa858b7487"


@pytest.mark.parametrize(
    ("one", "other"), [((4, 5), (5, 5)), ((4, 5), (4, 6)), ((0, 1), (None, None)), ((None, 5), (None, 6))]
)
def test_what_was_counted_and_its_limit_are_under_the_hash(
    one: tuple[int | None, int | None], other: tuple[int | None, int | None]
) -> None:
    rows = [msgspec.structs.replace(GOLDEN, counted=row[0], counted_limit=row[1]) for row in (one, other)]
    assert row_hash(GENESIS, rows[0]) != row_hash(GENESIS, rows[1])


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
        Changed("detail", None),
        Changed("counted", 4),
        Changed("counted_limit", 5),
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
