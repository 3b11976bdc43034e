"""The page for strangers is enough: its program checks what we write, and nothing that we did not."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.chain import LedgerRow
from tests.documents.pages import ROOT, blocks, rows, section
from tests.proof.exports import DECIDED_AT, Ledger, book, edit_line, row_of, story

PAGE = ROOT / "docs/proof.md"


@pytest.fixture
def checker(tmp_path: Path) -> Path:
    """The program of the page."""
    (program,) = [block.text for block in blocks(PAGE.read_text(encoding="utf-8")) if "import hashlib" in block.text]
    file = tmp_path / "check.py"
    file.write_text(program, encoding="utf-8")
    return file


def run(checker: Path, lines: list[bytes]) -> subprocess.CompletedProcess[str]:
    export = checker.with_name("export.jsonl")
    export.write_bytes(b"".join(lines))
    return subprocess.run(
        [sys.executable, "-I", checker, export], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_program_of_the_page_computes_our_hashes(checker: Path) -> None:
    """Every form of every kind of value."""
    ledger = story()
    long = book(1_000_003, 0, 0.5, reason="x" * 300, clashes=(), detail=bytes(70_000), places=2**31)
    limited = book(1_000_004, 0, 0.5, reason="max_active_bookings", clashes=(), counted=5, counted_limit=5)
    old = row_of(2**40, "é" * 20, start_time=datetime(1969, 1, 1, tzinfo=UTC), decided_at=DECIDED_AT.replace(year=2600))
    late = row_of(2**41, "k" * 40, decided_at=DECIDED_AT.replace(year=2200, microsecond=1), detail=bytes(300))
    told = run(checker, Ledger([*ledger.rows, long, limited, old, late]).lines())
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"room: the chain holds up to ticket {2**41}\n"


def test_the_program_of_the_page_finds_a_changed_row(checker: Path) -> None:
    told = run(checker, edit_line(story().lines(), 9, lambda line: line.replace(b'"places":1', b'"places":2')))
    assert told.returncode == 1
    assert "ticket 9: the hash does not fit" in told.stderr


def test_the_table_of_the_page_has_every_field_in_its_order() -> None:
    written = [row[1].strip("`") for row in rows(section(PAGE.read_text(encoding="utf-8"), "### The rows"))]
    assert written == [*LedgerRow.__struct_fields__, "row_hash"]
