"""``firstcome migrate``: the schema of the database, forwards and back."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.options import add_data, add_json, whole_number
from engine.errors import StartupRefused

if TYPE_CHECKING:
    from cli.options import Commands


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "migrate",
        help="Apply or take back migrations, or show them.",
        description="Apply or take back migrations of the database named by DATABASE_URL, "
        "or of a running firstcome up.",
    )
    steps = parser.add_subparsers(title="what to do", metavar="up|down|status", required=True)
    up = steps.add_parser("up", help="Apply what is missing.", description="Apply what is missing, in order.")
    down = steps.add_parser(
        "down",
        help="Take back the last ones.",
        description="Take back the last migrations; data in them are lost.",
    )
    down.add_argument("--steps", type=whole_number(1, 10_000), default=1, help="How many are taken back (default: 1).")
    status = steps.add_parser(
        "status",
        help="Show which are applied.",
        description="Show which are applied; exits 1 if one is missing.",
    )
    for step, run in ((up, run_up), (down, run_down), (status, run_status)):
        add_data(step, "Data folder of the firstcome up that is meant when DATABASE_URL is not set")
        add_json(step)
        step.set_defaults(run=run)


def run_up(arguments: argparse.Namespace) -> int:
    """Apply what is missing."""
    url = _url(arguments)
    _print_names("applied", apply(url), as_json=arguments.json)
    return 0


def run_down(arguments: argparse.Namespace) -> int:
    """Take back the last ones."""
    from migrations import runner  # noqa: PLC0415  # it needs the driver, --help does not

    url = _url(arguments)
    with _refused_in_a_sentence(url):
        names = asyncio.run(runner.down(url, arguments.steps))
    _print_names("taken_back", names, as_json=arguments.json)
    return 0


def run_status(arguments: argparse.Namespace) -> int:
    """Show which are applied."""
    from migrations import runner  # noqa: PLC0415

    url = _url(arguments)
    with _refused_in_a_sentence(url):
        migrations = asyncio.run(runner.status(url))
    rows = [(item.name, item.applied_at.isoformat() if item.applied_at else None) for item in migrations]
    if arguments.json:
        print(json.dumps({"migrations": [{"name": name, "applied_at": at} for name, at in rows]}))
    else:
        for name, at in rows:
            print(f"{name}  {at or 'missing'}")
    return 0 if all(at for _, at in rows) else 1


def apply(url: str) -> list[str]:
    """Bring a database to the schema of this release. Returns the names of what was applied.

    Raises StartupRefused where that cannot be.
    """
    from migrations import runner  # noqa: PLC0415

    with _refused_in_a_sentence(url):
        return asyncio.run(runner.up(url))


@contextmanager
def _refused_in_a_sentence(url: str) -> Iterator[None]:
    from engine.store.startup import told_in_a_sentence  # noqa: PLC0415
    from migrations.runner import MigrationError  # noqa: PLC0415

    try:
        with told_in_a_sentence(url):
            yield
    except MigrationError as error:
        raise StartupRefused(str(error)) from None


def _url(arguments: argparse.Namespace) -> str:
    from cli.database import database_url  # noqa: PLC0415

    return database_url(arguments.data)


def _print_names(what: str, names: list[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({what: names}))
    else:
        print("\n".join(f"{what.replace('_', ' ')} {name}" for name in names) or "nothing to do")
