"""The audit: does the database hold what is promised, and if not, which rows break it?

Nothing is taken from the schema's word or from the code that wrote the rows: constraints may have been
dropped, rows changed by hand, tables restored from different times. All is read in one snapshot, so it can
run while bookings are made. Each rule is one statement; the chain of hashes is recomputed row by row, and what the
rules of series give is reckoned out anew (``engine.verify_series``).

What it cannot see: a resource whose last rows were taken out of the ledger, together with their bookings,
their keys and the fence. Who keeps the last hash of a ledger elsewhere can see that, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from engine.batch import TICKET_JUMP
from engine.chain import GENESIS, row_hash
from engine.rules.series import GUARANTEED_YEARS
from engine.store import verify as store
from engine.store.pools import Connection
from engine.verify_series import Walk, check_far, check_occurrences

NAMED = 100
"""Findings of one rule that a report names; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must hold.

    statement  the one that finds what breaks it.
    of         what is checked, as ``counts`` names it.
    knowing    what the statement has to know beside how many findings to name.
    """

    name: str
    promise: str
    statement: str
    of: str
    knowing: tuple[int, ...] = ()


RULES = (
    Rule(
        "no_overlap",
        "live bookings of a resource with one place never overlap",
        "verify_overlaps",
        "live_bookings",
    ),
    Rule(
        "no_excess",
        "never are more places taken than a resource has, or had then",
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
        knowing=(TICKET_JUMP,),
    ),
    Rule(
        "fence",
        "the fence of every resource stands where its ledger ends",
        "verify_fences",
        "resources",
        knowing=(TICKET_JUMP,),
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
        knowing=(GUARANTEED_YEARS,),
    ),
    Rule(
        "ledger_is_in_ends",
        "every confirmed cancellation and move happened",
        "verify_endings",
        "tickets",
    ),
    Rule(
        "series_are_in_ledger",
        "every series was made, and ended, by a confirmed ticket",
        "verify_series",
        "series",
    ),
    Rule(
        "series_horizon",
        "every resource knows up to where its series are stored",
        "verify_horizons",
        "resources",
    ),
    Rule(
        "slots",
        "every slot and event is what the ledger says, and counts the seats that are taken",
        "verify_slots",
        "slots",
    ),
    Rule(
        "one_seat",
        "nobody has two seats of one slot or event",
        "verify_holders",
        "seats",
    ),
    Rule(
        "limits",
        "nobody ever had more bookings ahead than they might",
        "verify_limits",
        "limited",
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
    Rule(
        "figures",
        "the attempts and cancellations that operators are told of are those of ledger and bookings",
        "verify_figures",
        "figures",
    ),
)
CHAIN = "chain"
CHAIN_PROMISE = "every ledger row carries the hash of itself and the row before it"
OCCURRENCES = "occurrences"
OCCURRENCES_PROMISE = "every occurrence that a series' rule gives is stored, as far as it should be, and no other"
FAR = "far"
FAR_PROMISE = f"series without end take no more than there is, for {GUARANTEED_YEARS} years"


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
    left_out    series that were not compared with each other, because there are too many.
    """

    as_of: datetime
    clean: bool
    checks: list[Check]
    violations: list[Violation]
    jumped: int
    jumps: list[Jump]
    left_out: int = 0

    def text(self) -> str:
        """Say it to a person."""
        lines = [f"{_verdict(check)}  {check.promise} ({check.checked:,} checked)" for check in self.checks]
        lines += [
            f"note    {jump.resource_id}: numbers jump from {jump.last_ticket} to {jump.next_ticket};"
            " the queue's memory was lost there"
            for jump in self.jumps
        ]
        if self.left_out:
            lines.append(
                f"note    {self.left_out:,} series without end were not compared with the others: too many pairs"
            )
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
            found = await store.findings(connection, rule.statement, named, *rule.knowing)
            checks.append(Check(rule.name, rule.promise, counts[rule.of], found[0].total if found else 0))
            violations += _violations(rule.name, found)
        broken, torn = await _check_chain(connection, named=named)
        checks.append(Check(CHAIN, CHAIN_PROMISE, counts["tickets"], broken))
        occurrences = await check_occurrences(connection, named=named)
        far = await check_far(connection, named=named)
        jumps, jumped = await store.jumps(connection, limit=named, step=TICKET_JUMP)
    checks += [_checked(OCCURRENCES, OCCURRENCES_PROMISE, occurrences), _checked(FAR, FAR_PROMISE, far)]
    violations += torn + _violations(OCCURRENCES, occurrences.findings) + _violations(FAR, far.findings)
    return Report(
        as_of=as_of,
        clean=not any(check.broken for check in checks),
        checks=checks,
        violations=violations,
        jumped=jumped,
        jumps=[Jump(*jump) for jump in jumps],
        left_out=far.left_out,
    )


def _violations(rule: str, found: Sequence[store.Finding]) -> list[Violation]:
    return [Violation(rule, each.resource_id, each.tickets, each.bookings, each.detail) for each in found]


def _checked(rule: str, promise: str, walk: Walk) -> Check:
    return Check(rule, promise, walk.checked, walk.broken)


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
