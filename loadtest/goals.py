"""The figures that are asked for, and what was measured of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from loadtest.report import Measurement, aligned

RATIOS = (
    ("queue, many resources / no-op", "many", "noop", 0.40),
    ("queue, one resource / no-op", "one", "noop", 0.40),
    ("queue, many resources / lean no-op", "many", "lean", 0.40),
    ("queue, one resource / lean no-op", "one", "lean", 0.40),
    ("signed in, with limits and rates / open, many resources", "signed", "many", 0.75),
    ("class / one exclusive resource", "class", "one", 0.8),
    ("queue / direct, many resources", "many", "direct-many", 4),
    ("queue / direct, one resource", "one", "direct-one", 5),
    ("direct, many resources / no-op", "direct-many", "noop", 0.08),
    ("direct, one resource / no-op", "direct-one", "noop", 0.08),
    ("much stored / little stored", "stored-much", "stored-little", 0.8),
    ("figures of a year asked every second / not asked", "figures-asked", "figures-quiet", 0.5),
)
"""Requests in a second with a crowd: name, above the line, below it, the least that is asked for."""
SERIES_LENGTH = 52
COSTS = (
    ("one caller alone: weekly series of 52 / single", "series-52", "series-single", 5),
    ("one caller alone: infinite weekly series / single", "series-weekly", "series-single", 6),
    ("one caller alone: infinite daily series / single", "series-daily", "series-single", 12),
    ("availability: with 20 series / single bookings only", "free-series", "free-singles", 1.5),
    ("availability: five years / a week after a series' start", "free-years", "free-week", 1.1),
)
"""p50 of one caller alone: name, above the line, below it, the most that is asked for."""
FEW = 64
"""With at most so many connections series are counted in occurrences: each of them brings fifty."""
OCCURRENCES = 6_000
"""Occurrences in a second that they book with series of SERIES_LENGTH, at least."""
ALONE_MS = (4, 12)
"""p50 and p99 of one caller alone, at most."""
CROWD_P99_MS = 350
MEMORY_MB = (("API", 150), ("workers", 120))
BACKLOG = 1.2
"""How much longer an enqueue step may take while very many wait."""

FOUR_DIGITS = 999.5
"""What is rounded to a thousand, and more."""

Verdict = Literal["met", "missed", "void", "not measured"]


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is asked for, and the one that was measured. ``exact``: it has to be this one."""

    name: str
    value: float | None
    bound: float
    at_least: bool
    unit: str
    verdict: Verdict
    exact: bool = False

    @property
    def asked(self) -> str:
        """What is asked for, in words."""
        how = "exactly" if self.exact else "at least" if self.at_least else "at most"
        return f"{how} {self.bound:g} {self.unit}".strip()

    @property
    def measured(self) -> str:
        """What was measured, in words."""
        return "" if self.value is None else f"{_shown(self.value)} {self.unit}".strip()


class Figure(NamedTuple):
    """What was measured; ``void`` where nothing follows from it. None: it was not measured."""

    value: float | None = None
    void: bool = False


def goals(found: Iterable[Measurement], connections: Sequence[int], *, backlog: float | None) -> list[Goal]:
    """What is asked for, beside what was measured.

    connections  one caller alone is the least of them, a crowd the most.
    backlog      an enqueue step with many waiting, divided by one with none.
    """
    book = _Book(found)
    alone, few, crowd = min(connections), few_of(connections) or FEW, max(connections)
    occurrences = book.rate("series-52", few, each=SERIES_LENGTH)
    p50_ms, p99_ms = ALONE_MS
    crowd_p99 = [
        (f"p99 at {crowd} connections, {words}", book.p99_ms(target, crowd))
        for target, words in (("many", "many resources"), ("one", "one resource"))
    ]
    memory = [
        (f"resident memory at {crowd} waiting: {group}", book.memory_mb(group, crowd), bound)
        for group, bound in MEMORY_MB
    ]
    return [
        *(_goal(name, book.ratio(above, below, crowd), floor, at_least=True) for name, above, below, floor in RATIOS),
        *(_goal(name, book.cost(above, below, alone), most) for name, above, below, most in COSTS),
        _goal(f"occurrences at {few} connections", occurrences, OCCURRENCES, at_least=True, unit="/s"),
        _goal("one caller alone: p50", book.p50_ms("many", alone), p50_ms, unit="ms"),
        _goal("one caller alone: p99", book.p99_ms("many", alone), p99_ms, unit="ms"),
        *(_goal(name, figure, CROWD_P99_MS, unit="ms") for name, figure in crowd_p99),
        *(_goal(name, figure, bound, unit="MB") for name, figure, bound in memory),
        _goal("enqueue, many waiting / none waiting", Figure(backlog), BACKLOG),
    ]


