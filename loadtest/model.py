"""What a resource's commands have to lead to, one after another: a second opinion, in as few lines as possible.

It knows single bookings, cancellations, moves and changes of capacity, by what the interface promises of them, and
shares nothing with the engine's own rules. What it cannot recompute from the ledger is taken as given: a stale
version, a reused key, what failed or was withdrawn; and that a person had as many bookings as one may have, where
nothing else stood in the way. It never says more than it knows: at a kind of command that is beyond it, it stops.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

DAY_S = 86_400.0
GIVEN = frozenset({"key_reused", "stale_version"})
LIMIT = "max_active_bookings"
"""It comes of a person's bookings on all resources, and after every other reason. No other limit is of single ones."""
CLAIMS = frozenset({"book", "reschedule"})
CHANGES = frozenset({"cancel", "reschedule"})
UNFOUNDED = "no row made the booking"
WITHOUT_EFFECT = frozenset({"failed", "withdrawn", "repeated"})


class Row(NamedTuple):
    """A ledger row, as the audit reads it. Instants are seconds since 1970, identifiers texts of UUIDs.

    stands  the booking or series that the row names exists.
    """

    resource: int
    ticket: int
    request_id: str
    kind: str
    start: float
    end: float
    places: int
    capacity: int | None
    subject: str | None
    outcome: str
    reason: str | None
    booking: str | None
    first_ticket: int | None
    decided: float
    stands: bool


class Beyond(Exception):
    """A kind of command that the model does not know."""


class Use:
    """How many places are taken at each instant: steps, kept by the day so that none of the lists grows long."""

    def __init__(self) -> None:
        self._days: dict[int, tuple[list[float], list[int]]] = {}

    def peak(self, start: float, end: float) -> int:
        """The most that is taken at one instant of ``[start, end)``."""
        most = 0
        for day in _days(start, end):
            if (steps := self._days.get(day)) is not None:
                at, taken = steps
                most = max(most, *taken[max(0, bisect_right(at, start) - 1) : bisect_left(at, end)])
        return most

    def peak_from(self, start: float) -> int:
        """The most that is taken at one instant from ``start`` on."""
        ends = [(day + 1) * DAY_S for day in self._days]
        return max((self.peak(max(start, end - DAY_S), end) for end in ends if end > start), default=0)

    def add(self, start: float, end: float, places: int) -> None:
        """Take places, or give them back where ``places`` is below 0."""
        for day in _days(start, end):
            begin = day * DAY_S
            at, taken = self._days.get(day) or self._days.setdefault(day, ([begin], [0]))
            first = _split(at, taken, max(start, begin))
            last = _split(at, taken, min(end, begin + DAY_S))
            for number in range(first, last):
                taken[number] += places


def _days(start: float, end: float) -> Sequence[int]:
    first = int(start // DAY_S)
    if end <= (first + 1) * DAY_S:
        return (first,)
    return range(first, int(-(-end // DAY_S)))


def _split(at: list[float], taken: list[int], instant: float) -> int:
    """Have a step begin at an instant. Returns its number."""
    number = bisect_left(at, instant)
    if number == len(at) or at[number] != instant:
        at.insert(number, instant)
        taken.insert(number, taken[number - 1])
    return number


class Model:
    """One resource: what stands, what ended, and how many places there are."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._use = Use()
        self._claims: dict[str | None, tuple[float, float, int]] = {}
        self._ended: dict[str | None, str] = {}

    def expect(self, row: Row) -> str | None:
        """The reason for which the command has to be refused; None where it has to be granted. Raises Beyond."""
        if row.kind == "book":
            return self._refuse_claim(row, row.places)
        if row.kind in CHANGES and row.subject not in self._claims and row.subject not in self._ended:
            return UNFOUNDED
        if row.kind == "cancel":
            return "already_rescheduled" if self._ended.get(row.subject) == "reschedule" else None
        if row.kind == "reschedule":
            if row.subject in self._ended:
                return "already_cancelled" if self._ended[row.subject] == "cancel" else "already_rescheduled"
            start, end, places = self._claims[row.subject]
            self._use.add(start, end, -places)
            refused = self._refuse_claim(row, places)
            self._use.add(start, end, places)
            return refused
        if row.kind == "update_resource":
            low = row.capacity is not None and row.capacity < self._use.peak_from(
                0 if row.capacity == 1 else row.decided
            )
            return "capacity_below_taken" if low else None
        raise Beyond(row.kind)

    def follow(self, row: Row) -> None:
        """Go on from what was decided, right or wrong, so that one fault is told once."""
        if row.outcome != "confirmed":
            return
        if row.kind in CHANGES and (claim := self._claims.pop(row.subject, None)):
            self._use.add(claim[0], claim[1], -claim[2])
            self._ended[row.subject] = row.kind
        if row.kind in ("book", "reschedule"):
            self._claims[row.booking] = (row.start, row.end, row.places)
            self._use.add(row.start, row.end, row.places)
        elif row.kind == "update_resource" and row.capacity is not None:
            self._capacity = row.capacity

    def _refuse_claim(self, row: Row, places: int) -> str | None:
        if row.start <= row.decided:
            return "slot_in_past"
        if places > self._capacity:
            return "places_exceed_capacity"
        return "conflict" if self._use.peak(row.start, row.end) + places > self._capacity else None


def contradiction(model: Model, row: Row) -> str | None:
    """Replay a row: say how its outcome differs from the model's, None where it does not. Raises Beyond."""
    if row.outcome in WITHOUT_EFFECT or row.reason in GIVEN:
        return None
    expected = model.expect(row)
    model.follow(row)
    if expected is None and row.kind in CLAIMS and row.reason == LIMIT:
        return None
    if expected == row.reason and (expected is None) == (row.outcome == "confirmed"):
        return None
    return f"{row.kind} is {_told(row.outcome, row.reason)} and has to be {_told_of(expected)}"


def _told(outcome: str, reason: str | None) -> str:
    return outcome if reason is None else f"{outcome} ({reason})"


def _told_of(reason: str | None) -> str:
    return "confirmed" if reason is None else f"refused ({reason})"
