"""The watcher that ends a server when its owner is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.embedded import launch as program
from engine.embedded.server import Lifeline, Process, launch
from tests.support import wait_until_blocking

DEAF = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
ENDING = "TERM:0.2,KILL:5"


@pytest.fixture
def lifeline() -> Iterator[Lifeline]:
    lifeline = Lifeline()
    yield lifeline
    lifeline.close()


def start(lifeline: Lifeline, code: str) -> subprocess.Popen[bytes]:
    """Start Python through the launcher and wait for its first line."""
    child = launch([sys.executable, "-c", code], lifeline.watched, ending=ENDING, output=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline()
    return child


def test_a_server_ends_when_the_lifeline_closes_even_if_it_is_deaf(lifeline: Lifeline) -> None:
    with start(lifeline, DEAF) as child:
        lifeline.close()
        assert child.wait(10) == -signal.SIGKILL


def test_a_frozen_server_ends_too(lifeline: Lifeline) -> None:
    with start(lifeline, "import signal; print('here', flush=True); signal.pause()") as child:
        os.kill(child.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
        lifeline.close()
        assert child.wait(10) == -signal.SIGKILL


def test_the_server_is_the_process_that_was_started_and_inherits_no_descriptor(lifeline: Lifeline) -> None:
    shown = "import os, signal; print(os.getpid(), sorted(map(int, os.listdir('/dev/fd')))[:-1], flush=True)\n"
    shown += "signal.pause()"
    child = launch([sys.executable, "-c", shown], lifeline.watched, ending=ENDING, output=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline().decode().strip() == f"{child.pid} [0, 1, 2]"
        lifeline.close()


def test_the_watcher_ends_with_the_server_and_holds_the_lock_no_longer(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()  # like a lock, the write end is open as long as somebody holds it
    server = Process("sleeper", log=tmp_path / "log", lock=write_end)
    server.spawn([sys.executable, "-c", "import signal; signal.pause()"], ending=ENDING)
    os.close(write_end)
    os.set_blocking(read_end, False)
    with pytest.raises(BlockingIOError):
        os.read(read_end, 1)
    server.end([(signal.SIGKILL, 5)])

    def let_go() -> bool:
        try:
            return os.read(read_end, 1) == b""
        except BlockingIOError:
            return False

    wait_until_blocking(let_go)
    os.close(read_end)


def test_without_process_handles_the_watcher_looks_from_time_to_time(lifeline: Lifeline) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as server:
        watcher = threading.Thread(target=program.watch, args=(lifeline.watched, server.pid, -1, ENDING))
        watcher.start()
        os.close(lifeline._held)
        assert server.wait(10) == -signal.SIGTERM
        watcher.join(10)
        assert not watcher.is_alive()
        os.close(lifeline.watched)
        lifeline._held = -1
