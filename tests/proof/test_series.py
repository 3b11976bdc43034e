"""Series in an export: what the engine decided passes, and what it would not have decided is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec

from engine.chain import LedgerRow, decode_detail, encode_detail
from engine.export_check import check_export
from engine.proof import Head, decode_row, read_document
from engine.rules.series import replace_excluded
from tests.proof.exports import Ledger, exported
from tests.schema.rows import Connection
from tests.verify.series_history import write_series_history


@dataclass(frozen=True)
class Lie:
    """What a row is made to say, with everything that is hashed made to fit."""

    resource_id: str
    ticket: int
    say: Callable[[LedgerRow], dict[str, Any]]


def yes(_: LedgerRow) -> dict[str, Any]:
    """A no that becomes a yes."""
    return {"outcome": "confirmed", "reason": None, "clashes": (), "booking": uuid4()}


def no(_: LedgerRow) -> dict[str, Any]:
    """A yes that becomes a no."""
    return {"outcome": "refused", "reason": "conflict", "booking": None}


def later(row: LedgerRow) -> dict[str, Any]:
    """Another time is shown."""
    assert row.start_time is not None
    assert row.end_time is not None
    return {"start_time": row.start_time + timedelta(hours=3), "end_time": row.end_time + timedelta(hours=3)}


def greedy(row: LedgerRow) -> dict[str, Any]:
    """A series that leaves nothing out."""
    detail = decode_detail(row.detail)
    assert detail is not None
    assert detail.recurrence is not None
    whole = msgspec.structs.replace(detail, recurrence=replace_excluded(detail.recurrence, ()), skipped=())
    return {"detail": encode_detail(whole)}


LIES = (
    Lie("room", 1, no),  # a finite series that was free
    Lie("room", 4, later),  # restored at another time than it was lost at
    Lie("room", 7, lambda _: {"subject": uuid4()}),  # an occurrence of nothing
    Lie("room", 16, yes),  # taken by an infinite series, far ahead
    Lie("room", 20, no),  # cancelling a series is never a conflict
    Lie("room", 24, greedy),  # what was taken is not left out
    Lie("room", 25, yes),  # what another series holds
    Lie("room", 26, no),  # extra starts that were free
    Lie("course", 3, yes),  # no place is left in the weeks of the others
    Lie("course", 6, yes),  # more is taken, by series without end
)


async def test_a_history_of_series_is_replayed_and_every_lie_is_found(database: Connection) -> None:
    await write_series_history(database)
    ledgers = {}
    for resource_id in ("room", "course"):
        lines = await exported(database, resource_id)
        report = check_export(lines)
        assert report.violations == [], report.text()
        head = read_document(lines[0], Head)
        rows = [decode_row(line)[0] for line in lines[1:]]
        ledgers[resource_id] = Ledger(rows, head.initial_capacity, head.resource)
        assert check_export(ledgers[resource_id].lines()).clean
    for lie in LIES:
        ledger = ledgers[lie.resource_id]
        (row,) = [row for row in ledger.rows if row.ticket == lie.ticket]
        report = check_export(ledger.change(lie.ticket, **lie.say(row)).lines())
        found = [(violation.rule, violation.ticket) for violation in report.violations]
        assert ("outcomes", lie.ticket) in found, (lie, report.text())
        assert {rule for rule, _ in found} == {"outcomes"}


async def test_what_cannot_be_told_of_series_is_counted(database: Connection) -> None:
    await write_series_history(database)
    report = check_export(await exported(database, "room"))
    assert report.replayed + sum(report.given.values()) == 27
    assert report.replayed >= 20
