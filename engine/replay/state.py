"""What is known of a resource between two rows of its ledger, and the verdict on a row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from engine.chain import LedgerRow
from engine.commands import Clash, Reason, Status
from engine.replay.claims import Claim, Claims, StandingSeries
from engine.rules.decide import Refusal, Standing

NOT_KNOWN = "what_stands_is_not_known"
"""Why a row was taken as given: something may stand, or have stood, that no row tells."""
TOO_MUCH = "it_would_take_too_long"
"""Why a row was taken as given: to replay it, all claims would have to be gone through once too often."""
REPLAYED = frozenset(
    {
        Reason.ALREADY_CANCELLED,
        Reason.ALREADY_RESCHEDULED,
        Reason.NOT_AN_OCCURRENCE,
        Reason.OCCURRENCE_IN_PAST,
        Reason.OCCURRENCE_CANCELLED,
        Reason.SLOT_IN_PAST,
        Reason.PLACES_EXCEED_CAPACITY,
        Reason.CONFLICT,
        Reason.CAPACITY_BELOW_TAKEN,
    }
)
"""Reasons for which the rows decide. Others rest on what the caller sent, or on counts over several resources."""


class Incomplete(Exception):
    """A row lacks what its kind needs."""


class State:
    """A resource between two rows.

    bookings  single ones, by id.
    given     how many rows were taken as given, by why.
    unsure    something may stand that is not among the claims: a refusal may be due to it, a yes may not.
    foreign   a command of an unknown kind was granted. It may have made, changed or ended anything, so from then on
              no disagreement proves anything.
    """

    def __init__(self, *, capacity: int) -> None:
        self.claims = Claims(capacity=capacity)
        self.bookings: dict[UUID, Standing] = {}
        self.series: dict[UUID, StandingSeries] = {}
        self.given: Counter[str] = Counter()
        self.given_rows = 0
        self.unsure = False
        self.foreign = False
        self._learned: dict[UUID, UUID] = {}

    def give(self, why: str) -> None:
        """Take a row as given."""
        self.given[why] += 1
        self.given_rows += 1

    def judge(self, row: LedgerRow, expected: Refusal | None, *, vague: bool = False) -> str | None:
        """Compare a row's outcome with the one that the rules give.

        vague  what the row names is not known well enough to prove anything.

        Returns what is wrong, or None.
        """
        said = row.reason
        if expected is None and said is None:
            return None
        if expected is not None and said == expected.reason:
            if self._names(row, expected.clashes):
                return None
            what = f"it names other bookings than those in the way{self._tickets(expected.clashes)}"
        else:
            is_said = f"a no ({said})" if said else "a yes"
            what = f"it is {is_said}, but by what stood before it is {self._told(expected)}"
        unsure = self.unsure and said == Reason.CONFLICT and (expected is None or expected.reason == said)
        if self.foreign or unsure or vague:
            self.give(NOT_KNOWN)
            return None
        return what

    def unfounded(self, row: LedgerRow) -> str | None:
        """Judge a row that names what no row before it made."""
        if self.foreign:
            self.give(NOT_KNOWN)
            return None
        return f"it names {row.subject}, which no ticket before it made"

    def is_new(self, booking: UUID | None) -> bool:
        """Whether nothing that a row made before has this id."""
        return booking is not None and booking not in self.bookings and booking not in self.series

    def learn(self, claim: Claim, booking: UUID) -> None:
        """Remember the id of an occurrence that was made up so far."""
        if claim.booking != booking:
            self._learned[claim.booking] = booking

    def _names(self, row: LedgerRow, clashes: Sequence[Clash]) -> bool:
        """Whether a row names these claims, in this order."""
        return len(clashes) == len(row.clashes) and all(map(self._is, clashes, row.clashes))

    def _is(self, clash: Clash, named: UUID) -> bool:
        """Whether an id is that of a claim. That of an occurrence is learned where it is named for the first time.

        An occurrence that was not stored when the row was written goes by its series.
        """
        if clash.booking == named:
            return True
        if clash.booking in self.bookings or named in self.bookings:
            return False
        if named in self.series or clash.booking in self.series:
            return True
        return self._learned.setdefault(clash.booking, named) == named

    def _told(self, expected: Refusal | None) -> str:
        return "a yes" if expected is None else f"a no ({expected.reason}){self._tickets(expected.clashes)}"

    def _tickets(self, clashes: Sequence[Clash]) -> str:
        found = {self.claims.ticket_of(clash.start_time, clash.end_time, clash.booking) for clash in clashes}
        tickets = sorted(ticket for ticket in found if ticket is not None)
        return f", where ticket {', '.join(map(str, tickets))} stands" if tickets else ""


def taken_as_given(state: State, row: LedgerRow, *, versioned: bool) -> bool:
    """Take a refusal as given whose reason the rows do not decide.

    versioned  whether a version that the caller sent could be the reason: no reason that comes before applies.
    """
    if row.reason is None or row.reason in REPLAYED or (row.reason == Reason.STALE_VERSION and not versioned):
        return False
    state.give(row.reason)
    return True


def first_of(faults: Sequence[str | None]) -> str | None:
    """The first fault that is one."""
    return next((fault for fault in faults if fault is not None), None)


def granted(row: LedgerRow) -> bool:
    """Whether a row is a yes."""
    return row.outcome == Status.CONFIRMED


def interval_of(row: LedgerRow) -> tuple[datetime, datetime]:
    """The time that a row is about. Raises Incomplete where it has none."""
    if row.start_time is None or row.end_time is None or row.start_time >= row.end_time:
        raise Incomplete
    return row.start_time, row.end_time


def subject_of(row: LedgerRow) -> UUID:
    """What a row names. Raises Incomplete where it names nothing."""
    if row.subject is None:
        raise Incomplete
    return row.subject
