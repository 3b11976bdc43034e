"""``firstcome`` as its users run it: a process, with its lines, its exit code, and what it leaves behind."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0
END_WITHIN_S = 40.0


def environment(**more: str) -> dict[str, str]:
    """What a command is given: nothing of ours that would point it to other servers, and nobody has to sign in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTCOME_")}
    for name in ("DATABASE_URL", "REPLICA_URL", "REDIS_URL", "BOOKING_MODE"):
        kept.pop(name, None)
    return {**kept, "PYTHONPATH": str(ROOT), "AUTH_MODE": "open", **more}


def firstcome(
    *arguments: str | Path, folder: Path | None = None, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder or ROOT,
        env=environment(**(more or {})),
        capture_output=True,
        text=True,
        timeout=READY_WITHIN_S,
        check=False,
    )


class Up:
    """A ``firstcome up`` that runs."""

    def __init__(self, arguments: Sequence[str | Path], more: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--port", "0", *arguments],
            cwd=ROOT,
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self.logged: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._listeners = [
            threading.Thread(target=self._listen_to_output, daemon=True),
            threading.Thread(target=self._listen_to_log, daemon=True),
        ]
        for listener in self._listeners:
            listener.start()
        self.address = ""

    def wait_ready(self) -> None:
        """Wait for the line that says so."""
        while not self.address:
            line = self._lines.get(timeout=READY_WITHIN_S)
            assert line, f"ended before it was ready: {self.said} {self.logged}"
            if line.startswith("ready "):
                self.address = line.split()[1]

    def processes(self, command: str | None = None) -> list[psutil.Process]:
        """Children that live, all of them or those of one ``command``."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if command is None or is_command(child, command)]

    def get(self, path: str) -> httpx.Response:
        """Ask the API on a connection of its own."""
        return httpx.get(self.address + path, timeout=10, trust_env=False)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(END_WITHIN_S)
        for listener in self._listeners:
            listener.join(END_WITHIN_S)
        return code

    def _listen_to_output(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said.append(line.rstrip("\n"))
                self._lines.put(line)
        self._lines.put("")

    def _listen_to_log(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            self.logged.extend(line.rstrip("\n") for line in lines)


@contextmanager
def up(*arguments: str | Path, more: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Start everything, hand it over ready, and end it if the test has not."""
    running = Up(arguments, more or {})
    try:
        running.wait_ready()
        yield running
    finally:
        if running.process.poll() is None:
            running.end()


def is_command(process: psutil.Process, command: str) -> bool:
    """Whether a process is ``firstcome <command>``."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "cli.main" in words and words[words.index("cli.main") + 1] == command


def left_behind(data: Path, pids: Sequence[int]) -> list[str]:
    """Processes of those that still live, and any that works on the data folder."""
    left = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if process.pid in pids or str(data) in words:
            left.append(f"{process.pid} {words}")
    return left
