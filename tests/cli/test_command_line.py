"""Help and exit codes of every command."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from api import openapi
from cli import VERSION
from cli.main import parser
from tests.cli.running import ROOT, firstcome


def described(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its commands, bench apart: its options are described by ``loadtest.bench``."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                if name != "bench":
                    yield from described(command)


@pytest.mark.parametrize("command", list(described(parser())), ids=lambda command: command.prog)
def test_every_option_has_a_sentence(command: argparse.ArgumentParser) -> None:
    assert command.description
    for action in command._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action


@pytest.mark.parametrize("command", ["up", "api", "worker", "migrate", "verify"])
def test_help_needs_nothing(command: str) -> None:
    told = firstcome(command, "--help")
    assert told.returncode == 0
    assert told.stdout.startswith("usage: ")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("", ""),
        ("", "upp"),
        ("", "--unknown verify"),
        ("up", "--workers 0"),
        ("up", "--port x"),
        ("up", "--unknown"),
        ("migrate", ""),
        ("migrate down", "--steps 0"),
        ("migrate down", "--unknown"),
        ("verify", "extra"),
    ],
)
def test_wrong_use_exits_2_and_shows_the_usage_of_that_command(command: str, wrong: str) -> None:
    told = firstcome(*command.split(), *wrong.split())
    assert told.returncode == 2
    prog = f"firstcome {command}".rstrip()
    assert told.stderr.startswith(f"usage: {prog} [")
    assert f"\n{prog}: error: " in told.stderr


def test_the_version_is_the_same_everywhere() -> None:
    told = firstcome("--version")
    assert (told.returncode, told.stdout) == (0, f"firstcome {VERSION}\n")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    assert openapi.VERSION == VERSION


@pytest.mark.parametrize("command", [["migrate", "up"], ["verify"], ["api"], ["worker"]])
def test_no_database_exits_2_with_one_sentence(command: list[str], tmp_path: object) -> None:
    told = firstcome(*command, *(["--data", f"{tmp_path}/none"] if command[0] in ("migrate", "verify") else []))
    assert told.returncode == 2
    assert told.stderr.startswith("firstcome: DATABASE_URL is not set")
    assert told.stderr.count("\n") == 1


def test_a_folder_on_which_nothing_runs_is_named_in_full(tmp_path: Path) -> None:
    told = firstcome("verify", folder=tmp_path)
    assert told.returncode == 2
    assert f"no firstcome up runs on {tmp_path}/.firstcome: start one, or name its folder with --data." in told.stderr


async def test_migrations_go_back_and_forth(database_url: str, database: asyncpg.Connection[asyncpg.Record]) -> None:
    here = {"DATABASE_URL": database_url}
    newest = json.loads(firstcome("migrate", "status", "--json", more=here).stdout)["migrations"][-1]["name"]
    assert json.loads(firstcome("migrate", "down", "--json", more=here).stdout) == {"taken_back": [newest]}
    missing = firstcome("migrate", "status", more=here)
    assert missing.returncode == 1
    assert f"{newest}  missing" in missing.stdout
    assert json.loads(firstcome("migrate", "up", "--json", more=here).stdout) == {"applied": [newest]}
    assert firstcome("migrate", "up", more=here).stdout == "nothing to do\n"
    assert await database.fetchval("SELECT count(*) FROM schema_migration WHERE name = $1", newest) == 1


async def test_verify_says_whether_a_guarantee_was_broken(
    database_url: str, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    here = {"DATABASE_URL": database_url}
    sound = firstcome("verify", more=here)
    assert sound.returncode == 0, sound.stderr
    assert "no violations" in sound.stdout
    await database.execute(
        "INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, last_ticket)"
        " VALUES ('room', 'A room', 'UTC', 1, 1, 1)"
    )
    broken = firstcome("verify", "--json", more=here)
    assert broken.returncode == 1, broken.stderr
    report = json.loads(broken.stdout)
    assert report["clean"] is False
    assert report["violations"]
    assert firstcome("verify", more=here).returncode == 1
