"""``firstcome bench``: how fast it is here, side by side with what it is compared to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cli.options import add_descriptors, whole_number

if TYPE_CHECKING:
    from cli.options import Commands

NOOP = "noop"


def add(commands: Commands) -> None:
    """Name the command in the list. ``loadtest.bench`` reads its options."""
    commands.add_parser("bench", help="Measure throughput and latency.", add_help=False)


def run(arguments: list[str]) -> int:
    """Measure. With ``noop`` first: be the process that the others are compared to."""
    if arguments[:1] == [NOOP]:
        return _serve_noop(arguments[1:])
    from loadtest import bench  # noqa: PLC0415  # the other commands start without it

    return bench.main(arguments)


def _serve_noop(arguments: list[str]) -> int:
    """Serve the bare application exactly as ``firstcome api`` serves its own."""
    parser = argparse.ArgumentParser(prog="firstcome bench noop")
    parser.add_argument("--port", type=whole_number(1, 65_535), required=True)
    add_descriptors(parser)
    given = parser.parse_args(arguments)
    from cli.listening import listen  # noqa: PLC0415
    from cli.process import announce, settle  # noqa: PLC0415
    from cli.server import serve  # noqa: PLC0415
    from loadtest.noop import create_noop  # noqa: PLC0415

    settle(given)
    serve(create_noop(), listen("127.0.0.1", given.port), started=lambda: announce(given))
    return 0
