"""What a generator is told to do, and what it tells while it does it: JSON, both ways.

A generator is a process of its own. It reads one ``Order`` from standard input, where no list of processes shows the
headers in it, writes the history, and prints a line for each ``Progress`` and, at its end, one ``Sent``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import msgspec

from loadtest.behaviour import Habits, is_error
from loadtest.record import Entry

ANSWER_WITHIN_S = 30.0
"""A request that takes longer is given up; the history has it without an answer."""
TOLD_EVERY_S = 1.0


class Point(NamedTuple):
    """So many callers at so many seconds from the beginning; between two points their number rises evenly."""

    at_s: float
    callers: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do.

    kind       ``callers`` come and go as ``shape`` says and do what ``habits`` says; ``launch``: ``arrivals`` come at
               ``rate`` a second, whoever is answered; ``together``: ``crowds`` of callers each send at one instant.
    headers    sent with each request.
    prefix     begins the names of all resources of the run.
    repeats    how often each crowd comes.
    first      number of the first crowd: each asks for a time of its own.
    label      said of the crowds.
    """

    kind: Literal["callers", "launch", "together"]
    host: str
    port: int
    history: str
    profile: str
    prefix: str
    whole: bool
    rooms: int
    headers: dict[str, str] = {}
    habits: Habits | None = None
    shape: list[Point] = []
    arrivals: int = 0
    rate: float = 0
    crowds: list[int] = []
    repeats: int = 0
    first: int = 0
    label: str = ""


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """How far it is: what was answered in the last second."""

    at_s: float
    callers: int
    answers: int
    errors: int
    p95_ms: float

    def text(self) -> str:
        """Say it to a person."""
        errors = f", {self.errors:,} errors" if self.errors else ""
        return (
            f"  {self.at_s:5.0f} s  {self.callers:4,} callers  {self.answers:6,}/s  p95 {self.p95_ms:6.1f} ms{errors}"
        )


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag="sent"):
    """What was done.

    began    when the load began, by the machine's monotonic clock.
    seconds  it took to send it.
    busy     processor seconds of the generator in a second of the load.
    """

    began: float
    seconds: float
    busy: float


told = msgspec.json.Decoder(Progress | Sent)


def tell(what: Progress | Sent) -> None:
    """Print a line for whoever started us."""
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


class Second:
    """Counts what is answered, and tells it once in a second."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._took_ms: list[float] = []
        self._errors = 0

    def hear(self, entry: Entry) -> None:
        """Count an answer, or the want of it."""
        self._errors += is_error(entry)
        if (took_ms := entry.took_ms) is not None:
            self._took_ms.append(took_ms)

    def tell(self, now: float, callers: int) -> None:
        """Say how it goes, and begin anew."""
        answers, p95_ms = len(self._took_ms), percentile(sorted(self._took_ms), 95)
        tell(Progress(at_s=now - self._began, callers=callers, answers=answers, errors=self._errors, p95_ms=p95_ms))
        self._took_ms.clear()
        self._errors = 0


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which ``share`` hundredths lie, of values in order; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] if ordered else 0.0


def callers_at(shape: Sequence[Point], at_s: float) -> int | None:
    """How many callers there are at an instant. None: it is over."""
    if at_s >= shape[-1].at_s:
        return None
    for before, after in pairwise(shape):
        if before.at_s <= at_s < after.at_s:
            share = (at_s - before.at_s) / (after.at_s - before.at_s)
            return round(before.callers + share * (after.callers - before.callers))
    return shape[0].callers


def crowd_label(size: int, said: str) -> str:
    """What the history calls crowds of a size."""
    return f"{size} {said}".strip()
