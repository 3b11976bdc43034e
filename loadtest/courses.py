"""What each profile does on a site, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from loadtest import figures
from loadtest.background import background_jobs
from loadtest.behaviour import BOOK, SERIES, resources_of
from loadtest.drive import Name, drive
from loadtest.figures import Crowd, Launch, Ticket
from loadtest.goals import Goal, Verdict
from loadtest.order import Order, Sent, crowd_label, percentile
from loadtest.profiles import (
    ARRIVALS,
    ARRIVALS_A_SECOND,
    CONCURRENCY,
    CROWDS,
    LAUNCH,
    LAUNCH_GOALS,
    PLACES,
    SLOWEST_MS,
    Profile,
)
from loadtest.record import Entry, read_history, write_history
from loadtest.site import Site

WARM_ROOMS = 50
"""Resources that are booked before a launch, and before a crowd."""
A_WHILE_S = 60.0
"""A bound of what a launch or the crowds may take, waiting for answers left out."""
JOBS = "with jobs"
"""Said of crowds that come while the background jobs run."""


@dataclass(frozen=True)
class Way:
    """What a course needs to make its load.

    site     where it goes.
    history  the file that every request is written to.
    say      told how far it is.
    """

    site: Site
    prefix: str
    history: Path
    say: Callable[[str], None]

    def order(self, kind: Any, profile: str, rooms: int, **more: Any) -> Order:
        """What a generator is told."""
        return Order(
            kind=kind,
            host=self.site.host,
            port=self.site.port,
            history=str(self.history),
            profile=profile,
            prefix=self.prefix,
            whole=True,
            rooms=rooms,
            headers=dict(self.site.headers),
            **more,
        )

    def drive(self, order: Order, generator: Name, seconds: float) -> Sent:
        """Have a generator do it."""
        return drive(order, generator, seconds=seconds, say=self.say)


class Judged(NamedTuple):
    """What came of a course.

    shown  the requests and tickets that the charts are of.
    """

    goals: list[Goal]
    shown: tuple[Sequence[Entry], Sequence[Ticket]]
    launch: Launch | None = None
    crowds: Sequence[Crowd] = ()
    notes: Sequence[str] = ()


class Course(Protocol):
    """A profile that can be run."""

    @property
    def name(self) -> str:
        """Of the profile."""

    @property
    def generator(self) -> Name:
        """Who makes its load."""

    @property
    def scale(self) -> float:
        """How much of the profile it is; 1 is all of it."""

    def make_resources(self, way: Way) -> None:
        """Make what is asked for."""

    def load(self, way: Way) -> Sent:
        """Make the load."""

    def judge(self, entries: Sequence[Entry], tickets: Sequence[Ticket]) -> Judged:
        """Hold what came of it against what is asked for. ``entries`` are in order of sending."""


@dataclass(frozen=True)
class Callers:
    """Callers who come and go: ``load``, ``spike``, ``staged``."""

    profile: Profile
    generator: Name
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Of the profile."""
        return self.profile.name

    def make_resources(self, way: Way) -> None:
        """Rooms, and as many resources for series."""
        bodies = resources_of(way.prefix, self.profile.rooms, list(self.profile.habits.weights))
        way.site.make_resources(way.order("callers", self.name, self.profile.rooms), bodies)

    def load(self, way: Way) -> Sent:
        """Let them come."""
        order = way.order(
            "callers", self.name, self.profile.rooms, habits=self.profile.habits, shape=list(self.profile.shape)
        )
        return way.drive(order, self.generator, self.profile.seconds)

    def judge(self, entries: Sequence[Entry], tickets: Sequence[Ticket]) -> Judged:
        """Errors, latencies, and how many requests there were."""
        profile = self.profile
        begin = (entries[0].sent if entries else 0.0) + profile.judged_s
        took = figures.took_ms(entry for entry in entries if entry.sent >= begin)
        behind = f" with {profile.shape[-1].callers} callers" if profile.judged_s else ""
        goals = [at_most("errors", figures.operation("all", entries).errors, 0)]
        if profile.requests:
            goals.append(at_least("requests", len(entries), profile.requests))
        for name, bound in profile.goals.items():
            share_of = float(name.removeprefix("p").removesuffix("_ms"))
            goals.append(at_most(f"p{share_of:g}{behind}", percentile(took, share_of), bound, "ms"))
        share = figures.confirmed_share(entries, BOOK)
        return Judged(goals, (entries, tickets), notes=[f"Of the single bookings {share:.0%} were confirmed."])


