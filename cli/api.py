"""``firstcome api``: one API process."""

from __future__ import annotations

import argparse
import logging
import socket
from typing import TYPE_CHECKING

from cli.listening import listen
from cli.options import add_descriptors, whole_number
from cli.process import announce, settle

if TYPE_CHECKING:
    from cli.options import Commands


logger = logging.getLogger(__name__)


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "api",
        help="Run one API process.",
        description="Run one API process on the servers named by DATABASE_URL, REPLICA_URL and REDIS_URL.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: 127.0.0.1).")
    parser.add_argument(
        "--port",
        type=whole_number(0, 65_535),
        default=8000,
        help="Port to listen on; 0 takes a free one (default: 8000).",
    )
    parser.add_argument("--socket", type=int, default=-1, help=argparse.SUPPRESS)
    add_descriptors(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM, then answer what is under way."""
    config = settle(arguments)
    if arguments.socket >= 0:
        listener = socket.socket(fileno=arguments.socket)
    else:
        listener = listen(arguments.host, arguments.port)
    from api.app import create_app  # noqa: PLC0415  # other commands start without the web framework
    from cli.server import serve  # noqa: PLC0415

    def started() -> None:
        host, port = listener.getsockname()[:2]
        logger.info("api begins", extra={"host": host, "port": port})
        announce(arguments)

    serve(create_app(config), listener, started=started)
    return 0
