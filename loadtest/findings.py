"""What an audit looked at, and what it found wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from engine.verify import Check, Violation

NAMED = 20
"""Violations of one rule that a report names; all of them are counted."""

PROMISES: Mapping[str, str] = {
    "no_overlap": "live bookings of a resource with one place never overlap",
    "no_excess": "never are more places taken than there are",
    "numbers": "every ticket has one row, and numbers have no gap that is not announced",
    "one_decision": "every request is decided once",
    "replay": "the commands, one by one in ticket order, lead to the same outcomes",
    "commit_order": "what has a lower ticket was decided first",
    "real_time_order": "who was answered before another one asked has the lower ticket",
    "answers_in_ledger": "every definite answer has its row in the ledger, which says the same",
    "ledger_in_answers": "every row of the ledger belongs to a request that was sent",
    "same_key_same_answer": "the same key has the same answer",
    "yes_stands": "every booking that was confirmed is there",
    "own_booking_seen": "a reader who brings the version sees his own booking",
    "backstop": "no constraint of the schema ever had to refuse what the rules had granted",
    "replica": "the replica, once caught up, holds the same",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit found.

    operations  requests in the history.
    unknown     of them, those without a definite answer: each may or may not have happened.
    seconds     it took.
    notes       what was not checked, and why; what is worth knowing and breaks no rule.
    """

    clean: bool
    operations: int
    unknown: int
    tickets: int
    seconds: float
    checks: list[Check]
    violations: list[Violation]
    notes: list[str]

    def text(self) -> str:
        """Say it to a person."""
        lines = [
            f"{'broken' if check.broken else 'ok    '}  {check.promise} ({check.checked:,} checked)"
            for check in self.checks
        ]
        lines += [f"note    {note}" for note in self.notes]
        lines += [_told(violation) for violation in self.violations]
        broken = sum(check.broken for check in self.checks)
        found = f"{broken:,} violations" if broken else "no violations"
        if unnamed := broken - len(self.violations):
            found += f", {unnamed:,} of which are not named"
        lines.append(f"{found}: {self.operations:,} requests, {self.tickets:,} tickets, {self.seconds:.1f} s")
        return "\n".join(lines)


def _told(violation: Violation) -> str:
    rows = "".join(
        f" {name} {', '.join(map(str, found))}"
        for name, found in (("ticket", violation.tickets), ("booking", violation.bookings))
        if found
    )
    return f"broken  {violation.rule}: {violation.resource_id}{rows}: {violation.detail}"


class Findings(msgspec.Struct):
    """Collects them.

    checked, found  by rule: what it was held against, and the violations of it.
    requests        in the history.
    unknown         of them, those without a definite answer.
    tickets         that were walked through.
    beyond          resources with a command that the model does not know.
    """

    checked: dict[str, int] = {}
    found: dict[str, int] = {}
    violations: list[Violation] = []
    notes: list[str] = []
    requests: int = 0
    unknown: int = 0
    tickets: int = 0
    beyond: int = 0

    def looked_at(self, rule: str, number: int) -> None:
        """Count what a rule was held against."""
        self.checked[rule] = self.checked.get(rule, 0) + number

    def broken(
        self, rule: str, resource_id: str, detail: str, *, tickets: Iterable[int] = (), bookings: Iterable[str] = ()
    ) -> None:
        """Note a violation; ``bookings`` are texts of UUIDs."""
        self.found[rule] = self.found.get(rule, 0) + 1
        if self.found[rule] <= NAMED:
            self.violations.append(Violation(rule, resource_id, list(tickets), [*map(UUID, bookings)], detail))

    def add(self, other: Findings) -> None:
        """Take in what was found elsewhere."""
        for rule, number in other.checked.items():
            self.looked_at(rule, number)
        for violation in other.violations:
            if sum(one.rule == violation.rule for one in self.violations) < NAMED:
                self.violations.append(violation)
        for rule, number in other.found.items():
            self.found[rule] = self.found.get(rule, 0) + number
        self.notes += other.notes
        self.requests += other.requests
        self.unknown += other.unknown
        self.tickets += other.tickets
        self.beyond += other.beyond

    def checks(self) -> list[Check]:
        """Every rule that was looked at."""
        return [
            Check(rule, promise, self.checked.get(rule, 0), self.found.get(rule, 0))
            for rule, promise in PROMISES.items()
            if rule in self.checked or rule in self.found
        ]
