"""The load profiles: who comes when and does what, and what is asked for then.

The figures that are asked for are those of two cores with everything on them, the generator included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.behaviour import BOOK, CANCEL, MOVE, READ, SERIES, Habits
from loadtest.order import Point

LOAD, SPIKE, STAGED, LAUNCH, CONCURRENCY = "load", "spike", "staged", "launch", "concurrency"
STEADY = Habits(weights={BOOK: 50, READ: 30, CANCEL: 10, SERIES: 5, MOVE: 5}, fresh=0.7, think_s=(0.5, 1.5))
"""Somebody who looks, books, and thinks again."""
HURRIED = Habits(weights={BOOK: 1, SERIES: 1, READ: 1}, fresh=0.3, think_s=(0.35, 0.85))
"""Somebody in a crowd: of the single times that are asked for, three in ten are still free."""
STAGE_RAMP_S = 10.0
STAGES = (50, 100, 200)
MINUTES = 7
"""Of each stage, unless another number is given."""
ARRIVALS, ARRIVALS_A_SECOND, PLACES = 10_000, 10_000, 500
"""A launch: so many arrive at this pace, for so many places. Where fewer arrive, there are fewer places."""
LEAST_ROOMS = 20
"""However short a profile is made."""
CROWDS = (5, 10, 20, 30)
REPEATS = 20


@dataclass(frozen=True)
class Profile:
    """A profile in which callers come and go.

    rooms   resources of each kind.
    judged_s  from when on the latencies of ``judged`` count.
    asked   what is asked for: names of figures, each with its bound, in ``goals``.
    """

    name: str
    habits: Habits
    shape: tuple[Point, ...]
    rooms: int
    goals: Mapping[str, float]
    judged_s: float = 0.0
    requests: int = 0

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.shape[-1].at_s

    def lasting(self, seconds: float) -> Profile:
        """The same in another time: everything happens sooner or later, and fewer or more requests are asked for."""
        factor = seconds / self.seconds
        shape = tuple(Point(point.at_s * factor, point.callers) for point in self.shape)
        return Profile(
            name=self.name,
            habits=self.habits,
            shape=shape,
            rooms=max(LEAST_ROOMS, round(self.rooms * factor)),
            goals=self.goals,
            judged_s=self.judged_s * factor,
            requests=round(self.requests * factor),
        )


def staged(minutes: float) -> Profile:
    """Stages of so many minutes, with more callers from one to the next."""
    shape, at_s = [Point(0, 0)], 0.0
    for callers in STAGES:
        shape += [Point(at_s + STAGE_RAMP_S, callers), Point(at_s + minutes * 60, callers)]
        at_s += minutes * 60
    judged_s = at_s - minutes * 60 + STAGE_RAMP_S
    return Profile(STAGED, STEADY, tuple(shape), rooms=500, goals={"p95_ms": 60}, judged_s=judged_s)


PROFILES: Mapping[str, Profile] = {
    LOAD: Profile(
        LOAD,
        STEADY,
        (Point(0, 0), Point(30, 50), Point(90, 50), Point(120, 100), Point(180, 100), Point(210, 0)),
        rooms=200,
        goals={"p95_ms": 50, "p99_ms": 100},
    ),
    SPIKE: Profile(
        SPIKE,
        HURRIED,
        (Point(0, 0), Point(2, 50), Point(5, 400), Point(8, 800), Point(30, 800)),
        rooms=500,
        goals={"p95_ms": 300, "p99_ms": 600},
        requests=30_000,
    ),
}
LAUNCH_GOALS: Mapping[str, float] = {"offered": 9_000, "decided_s": 4, "first_100_ms": 300}
SLOWEST_MS = 100.0
"""The slowest answer in the largest crowd."""
