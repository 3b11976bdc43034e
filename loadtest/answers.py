"""What a history alone can show to be wrong, and what a resource's rows and the answers about it say of each other.

Pure: entries and rows in, findings out. All of it is sorting and looking up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

from engine.batch import TICKET_JUMP
from loadtest.findings import Findings
from loadtest.model import Beyond, Model, Row, contradiction
from loadtest.record import CONFIRMED, Entry

KINDS = {"book": "book", "series": "book_series", "cancel": "cancel", "move": "reschedule"}
"""The kind of command that an operation becomes."""
KEY_REUSED = "key_reused"
REPEATED = "repeated"
"""The outcome of a copy of a command that has been decided."""
_sent, _answered = attrgetter("sent"), attrgetter("answered")


def check_real_time_order(entries: Sequence[Entry], findings: Findings) -> None:
    """Whoever was answered before another one asked has the lower ticket.

    One sweep over the instants at which one resource's requests were sent, with the highest ticket answered by then.
    An answer that is that of an earlier request with its key has that one's ticket, so it is left out.
    """
    told = [entry for entry in entries if entry.definite and not entry.replayed]
    findings.looked_at("real_time_order", len(told))
    answered = sorted(told, key=_answered)
    behind, number = None, 0
    for entry in sorted(told, key=_sent):
        while number < len(answered) and answered[number].answered < entry.sent:  # type: ignore[operator]
            if behind is None or answered[number].ticket > behind.ticket:  # type: ignore[operator]
                behind = answered[number]
            number += 1
        if behind is not None and behind.ticket >= entry.ticket:  # type: ignore[operator]
            detail = f"ticket {behind.ticket} was answered before ticket {entry.ticket} was asked for"
            findings.broken(
                "real_time_order", entry.resource, detail, tickets=filter(None, (behind.ticket, entry.ticket))
            )


def check_keys(entries: Iterable[Entry], findings: Findings) -> None:
    """The same key has one answer, and one request whose answer it is: any other is told that the key was used."""
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.key is not None and entry.definite and entry.outcome != KEY_REUSED:
            groups[entry.caller, entry.key].append(entry)
    findings.looked_at("same_key_same_answer", len(groups))
    for (_, key), group in groups.items():
        answers = {(one.status, one.outcome, one.ticket, one.booking) for one in group}
        if len(answers) > 1 or len({one.body_hash for one in group}) > 1:
            told = "; ".join(
                f"{one.status} {one.outcome}, ticket {one.ticket}, of {one.body_hash}" for one in group[:10]
            )
            tickets = sorted({one.ticket for one in group if one.ticket is not None})
            findings.broken("same_key_same_answer", group[0].resource, f"key {key}: {told}", tickets=tickets)


def check_reads(entries: Iterable[Entry], findings: Findings) -> None:
    """A reader who brings the version sees his own booking."""
    reads = [entry for entry in entries if entry.seen is not None and entry.status == 200]
    findings.looked_at("own_booking_seen", len(reads))
    for entry in reads:
        if entry.own_free:
            detail = f"a time booked with ticket {entry.seen} was shown as free to a reader who brought it"
            findings.broken("own_booking_seen", entry.resource, detail, tickets=[entry.seen or 0])


def _other(told: str | None, held: str | None) -> bool:
    """Whether an answer told another identifier than the row's, in whatever spelling."""
    return told is not None and told != held and told.lower() != held


class Walk:
    """One resource's rows in ticket order, held against the model and against what callers were told.

    whole  nobody but the history's callers asked for anything on resources that it names.
    """

    def __init__(
        self, resource_id: str, capacity: int, entries: Sequence[Entry], findings: Findings, *, whole: bool
    ) -> None:
        self._resource_id = resource_id
        self._findings = findings
        self._model: Model | None = Model(capacity)
        self._answers: dict[int | None, Entry] = {}
        self._unknown = 0
        for entry in entries:
            if not entry.definite:
                self._unknown += entry.operation in KINDS
            elif not entry.replayed or entry.ticket not in self._answers:
                self._answers[entry.ticket] = entry
        self._whole = whole and bool(entries)
        self._unasked: list[int] = []
        self._last, self._decided = 0, 0.0
        self._requests: dict[str, int] = {}
        self._rows = self._replayed = self._answered = 0

    def take(self, row: Row) -> None:
        """The next row."""
        self._rows += 1
        if row.ticket != self._last + 1 or row.decided < self._decided:
            self._note_disorder(row)
        self._last, self._decided = row.ticket, row.decided
        if row.outcome != REPEATED and (first := self._requests.setdefault(row.request_id, row.ticket)) != row.ticket:
            detail = f"request {row.request_id} has several decisions"
            self._findings.broken("one_decision", self._resource_id, detail, tickets=[first, row.ticket])
        if self._model is not None:
            self._replay(row, self._model)
        entry = self._answers.pop(row.ticket, None)
        if entry is not None:
            self._answered += 1
            self._compare(row, entry)
        elif row.outcome != REPEATED:
            self._unasked.append(row.ticket)
        if row.outcome == CONFIRMED and row.booking is not None and not row.stands:
            self._break("yes_stands", row, "what was confirmed is not there")

    def end(self) -> None:
        """There are no more rows."""
        for ticket, entry in self._answers.items():
            detail = f"{entry.operation} was answered {entry.outcome}, and has no row"
            self._findings.broken("answers_in_ledger", self._resource_id, detail, tickets=[ticket or 0])
        if self._whole and len(self._unasked) > self._unknown:
            detail = f"{len(self._unasked)} rows have no answer, and {self._unknown} requests were not answered"
            self._findings.broken("ledger_in_answers", self._resource_id, detail, tickets=self._unasked[:100])
        for rule, number in (
            ("numbers", self._rows),
            ("one_decision", self._rows),
            ("commit_order", self._rows),
            ("yes_stands", self._rows),
            ("replay", self._replayed),
            ("answers_in_ledger", self._answered + len(self._answers)),
            ("ledger_in_answers", self._rows if self._whole else 0),
        ):
            self._findings.looked_at(rule, number)
        self._findings.tickets += self._rows
        self._findings.beyond += self._model is None  # it met a kind of command that it does not know

    def _note_disorder(self, row: Row) -> None:
        if row.ticket != self._last + 1 and (row.ticket <= self._last or row.ticket % TICKET_JUMP):
            self._break("numbers", row, f"it follows ticket {self._last}")
        if row.decided < self._decided:
            self._break("commit_order", row, f"it was decided before ticket {self._last}")

    def _replay(self, row: Row, model: Model) -> None:
        try:
            detail = contradiction(model, row)
        except Beyond:
            self._model = None
            return
        self._replayed += 1
        if detail is not None:
            self._break("replay", row, detail)

    def _compare(self, row: Row, entry: Entry) -> None:
        held, kind = row.reason or row.outcome, KINDS.get(entry.operation)
        # A replayed answer need not say to which request it was first given.
        if _other(entry.request_id, row.request_id) or entry.outcome != held or kind != row.kind:
            said = f"{kind} {entry.request_id} {entry.outcome}"
            self._break(
                "answers_in_ledger", row, f"the answer says {said}, the ledger {row.kind} {row.request_id} {held}"
            )
        elif held == CONFIRMED and (entry.booking is None or _other(entry.booking, row.booking)):
            self._break("answers_in_ledger", row, f"the answer names booking {entry.booking}")

    def _break(self, rule: str, row: Row, detail: str) -> None:
        bookings = [] if row.booking is None else [row.booking]
        self._findings.broken(rule, self._resource_id, detail, tickets=[row.ticket], bookings=bookings)
