"""The live claims of one resource around the times that a batch asks for, kept in memory while it decides.

Claims with the same interval share a block, so a class of 500 places in one hour costs what one
booking costs. Blocks stand in order of start; a look-up goes through those that can overlap only.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from engine.commands import MAX_CLASHES, Clash

Interval = tuple[datetime, datetime]


@dataclass(slots=True)
class Block:
    """All claims of one interval.

    places    taken together.
    bookings  (ticket, booking) of the first claims in ticket order: enough of them that MAX_CLASHES
              remain after everything the batch may take away.
    """

    start_time: datetime
    end_time: datetime
    places: int = 0
    bookings: list[tuple[int, UUID]] = field(default_factory=list)


class Calendar:
    """Blocks of one resource. Of every interval that was loaded into it, and only of those, it holds all claims, or as
    many of the first ones that MAX_CLASHES remain after everything the batch may take away.
    """

    def __init__(self) -> None:
        self._blocks: dict[Interval, Block] = {}
        self._order: list[Interval] = []
        self._sorted = True
        self._longest = timedelta(0)

    def load(
        self, start_time: datetime, end_time: datetime, *, places: int, bookings: Iterable[tuple[int, UUID]]
    ) -> None:
        """Take over a block as the database holds it. Loading it a second time changes nothing."""
        if (start_time, end_time) not in self._blocks:
            block = self._block(start_time, end_time)
            block.places = places
            block.bookings = list(bookings)

    def add(self, start_time: datetime, end_time: datetime, *, places: int, ticket: int, booking: UUID) -> None:
        """Let a claim stand, in ticket order: it may come back after it was taken out, or be of an older series."""
        block = self._block(start_time, end_time)
        block.places += places
        insort(block.bookings, (ticket, booking))

    def remove(self, start_time: datetime, end_time: datetime, *, places: int, ticket: int, booking: UUID) -> None:
        """Take a claim away."""
        interval = (start_time, end_time)
        block = self._blocks.get(interval)
        if block is None:
            return  # nothing in this batch asks about that time, so it was not loaded
        block.places -= places
        if (ticket, booking) in block.bookings:
            block.bookings.remove((ticket, booking))
        if block.places == 0:
            del self._blocks[interval]
            self._order.remove(interval)

    def overlapping(self, start_time: datetime, end_time: datetime) -> Iterator[Block]:
        """Blocks that share an instant with ``[start_time, end_time)``, in order of start, then end."""
        if not self._sorted:  # once for all that was loaded: as sorted pieces, it costs little
            self._order.sort()
            self._sorted = True
        first = bisect_left(self._order, (start_time - self._longest, start_time))
        for position in range(first, len(self._order)):
            interval = self._order[position]
            if interval[0] >= end_time:
                return
            if interval[1] > start_time:
                yield self._blocks[interval]

    def _block(self, start_time: datetime, end_time: datetime) -> Block:
        interval = (start_time, end_time)
        block = self._blocks.get(interval)
        if block is None:
            block = self._blocks[interval] = Block(start_time, end_time)
            self._order.append(interval)
            self._sorted = False
            self._longest = max(self._longest, end_time - start_time)
        return block


def peak_use(blocks: Iterable[Block], *, start_time: datetime) -> int:
    """The most places that the blocks take at one instant from ``start_time`` on.

    blocks  in order of start. Use only rises where a block starts, so it is counted there.
    """
    ends: list[tuple[datetime, int]] = []
    use = peak = 0
    for block in blocks:
        at = max(block.start_time, start_time)
        while ends and ends[0][0] <= at:
            use -= ends.pop(0)[1]
        use += block.places
        insort(ends, (block.end_time, block.places))
        peak = max(peak, use)
    return peak


def clashes_of(blocks: Iterable[Block]) -> tuple[Clash, ...]:
    """Name the first MAX_CLASHES claims of the blocks, by start, then end, then ticket."""
    named: list[Clash] = []
    for block in blocks:
        for _, booking in block.bookings[: MAX_CLASHES - len(named)]:
            named.append(Clash(booking, block.start_time, block.end_time))
        if len(named) == MAX_CLASHES:
            break
    return tuple(named)