@dataclass(frozen=True)
class Launching:
    """Everybody comes within a second, for a class with few places."""

    arrivals: int = ARRIVALS
    generator: Name = "light"
    name: str = LAUNCH

    @property
    def scale(self) -> float:
        """How much of the profile it is."""
        return self.arrivals / ARRIVALS

    @property
    def places(self) -> int:
        """How many there are."""
        return max(1, round(PLACES * self.scale))

    def make_resources(self, way: Way) -> None:
        """The class, and rooms that are booked before."""
        name = f"{way.prefix}-class"
        bodies = resources_of(way.prefix, WARM_ROOMS, [BOOK])
        bodies.append({"resource_id": name, "name": name, "time_zone": "UTC", "capacity": self.places})
        way.site.make_resources(way.order("launch", self.name, WARM_ROOMS), bodies)

    def load(self, way: Way) -> Sent:
        """Let them come."""
        way.say(f"{self.arrivals:,} arrivals for {self.places} places.")
        order = way.order("launch", self.name, WARM_ROOMS, arrivals=self.arrivals, rate=ARRIVALS_A_SECOND)
        return way.drive(order, self.generator, A_WHILE_S)

    def judge(self, entries: Sequence[Entry], tickets: Sequence[Ticket]) -> Judged:
        """Offered, decided, confirmed."""
        arrivals = [entry for entry in entries if entry.label == LAUNCH]
        queue = [ticket for ticket in tickets if ticket.resource.endswith("-class")]
        found = figures.launch(arrivals, queue, places=self.places)
        goals = [
            at_least("offered", found.offered, LAUNCH_GOALS["offered"], "/s"),
            at_least("decided", found.decided, self.arrivals),
            at_most("last answer after the first arrival", found.decided_s, LAUNCH_GOALS["decided_s"], "s"),
            at_most(
                "first 100 decided, after the first ticket", found.first_100_ms, LAUNCH_GOALS["first_100_ms"], "ms"
            ),
            exactly("confirmed", found.confirmed, self.places),
        ]
        way = (
            f"The first ticket was given {found.first_ticket_ms:,.0f} ms after the first arrival, and all were decided "
            f"{found.ledger_s:.2f} s later, by the ledger."
        )
        early = (
            f"Of the first {self.places} to send, {found.served} got a place: who comes first is decided at the queue, "
            "and on the way there one may overtake another."
        )
        notes = [way, early]
        return Judged(goals, (arrivals, queue), launch=found, notes=notes)


@dataclass(frozen=True)
class Together:
    """Crowds that ask for one time at one instant, first with nothing else going on, then with the clock jobs."""

    repeats: int
    scale: float = 1.0
    generator: Name = "light"
    name: str = CONCURRENCY
    notes: list[str] = field(default_factory=list)

    def make_resources(self, way: Way) -> None:
        """One room for the crowds, others for the warming up and the background."""
        name = f"{way.prefix}-crowd"
        bodies = resources_of(way.prefix, WARM_ROOMS, [BOOK, SERIES])
        bodies.append({"resource_id": name, "name": name, "time_zone": "UTC", "capacity": 1})
        way.site.make_resources(way.order("together", self.name, WARM_ROOMS), bodies)

    def load(self, way: Way) -> Sent:
        """Let them come: once without and once with the background jobs, into one history."""
        order = way.order("together", self.name, WARM_ROOMS, crowds=list(CROWDS), repeats=self.repeats)
        way.say("Crowds, with nothing else going on.")
        alone = way.drive(order, self.generator, A_WHILE_S)
        head, entries = read_history(way.history)
        with background_jobs(order, way.site.database_url) as jobs:
            way.say("Crowds, while the background jobs run without a pause.")
            begun = replace(order, first=self.repeats * len(CROWDS), label=JOBS)
            busy = way.drive(begun, self.generator, A_WHILE_S)
        self.notes.append(
            f"In the background {jobs.series:,} infinite series were booked, and the clock job stored {jobs.stored:,} "
            "occurrences."
        )
        write_history(way.history, head, entries + read_history(way.history)[1])
        seconds = alone.seconds + busy.seconds
        return Sent(began=alone.began, seconds=seconds, busy=max(alone.busy, busy.busy))

    def judge(self, entries: Sequence[Entry], tickets: Sequence[Ticket]) -> Judged:
        """One yes each, and the slowest answer."""
        sizes = {crowd_label(size, jobs): size for jobs in ("", JOBS) for size in CROWDS}
        found = figures.crowds(entries, sizes)
        largest = [crowd for crowd in found if crowd.size == max(CROWDS)]
        goals = [
            at_most("errors", figures.operation("all", entries).errors, 0),
            exactly("crowds with exactly one yes", sum(crowd.one for crowd in found), sum(c.crowds for c in found)),
            *(at_most(f"slowest answer of {crowd.name}", crowd.slowest_ms, SLOWEST_MS, "ms") for crowd in largest),
        ]
        queue = [ticket for ticket in tickets if ticket.resource.endswith("-crowd")]
        return Judged(goals, ([entry for entry in entries if entry.label], queue), crowds=found, notes=self.notes)


def at_least(name: str, value: float, bound: float, unit: str = "") -> Goal:
    """A figure that has to be as great."""
    return _goal(name, value, bound, unit, at_least=True, met=value >= bound)


def at_most(name: str, value: float | None, bound: float, unit: str = "") -> Goal:
    """A figure that must not be greater. None is missed: what did not happen was not in time."""
    return _goal(name, value, bound, unit, at_least=False, met=value is not None and value <= bound)


def exactly(name: str, value: float, bound: float) -> Goal:
    """A figure that has to be this one."""
    return _goal(name, value, bound, "", at_least=False, met=value == bound, exact=True)


def _goal(
    name: str, value: float | None, bound: float, unit: str, *, at_least: bool, met: bool, exact: bool = False
) -> Goal:
    verdict: Verdict = "met" if met else "missed"
    return Goal(name=name, value=value, bound=bound, at_least=at_least, unit=unit, verdict=verdict, exact=exact)
