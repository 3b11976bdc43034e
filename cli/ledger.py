"""``firstcome ledger``: take a ledger out, for others to check."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cli.options import LEDGER_KEY_FILE, add_data
from engine.errors import NotFound, StartupRefused

if TYPE_CHECKING:
    from cli.options import Commands
    from engine.signing import SigningKey


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "ledger",
        help="Write a ledger out, for others to check.",
        description="Take a resource's ledger out of the database named by DATABASE_URL, or of a running firstcome up.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="Write every row with a signed head, as lines of JSON.",
        description="Write the ledger of a resource as of one instant: a head, signed with the key that "
        "FIRSTCOME_LEDGER_KEY_FILE names (or that firstcome up made), then every row. "
        "firstcome verify --export checks it with nothing else.",
    )
    export.add_argument("resource_id", metavar="RESOURCE", help="The resource's id.")
    export.add_argument("--output", type=Path, metavar="FILE", help="Where to write it (default: standard output).")
    add_data(export, "Data folder of the firstcome up that is meant when DATABASE_URL is not set")
    export.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export a ledger."""
    from cli.database import database_url  # noqa: PLC0415  # it needs the driver, --help does not

    url, key = database_url(arguments.data), _key(arguments.data)
    if key is None:
        print("firstcome: there is no ledger key, so the head is not signed", file=sys.stderr)
    with _output(arguments.output) as output:
        asyncio.run(_export(url, arguments.resource_id, key, output))
    return 0


async def _export(url: str, resource_id: str, key: SigningKey | None, output: BinaryIO) -> None:
    from cli.database import connected  # noqa: PLC0415
    from engine.export import export_lines  # noqa: PLC0415
    from engine.store.startup import told_in_a_sentence  # noqa: PLC0415

    async with connected(url) as connection:
        with told_in_a_sentence(url):
            try:
                async for lines in export_lines(connection, resource_id, key):
                    _write(output, lines)
            except NotFound:
                raise StartupRefused(f"There is no resource {resource_id}.") from None


def _write(output: BinaryIO, lines: bytes) -> None:
    """Write lines. Raises StartupRefused: an error of a file must not be taken for one of the database."""
    try:
        output.write(lines)
        output.flush()
    except OSError as error:
        raise StartupRefused(f"The export cannot be written: {error.strerror}.") from None


def _key(data: Path) -> SigningKey | None:
    """The key to sign with: that of the settings, else that of the data folder where no database is named."""
    from engine.signing import read_signing_key  # noqa: PLC0415

    named = os.environ.get("FIRSTCOME_LEDGER_KEY_FILE")
    own = data / LEDGER_KEY_FILE
    if not named and not os.environ.get("DATABASE_URL") and own.exists():
        named = str(own)
    return read_signing_key(Path(named)) if named else None


@contextmanager
def _output(file: Path | None) -> Iterator[BinaryIO]:
    """Where it is written. A file has its name only once it is whole."""
    if file is None:
        yield sys.stdout.buffer
        return
    making = file.with_name(f"{file.name}.making")
    try:
        with making.open("wb") as output:
            yield output
        making.replace(file)
    except OSError as error:
        raise StartupRefused(f"The export cannot be written: {error.strerror}.") from None
    finally:
        making.unlink(missing_ok=True)
