"""What no code may do: write bookings beside the batch, decide by a process's clock, look before it holds the lock."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("api", "cli", "engine", "worker")
CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
DECIDING = [
    *(
        ROOT / "engine" / f"{name}.py"
        for name in ("batch", "extension", "notebook", "people", "publishing", "series", "slots", "wish")
    ),
    *sorted((ROOT / "engine" / "rules").glob("*.py")),
]


def sources(*suffixes: str) -> list[Path]:
    return [file for part in PRODUCT for file in (ROOT / part).rglob("*") if file.suffix in suffixes]


def users_of(pattern: str) -> set[str]:
    """The modules in which something is named."""
    return {file.relative_to(ROOT).as_posix() for file in sources(".py") if re.search(pattern, file.read_text())}


@pytest.mark.parametrize(
    ("statement", "writers"),
    [
        (r"INSERT\s+INTO\s+booking\b", {"write_decisions.sql", "insert_occurrences.sql", "insert_slots.sql"}),
        (r"INSERT\s+INTO\s+ledger\b", {"write_decisions.sql"}),
        (r"INSERT\s+INTO\s+series\b", {"insert_series.sql"}),
        (r"UPDATE\s+booking\b", {"end_bookings.sql", "empty_reasons.sql"}),
        (r"INSERT\s+INTO\s+slot\b", {"insert_slots.sql", "create_event.sql"}),
        (r"UPDATE\s+slot\b", {"end_slots.sql", "change_event.sql", "empty_event_names.sql"}),
        (r"INSERT\s+INTO\s+slot_rule\b", {"insert_slot_rule.sql"}),
        (r"UPDATE\s+slot_rule\b", {"end_slot_rules.sql", "advance_slot_rule.sql"}),
        (r"DELETE\s+FROM\s+(booking|ledger|series|slot|slot_rule|person|audit)\b", set()),
    ],
)
def test_few_statements_write_the_tables_of_record(statement: str, writers: set[str]) -> None:
    found = {file.name for file in sources(".py", ".sql") if re.search(statement, file.read_text(), re.IGNORECASE)}
    assert found == writers


def test_only_the_batch_uses_the_statements_that_write() -> None:
    assert users_of(r'sql\("(write_decisions|end_bookings)"\)') == {"engine/store/decisions.py"}
    assert users_of(r"\bstore\.write\(|decisions import .*\bwrite\b") == {"engine/batch.py"}


def test_only_a_decision_and_the_job_that_extends_series_write_occurrences() -> None:
    assert users_of(r"\b(insert_occurrences|write_series)\(") == {
        "engine/store/series.py",
        "engine/store/decisions.py",
        "engine/extension.py",
    }


def test_only_a_decision_and_the_job_that_publishes_slots_write_slots() -> None:
    writing = r"\b(insert_slots|insert_slot_rule|end_slots|end_slot_rules|change_events|advance_slot_rule)\("
    assert users_of(writing) == {
        *("engine/store/slots.py", "engine/store/offers.py"),  # where they are
        *("engine/store/decisions.py", "engine/publishing.py"),
    }


def test_people_are_locked_by_a_decision_after_its_resources_or_alone() -> None:
    """Who held a person's row and then waited for a resource's would wait for a decision that waits for them."""
    users = users_of(r"\b(lock_people|load_accounts)\(")
    # A person who makes an API key is locked, and nothing else is.
    assert users == {"engine/store/slots.py", "engine/people.py", "engine/store/people.py"}
    locking = {
        file.name
        for file in sources(".sql")
        if re.search(r"\bFROM\s+person\b", file.read_text())
        and re.search(r"\bFOR\s+(NO KEY )?UPDATE\b", file.read_text())
    }
    assert locking == {"lock_people.sql"}


@pytest.mark.parametrize("file", DECIDING, ids=lambda file: file.name)
def test_no_rule_reads_a_clock(file: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    read = {func.attr for func in calls if isinstance(func, ast.Attribute)} & CLOCKS
    read |= {func.id for func in calls if isinstance(func, ast.Name)} & {*CLOCKS, "time"}
    read |= {ast.unparse(func) for func in calls} & {"time.time"}  # of a value, time() is its time of day
    assert not read
