"""Who makes the load: wrk where it is there, else locust."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from engine.embedded.server import Lifeline, launch
from engine.errors import StartupRefused

SATURATED = 0.9
"""Above this share of a core the generator may be what is measured."""
ANSWER_WITHIN_S = 30
"""A request that takes longer counts as an error."""
SPARE_S = 60
"""How much longer than its load a generator may take."""
HERE = Path(__file__).parent

Kind = Literal["many", "one", "class", "read"]


@dataclass(frozen=True)
class Rooms:
    """Resources that are booked in turn: so many, each named by the prefix and its number."""

    number: int
    prefix: str = "room"


@dataclass(frozen=True)
class Load:
    """What to send.

    first    the first slot: a number that no run before has used, see ``book.lua``.
    limit    answers after which to stop, 0 for never.
    rule     what every booking repeats (RFC 5545); empty for single bookings.
    bearers  a file of access tokens, a line each, which are shown in turn; None: nobody signs in.
    """

    url: str
    kind: Kind
    connections: int
    seconds: float
    first: int
    rooms: Rooms
    limit: int = 0
    rule: str = ""
    bearers: Path | None = None


@dataclass(frozen=True)
class Shot:
    """What came of it.

    sent        slots that were used, answered or not.
    statuses    answers by status.
    errors      requests without an answer; those cut off at the end do not count.
    p50_ms ...  half of the answers came sooner, 99 of 100, all.
    busy        processor seconds of the generator in a second.
    """

    seconds: float
    sent: int
    statuses: dict[str, int]
    errors: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    busy: float

    @property
    def answers(self) -> int:
        """How many requests were answered."""
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Answers in a second."""
        return self.answers / self.seconds

    @property
    def saturated(self) -> bool:
        """Whether the generator had no time left, so that the rate may be its own."""
        return self.busy > SATURATED


class Generator(Protocol):
    """A program that makes load."""

    name: str

    def version(self) -> str:
        """What it is, for the report."""

    def shoot(self, load: Load) -> Shot:
        """Send the load, and wait for the end."""


class Wrk:
    """wrk, with ``book.lua``: one thread, which does about five times what is needed here."""

    name = "wrk"

    def __init__(self, program: str) -> None:
        self._program = program

    def version(self) -> str:
        """What it calls itself."""
        said = subprocess.run([self._program, "-v"], capture_output=True, text=True, check=False).stdout
        return " ".join(said.split("Copyright")[0].split())

    def shoot(self, load: Load) -> Shot:
        """Send the load."""
        # wrk takes whole seconds only.
        options = ["-t1", f"-c{load.connections}", f"-d{max(1, round(load.seconds))}s", f"--timeout={ANSWER_WITHIN_S}s"]
        script = ["-s", str(HERE / "book.lua"), load.url]
        return _run([self._program, *options, *script, "--", *_arguments(load)], load)


class Locust:
    """locust, in one process of its own. It saturates early; what it does not reach it cannot judge."""

    name = "locust"

    def version(self) -> str:
        """The installed version."""
        from importlib.metadata import version  # noqa: PLC0415

        return f"locust {version('locust')}"

    def shoot(self, load: Load) -> Shot:
        """Send the load."""
        options = [load.url, str(load.connections), str(load.seconds)]
        return _run([sys.executable, "-P", str(HERE / "locust_generator.py"), *options, *_arguments(load)], load)


def find_generator(wanted: str = "auto") -> Generator:
    """Choose who makes the load.

    wanted  ``wrk``, ``locust``, or ``auto``.

    Raises StartupRefused where it is not there.
    """
    wrk = shutil.which("wrk")
    if wanted in ("auto", "wrk") and wrk is not None:
        return Wrk(str(Path(wrk).absolute()))
    if wanted == "wrk":
        raise StartupRefused("wrk is not in PATH.")
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec("locust") is None:
        raise StartupRefused("Neither wrk is in PATH nor locust installed: one of them must make the load.")
    return Locust()


def _arguments(load: Load) -> list[str]:
    bearers = "" if load.bearers is None else str(load.bearers)
    return [load.kind, str(load.first), str(load.rooms.number), str(load.limit), load.rooms.prefix, load.rule, bearers]


def _run(command: list[str], load: Load) -> Shot:
    code, said = _hear(command, within_s=load.seconds + SPARE_S)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if code != 0 or not lines:
        raise StartupRefused(f"{Path(command[0]).name} failed: {' '.join(said.split())[-500:]}.")
    return Shot(**json.loads(lines[-1]))


def _hear(command: list[str], *, within_s: float) -> tuple[int, str]:
    """Run a generator, which ends when we do: its exit code, and what it said."""
    lifeline = Lifeline()
    try:
        with launch(command, lifeline.watched, output=subprocess.PIPE) as generator:
            try:
                said, _ = generator.communicate(timeout=within_s)
            except BaseException as error:
                generator.kill()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise StartupRefused(f"{Path(command[0]).name} does not end.") from None
                raise
    finally:
        lifeline.close()
    return generator.returncode, said.decode(errors="replace")
