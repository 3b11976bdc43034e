"""``firstcome load``: load profiles, with thresholds, an audit and a report."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import DATA, add_json, whole_number

if TYPE_CHECKING:
    from cli.options import Commands
    from loadtest.load import Wish

PROFILES = {
    "load": "0, 50, 100 callers in three and a half minutes",
    "spike": "0, 50, 400, 800 callers in 30 s: a third single bookings, a third series of five, a third availability",
    "staged": "50, 100, 200 callers, some minutes each",
    "launch": "10,000 arrivals within one second for 500 places; nobody waits for an answer before the next arrives",
    "concurrency": "5, 10, 20, 30 callers at one instant for one time, without and with the clock jobs running",
}
OUT = Path("load-results")
LONGEST_S, MOST_MINUTES, MOST_ARRIVALS, MOST_REPEATS, MOST_HEADERS = 3_600, 60, 15_000, 1_000, 8


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "load",
        help="Run a load profile: thresholds, audit, report.",
        description="Run a load profile on servers of its own, or on an installation that runs on this machine; audit "
        "what was booked; write a report and the history of every request. Exits 1 where a figure is missed or the "
        "audit finds anything.",
    )
    profiles = parser.add_subparsers(title="profiles", metavar="PROFILE", required=True, dest="profile")
    for name, told in PROFILES.items():
        _add_options(profiles.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}."), name)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the profile. Returns 0 where everything is as asked for."""
    import msgspec  # noqa: PLC0415  # --help does not need it

    from loadtest import load  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that everything is taken down
    result = load.run(_wish(arguments), _hush if arguments.quiet else _say)
    print(msgspec.json.encode(result).decode() if arguments.json else result.text())
    return 0 if result.met else 1


def _wish(given: argparse.Namespace) -> Wish:
    from loadtest.load import Wish  # noqa: PLC0415

    named = {name: getattr(given, name) for name in ("seconds", "minutes", "arrivals", "repeats") if name in given}
    return Wish(
        profile=given.profile,
        out=given.out or OUT / given.profile,
        data=given.folder,
        url=given.url,
        database_url=_database_url(given),
        headers=dict(given.header),
        generator=getattr(given, "generator", "light"),
        **{name: value for name, value in named.items() if value is not None},
    )


def _database_url(given: argparse.Namespace) -> str:
    if given.url is None:
        return ""
    from cli.database import database_url  # noqa: PLC0415

    return database_url(given.data)


def _add_options(parser: argparse.ArgumentParser, profile: str) -> None:
    if profile in ("load", "spike", "staged"):
        parser.add_argument(
            "--seconds",
            type=whole_number(1, LONGEST_S),
            help="Of the whole load, instead of the profile's own; what is asked for changes with it.",
        )
        parser.add_argument(
            "--generator",
            choices=("auto", "locust", "light"),
            default="auto",
            help="Who makes the load (default: locust if it is there).",
        )
    if profile == "staged":
        parser.add_argument("--minutes", type=whole_number(1, MOST_MINUTES), help="Of each stage (default: 7).")
    if profile == "launch":
        parser.add_argument(
            "--arrivals",
            type=whole_number(10, MOST_ARRIVALS),
            help="How many arrive, at the same pace; there are fewer places for fewer (default: 10000).",
        )
    if profile == "concurrency":
        parser.add_argument("--repeats", type=whole_number(1, MOST_REPEATS), help="Crowds of each size (default: 20).")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="Where report and history are written (default: load-results/PROFILE)."
    )
    parser.add_argument(
        "--url",
        help="An installation that runs on this machine, http://127.0.0.1:PORT, instead of servers of its own. Its "
        "database is named by DATABASE_URL, or is that of a running firstcome up.",
    )
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="With --url: data folder of that firstcome up."
    )
    parser.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="Sent with every request; with --url, where callers must be known.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="Where the folder of its own servers is made (default: the system's temporary folder).",
    )
    parser.add_argument("--quiet", action="store_true", help="Do not tell how far it is.")
    add_json(parser)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (name and colon and text.isascii() and text.isprintable()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:VALUE")
    return name.strip().lower(), value.strip()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _hush(sentence: str) -> None:
    """Say nothing."""
