"""What the pages say of the code is compared with the code."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from api.access import Access
from api.app import ROOT as ROOT_PATH
from api.problems import PROBLEMS
from tests.api.test_openapi import DESCRIBED
from tests.documents.containers import read_compose
from tests.documents.pages import ROOT, anchors, blocks, links, pages, rows, section
from tests.documents.sentences import refusals, warnings
from tests.documents.settings_table import README, table, written_table
from tests.documents.test_container_files import VALUES

OPERATIONS = ROOT / "docs/operations.md"


def limits() -> list[list[str]]:
    """The rows of the table of bounds: what, how much, and the name that holds it."""
    return rows(section(OPERATIONS.read_text(encoding="utf-8"), "## Limits"))


def quoted(cell: str) -> str:
    """What stands between backticks."""
    return cell.strip("`")


def test_the_table_of_settings_is_the_one_that_the_code_makes() -> None:
    written = written_table(README.read_text(encoding="utf-8"))
    assert written == table(), "python -m tests.documents.settings_table writes it anew"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page.read_text(encoding="utf-8")):
        if ":" in link.partition("/")[0]:
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link} leads to no heading"


def test_every_command_of_the_command_line_stands_in_the_readme() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "cli.main", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    commands = {line.split()[0] for line in said.splitlines() if line.startswith("    ") and line[4] != " "}
    written = {row[0].split()[1].strip("`,") for row in rows(section(README.read_text(), "## The command line"))}
    assert written == commands


def test_every_problem_has_its_page() -> None:
    assert {page.stem for page in (ROOT / "docs/problems").glob("*.md")} == {str(code) for code in PROBLEMS}


@pytest.mark.parametrize("row", limits(), ids=lambda row: row[2].strip("`"))
def test_a_bound_is_what_the_page_says(row: list[str]) -> None:
    module, _, name = row[2].strip("`").rpartition(".")
    bound = getattr(import_module(module), name)
    bound = bound / timedelta(days=1) if isinstance(bound, timedelta) else bound
    assert float(row[1].split()[0].rstrip(",").replace(",", "")) == bound


def test_whoever_follows_a_page_signs_in_where_that_is_asked_for() -> None:
    """Every call of curl that a page shows, whatever it is broken into, against the description of the interface."""
    calls = 0
    for page in pages():
        shell = "\n".join(block.text for block in blocks(page.read_text(encoding="utf-8")) if block.kind == "sh")
        for call in re.findall(r"\bcurl .*", shell.replace("\\\n", " ")):
            calls += 1
            assert ("$auth" in call or "Authorization: Bearer" in call) is asks_who_it_is(call), f"{page.name}: {call}"
    assert calls > 15


def asks_who_it_is(call: str) -> bool:
    """Whether what curl calls is for those alone who say who they are."""
    address = re.search(rf"{ROOT_PATH}[^\s\"?]+", call)
    assert address is not None, call
    named = re.search(r"-X (\w+)", call)
    method = named[1] if named else "POST" if " -d " in call else "GET"
    (operation,) = (
        operation
        for name, operation in DESCRIBED.items()
        if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/ ]+", name), f"{method} {address[0].removeprefix(ROOT_PATH)}")
    )
    return operation.access is not Access.PUBLIC


def test_every_refusal_of_a_start_is_explained() -> None:
    written = {quoted(row[0]) for row in rows(section(OPERATIONS.read_text(), "## When a start is refused"))}
    assert written == refusals()


def test_every_message_to_act_on_is_one_that_is_logged() -> None:
    written = {quoted(row[0]) for row in rows(section(OPERATIONS.read_text(), "## Logs"))}
    assert len(written) > 10
    assert written <= warnings()


def test_the_shell_lines_of_the_operations_are_of_this_compose_file() -> None:
    services = read_compose(VALUES)["services"]
    for block in blocks(OPERATIONS.read_text()):
        for found in re.findall(r"docker compose (?:exec|run --rm) (\S+)", block.text):
            assert found in services
