"""``firstcome bench``: everything side by side in one run, and the audit at its end.

A no-op in the same server is the ceiling; direct mode shows what the queue brings. Rounds are interleaved
and medians are taken, because machines are disturbed. A run in which an answer was not what it had to be
counts as failed, and so does one after which the audit finds anything. A figure that is missed is told;
it fails the run only with ``--strict``.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from engine.verify import CHAIN, verify
from engine.verify import Report as Audit
from loadtest import backlog, report
from loadtest.generators import find_generator
from loadtest.goals import Goal, goal_table, goals
from loadtest.ground import Ground, Installation
from loadtest.machine import Machine, describe
from loadtest.processes import allow_many_connections
from loadtest.scenarios import SCENARIOS, Course, Plan

CONNECTIONS = (1, 64, 800)
LONGEST_S = 120
MOST_ROUNDS = 20
MOST_CONNECTIONS = 5_000


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the enqueue step, in milliseconds."""

    waiting: int
    none_ms: float
    many_ms: float


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit found in one database.

    booked  how often it was said under load that a time is booked.
    stands  bookings that were confirmed under load, a series counting as one.
    """

    installation: str
    clean: bool
    tickets: int
    booked: int
    stands: int
    violations: list[str]

    def text(self) -> str:
        """Say it to a person."""
        found = "no violations" if self.clean else "\n".join(["broken", *self.violations])
        return f"verify {self.installation}: {found} ({self.tickets:,} tickets)"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run found. ``wrong``: why it does not count."""

    machine: Machine
    generator: str
    seconds: float
    rounds: int
    lines: list[report.Line]
    goals: list[Goal]
    backlog: Backlog | None
    audits: list[Audited]
    wrong: list[str]
    measurements: list[report.Measurement]

    def code(self, *, strict: bool) -> int:
        """The exit code: 1 where something was wrong, or was missed when that counts."""
        missed = strict and any(goal.verdict in ("missed", "void") for goal in self.goals)
        return 1 if self.wrong or missed or not all(audit.clean for audit in self.audits) else 0

    def text(self) -> str:
        """Say it to a person."""
        return "\n\n".join(
            [
                "\n".join(f"{name}: {value}" for name, value in self.machine.told()),
                f"generator: {self.generator}; median of {self.rounds}, {self.seconds:g} s each",
                "Requests in a second and processor milliseconds for one request, by process:",
                report.table(self.lines),
                goal_table(self.goals),
                *(audit.text() for audit in self.audits),
                *(f"INVALID  {why}" for why in self.wrong),
            ]
        )


