"""``firstcome up``: everything on this machine with one command."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli import migrate, operator_code
from cli.children import REFUSED
from cli.listening import listen
from cli.options import LEDGER_KEY_FILE, add_data, whole_number
from cli.supervisor import Supervisor
from cli.urls import owner, write_urls
from engine import logs
from engine.config import Config, read_config, variable
from engine.embedded import Stack
from engine.embedded.folder import token_key
from engine.errors import StartupRefused

if TYPE_CHECKING:
    from cli.options import Commands

HOST = "127.0.0.1"
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended before it was done, as a shell gives it."""
URLS = ("DATABASE_URL", "REPLICA_URL", "REDIS_URL")
LEDGER_KEY = variable("ledger_key_file")


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "up",
        help="Start everything: servers, API and workers.",
        description="Start PostgreSQL with a replica, Valkey, the API and workers, and keep them running. "
        "Where DATABASE_URL is set, the servers that it, REPLICA_URL and REDIS_URL name are used instead. "
        "Ctrl-C or SIGTERM stops everything; SIGHUP replaces API and worker processes one after another.",
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, 65_535),
        default=8000,
        help="Port of the API; 0 takes a free one (default: 8000).",
    )
    parser.add_argument(
        "--workers", type=whole_number(1, 64), default=2, help="How many worker processes run (default: 2)."
    )
    parser.add_argument("--apis", type=whole_number(1, 64), default=1, help="How many API processes run (default: 1).")
    add_data(parser, "Folder that keeps the data from start to start")
    parser.add_argument(
        "--ephemeral",
        action="store_true",
        help="Keep nothing: the data are in a folder that goes when this ends.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start everything, and keep it running until told to stop."""
    environment = dict(os.environ)
    if sys.stderr.isatty():
        environment.setdefault("FIRSTCOME_LOG_FORMAT", "text")
    config = _checked(environment)
    logs.set_up(config.log_level, config.log_format)
    named = bool(environment.get("DATABASE_URL"))
    if not named and not arguments.ephemeral:
        _refuse_a_used_folder(arguments.data)
    try:
        with listen(HOST, arguments.port) as listener, _told_to_stop(), _servers(arguments, environment) as stack:
            migrate.apply(environment["DATABASE_URL"])
            offered = operator_code.offer(environment["DATABASE_URL"])
            workers = arguments.workers if config.booking_mode == "queue" else 0
            supervisor = Supervisor(listener, environment, apis=arguments.apis, workers=workers, stack=stack)
            code = asyncio.run(supervisor.run(ready=lambda: _say_ready(listener, stack, offered)))
    except KeyboardInterrupt:  # before it was ready
        code = INTERRUPTED
    if code != REFUSED:
        kept = "nothing is kept" if arguments.ephemeral else f"the data are in {arguments.data.resolve()}"
        print("stopped" if named else f"stopped; {kept}", flush=True)
    return code


@contextmanager
def _servers(arguments: argparse.Namespace, environment: dict[str, str]) -> Iterator[Stack | None]:
    """The servers' addresses in the environment: those that are named, or a stack of our own."""
    if environment.get("DATABASE_URL"):
        yield None
        return
    data = Path(tempfile.mkdtemp(prefix="firstcome-")) if arguments.ephemeral else arguments.data
    stack = Stack(data, ephemeral=arguments.ephemeral, report=lambda sentence: print(sentence, flush=True))
    try:
        stack.start()
        if _makes_its_key(environment):
            environment["FIRSTCOME_TOKEN_KEY_FILE"] = str(token_key(stack.data))
        urls = {
            "DATABASE_URL": stack.database_url,
            "REPLICA_URL": stack.replica_url,
            "REDIS_URL": stack.redis_url,
        }
        environment.update(urls)
        environment.setdefault(LEDGER_KEY, str(_ledger_key(stack.data)))
        write_urls(stack.data, urls)
        yield stack
    finally:
        stack.stop()


def _ledger_key(data: Path) -> Path:
    """The key of this installation, made the first time: an installation of one's own signs from its first ticket."""
    from engine.signing import make_signing_key  # noqa: PLC0415  # --help does without the library for it

    file = data / LEDGER_KEY_FILE
    make_signing_key(file)
    return file


def _refuse_a_used_folder(data: Path) -> None:
    """Say so before the port is asked for: whoever runs it twice means the folder, and would hear of the port."""
    process = owner(data)
    if process is not None:
        raise StartupRefused(f"{data.resolve()} is in use by process {process}.")


def _checked(environment: Mapping[str, str]) -> Config:
    """Read the settings before anything is started, so that a wrong one costs nothing."""
    named = [name for name in URLS if environment.get(name)]
    if named and "DATABASE_URL" not in named:
        raise StartupRefused(f"{named[0]} is set and DATABASE_URL is not: set both, or neither.")
    config = read_config(environment if named else {**environment, **dict.fromkeys(URLS, "embedded")})
    if named or not _makes_its_key(environment):
        from engine.accounts.tokens import open_tokens  # noqa: PLC0415  # --help needs no cryptography

        open_tokens(config)
    return config


def _makes_its_key(environment: Mapping[str, str]) -> bool:
    """Whether the key that signs access tokens is made here: where none is named, and it is not production."""
    settings = ("FIRSTCOME_TOKEN_KEY_FILE", "FIRSTCOME_TOKEN_KEY")
    named = any(environment.get(name) for name in settings)
    return not named and environment.get("FIRSTCOME_ENVIRONMENT") != "production"


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Make SIGTERM during the start what Ctrl-C is, so that nothing is left running."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say_ready(listener: socket.socket, stack: Stack | None, offered: str | None) -> None:
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    print(f"pages {address}/docs")
    print(f"data {stack.data if stack else 'in the servers named by DATABASE_URL'}")
    if offered is not None:
        print(f"operator code {offered} (good once, to sign up as the operator: docs/accounts.md)")
    print(f"ready {address}", flush=True)
