"""What is known of a resource between two rows of its ledger, and the verdict on a row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from engine.chain import LedgerRow, decode_detail
from engine.commands import Clash, Reason, SeriesDetail, Status
from engine.replay.claims import Claim, Claims, StandingSeries
from engine.rules.decide import Refusal, Standing
from engine.rules.seats import Offer

NOT_KNOWN = "what_stands_is_not_known"
"""Why a row was taken as given: something may stand, or have stood, that no row tells."""
TOO_MUCH = "it_would_take_too_long"
"""Why a row was taken as given: to replay it, all claims would have to be gone through once too often."""
REASONS = frozenset(Reason)
"""Those that this release knows."""
CLAIMING = frozenset({"book", "reschedule", "book_series", "restore_occurrence", "move_occurrence", "publish_slots"})
"""Commands that something may stand in the way of."""
STALE = frozenset({Reason.STALE_VERSION})
LIMITS = frozenset({Reason.MAX_ACTIVE_BOOKINGS, Reason.MAX_BOOKINGS_WITH_HOST})
"""Reasons that come of a count. They come last: no other reason applies."""


class Incomplete(Exception):
    """A row lacks what its kind needs."""


@dataclass(slots=True)
class Seats:
    """The seats of a slot or event.

    offer     with the most seats that it may have.
    doubtful  numbers of taken seats at which it may have one more or not: of a slot that no row told of by itself,
              all from the fewest seats that it may have.
    dated     whether its time is known.
    """

    offer: Offer
    doubtful: range = range(0)
    dated: bool = True


class State:
    """A resource between two rows.

    bookings  single ones, seats, and what claims the time of slots, by id.
    seats     of the slots and events that are known, by id.
    untold    the fewest and the most seats of slots that may stand without a row that names them; None: all are named.
    given     how many rows were taken as given, by why.
    unsure    something may stand that is not among the claims: a refusal may be due to it, a yes may not.
    foreign   a command of an unknown kind was granted. It may have made, changed or ended anything, so from then on
              no disagreement proves anything.
    """

    def __init__(self, *, capacity: int) -> None:
        self.claims = Claims(capacity=capacity)
        self.bookings: dict[UUID, Standing] = {}
        self.series: dict[UUID, StandingSeries] = {}
        self.seats: dict[UUID, Seats] = {}
        self.untold: tuple[int, int] | None = None
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
        unsure = self.unsure and said == Reason.CONFLICT and row.kind in CLAIMING
        unsure = unsure and (expected is None or expected.reason == said)
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
        known = (self.bookings, self.series, self.seats)
        return booking is not None and not any(booking in made for made in known)

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


def taken_as_given(state: State, row: LedgerRow, among: Collection[Reason]) -> bool:
    """Take a refusal as given whose reason the rows do not decide.

    among  the reasons of which, by all that the rows do decide, one may apply; one of another release always may.
    """
    if row.reason is None or (row.reason in REASONS and row.reason not in among):
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


def detail_of(row: LedgerRow) -> SeriesDetail:
    """What a row says of a series. Raises Incomplete where it says nothing."""
    try:
        detail = decode_detail(row.detail)
    except msgspec.DecodeError:
        raise Incomplete from None
    if detail is None:
        raise Incomplete
    return detail
