"""``firstcome audit``: hold the history of a run against ledger and bookings."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import add_data, add_json

if TYPE_CHECKING:
    from cli.options import Commands


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "audit",
        help="Hold a history of requests against the ledger.",
        description="Check what callers were told, as a history has it, against ledger and bookings of the database "
        "named by DATABASE_URL, or of a running firstcome up; and the replica, where REPLICA_URL is set, against the "
        "primary. Exits 1 and names the rows where a promise was broken.",
    )
    parser.add_argument("history", type=Path, metavar="HISTORY", help="A file of JSON lines, as firstcome load writes.")
    parser.add_argument("--report", type=Path, metavar="FILE", help="Write what was found as JSON, too.")
    add_data(parser, "Data folder of the firstcome up that is meant when DATABASE_URL is not set")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, and say what was found."""
    import msgspec  # noqa: PLC0415  # --help does not need it

    from cli.database import database_url  # noqa: PLC0415
    from engine.errors import StartupRefused  # noqa: PLC0415
    from loadtest.audit import audit  # noqa: PLC0415

    url, replica_url = database_url(arguments.data), os.environ.get("REPLICA_URL") or None
    report = asyncio.run(audit(arguments.history, url, replica_url=replica_url))
    encoded = msgspec.json.encode(report)
    if arguments.report is not None:
        try:
            arguments.report.write_bytes(encoded + b"\n")
        except OSError as error:
            raise StartupRefused(f"--report {arguments.report} cannot be written: {error.strerror}.") from None
    sys.stdout.write((encoded.decode() if arguments.json else report.text()) + "\n")
    return 0 if report.clean else 1
