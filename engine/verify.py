"""The audit: does the database hold what is promised, and if not, which rows break it?

Nothing is taken from the schema's word or from the code that wrote the rows: constraints may have been
dropped, rows changed by hand, tables restored from different times. All is read in one snapshot, so it can
run while bookings are made. Each rule is one statement; the chain of hashes is recomputed row by row.

What it cannot see: a resource whose last rows were taken out of the ledger, together with their bookings,
their keys and the fence. Who keeps the last hash of a ledger elsewhere can see that, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from engine.batch import TICKET_JUMP
from engine.chain import GENESIS, row_hash
from engine.store import verify as store
from engine.store.pools import Connection

NAMED = 100
"""Findings of one rule that a report names; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold.

    statement  the one that finds what breaks it.
    of         what is checked, as ``counts`` names it.
    jumping    the statement has to know how far numbers jump.
    """

    name: str
    promise: str
    statement: str
    of: str
    jumping: bool = False


RULES = (
    Rule(
        "no_overlap",
        "live bookings of a resource with one place never overlap",
        "verify_overlaps",
        "live_bookings",
    ),
    Rule(
        "no_excess",
        "never are more places taken than a resource has",
        "verify_excess",
        "live_bookings",
    ),
    Rule(
        "right_kind",
        "every booking is of a resource that exists, and of its kind",
        "verify_kinds",
        "bookings",
    ),
    Rule(
        "no_gap",
        "every ticket has one row, and numbers have no gap that is not announced",
        "verify_numbers",
        "tickets",
        jumping=True,
    ),
    Rule(
        "fence",
        "the fence of every resource stands where its ledger ends",
        "verify_fences",
        "resources",
        jumping=True,
    ),
    Rule(
        "clock",
        "no ticket is decided before the ticket before it",
        "verify_clock",
        "tickets",
    ),
    Rule(
        "bookings_are_in_ledger",
        "every booking was made by a confirmed ticket, as it is",
        "verify_made",
        "bookings",
    ),
    Rule(
        "ledger_is_in_bookings",
        "every booking that a ticket confirmed is there",
        "verify_confirmed",
        "tickets",
    ),
    Rule(
        "ends_are_in_ledger",
        "every booking that ended was ended by a confirmed ticket, and a successor follows its predecessor",
        "verify_ended",
        "bookings",
    ),
    Rule(
        "ledger_is_in_ends",
        "every confirmed cancellation and move happened",
        "verify_endings",
        "tickets",
    ),
    Rule(
        "one_decision",
        "every request is decided once",
        "verify_requests",
        "tickets",
    ),
    Rule(
        "one_key",
        "every idempotency key leads to the one ticket that was decided for it",
        "verify_keys",
        "keys",
    ),
    Rule(
        "repeats",
        "every repeated outcome was decided before",
        "verify_repeats",
        "tickets",
    ),
    Rule(
        "dead_letters",
        "every command that was given up has failed in the ledger",
        "verify_dead_letters",
        "dead_letters",
    ),
)
CHAIN = "chain"
CHAIN_PROMISE = "every ledger row carries the hash of itself and the row before it"


class Check(msgspec.Struct, frozen=True):
    """What one rule found. ``checked`` counts the rows that were looked at, ``broken`` the findings."""

    rule: str
    promise: str
    checked: int
    broken: int


class Violation(msgspec.Struct, frozen=True):
    """Rows that break a rule together."""

    rule: str
    resource_id: str
    tickets: list[int]
    bookings: list[UUID]
    detail: str


class Jump(msgspec.Struct, frozen=True):
    """Where the numbers of a resource jumped, because the queue's memory was lost."""

    resource_id: str
    last_ticket: int
    next_ticket: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit found.

    as_of       the instant whose snapshot was checked.
    clean       no rule is broken. Jumps break none: they say that commands may have been lost.
    violations  at most NAMED of each rule.
    jumps       the first NAMED of ``jumped``.
    """

    as_of: datetime
    clean: bool
    checks: list[Check]
    violations: list[Violation]
    jumped: int
    jumps: list[Jump]

    def text(self) -> str:
        """Say it to a person."""
        lines = [f"{_verdict(check)}  {check.promise} ({check.checked:,} checked)" for check in self.checks]
        lines += [
            f"note    {jump.resource_id}: numbers jump from {jump.last_ticket} to {jump.next_ticket};"
            " the queue's memory was lost there"
            for jump in self.jumps
        ]
        lines += [_told(violation) for violation in self.violations]
        broken = sum(check.broken for check in self.checks)
        unnamed = broken - len(self.violations)
        lines.append(f"{broken:,} violations" if broken else "no violations")
        if unnamed:
            lines.append(f"{unnamed:,} of them are not named")
        return "\n".join(lines)


async def verify(connection: Connection, *, named: int = NAMED) -> Report:
    """Check every rule on one snapshot. Writes nothing, so it may run on a replica.

    named  how many findings of one rule to name, at least 1.
    """
    checks: list[Check] = []
    violations: list[Violation] = []
    async with store.one_snapshot(connection) as as_of:
        counts = await store.counts(connection)
        for rule in RULES:
            arguments = (named, TICKET_JUMP) if rule.jumping else (named,)
            found = await store.findings(connection, rule.statement, *arguments)
            checks.append(Check(rule.name, rule.promise, counts[rule.of], found[0].total if found else 0))
            violations += [Violation(rule.name, f.resource_id, f.tickets, f.bookings, f.detail) for f in found]
        broken, torn = await _check_chain(connection, named=named)
        checks.append(Check(CHAIN, CHAIN_PROMISE, counts["tickets"], broken))
        jumps, jumped = await store.jumps(connection, limit=named, step=TICKET_JUMP)
    return Report(
        as_of=as_of,
        clean=not any(check.broken for check in checks),
        checks=checks,
        violations=violations + torn,
        jumped=jumped,
        jumps=[Jump(*jump) for jump in jumps],
    )


async def _check_chain(connection: Connection, *, named: int) -> tuple[int, list[Violation]]:
    """Recompute the hash of every row from the hash that the row before it carries.

    A row that was changed is named by itself; one that was taken out or put in, by the row behind it.

    Returns how many links are broken, and the first of them.
    """
    broken: list[tuple[int, int]] = []
    total = 0
    resource, previous = -1, GENESIS
    async for rows in store.ledger(connection):
        for row, hashed in rows:
            if row.resource != resource:
                resource, previous = row.resource, GENESIS
            if row_hash(previous, row) != hashed:
                total += 1
                if len(broken) < named:
                    broken.append((resource, row.ticket))
            previous = hashed
    names = await store.resource_names(connection, sorted({resource for resource, _ in broken}))
    detail = "the hash does not fit the row and the one before it"
    return total, [
        Violation(CHAIN, names.get(resource, f"#{resource}"), [ticket], [], detail) for resource, ticket in broken
    ]


def _verdict(check: Check) -> str:
    return "broken" if check.broken else "ok    "


def _told(violation: Violation) -> str:
    rows = "".join(
        f" {name} {', '.join(map(str, found))}"
        for name, found in (("ticket", violation.tickets), ("booking", violation.bookings))
        if found
    )
    return f"broken  {violation.rule}: {violation.resource_id}{rows}: {violation.detail}"
