"""Processes of the benchmark: how they are started, what they cost, how much memory they hold."""

from __future__ import annotations

import os
import re
import resource
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import loadtest
from engine.embedded.server import Lifeline
from engine.errors import StartupRefused

ROOT = Path(loadtest.__file__).parents[1]
START_WITHIN_S = 60.0
END_WITHIN_S = 15.0
LOOK_S = 0.25
LAST_WORDS_BYTES = 4_000
PROC = Path("/proc")
DESCRIPTORS = 65_536
CRITICAL = re.compile(r'"level": ?"critical"')
TICKS = os.sysconf("SC_CLK_TCK")


class Program:
    """One process of ours, started as ``firstcome up`` starts it: it says when it takes work, and ends with us.

    What it logs goes to a file without a name, so that nothing is left behind however this ends.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], lifeline: Lifeline) -> None:
        self.name = command[0]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process runs
        self._heard, announced = os.pipe()
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "cli.main", *command),
                    *("--lifeline", str(lifeline.watched), "--announce", str(announced)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[lifeline.watched, announced],
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end them
                env={**os.environ, "PYTHONPATH": path, **environment},
            )
        finally:
            os.close(announced)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait_started(self) -> None:
        """Wait until it says so. Raises StartupRefused with its last words where it does not."""
        said, _, _ = select.select([self._heard], [], [], START_WITHIN_S)
        word = os.read(self._heard, 1) if said else b""
        os.close(self._heard)
        if not word:
            raise StartupRefused(f"firstcome {self.name} did not start: {self._last_words()}")

    def tell_to_end(self) -> None:
        """Tell it to stop, and do not wait."""
        self._process.terminate()

    def end(self) -> None:
        """Wait for its end, and kill it when it does not come."""
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def alarms(self) -> list[str]:
        """What it logged as critical so far: a constraint that fired among it, which the rules should have foreseen."""
        size = os.fstat(self._log.fileno()).st_size
        lines = os.pread(self._log.fileno(), size, 0).decode(errors="replace").splitlines()
        return [line for line in lines if CRITICAL.search(line)]

    def _last_words(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        # Read at a place: the process writes where the descriptor that it shares with us stands.
        words = os.pread(self._log.fileno(), LAST_WORDS_BYTES, max(0, size - LAST_WORDS_BYTES))
        return " ".join(words.decode(errors="replace").strip().splitlines()[-1:]) or "no word."


class Watch:
    """What groups of processes cost between its beginning and its end: processor seconds, and memory.

    groups     name -> ids of the processes at the top of each group; their descendants count with them.
    seconds    from one to the other.
    cpu_s      processor seconds of each group; empty where there is no /proc.
    memory_mb  the most that one of the processes at the top held, looked at again and again. PostgreSQL's
               are no measure of PostgreSQL: what it holds is held by their descendants, and shared.
    """

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        self._before: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self.seconds = 0.0
        self.memory_mb: dict[str, float] = {}
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if PROC.is_dir():
            self._before = self._spent()
            self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        if self._before:
            after = self._spent()
            self.cpu_s = {name: after[name] - before for name, before in self._before.items()}
            self._over.set()
            self._looking.join()

    def _spent(self) -> dict[str, float]:
        children = _children()
        return {name: sum(_cpu_s(pid, children) for pid in pids) for name, pids in self._groups.items()}

    def _look(self) -> None:
        while True:
            for name, pids in self._groups.items():
                most = max((_resident_mb(pid) for pid in pids), default=0.0)
                self.memory_mb[name] = max(self.memory_mb.get(name, 0.0), most)
            if self._over.wait(LOOK_S):
                return


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    return children


def _cpu_s(pid: int, children: Mapping[int, Sequence[int]]) -> float:
    """Processor seconds of a process, of its children that have ended, and of its descendants that live."""
    fields = _stat(pid)
    own = sum(int(field) for field in fields[11:15]) / TICKS if fields else 0.0
    return own + sum(_cpu_s(child, children) for child in children.get(pid, ()))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold spaces; empty where the process is gone.

    Source: proc(5): state, ppid, ..., utime, stime, cutime, cstime.
    """
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident_mb(pid: int) -> float:
    try:
        text = (PROC / str(pid) / "status").read_text()
    except OSError:
        return 0.0
    kilobytes = [line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(kilobytes[0]) / 1024 if kilobytes else 0.0


def allow_many_connections() -> None:
    """Generators and servers inherit it; the usual limit is 1,024."""
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most == resource.RLIM_INFINITY else min(DESCRIPTORS, most)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
