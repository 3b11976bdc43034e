"""A program of ours in a process of its own: told what to do on its standard input, heard on its standard output."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import msgspec

from engine.embedded.server import Lifeline, launch
from loadtest.processes import ROOT

WORDS = 500


def last_words(said: bytes) -> str:
    """The end of what a process said, in one line, for a sentence about its failure."""
    return " ".join(said.decode(errors="replace").split())[-WORDS:] or "no word"


def begin(module: str, order: msgspec.Struct, lifeline: Lifeline) -> subprocess.Popen[bytes]:
    """Start ``main`` of a module, and tell it the order as JSON. It ends with the lifeline, whatever happens to us."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from {module} import main; main()"
    process = launch(
        [sys.executable, "-P", "-c", start], lifeline.watched, input=subprocess.PIPE, output=subprocess.PIPE
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:  # one that has ended says why itself
        process.stdin.write(msgspec.json.encode(order))
    return process
