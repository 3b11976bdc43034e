"""Runs a generator, hears how far it is, and ends it whatever happens."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

import msgspec

from engine.embedded.server import Lifeline
from engine.errors import StartupRefused
from loadtest.apart import begin, last_words
from loadtest.order import ANSWER_WITHIN_S, Order, Progress, Sent, told

Name = Literal["locust", "light"]
MODULES: dict[Name, str] = {"locust": "loadtest.locust_callers", "light": "loadtest.light"}
SPARE_S = 60.0
"""How much longer than its load a generator may take: to connect, to hear the last answers, to write."""


def choose(wanted: str) -> Name:
    """Choose who makes the load: ``locust``, ``light``, or ``auto``. Raises StartupRefused where it is not there."""
    there = find_spec("locust") is not None
    if wanted == "locust" and not there:
        raise StartupRefused("locust is not installed: take --generator light.")
    return "light" if wanted == "light" or not there else "locust"


def drive(order: Order, generator: Name, *, seconds: float, say: Callable[[str], None]) -> Sent:
    """Have a generator do what the order says, in a process of its own, which ends when we do.

    seconds  how long its load takes.
    say      told how far it is.

    Raises StartupRefused where it fails, or does not end in time.
    """
    lifeline = Lifeline()
    try:
        process = begin(MODULES[generator], order, lifeline)
        ending = threading.Timer(seconds + ANSWER_WITHIN_S + SPARE_S, process.kill)
        ending.start()
        try:
            return _hear(process, generator, say)
        finally:
            ending.cancel()
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    finally:
        lifeline.close()


def _hear(process: subprocess.Popen[bytes], generator: Name, say: Callable[[str], None]) -> Sent:
    assert process.stdout is not None
    words = b""
    sent: Sent | None = None
    for line in process.stdout:
        try:
            found = told.decode(line)
        except msgspec.DecodeError:
            words += line
            continue
        if isinstance(found, Progress):
            say(found.text())
        else:
            sent = found
    if process.wait() != 0 or sent is None:
        raise StartupRefused(f"The generator {generator} failed: {last_words(words)}.")
    return sent
