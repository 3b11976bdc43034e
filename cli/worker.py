"""``firstcome worker``: one worker process."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from cli.options import add_descriptors
from cli.process import announce, settle

if TYPE_CHECKING:
    from cli.options import Commands


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "worker",
        help="Run one worker process.",
        description="Run one worker process on the servers named by DATABASE_URL and REDIS_URL.",
    )
    parser.add_argument("--name", type=_name, help=argparse.SUPPRESS)
    add_descriptors(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Decide until SIGTERM, then end the batch that is under way."""
    config = settle(arguments)
    from worker import main  # noqa: PLC0415  # other commands start without arq

    # A worker needs no listener: one that is a moment late leaves commands queued, and nobody is refused.
    announce(arguments)
    return main.run(config, name=arguments.name)


def _name(text: str) -> str:
    """What a worker calls itself, and its supervisor it."""
    if not re.fullmatch(r"[0-9a-f]{1,32}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: hexadecimal digits, at most 32")
    return text
