"""``firstcome chaos``: faults at random under load, and the audit at the end."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import add_json

if TYPE_CHECKING:
    from cli.options import Commands

LEAST_MINUTES, MOST_MINUTES = 0.001, 24 * 60.0
LEAST_PAUSE_S, MOST_PAUSE_S = 0.5, 60.0
LARGEST_SEED = 2**31 - 1
MOST_CALLERS = 1_000
MOST_OPERATIONS = 100_000_000


def add(commands: Commands) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "chaos",
        help="Break everything at random under load, and check what was promised.",
        description="Start servers, two APIs and two workers of its own; let callers book, cancel, move and look; "
        "kill and freeze processes, cut cables, lose and restart servers, several at once; then check that everyone "
        "was answered in time, what they were told against ledger and bookings, and the database against itself. "
        "Exits 1 where a promise was broken, and says the seed that repeats it.",
    )
    parser.add_argument("--minutes", type=_minutes, default=2.0, help="How long faults are injected (default: 2).")
    parser.add_argument(
        "--pause", type=_pause, metavar="SECONDS", help="Between two faults, on average, from 0.5 to 60 (default: 2)."
    )
    parser.add_argument(
        "--operations", type=_operations, help="End as soon as so many were asked for, though the minutes are not over."
    )
    parser.add_argument("--seed", type=_seed, help="Which faults, and when (default: drawn, and said).")
    parser.add_argument("--callers", type=_callers, help="How many ask, from 1 to 1000 (default: 40).")
    parser.add_argument("--history", type=Path, metavar="FILE", help="Keep every request, as JSON lines.")
    parser.add_argument("--quiet", action="store_true", help="Do not tell what goes on.")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Break, heal and check. Returns 0 where everything held."""
    import msgspec  # noqa: PLC0415  # --help does not need it

    from loadtest import chaos  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that everything is taken down
    seed = secrets.randbelow(LARGEST_SEED) if arguments.seed is None else arguments.seed
    say = _hush if arguments.quiet else _say
    wish = chaos.Wish(
        seed=seed,
        minutes=arguments.minutes,
        pause_s=arguments.pause or chaos.PAUSE_S,
        callers=arguments.callers or chaos.CALLERS,
        operations=arguments.operations,
        history=arguments.history,
    )
    result = chaos.run(wish, say)
    print(msgspec.json.encode(result).decode() if arguments.json else result.text())
    return 0 if result.clean else 1


def _minutes(text: str) -> float:
    return _number(text, "minutes", LEAST_MINUTES, MOST_MINUTES)


def _pause(text: str) -> float:
    return _number(text, "seconds", LEAST_PAUSE_S, MOST_PAUSE_S)


def _number(text: str, unit: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit} from {least} to {most}")
    return number


def _operations(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_OPERATIONS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_OPERATIONS}")
    return int(text)


def _callers(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_CALLERS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_CALLERS}")
    return int(text)


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) <= LARGEST_SEED):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {LARGEST_SEED}")
    return int(text)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _hush(sentence: str) -> None:
    """Say nothing."""
