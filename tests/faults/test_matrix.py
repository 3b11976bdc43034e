"""The matrix names tests that exist, and the page for readers tells the same rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.running import ROOT
from tests.faults.matrix import FAULTS, Fault, Recoveries

PAGE = ROOT / "docs" / "reliability.md"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_has_tests_that_exist(fault: Fault) -> None:
    assert fault.tests
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), test


def test_the_page_has_a_row_for_every_fault_with_its_promise() -> None:
    section = PAGE.read_text().partition("## What may fail")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "|" in line]
    told = {row[0]: row[3] for row in rows[2:]}
    assert list(told) == [fault.name for fault in FAULTS]
    for fault in FAULTS:
        assert told[fault.name] == ("" if fault.within_s is None else f"{fault.within_s:g} s"), fault.name


def test_every_span_is_held_against_its_promise() -> None:
    spans = Recoveries()
    spans.note("a wake-up is lost", 0.25, "turns")
    spans.note("a wake-up is lost", 0.75, "workers")
    with pytest.raises(AssertionError, match=re.escape("went on after 1.25 s, promised 1 s")):
        spans.note("a wake-up is lost", 1.25)
    (line,) = spans.lines()
    assert line == "a wake-up is lost: 0.25 to 1.25 s, 3 measured, promised 1 s"


def test_every_module_of_faults_is_in_the_matrix() -> None:
    """Those that are not about a fault, or about a row that is told elsewhere, are named here."""
    beside = {"test_matrix.py", "test_sabotage.py", "test_loading.py"}
    named = {Path(test.partition("::")[0]).name for fault in FAULTS for test in fault.tests}
    assert {file.name for file in Path(__file__).parent.glob("test_*.py")} - beside <= named