def main(arguments: Sequence[str]) -> int:
    """Measure, and print what was found. Returns the exit code."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that everything is taken down
    result = measure(_plan(given), generator=given.generator, data=given.data, say=_hush if given.quiet else _say)
    print(msgspec.json.encode(result).decode() if given.json else result.text())
    return result.code(strict=given.strict)


def measure(plan: Plan, *, generator: str, data: Path | None, say: Callable[[str], None]) -> Result:
    """Set everything up, measure, audit, and take it all down again.

    data  where the servers' folder is made; None for the system's temporary folder.
    say   told in a sentence what goes on.
    """
    allow_many_connections()
    chosen = find_generator(generator)
    say(f"Starting the servers; {chosen.name} makes the load.")
    with Ground(data) as ground:
        spare = ground.redis_url() if "backlog" in plan.scenarios else None
        course = Course(plan, ground, chosen, say)
        course.run()
        waited = _backlog(spare, plan, say) if spare else None
        audits = [audit(one, booked=course.booked[one.url], say=say) for one in ground.installations]
        machine = describe(ground.servers)
    ratio = waited.many_ms / waited.none_ms if waited else None
    return Result(
        machine=machine,
        generator=chosen.version(),
        seconds=plan.seconds,
        rounds=plan.rounds,
        lines=report.lines(course.measurements),
        goals=goals(course.measurements, plan.connections, backlog=ratio),
        backlog=waited,
        audits=audits,
        wrong=course.wrong + [why for one in audits if (why := _broken_promise(one))],
        measurements=course.measurements,
    )


def _backlog(redis_url: str, plan: Plan, say: Callable[[str], None]) -> Backlog:
    say(f"Timing the enqueue step with {plan.waiting:,} waiting, and with none.")
    none_ms, many_ms = backlog.run(redis_url, waiting=plan.waiting, calls=plan.calls)
    return Backlog(waiting=plan.waiting, none_ms=none_ms, many_ms=many_ms)


def audit(installation: Installation, *, booked: int, say: Callable[[str], None]) -> Audited:
    """Ask the audit about an installation.

    booked  how often it said under load that a time is booked.
    """
    say(f"Auditing {installation.name}.")
    found: Audit = installation.ask(verify)
    confirmed = "SELECT count(*) FROM ledger WHERE kind IN ('book', 'book_series') AND outcome = 'confirmed'"
    return Audited(
        installation=installation.name,
        clean=found.clean,
        tickets=max(check.checked for check in found.checks if check.rule == CHAIN),
        booked=booked,
        stands=installation.ask(lambda connection: connection.fetchval(confirmed)) - installation.stored,
        violations=[f"{one.rule}: {one.resource_id}: {one.detail}" for one in found.violations],
    )


def _broken_promise(found: Audited) -> str | None:
    """Whoever was cut off at the end of a load may have a booking of which he was not told; never the other way."""
    if found.booked <= found.stands:
        return None
    return f"{found.installation}: {found.booked} were told that they have a booking, and {found.stands} have one"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firstcome bench",
        description="Measure throughput and latency on servers of its own, or on those named by DATABASE_URL, "
        "REPLICA_URL and REDIS_URL, side by side with a no-op in the same server and with direct mode; audit what "
        "was booked. Exits 1 where an answer was wrong or the audit finds anything.",
    )
    parser.add_argument("--seconds", type=_number(1, LONGEST_S), default=6, help="Of one measurement (default: 6).")
    parser.add_argument("--rounds", type=_number(1, MOST_ROUNDS), default=3, help="Rounds (default: 3).")
    parser.add_argument(
        "--connections",
        type=_connections,
        default=CONNECTIONS,
        metavar="N,N,...",
        help=f"Connections, from one to a crowd (default: {','.join(map(str, CONNECTIONS))}).",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        choices=SCENARIOS,
        help="Only this one; may be given several times. The no-op is always measured (default: all).",
    )
    parser.add_argument(
        "--generator",
        choices=("auto", "wrk", "locust"),
        default="auto",
        help="Who makes the load (default: wrk if it is there).",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="Where the servers' folder is made (default: the system's temporary folder).",
    )
    parser.add_argument(
        "--quick", action="store_true", help="A short run that shows that everything works; its figures mean nothing."
    )
    parser.add_argument("--strict", action="store_true", help="Exit 1 also where a figure is missed or void.")
    parser.add_argument("--quiet", action="store_true", help="Do not tell what goes on.")
    parser.add_argument("--json", action="store_true", help="Print one JSON document instead of text.")
    return parser


def _plan(given: argparse.Namespace) -> Plan:
    scenarios = frozenset(given.scenario or SCENARIOS)
    if given.quick:
        return Plan(
            scenarios,
            connections=(1, 16),
            rounds=1,
            seconds=1,
            warm_s=0,
            rooms=200,
            finite_rooms=50,
            stored=(200, 4_000),
            waiting=2_000,
            calls=10,
            class_requests=1_500,
        )
    return Plan(scenarios, connections=given.connections, rounds=given.rounds, seconds=given.seconds, warm_s=1)


def _number(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return convert


def _connections(text: str) -> tuple[int, ...]:
    convert = _number(1, MOST_CONNECTIONS)
    return tuple(sorted({convert(part) for part in text.split(",")}))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _hush(sentence: str) -> None:
    """Say nothing."""