def few_of(connections: Sequence[int]) -> int | None:
    """Choose with how many connections series are counted in occurrences: the most, from two to FEW, if any."""
    return max((number for number in connections if 1 < number <= FEW), default=None)


class _Book:
    """The measurements, looked up by target and connections."""

    def __init__(self, found: Iterable[Measurement]) -> None:
        self._rounds: dict[tuple[str, int], dict[int, Measurement]] = {}
        for one in found:
            self._rounds.setdefault((one.target, one.connections), {})[one.round] = one

    def ratio(self, above: str, below: str, connections: int) -> Figure:
        """The median of the rounds' ratios of throughput: what disturbs a round disturbs both of its sides."""
        return self._median_ratio(above, below, connections, lambda one: one.rate)

    def cost(self, above: str, below: str, connections: int) -> Figure:
        """The median of the rounds' ratios of their own medians of latency."""
        return self._median_ratio(above, below, connections, lambda one: one.p50_ms)

    def rate(self, target: str, connections: int, *, each: int) -> Figure:
        """The median of the rounds' throughput, where each answer counts for several."""
        rounds = self._of(target, connections)
        return _median([one.rate * each for one in rounds], void=any(one.void for one in rounds))

    def p50_ms(self, target: str, connections: int) -> Figure:
        """The median of the rounds' own medians."""
        rounds = self._of(target, connections)
        return _median([one.p50_ms for one in rounds], void=any(one.void for one in rounds))

    def p99_ms(self, target: str, connections: int) -> Figure:
        """The median of what the slowest hundredth took."""
        rounds = self._of(target, connections)
        return _median([one.p99_ms for one in rounds], void=any(one.void for one in rounds))

    def memory_mb(self, group: str, connections: int) -> Figure:
        """The median of what a process of the group held: a saturated generator has as many waiting."""
        rounds = self._of("many", connections)
        held = [one.memory_mb[group] for one in rounds if group in one.memory_mb]
        return _median(held, void=any(one.wrong for one in rounds))

    def _median_ratio(self, above: str, below: str, connections: int, figure: Callable[[Measurement], float]) -> Figure:
        tops, bottoms = self._rounds.get((above, connections), {}), self._rounds.get((below, connections), {})
        pairs = [(tops[number], bottoms[number]) for number in tops if number in bottoms]
        if not pairs:
            return Figure()
        void = any(top.void or bottom.void for top, bottom in pairs)
        ratios = (figure(top) / figure(bottom) if figure(bottom) else 0.0 for top, bottom in pairs)
        return Figure(median(ratios), void)

    def _of(self, target: str, connections: int) -> list[Measurement]:
        return list(self._rounds.get((target, connections), {}).values())


def _median(values: Sequence[float], *, void: bool) -> Figure:
    return Figure(median(values), void) if values else Figure()


def _goal(name: str, figure: Figure, bound: float, *, at_least: bool = False, unit: str = "") -> Goal:
    return Goal(
        name=name,
        value=figure.value,
        bound=bound,
        at_least=at_least,
        unit=unit,
        verdict=_verdict(figure, bound, at_least=at_least),
    )


def _verdict(figure: Figure, bound: float, *, at_least: bool) -> Verdict:
    if figure.value is None:
        return "not measured"
    if figure.void:
        return "void"
    return "met" if (figure.value >= bound if at_least else figure.value <= bound) else "missed"


def goal_table(found: Iterable[Goal]) -> str:
    """The figures, for a person and for Markdown."""
    rows = [[goal.name, goal.measured, goal.asked, goal.verdict] for goal in found]
    return aligned([["figure", "measured", "asked for", ""], *rows])


def _shown(value: float) -> str:
    """Three digits, and all that stand before the point."""
    return f"{value:,.0f}" if value >= FOUR_DIGITS else f"{value:.3g}"
