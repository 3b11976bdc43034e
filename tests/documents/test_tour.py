"""The curl lines of README.md, run as a newcomer runs them, against everything that ``up`` starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from tests.cli.running import Up, environment, up
from tests.documents.pages import ROOT, Block, blocks, section
from tests.support import wait_until_blocking

ADDRESS = "http://127.0.0.1:8000"
"""What the README says; the test's API listens elsewhere."""
ANY = "…"
"""In an answer that is shown: any value, or at the end of a list any number of further items."""


def tour() -> list[Block]:
    return list(blocks(section((ROOT / "README.md").read_text(encoding="utf-8"), "## A tour with curl")))


def steps() -> Sequence[tuple[str, str | None]]:
    """The shell lines, each with the answer that is shown behind it."""
    found = tour()
    following = [*found[1:], Block("", "")]
    return [
        (block.text, after.text if after.kind == "http" else None)
        for block, after in zip(found, following, strict=True)
        if block.kind == "sh"
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as far as the tour sees it, with a curl that also keeps the status."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("tour")
    program(folder / ".venv/bin/firstcome", f'exec "{sys.executable}" -m cli.main "$@"')
    program(folder / "bin/curl", f'exec "{shutil.which("curl")}" -D "{folder}/head" "$@"')
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Up]:
    with up("--data", folder / ".firstcome", more={"AUTH_MODE": "required"}) as one:
        yield one


def program(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def test_every_line_of_the_tour_answers_what_is_shown(folder: Path, running: Up) -> None:
    answered = 0
    with Shell(folder, running.address) as shell:
        for command, shown in steps():
            said = shell.run(command)
            if shown is None:
                assert said.rstrip().endswith("no violations"), said
                continue
            answered += 1
            head, _, body = shown.partition("\n\n")
            assert (folder / "head").read_text().split()[1] == head.split()[1], f"{command}\n{said}"
            if "/requests/" in command:  # it may not be decided yet
                said = outcome_of(shell, command)
            agree(json.loads(body), json.loads(said), command)
    assert answered >= 13


def outcome_of(shell: Shell, command: str) -> str:
    """What a line says that asks for a request, once that is decided."""

    def decided() -> str:
        said = shell.run(command)
        return "" if json.loads(said)["status"] == "queued" else said

    return wait_until_blocking(decided)


class Shell:
    """One shell for the whole tour, so that what a line keeps is there for the next ones."""

    def __init__(self, folder: Path, address: str) -> None:
        self._address = address
        self._shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=folder,
            env=environment(PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", NO_PROXY="*", no_proxy="*"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> str:
        """Run lines; what they say on either stream."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(command.replace(ADDRESS, self._address) + "\necho; echo that was all\n")
        self._shell.stdin.flush()
        said = ""
        for line in self._shell.stdout:
            if line == "that was all\n":
                return said
            said += line
        raise AssertionError(f"the shell ended with {self._shell.wait()} at {command}\n{said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._shell:  # closes what it reads and says, and waits for its end
            pass


def agree(shown: Any, said: Any, where: str) -> None:
    """Compare an answer with what is shown of it: members may be left out, and ``…`` is anything."""
    if shown == ANY:
        return
    if isinstance(shown, dict):
        assert isinstance(said, dict), where
        for name, value in shown.items():
            assert name in said, f"{where}: {name} is missing"
            agree(value, said[name], f"{where}: {name}")
    elif isinstance(shown, list):
        assert isinstance(said, list), where
        wanted = shown[:-1] if shown and shown[-1] == ANY else shown
        assert len(said) >= len(wanted) if wanted is not shown else len(said) == len(shown), where
        for number, (one, other) in enumerate(zip(wanted, said, strict=False)):
            agree(one, other, f"{where}: {number}")
    else:
        assert shown == said, where


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": "…"}, {"b": 2}),
        ([1], [1, 2]),
        ([1, "…"], []),
        ([{"a": 1}], [{"a": 2}]),
        ({"a": {"b": None}}, {"a": {"b": False}}),
    ],
)
def test_a_difference_is_seen(shown: Any, said: Any) -> None:
    with pytest.raises(AssertionError):
        agree(shown, said, "here")


def test_the_two_commands_are_the_ones_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"python3 dev\.py (\w+)", text))
    assert named == {"run", "test", "check"}
    said = subprocess.run([sys.executable, ROOT / "dev.py", "--help"], capture_output=True, text=True, check=True)
    assert named <= set(re.findall(r"\w+", said.stdout))
