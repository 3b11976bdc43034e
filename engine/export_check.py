"""An export or a receipt, checked with nothing but itself: no database, no settings, and no word of ours is taken.

One pass over the lines. Kept of them are the claims that stand (for the replay), and a few bytes of each ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from engine.batch import TICKET_JUMP
from engine.chain import EPOCH, GENESIS, LedgerRow, row_hash
from engine.proof import LONGEST_LINE, Head, Receipt, Signed, Unreadable, decode_row, instant_text, read_document
from engine.replay import Replay
from engine.replay.seats import offer_of
from engine.signing import SIGNATURE, BadSignature, PublicKey, check_signature

NAMED = 100
"""Violations of one rule that a report names; all of them are counted."""
RULES = {
    "signature": "the signature is that of the head, or of the receipt, by a key that was given",
    "lines": "every line is a row of the resource that the head names",
    "chain": "every row carries the hash of itself and the row before it",
    "no_gap": "numbers rise, without a gap but for jumps that announce themselves",
    "clock": "no ticket is decided before the ticket before it",
    "whole": "the file ends with the row that its head names",
    "outcomes": "each outcome follows from those before it",
    "receipt": "the ledger has at the receipt's ticket what the receipt says",
}
"""What is checked, in the order in which a report tells it."""


class Check(msgspec.Struct, frozen=True):
    """What one rule found. ``checked`` counts what was looked at, ``broken`` the findings."""

    rule: str
    promise: str
    checked: int
    broken: int


class Violation(msgspec.Struct, frozen=True):
    """What breaks a rule.

    ticket  the row's; None where it is not about a row.
    line    of the file, counted from 1; None where it is not about a line.
    """

    rule: str
    ticket: int | None
    line: int | None
    detail: str


class Jump(msgspec.Struct, frozen=True):
    """Where the numbers jumped, because the queue's memory was lost."""

    last_ticket: int
    next_ticket: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    clean       no rule is broken.
    signed_by   id of the key that signed what was checked; None: the signature was not checked, ``notes`` say why.
    violations  at most NAMED of each rule.
    replayed    rows whose outcome the rules give again.
    given       rows whose outcome was taken as given, by why.
    jumps       the first NAMED of ``jumped``.
    """

    resource_id: str | None
    last_ticket: int | None
    row_hash: str | None
    clean: bool
    signed_by: str | None
    checks: list[Check]
    violations: list[Violation]
    replayed: int
    given: dict[str, int]
    jumped: int
    jumps: list[Jump]
    notes: list[str]

    def text(self) -> str:
        """Say it to a person."""
        lines = [
            f"{'broken' if check.broken else 'ok    '}  {check.promise} ({check.checked:,} checked)"
            for check in self.checks
        ]
        if self.given:
            told = ", ".join(f"{count:,} {why}" for why, count in sorted(self.given.items()))
            lines.append(f"note    {self.replayed:,} outcomes were replayed, others taken as given: {told}")
        lines += [
            f"note    numbers jump from {jump.last_ticket} to {jump.next_ticket}; the queue's memory was lost there"
            for jump in self.jumps
        ]
        lines += [f"note    {note}" for note in self.notes]
        lines += [_told(violation) for violation in self.violations]
        broken = sum(check.broken for check in self.checks)
        lines.append(f"{broken:,} violations" if broken else "no violations")
        if unnamed := broken - len(self.violations):
            lines.append(f"{unnamed:,} of them are not named")
        return "\n".join(lines)


@dataclass(slots=True)
class Findings:
    """What was found so far."""

    checked: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    jumped: int = 0
    jumps: list[Jump] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    signed_by: str | None = None

    def check(self, rule: str, count: int = 1) -> None:
        """Count what is looked at."""
        self.checked[rule] = self.checked.get(rule, 0) + count

    def add(self, rule: str, detail: str, *, ticket: int | None = None, line: int | None = None) -> None:
        """Count a violation, and name it while there is room."""
        self.broken[rule] = self.broken.get(rule, 0) + 1
        if self.broken[rule] <= NAMED:
            self.violations.append(Violation(rule, ticket, line, detail))

    def report(self, head: Head | None, replay: Replay | None) -> Report:
        """Sum it up."""
        order = list(RULES)
        return Report(
            resource_id=head.resource_id if head else None,
            last_ticket=head.last_ticket if head else None,
            row_hash=head.row_hash if head else None,
            clean=not self.broken,
            signed_by=self.signed_by,
            checks=[
                Check(rule, RULES[rule], self.checked[rule], self.broken.get(rule, 0))
                for rule in order
                if rule in self.checked
            ],
            violations=sorted(self.violations, key=lambda violation: order.index(violation.rule)),
            replayed=replay.replayed if replay else 0,
            given=dict(replay.given) if replay else {},
            jumped=self.jumped,
            jumps=self.jumps,
            notes=self.notes,
        )


def check_export(
    lines: Iterable[bytes], *, keys: Sequence[PublicKey] | None = None, receipt: Receipt | None = None
) -> Report:
    """Check an export, and a receipt against it.

    lines    of the file, each with its end; read once, one by one.
    keys     of the installation, from elsewhere than the file; None: signatures are not checked.
    receipt  whose ticket the ledger must have as it says.
    """
    findings, numbered = Findings(), enumerate(lines, 1)
    if receipt is not None:
        _check_signature(findings, receipt, keys)
    try:
        head = read_document(next(numbered, (1, b""))[1], Head)
    except Unreadable as error:
        findings.check("lines")
        findings.add("lines", str(error), line=1)
        return findings.report(None, None)
    _check_signature(findings, head, keys)
    walk = _Walk(findings, head, receipt)
    for number, line in numbered:
        walk.take(number, line)
    walk.end()
    return findings.report(head, walk.replay)


def check_receipt(receipt: Receipt, keys: Sequence[PublicKey] | None) -> Report:
    """Check a receipt alone: that the installation signed it as it is."""
    findings = Findings()
    _check_signature(findings, receipt, keys)
    return findings.report(None, None)


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file. One that is longer than any row comes in pieces, which are no rows."""
    while line := file.readline(LONGEST_LINE):
        yield line


