"""``firstcome load``: a load profile, judged by what is asked for, with a history, an audit and a report.

It sets everything up, has a generator make the load while it tells how far it is, audits what was booked, writes the
report, and takes everything down again: at its end, on Ctrl-C, and when it is killed. Whatever it does is bounded, in
number and in time, and it floods nobody else: only addresses of this machine are taken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec

from engine.errors import StartupRefused
from loadtest import figures, profiles
from loadtest.audit import audit
from loadtest.courses import Callers, Course, Launching, Together, Way, at_most
from loadtest.drive import choose
from loadtest.figures import Ticket
from loadtest.findings import Report
from loadtest.generators import SATURATED
from loadtest.goals import Goal, goal_table
from loadtest.machine import Machine
from loadtest.page import page
from loadtest.processes import allow_many_connections
from loadtest.profiles import CONCURRENCY, LAUNCH, PROFILES, REPEATS, STAGED, staged
from loadtest.record import read_history
from loadtest.report import aligned
from loadtest.site import Site, own_site, site_at

HISTORY, REPORT, PAGE = "history.jsonl", "report.json", "report.html"
ORDER = ("replay", "commit_order", "real_time_order", "numbers")
"""What an audit holds against the order of service."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to run.

    out        folder for history and report.
    data       where our own servers' folder is made; None for the system's temporary folder.
    url        of an installation that runs already; ``database_url`` is its database. None: one of our own.
    generator  ``auto``, ``locust`` or ``light``.
    seconds    of the whole load, instead of the profile's; None: the profile's.
    minutes    of each stage of ``staged``.
    arrivals   of a launch.
    repeats    how often a crowd of each size comes.
    """

    profile: str
    out: Path
    data: Path | None = None
    url: str | None = None
    database_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    generator: str = "auto"
    seconds: float | None = None
    minutes: float = profiles.MINUTES
    arrivals: int = profiles.ARRIVALS
    repeats: int = profiles.REPEATS


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run found.

    scale      how much of the profile was run: 1 is all of it.
    busy       processor seconds of the generator in a second.
    saturated  the generator may be what was measured.
    cpu_s      processor seconds of each group of processes, from before the load until after it.
    """

    profile: str
    scale: float
    began: datetime
    seconds: float
    generator: str
    busy: float
    saturated: bool
    machine: Machine
    goals: list[Goal]
    operations: list[figures.Operation]
    moments: list[figures.Moment]
    places: list[figures.Place]
    launch: figures.Launch | None
    crowds: list[figures.Crowd]
    cpu_s: dict[str, float]
    notes: list[str]
    audit: Report

    @property
    def met(self) -> bool:
        """Whether everything was as it is asked for."""
        return self.audit.clean and all(goal.verdict == "met" for goal in self.goals)

    def text(self) -> str:
        """Say it to a person."""
        return "\n\n".join(
            [
                "\n".join(f"{name}: {value}" for name, value in self.machine.told()),
                f"profile: {self.profile}, {self.seconds:.1f} s; generator: {self.generator}, "
                f"{self.busy:.0%} of a core" + (" (it may be what was measured)" if self.saturated else ""),
                operation_table(self.operations),
                *([crowd_table(self.crowds)] if self.crowds else []),
                goal_table(self.goals),
                *self.notes,
                self.audit.text(),
            ]
        )


