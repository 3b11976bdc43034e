"""What the servers of one machine have in common: a process that ends when we do, on a port of its own."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from engine.errors import StartupRefused

Identity = Literal["auto", "keep", "namespace", "nobody"]

LAUNCH = Path(__file__).with_name("launch.py")
PORTS = range(20_000, 32_000)
PORTS_TRIED = 100
POLL_S = 0.01
LOG_LIMIT_BYTES = 10_000_000
"""A server's log that is longer is put aside at the next start, one old one is kept."""


class Lifeline:
    """A pipe that only we hold open: whoever watches the other end learns of our end, however it comes."""

    def __init__(self) -> None:
        self.watched, self._held = os.pipe()

    def close(self) -> None:
        """End those who still watch."""
        if self._held >= 0:
            os.close(self._held)
            os.close(self.watched)
            self._held = -1


class Process:
    """A server process, started through ``launch.py``.

    name    one word for messages.
    log     where the server's words go.
    lock    descriptor that stays open as long as the server lives, or None.
    """

    def __init__(self, name: str, *, log: Path, lock: int | None = None) -> None:
        self.name = name
        self.log = log
        self._lock = lock
        self._lifeline: Lifeline | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the server itself."""
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._child is not None and self._child.poll() is None

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        ending: str,
        identity: Identity = "keep",
        own: Path | None = None,
    ) -> None:
        """Start the server, watched.

        ending  signals with the seconds to wait after each, as ``launch.py`` reads them.
        own     folder that the server's user must own.
        """
        assert not self.alive, f"{self.name} runs"
        set_aside(self.log)
        self._lifeline = Lifeline()
        with self.log.open("ab") as log:
            self._child = launch(
                command,
                self._lifeline.watched,
                lock=self._lock,
                ending=ending,
                identity=identity,
                own=own,
                output=log,
            )

    def signal(self, number: int) -> None:
        """Send a signal to the server's process."""
        assert self._child is not None
        self._child.send_signal(number)

    def wait(self, within_s: float) -> bool:
        """Wait for the server's end. Returns whether it came."""
        assert self._child is not None
        try:
            self._child.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        assert self._lifeline is not None
        self._lifeline.close()
        return True

    def end(self, steps: Sequence[tuple[int, float]]) -> None:
        """Send each signal in turn until the server has ended.

        steps  signals with the seconds to wait after each.
        """
        if self._child is None:
            return
        for number, within_s in steps:
            self.signal(number)
            if self.wait(within_s):
                return
        raise StartupRefused(f"{self.name} (process {self.pid}) does not end.")

    def wait_ready(self, ready: Callable[[], bool], *, within_s: float) -> bool:
        """Poll until ``ready``. Returns False when the server ended first.

        Raises StartupRefused when neither happened within the time.
        """
        deadline = time.monotonic() + within_s
        while not ready():
            if not self.alive:
                self.wait(0)
                return False
            if time.monotonic() > deadline:
                raise StartupRefused(f"{self.name} was not ready within {within_s:.0f} s; see {self.log}.")
            time.sleep(POLL_S)
        return True


def launch(
    command: Sequence[str | Path],
    lifeline: int,
    *,
    lock: int | None = None,
    ending: str = "KILL:5",
    identity: Identity = "keep",
    own: Path | None = None,
    input: int = subprocess.DEVNULL,  # noqa: A002  # the word of subprocess
    output: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program through ``launch.py``; its arguments are explained there."""
    descriptors = [lifeline] if lock is None else [lifeline, lock]
    return subprocess.Popen(  # noqa: S603  # our own interpreter and programs that we looked up
        [
            *(sys.executable, "-I", "-S", LAUNCH),
            *(str(lifeline), str(-1 if lock is None else lock), identity, str(own or "-"), ending),
            *command,
        ],
        stdin=input,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        pass_fds=descriptors,
        start_new_session=True,  # Ctrl-C in the terminal is for us; we end the servers in their order
        env={**os.environ, "LC_ALL": "C"},
    )


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now.

    It lies below those that systems give to whoever asks for any: one of those could be somebody else's, for a
    connection or a server, before our own server listens on it.

    Raises StartupRefused where there is none.
    """
    for port in random.sample(PORTS, PORTS_TRIED):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise StartupRefused(f"None of {PORTS_TRIED} ports from {PORTS.start} to {PORTS.stop - 1} is free.")


def set_aside(log: Path) -> None:
    """Keep a log from growing for ever."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))


def tail(log: Path, start: int = 0) -> str:
    """What a log says from byte ``start`` on, at most its last 10,000 bytes. One that is shorter was begun anew."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = start if start <= size else 0
        file.seek(max(start, size - 10_000, 0))
        return file.read().decode(errors="replace")
