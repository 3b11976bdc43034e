"""What the measurements say: whether they count, their medians, and the table that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from loadtest.generators import Kind, Shot
from loadtest.history import CLASS_PLACES

READ, BOOKED, REFUSED = "200", "201", "409"
EXPECTED: Mapping[Kind, frozenset[str]] = {
    "many": frozenset({BOOKED}),
    "one": frozenset({BOOKED}),
    "class": frozenset({BOOKED, REFUSED}),
    "read": frozenset({READ}),
}
"""What a load of a kind may be answered with."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One run against one target.

    busy       processor seconds of the generator in a second.
    saturated  the generator may be what was measured.
    cpu_s      processor seconds of each group of processes, the generator's too.
    memory_mb  the most that a process at the top of each group held.
    wrong      why the run does not count; empty where it does.
    """

    target: str
    connections: int
    round: int
    rate: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    busy: float
    saturated: bool
    cpu_s: dict[str, float]
    memory_mb: dict[str, float]
    wrong: list[str]

    @property
    def answers(self) -> int:
        """How many requests were answered."""
        return sum(self.statuses.values())

    @property
    def void(self) -> bool:
        """Whether nothing follows from its rate and its latencies."""
        return self.saturated or bool(self.wrong)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of a target's rounds.

    void            nothing follows from them: a round's generator was saturated, or its answers were wrong.
    cpu_s_per_1000  processor seconds of each group for a thousand answers.
    """

    target: str
    connections: int
    void: bool
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_1000: dict[str, float]
    memory_mb: dict[str, float]


def what_is_wrong(shot: Shot, kind: Kind, *, connections: int, limit: int) -> list[str]:
    """Say why a run does not count.

    limit  answers after which it stopped, 0 where time stopped it.
    """
    wrong: list[str] = []
    unexpected = {status: count for status, count in shot.statuses.items() if status not in EXPECTED[kind]}
    if unexpected:
        wrong.append("unexpected answers: " + ", ".join(f"{count} of {status}" for status, count in unexpected.items()))
    if shot.errors:
        wrong.append(f"{shot.errors} requests without an answer")
    if not shot.statuses:
        wrong.append("no answers at all")
    # Each connection has one request under way at the end, and wrk asks its script once for a trial.
    # More than that went unanswered because their connections were closed, which wrk does not count.
    lost = shot.sent - shot.answers - shot.errors - connections - 1
    if lost > 0:
        wrong.append(f"{lost} requests whose connections were closed")
    if kind == "class":
        booked = shot.statuses.get(BOOKED, 0)
        full = shot.answers >= limit > 2 * CLASS_PLACES  # whoever got a place has his answer long since
        if booked > CLASS_PLACES or (full and booked < CLASS_PLACES):
            wrong.append(f"{booked} booked, and there are {CLASS_PLACES} places")
    return wrong


def lines(measurements: Iterable[Measurement]) -> list[Line]:
    """The medians, in the order of measuring."""
    grouped: dict[tuple[str, int], list[Measurement]] = {}
    for one in measurements:
        grouped.setdefault((one.target, one.connections), []).append(one)
    return [
        Line(
            target=target,
            connections=connections,
            void=any(one.void for one in rounds),
            rate=median(one.rate for one in rounds),
            p50_ms=median(one.p50_ms for one in rounds),
            p99_ms=median(one.p99_ms for one in rounds),
            cpu_s_per_1000=_medians(
                {group: spent * 1000 / max(1, one.answers) for group, spent in one.cpu_s.items()} for one in rounds
            ),
            memory_mb=_medians(one.memory_mb for one in rounds),
        )
        for (target, connections), rounds in grouped.items()
    ]


def _medians(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for one in rounds:
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return {name: median(values) for name, values in found.items()}


def table(found: Sequence[Line]) -> str:
    """The medians, for a person and for Markdown."""
    groups = list(dict.fromkeys(group for line in found for group in line.cpu_s_per_1000))
    head = ["target", "connections", "requests/s", "p50 ms", "p99 ms", *(f"{group} ms" for group in groups), "all ms"]
    rows = [
        [
            line.target + (" (void)" if line.void else ""),
            str(line.connections),
            f"{line.rate:,.0f}",
            f"{line.p50_ms:.1f}",
            f"{line.p99_ms:.1f}",
            *(f"{line.cpu_s_per_1000[g]:.3f}" if g in line.cpu_s_per_1000 else "" for g in groups),
            f"{sum(line.cpu_s_per_1000.values()):.3f}",
        ]
        for line in found
    ]
    return aligned([head, *rows])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown that is one for the eye, too: the first row is its head."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return f"| {' | '.join(cells)} |"

    ruler = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    return "\n".join([line(rows[0]), ruler, *(line(row) for row in rows[1:])])