def _check_signature(findings: Findings, document: Signed, keys: Sequence[PublicKey] | None) -> None:
    what = type(document).__name__.lower()
    if keys is None:
        unsigned = document.document[SIGNATURE] is None
        findings.notes.append(
            f"the {what} is not signed: its installation had no key"
            if unsigned
            else f"the signature of the {what} was not checked: name the installation's keys with --keys"
        )
        return
    findings.check("signature")
    try:
        findings.signed_by = check_signature(document.document, keys).key_id
    except BadSignature as error:
        findings.add("signature", f"{what}: {error}")


class _Walk:
    """One pass over the rows, with what is known of the row before."""

    def __init__(self, findings: Findings, head: Head, receipt: Receipt | None) -> None:
        self.replay = Replay(capacity=head.initial_capacity, event=offer_of(*head.offered) if head.offered else None)
        self._findings = findings
        self._head = head
        self._receipt = receipt
        self._ticket, self._hash = 0, GENESIS
        self._decided_at = self._joined_at = EPOCH
        self._went_back = 0
        for rule in ("lines", "chain", "no_gap", "clock", "outcomes"):
            findings.check(rule, 0)

    def take(self, number: int, line: bytes) -> None:
        """Check the next line."""
        self._findings.checked["lines"] += 1
        try:
            row, carried = decode_row(line)
        except Unreadable as error:
            self._findings.add("lines", str(error), line=number)
            return
        if row.resource != self._head.resource:
            detail = f"it is of resource {row.resource}, and the head names resource {self._head.resource}"
            self._findings.add("lines", detail, ticket=row.ticket, line=number)
        self._check_chain(row, carried, number)
        in_order = self._check_number(row, number)
        self._check_times(row, number)
        if in_order:
            self._check_outcome(row, number)
            self._ticket = row.ticket
        if self._receipt is not None and row.ticket == self._receipt.ticket:
            self._check_against(self._receipt, row, carried, number)

    def end(self) -> None:
        """Check that the file ended where it should."""
        head, findings = self._head, self._findings
        findings.check("whole")
        if (self._ticket, self._hash.hex()) != (head.last_ticket, head.row_hash):
            findings.add(
                "whole",
                f"it ends with ticket {self._ticket}, and the head names ticket {head.last_ticket}"
                if self._ticket != head.last_ticket
                else f"ticket {self._ticket} has another hash than the head says",
            )
        if self._receipt is not None:
            findings.check("receipt")
            findings.add("receipt", f"the ledger has no ticket {self._receipt.ticket}; it ends at {self._ticket}")
        if self._went_back:
            findings.notes.append(
                f"{self._went_back:,} tickets joined, by the queue's clock, before the one in front of them: "
                "the clock was set back, or the queue was given new tickets"
            )

    def _check_chain(self, row: LedgerRow, carried: bytes, number: int) -> None:
        self._findings.checked["chain"] += 1
        if row_hash(self._hash, row) != carried:
            detail = "the hash does not fit the row and the one before it"
            self._findings.add("chain", detail, ticket=row.ticket, line=number)
        self._hash = carried

    def _check_number(self, row: LedgerRow, number: int) -> bool:
        """Check that a ticket follows the one before. Returns whether it is behind that at all."""
        findings, before = self._findings, self._ticket
        findings.checked["no_gap"] += 1
        if row.ticket == before + 1:
            return True
        if row.ticket <= before:
            findings.add("no_gap", f"it comes after ticket {before}", ticket=row.ticket, line=number)
            return False
        if row.ticket % TICKET_JUMP == 0:
            findings.jumped += 1
            if findings.jumped <= NAMED:
                findings.jumps.append(Jump(before, row.ticket))
        else:
            detail = f"the tickets from {before + 1} to {row.ticket - 1} have no row"
            findings.add("no_gap", detail, ticket=row.ticket, line=number)
        return True

    def _check_times(self, row: LedgerRow, number: int) -> None:
        self._findings.checked["clock"] += 1
        if row.decided_at < self._decided_at:
            detail = f"it was decided at {instant_text(row.decided_at)}, before the ticket in front of it"
            self._findings.add("clock", detail, ticket=row.ticket, line=number)
        self._went_back += row.joined_at < self._joined_at
        self._decided_at, self._joined_at = row.decided_at, row.joined_at

    def _check_outcome(self, row: LedgerRow, number: int) -> None:
        self._findings.checked["outcomes"] += 1
        fault = self.replay.take(row)
        if fault is not None:
            self._findings.add("outcomes", fault, ticket=row.ticket, line=number)

    def _check_against(self, receipt: Receipt, row: LedgerRow, carried: bytes, number: int) -> None:
        """Hold a receipt against the row of its ticket. It is found then, and not looked for any more."""
        self._receipt = None
        self._findings.check("receipt")
        there = Receipt(
            resource_id=self._head.resource_id,
            ticket=row.ticket,
            request_id=row.request_id,
            row_hash=carried.hex(),
            joined_at=instant_text(row.joined_at),
            decided_at=instant_text(row.decided_at),
            outcome=row.outcome,
            key_id=receipt.key_id,
            signature=receipt.signature,
        ).document
        for name, said in receipt.document.items():
            if there[name] != said:
                detail = f"{name} is {there[name]}, and the receipt says {said}"
                self._findings.add("receipt", detail, ticket=row.ticket, line=number)


def _told(violation: Violation) -> str:
    place = "".join(
        f" {name} {found}" for name, found in (("ticket", violation.ticket), ("line", violation.line)) if found
    )
    return f"broken  {violation.rule}:{place}: {violation.detail}"
