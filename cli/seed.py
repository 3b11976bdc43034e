"""``firstcome seed``: fill an installation with a demo."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import add_data

if TYPE_CHECKING:
    from cli.options import Commands
    from engine.config import Config

ACCOUNTS = "demo-accounts.json"
"""In the data folder, for its own user only: the passwords of the people of the demo."""


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "seed",
        help="Fill an installation with a demo.",
        description="Fill the database named by DATABASE_URL, or that of a running firstcome up, with a demo: hosts "
        "with slots, a class, a room, an event, and guests who booked. A second run changes nothing. Workers must run, "
        "unless BOOKING_MODE is direct. Refused where a process in production ever started.",
    )
    add_data(parser, "Data folder of the firstcome up that is meant; the passwords of the demo are kept there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the demo, and say who can log in."""
    from cli.demo import CAST  # noqa: PLC0415  # --help needs none of it
    from engine import logs  # noqa: PLC0415

    config = _config(arguments.data)
    logs.set_up("warning", config.log_format)
    asyncio.run(_refuse_production(config))
    passwords = _passwords(arguments.data, [role.email for role in CAST])
    made = asyncio.run(_fill(config, passwords))
    print(f"{made} things were made" if made else "everything is there already")
    for role in CAST:
        print(f"  {role.email}  {passwords[role.email]}  {' and '.join(role.roles)}")
    print(f"the passwords are kept in {(arguments.data / ACCOUNTS).resolve()}")
    return 0


def _config(data: Path) -> Config:
    """The settings of the processes that run, but for what this one needs otherwise: it is its own and only caller."""
    from msgspec.structs import replace  # noqa: PLC0415

    from cli.database import database_url  # noqa: PLC0415
    from cli.urls import read_urls  # noqa: PLC0415
    from engine.accounts.tokens import new_token_key  # noqa: PLC0415
    from engine.config import read_config  # noqa: PLC0415

    named = {} if os.environ.get("DATABASE_URL") else {**read_urls(data), "DATABASE_URL": database_url(data)}
    config = read_config({**os.environ, **named})
    return replace(
        config,
        replica_url=None,  # what it made just now, it must see
        auth_mode="required",
        rate_limits="off",
        token_key=new_token_key(),
        token_key_file=None,
        ledger_key_file=None,
    )


async def _refuse_production(config: Config) -> None:
    """Raise StartupRefused where people rely on what is there."""
    from cli.database import connected  # noqa: PLC0415
    from engine.errors import StartupRefused  # noqa: PLC0415
    from engine.store.installation import is_production  # noqa: PLC0415

    if config.environment == "production":
        raise StartupRefused("FIRSTCOME_ENVIRONMENT is 'production': a demo is not for people who rely on it.")
    async with connected(config.database_url) as connection:
        if await is_production(connection):
            raise StartupRefused(
                "This database is marked as production: a process with FIRSTCOME_ENVIRONMENT=production started on it."
            )


async def _fill(config: Config, passwords: dict[str, str]) -> int:
    from cli.demo import fill  # noqa: PLC0415
    from cli.inside import inside  # noqa: PLC0415

    async with inside(config) as api:
        return await fill(api, passwords, today=datetime.now(UTC).date())


def _passwords(data: Path, emails: list[str]) -> dict[str, str]:
    """The passwords of the demo: those of its first run, or random ones, kept before they are used."""
    from engine.accounts.credentials import new_secret  # noqa: PLC0415

    file = data / ACCOUNTS
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    passwords = {email: kept.get(email) or new_secret() for email in emails}
    if passwords != kept:
        data.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(passwords, indent=1) + "\n")
    return passwords