def run(wish: Wish, say: Say) -> Result:
    """Run a profile and write history and report. Raises StartupRefused where it cannot be run."""
    course = course_of(wish)
    allow_many_connections()
    try:
        wish.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupRefused(f"--out {wish.out} cannot be used: {error.strerror}.") from None
    with _site(wish, say) as site:
        result = judge(wish, course, site, say)
    (wish.out / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    (wish.out / PAGE).write_text(page(result), encoding="utf-8")
    say(f"The report is {wish.out / PAGE}, the history {wish.out / HISTORY}.")
    return result


@contextmanager
def _site(wish: Wish, say: Say) -> Iterator[Site]:
    if wish.url is not None:
        yield site_at(wish.url, wish.database_url, wish.headers)
        return
    say("Starting the servers.")
    with own_site(wish.data) as site:
        yield site


def judge(wish: Wish, course: Course, site: Site, say: Say) -> Result:
    """Make the load, audit it, and hold it against what is asked for. The history is in the folder afterwards."""
    began, history = datetime.now(UTC), wish.out / HISTORY
    way = Way(site, f"load-{uuid4().hex[:8]}", history, say)
    course.make_resources(way)
    say(f"{course.name}: {course.generator} makes the load.")
    with site.watch() as watch:
        sent = course.load(way)
    site.settle()
    say("Auditing.")
    found = asyncio.run(audit(history, site.database_url, replica_url=site.replica_url, alarms=site.alarms()))
    entries = sorted(read_history(history)[1], key=lambda entry: entry.sent)
    judged = course.judge(entries, _on_our_clock(site.tickets(way.prefix)))
    saturated = sent.busy > SATURATED
    goals = [_voided(goal) for goal in judged.goals] if saturated else judged.goals
    return Result(
        profile=course.name,
        scale=course.scale,
        began=began,
        seconds=sent.seconds,
        generator=course.generator,
        busy=sent.busy,
        saturated=saturated,
        machine=site.machine(),
        goals=[*goals, at_most("violations of order", _out_of_order(found), 0)],
        operations=figures.operations(entries),
        moments=figures.moments(*judged.shown),
        places=figures.places(judged.shown[1]),
        launch=judged.launch,
        crowds=list(judged.crowds),
        cpu_s=watch.cpu_s | {"generator": sent.busy * sent.seconds} if watch.cpu_s else {},
        notes=list(judged.notes),
        audit=found,
    )


def course_of(wish: Wish) -> Course:
    """What to do. Raises StartupRefused where the generator is not there."""
    if wish.profile == LAUNCH:
        return Launching(arrivals=wish.arrivals)
    if wish.profile == CONCURRENCY:
        return Together(repeats=wish.repeats, scale=wish.repeats / REPEATS)
    profile = staged(wish.minutes) if wish.profile == STAGED else PROFILES[wish.profile]
    if wish.seconds is None:
        return Callers(profile, choose(wish.generator))
    return Callers(profile.lasting(wish.seconds), choose(wish.generator), scale=wish.seconds / profile.seconds)


def _on_our_clock(tickets: Sequence[Ticket]) -> list[Ticket]:
    """Put the ledger's instants on the machine's monotonic clock, which is the history's."""
    ahead = time.time() - time.monotonic()
    return [one._replace(joined=one.joined - ahead, decided=one.decided - ahead) for one in tickets]


def _voided(goal: Goal) -> Goal:
    """A generator without time to spare may be why a figure is missed; one that is met is met all the more."""
    return msgspec.structs.replace(goal, verdict="void") if goal.verdict == "missed" else goal


def _out_of_order(found: Report) -> int:
    return sum(check.broken for check in found.checks if check.rule in ORDER)


def operation_table(found: Sequence[figures.Operation]) -> str:
    """What was asked for and how it was answered, for a person and for Markdown."""
    rows = [["request", "sent", "errors", "p50 ms", "p95 ms", "p99 ms", "longest ms", "answers"]]
    rows += [
        [
            *(one.name, f"{one.requests:,}", f"{one.errors:,}"),
            *(f"{took:.1f}" for took in (one.p50_ms, one.p95_ms, one.p99_ms, one.longest_ms)),
            ", ".join(f"{name} {number:,}" for name, number in one.outcomes.items()),
        ]
        for one in found
    ]
    return aligned(rows)


def crowd_table(found: Sequence[figures.Crowd]) -> str:
    """Crowds, for a person and for Markdown."""
    rows = [["at one time", "crowds", "exactly one yes", "average ms", "p95 ms", "slowest ms"]]
    rows += [
        [
            *(one.name, str(one.crowds), str(one.one)),
            *(f"{took:.1f}" for took in (one.average_ms, one.p95_ms, one.slowest_ms)),
        ]
        for one in found
    ]
    return aligned(rows)
