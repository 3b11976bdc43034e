"""``firstcome verify``: check what is promised, in the database or in what was taken out of it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import add_data, add_json
from engine.errors import StartupRefused

if TYPE_CHECKING:
    from cli.options import Commands
    from engine import export_check, verify
    from engine.proof import Receipt
    from engine.signing import PublicKey

LONGEST_RECEIPT = 100_000
"""Bytes of a receipt that are read."""


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "verify",
        help="Check that no guarantee was broken.",
        description="Check bookings and ledger of the database named by DATABASE_URL, or of a running "
        "firstcome up: no overlap, no excess, every ticket one outcome, no gap. With --export or --receipt: check "
        "these files, with nothing but them and the keys. Exits 1 and names the rows where a guarantee was broken.",
    )
    add_data(parser, "Data folder of the firstcome up that is meant when DATABASE_URL is not set")
    add_json(parser)
    parser.add_argument("--export", type=Path, metavar="FILE", help="Check what firstcome ledger export wrote.")
    parser.add_argument(
        "--receipt", type=Path, metavar="FILE", help="Check a receipt, against --export if it is given."
    )
    parser.add_argument(
        "--keys",
        "--key",
        dest="keys",
        type=Path,
        metavar="FILE",
        help="Public keys of the installation: what GET /api/v1/keys answers, or one key in PEM.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, and say what was found."""
    if arguments.export is not None or arguments.receipt is not None:
        return _told(_check_files(arguments), as_json=arguments.json)
    if arguments.keys is not None:
        raise StartupRefused("--keys is for --export and --receipt.")
    from cli.database import database_url  # noqa: PLC0415  # it needs the driver, --help does not

    return asyncio.run(check(database_url(arguments.data), as_json=arguments.json))


async def check(url: str, *, as_json: bool) -> int:
    """Check one database."""
    from cli.database import connected  # noqa: PLC0415
    from engine.store.startup import told_in_a_sentence  # noqa: PLC0415
    from engine.verify import verify as audit  # noqa: PLC0415

    async with connected(url) as connection:
        with told_in_a_sentence(url):
            report = await audit(connection)
    return _told(report, as_json=as_json)


def _check_files(arguments: argparse.Namespace) -> export_check.Report:
    from engine.collector import settle_collector  # noqa: PLC0415
    from engine.export_check import check_export, check_receipt, read_lines  # noqa: PLC0415

    if arguments.export is None and arguments.keys is None:
        raise StartupRefused("--receipt needs --keys, --export, or both: there is nothing to check it with.")
    keys = None if arguments.keys is None else _keys(arguments.keys)
    receipt = None if arguments.receipt is None else _receipt(arguments.receipt)
    if arguments.export is None:
        assert receipt is not None
        return check_receipt(receipt, keys)
    settle_collector()
    try:
        with arguments.export.open("rb") as file:
            return check_export(read_lines(file), keys=keys, receipt=receipt)
    except OSError as error:
        raise _unreadable(arguments.export, error) from None


def _receipt(file: Path) -> Receipt:
    from engine.proof import Receipt, Unreadable, read_document  # noqa: PLC0415

    try:
        with file.open("rb") as reading:
            return read_document(reading.read(LONGEST_RECEIPT), Receipt)
    except OSError as error:
        raise _unreadable(file, error) from None
    except Unreadable as error:
        raise StartupRefused(f"{file} cannot be checked: {error}.") from None


def _keys(file: Path) -> list[PublicKey]:
    from engine.signing import UnreadableKey, read_public_keys  # noqa: PLC0415

    try:
        return read_public_keys(file)
    except UnreadableKey as error:
        raise StartupRefused(f"The keys cannot be used: {error}.") from None


def _unreadable(file: Path, error: OSError) -> StartupRefused:
    return StartupRefused(f"{file} cannot be read: {error.strerror}.")


def _told(report: export_check.Report | verify.Report, *, as_json: bool) -> int:
    import msgspec  # noqa: PLC0415

    if as_json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        print(report.text())
    return 0 if report.clean else 1
