"""The rules once more, as plainly as they can be said: one command at a time, and time in whole steps.

Written from the interface's words and not from the engine's code. A booking goes by the ticket that made it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.commands import MAX_CLASHES

FROM, TO = 0, 40
"""The steps of time in which bookings lie. What starts before them is past."""


@dataclass(frozen=True)
class Wish:
    """A command of the stream.

    kind     book, cancel, reschedule, update_resource.
    subject  the ticket of the booking that is named.
    """

    kind: str
    start: int = 0
    end: int = 1
    places: int = 1
    subject: int = 0
    version: int | None = None
    capacity: int | None = None
    key: str | None = None
    withdrawn: bool = False

    @property
    def body(self) -> tuple[object, ...]:
        """What makes a repeated key the same request."""
        return (self.kind, self.start, self.end, self.places, self.subject, self.version, self.capacity)


@dataclass(frozen=True)
class Answer:
    """What a command gets. Bookings are named by tickets."""

    outcome: str
    reason: str | None = None
    booking: int | None = None
    clashes: tuple[int, ...] = ()
    first_ticket: int | None = None


@dataclass
class Made:
    """A booking."""

    ticket: int
    start: int
    end: int
    places: int
    status: str = "confirmed"
    version: int = 1


@dataclass
class Model:
    """One resource."""

    capacity: int
    version: int = 1
    last_ticket: int = 0
    made: dict[int, Made] = field(default_factory=dict)
    keys: dict[str, tuple[tuple[object, ...], int]] = field(default_factory=dict)

    def decide(self, wish: Wish) -> Answer:
        """Give a command the next ticket and decide it."""
        self.last_ticket += 1
        if wish.key is not None:
            body, first = self.keys.setdefault(wish.key, (wish.body, self.last_ticket))
            if body != wish.body:
                return Answer("refused", "key_reused")
            if first != self.last_ticket:
                return Answer("repeated", first_ticket=first)
        if wish.withdrawn:
            return Answer("withdrawn")
        if wish.kind == "book":
            return self._claim(wish, wish.places)
        if wish.kind == "update_resource":
            return self._update(wish)
        return self._change(wish, self.made[wish.subject])

    def _claim(self, wish: Wish, places: int) -> Answer:
        if wish.start < FROM:
            return Answer("refused", "slot_in_past")
        if places > self.capacity:
            return Answer("refused", "places_exceed_capacity")
        if any(self.taken(step) + places > self.capacity for step in range(wish.start, wish.end)):
            there = [b for b in self._live() if b.start < wish.end and wish.start < b.end]
            there.sort(key=lambda booking: (booking.start, booking.end, booking.ticket))
            return Answer("refused", "conflict", clashes=tuple(booking.ticket for booking in there[:MAX_CLASHES]))
        self.made[self.last_ticket] = Made(self.last_ticket, wish.start, wish.end, places)
        return Answer("confirmed", booking=self.last_ticket)

    def _change(self, wish: Wish, booking: Made) -> Answer:
        if booking.status == "cancelled" and wish.kind == "cancel":
            return Answer("confirmed", booking=booking.ticket)
        if booking.status != "confirmed":
            return Answer("refused", f"already_{booking.status}")
        if wish.version not in {None, booking.version}:
            return Answer("refused", "stale_version")
        booking.status = "cancelled" if wish.kind == "cancel" else "rescheduled"
        if wish.kind == "cancel":
            booking.version += 1
            return Answer("confirmed", booking=booking.ticket)
        answer = self._claim(wish, booking.places)
        if answer.outcome == "confirmed":
            booking.version += 1
        else:
            booking.status = "confirmed"
        return answer

    def _update(self, wish: Wish) -> Answer:
        if wish.version not in {None, self.version}:
            return Answer("refused", "stale_version")
        if wish.capacity is not None:
            if wish.capacity < max(map(self.taken, range(FROM, TO))):
                return Answer("refused", "capacity_below_taken")
            self.capacity = wish.capacity
        self.version += 1
        return Answer("confirmed")

    def taken(self, step: int) -> int:
        """Places that are taken during a step of time."""
        return sum(booking.places for booking in self._live() if booking.start <= step < booking.end)

    def _live(self) -> list[Made]:
        return [booking for booking in self.made.values() if booking.status == "confirmed"]
