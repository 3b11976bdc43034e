"""The ``firstcome`` command: one module for each of its commands.

Exit codes: 0 done, 1 a check failed, 2 wrong use or a start that was refused, with one sentence why.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from cli import VERSION, api, audit, bench, chaos, ledger, load, migrate, operator_code, seed, up, verify, worker
from engine.errors import StartupRefused

COMMANDS = (up, api, worker, migrate, operator_code, seed, verify, ledger, bench, load, chaos, audit)
"""In the order in which ``--help`` shows them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        if given[:1] == ["bench"]:
            return bench.run(given[1:])
        chosen = parser().parse_args(given)
        code: int = chosen.run(chosen)
    except StartupRefused as refused:
        print(f"firstcome: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return up.INTERRUPTED
    return code


class Parser(argparse.ArgumentParser):
    """A parser that refuses what it does not know itself, so that the usage shown is that of its own command."""

    def parse_known_args(self, *arguments: Any, **more: Any) -> Any:
        """Refuse an unknown argument here; argparse would leave it to the parser on top."""
        chosen, unknown = super().parse_known_args(*arguments, **more)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return chosen, unknown


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = Parser(prog="firstcome", description="A booking engine that serves strictly first come, first served.")
    top.add_argument(
        "--version", action="version", version=f"firstcome {VERSION}", help="Show the version of this release and exit."
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
