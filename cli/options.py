"""What several commands ask for on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # argparse has no public name

DATA = Path(".firstcome")
"""The data folder unless another is named."""
LEDGER_KEY_FILE = "ledger-key.pem"
"""In a data folder: the key with which a ``firstcome up`` signs."""


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in a range."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return number

    return convert


def add_data(parser: argparse.ArgumentParser, told: str) -> None:
    """``--data``."""
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help=f"{told} (default: {DATA}).")


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="Print one JSON document instead of text.")


def add_descriptors(parser: argparse.ArgumentParser) -> None:
    """Descriptors that ``firstcome up`` hands to the processes it starts; nobody else needs them."""
    for name in ("--lifeline", "--announce"):
        parser.add_argument(name, type=int, default=-1, help=argparse.SUPPRESS)
