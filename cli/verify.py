"""``firstcome verify``: check in the database what is promised."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from cli.options import add_data, add_json

if TYPE_CHECKING:
    from cli.options import Commands


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "verify",
        help="Check that no guarantee was broken.",
        description="Check bookings and ledger of the database named by DATABASE_URL, or of a running "
        "firstcome up: no overlap, no excess, every ticket one outcome, no gap. Exits 1 and names the rows "
        "where a guarantee was broken.",
    )
    add_data(parser, "Data folder of the firstcome up that is meant when DATABASE_URL is not set")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, and say what was found."""
    from cli.database import database_url  # noqa: PLC0415  # it needs the driver, --help does not

    return asyncio.run(check(database_url(arguments.data), as_json=arguments.json))


async def check(url: str, *, as_json: bool) -> int:
    """Check one database."""
    import msgspec  # noqa: PLC0415

    from cli.database import connected  # noqa: PLC0415
    from engine.store.startup import told_in_a_sentence  # noqa: PLC0415
    from engine.verify import verify  # noqa: PLC0415

    async with connected(url) as connection:
        with told_in_a_sentence(url):
            report = await verify(connection)
    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        print(report.text())
    return 0 if report.clean else 1
