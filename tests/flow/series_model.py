"""A resource with single bookings and series, as plainly as it can be said: hour by hour, one command at a time.

Written from the interface's words and not from the engine's code: every occurrence is listed, every hour is counted.
Instants are whole hours from the first Monday on. What has no end is listed up to ``HOURS``; there it goes on as it
did in the last weeks, so that what meets there meets for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

DAY = 24
HOURS = 500 * DAY
FOR_EVER = HOURS - 28 * DAY
"""From here on only series without end have occurrences. All steps divide two weeks."""
STANDS, CANCELLED, LEFT_OUT, GONE = "stands", "cancelled", "left out", "gone"
"""What is to be said of an occurrence: ``GONE`` stands elsewhere, under another id."""
Answer = tuple[str, str | None]
"""Outcome and reason."""
YES: Answer = ("confirmed", None)


def no(reason: str) -> Answer:
    """A refusal."""
    return ("refused", reason)


@dataclass(frozen=True)
class Ask:
    """What somebody asks for.

    kind   that of the ledger, and for moves "move_occurrence" with the scope.
    named  the booking or series.
    name   which occurrence of it.
    step   from one occurrence to the next.
    count  how many; None: without end.
    """

    kind: str
    start: int = 0
    end: int = 0
    places: int = 1
    named: UUID | None = None
    name: int = 0
    scope: str = "this"
    step: int = DAY
    count: int | None = None
    skip: bool = False


@dataclass
class Occurrence:
    """Where an occurrence stands, or stood last."""

    start: int
    end: int
    state: str = STANDS


@dataclass
class Series:
    """A rule, and what became of its occurrences, by their names. A single booking is one with one occurrence."""

    first: int
    length: int
    step: int
    count: int | None
    places: int
    status: str = "confirmed"
    until: int = HOURS
    occurrences: dict[int, Occurrence] = field(default_factory=dict)

    def names(self) -> Iterator[int]:
        """What the rule gives, exceptions included."""
        name, number = self.first, 0
        while name < self.until and name + self.length <= HOURS and number != self.count:
            yield name
            name, number = name + self.step, number + 1

    def state(self, name: int) -> str | None:
        """What is to be said of a name; None: the rule never gave it."""
        return self.occurrences[name].state if name in self.occurrences else None

    def standing(self) -> list[Occurrence]:
        """Where it stands."""
        return [one for one in self.occurrences.values() if one.state == STANDS]


class Model:
    """One resource."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.made: dict[UUID, Series] = {}
        self._taken = [0] * (HOURS + DAY)

    def decide(self, ask: Ask, made: UUID | None) -> Answer:
        """Decide the next command.

        made  the id that was given to what it makes, if it makes something.
        """
        if ask.kind in {"book", "book_series"}:
            return self._book(ask, made)
        assert ask.named is not None
        series = self.made[ask.named]
        match ask.kind, ask.scope:
            case "cancel" | "cancel_series", _:
                return self._cancel(series)
            case "reschedule", _:
                return self._reschedule(ask, series, made)
            case "cancel_occurrence", _:
                return self._cancel_one(ask, series)
            case "restore_occurrence", _:
                return self._restore(ask, series)
            case "move_occurrence", "this":
                return self._move_one(ask, series)
            case _:
                return self._move_many(ask, series, made)

    def _book(self, ask: Ask, made: UUID | None) -> Answer:
        single = ask.kind == "book"
        series = Series(ask.start, ask.end - ask.start, ask.step, 1 if single else ask.count, ask.places)
        if ask.places > self.capacity:
            return no("places_exceed_capacity")
        wanted = {name: Occurrence(name, name + series.length) for name in series.names()}
        clashing = [name for name, one in wanted.items() if not self._fits(one, ask.places)]
        bounded = not any(name >= FOR_EVER for name in clashing)
        if clashing and not (ask.skip and bounded and len(clashing) < len(wanted)):
            return no("conflict")
        for name in clashing:
            wanted[name].state = LEFT_OUT
        return self._stand(series, wanted, made)

    def _stand(self, series: Series, occurrences: dict[int, Occurrence], made: UUID | None) -> Answer:
        series.occurrences = occurrences
        for one in series.standing():
            self._take(one, series.places)
        if made is not None:  # else the engine said no, and whoever compares will say so
            self.made[made] = series
        return YES

    def _cancel(self, series: Series) -> Answer:
        if series.status == "rescheduled":
            return no("already_rescheduled")
        for one in series.standing():
            self._end(one, series.places, CANCELLED)
        series.status = "cancelled"
        return YES

    def _reschedule(self, ask: Ask, old: Series, made: UUID | None) -> Answer:
        if old.status != "confirmed":
            return no(f"already_{old.status}")
        (one,) = old.standing()
        self._take(one, -old.places)
        new = Occurrence(ask.start, ask.end)
        if not self._fits(new, old.places):
            self._take(one, old.places)
            return no("conflict")
        one.state, old.status = GONE, "rescheduled"
        return self._stand(Series(ask.start, ask.end - ask.start, DAY, 1, old.places), {ask.start: new}, made)

    def _cancel_one(self, ask: Ask, series: Series) -> Answer:
        state = series.state(ask.name)
        if state not in {STANDS, CANCELLED}:
            return no("not_an_occurrence")
        if state == STANDS:
            self._end(series.occurrences[ask.name], series.places, CANCELLED)
        return YES

    def _restore(self, ask: Ask, series: Series) -> Answer:
        state = series.state(ask.name)
        if state == STANDS:
            return YES
        if series.status != "confirmed":
            return no(f"already_{series.status}")
        if state not in {CANCELLED, LEFT_OUT} or ask.name >= series.until:
            return no("not_an_occurrence")
        one = series.occurrences[ask.name]
        if not self._fits(one, series.places):
            return no("conflict")
        one.state = STANDS
        self._take(one, series.places)
        return YES

    def _move_one(self, ask: Ask, series: Series) -> Answer:
        state = series.state(ask.name)
        if state == CANCELLED:
            return no("occurrence_cancelled")
        if state != STANDS:
            return no("not_an_occurrence")
        one, new = series.occurrences[ask.name], Occurrence(ask.start, ask.end)
        self._take(one, -series.places)
        fits = self._fits(new, series.places)
        if fits:
            series.occurrences[ask.name] = one = new
        self._take(one, series.places)
        return YES if fits else no("conflict")

    def _move_many(self, ask: Ask, old: Series, made: UUID | None) -> Answer:
        """All of the new series, or nothing. What was moved alone stays where it is, and is the new series' by name."""
        refusal = self._refuse_many(ask, old)
        if refusal is not None:
            return refusal
        known = [name for name in old.names() if old.state(name) != LEFT_OUT]
        pivot = min(known) if ask.scope == "all" else ask.name
        new = self._moved(ask, old, pivot)
        distance = new.first - pivot
        going = {name: one for name, one in old.occurrences.items() if name >= pivot}
        standing = {name: one for name, one in going.items() if one.state == STANDS}
        alone = {name for name in standing if name != ask.name and self._alone(old, name)}
        wanted = {name: Occurrence(name, name + new.length) for name in new.names()}
        for name in (going.keys() - standing.keys()) & {name - distance for name in wanted}:
            wanted[name + distance].state = LEFT_OUT
        for name in alone:
            wanted[name + distance] = Occurrence(standing[name].start, standing[name].end)
        for one in standing.values():
            self._take(one, -old.places)
        if not self._fit(wanted, new.places, first={name + distance for name in alone}):
            for one in standing.values():
                self._take(one, old.places)
            return no("conflict")
        for one in standing.values():
            one.state = GONE
        old.status = "rescheduled" if old.first >= pivot else old.status
        old.until = pivot
        return self._stand(new, wanted, made)

    def _refuse_many(self, ask: Ask, old: Series) -> Answer | None:
        """Why several occurrences cannot be moved at all, wherever to."""
        if old.status != "confirmed":
            return no(f"already_{old.status}")
        state = old.state(ask.name)
        if state not in {STANDS, CANCELLED} or ask.name >= old.until:
            return no("not_an_occurrence")
        return no("occurrence_cancelled") if state == CANCELLED else None

    def _fit(self, wanted: dict[int, Occurrence], places: int, *, first: set[int]) -> bool:
        """Whether occurrences of one series fit beside all others, and beside those of them that stand already."""
        stand = [wanted[name] for name in first]
        for one in stand:
            self._take(one, places)
        fits = all(self._fits(one, places) for name, one in wanted.items() if name not in first and one.state == STANDS)
        for one in stand:
            self._take(one, -places)
        return fits

    def _alone(self, series: Series, name: int) -> bool:
        one = series.occurrences[name]
        return one.state == STANDS and (one.start, one.end) != (name, name + series.length)

    def _moved(self, ask: Ask, old: Series, pivot: int) -> Series:
        distance = ask.start - ask.name
        count = None if old.count is None else sum(name >= pivot for name in old.names())
        new = Series(pivot + distance, ask.end - ask.start, old.step, count, old.places)
        if old.until < HOURS:
            new.until = old.until + distance
        return new

    def _fits(self, wanted: Occurrence, places: int) -> bool:
        return all(taken + places <= self.capacity for taken in self._taken[wanted.start : wanted.end])

    def _take(self, one: Occurrence, places: int) -> None:
        for hour in range(one.start, one.end):
            self._taken[hour] += places

    def _end(self, one: Occurrence, places: int, state: str) -> None:
        self._take(one, -places)
        one.state = state

    def claims(self, *, before: int) -> Sequence[tuple[UUID, int, int, int]]:
        """What stands in the first hours: whose it is, start, end, places."""
        return sorted(
            (made, one.start, one.end, series.places)
            for made, series in self.made.items()
            for one in series.standing()
            if one.start < before
        )
