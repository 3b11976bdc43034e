"""``firstcome operator-code``: a new one-time code, with which somebody signs up as the operator."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from cli.options import add_data

if TYPE_CHECKING:
    from cli.options import Commands


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "operator-code",
        help="Make a new one-time code for signing up as an operator.",
        description="Make a new one-time code for signing up as an operator; the one before is good for nothing then. "
        "The database is the one named by DATABASE_URL, or that of a running firstcome up.",
    )
    add_data(parser, "Data folder of the firstcome up that is meant when DATABASE_URL is not set")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make a code and print it."""
    from cli.database import database_url  # noqa: PLC0415  # it needs the driver, --help does not

    print(asyncio.run(_renew(database_url(arguments.data))))
    return 0


def offer(url: str) -> str | None:
    """Make the first code of an installation. None: it has an operator, or a code that waits to be used.

    url  the database.
    """
    return asyncio.run(_offer(url))


async def _renew(url: str) -> str:
    from cli.database import connected  # noqa: PLC0415
    from engine.accounts.credentials import new_operator_code, secret_hash  # noqa: PLC0415
    from engine.store.people import set_operator_code  # noqa: PLC0415

    code = new_operator_code()
    async with connected(url) as connection:
        await set_operator_code(connection, secret_hash(code))
    return code


async def _offer(url: str) -> str | None:
    from cli.database import connected  # noqa: PLC0415
    from engine.accounts.credentials import new_operator_code, secret_hash  # noqa: PLC0415
    from engine.store.people import offer_operator_code  # noqa: PLC0415

    code = new_operator_code()
    async with connected(url) as connection:
        return code if await offer_operator_code(connection, secret_hash(code)) else None
