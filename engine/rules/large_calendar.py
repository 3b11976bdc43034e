"""A calendar with room for every claim that a ledger ever made: to add, take away or look up costs O(log n).

``Calendar`` is made for what one batch asks about. Here blocks are parted by how long they last, in powers of four. In
such a class the blocks that reach into a time begin at most its length before it, so a look-up finds them next to each
other, and one claim of a year does not slow down a million of an hour. A class is kept as short sorted runs of numbers
that stand for intervals, in the order of their starts and then of their ends.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import chain
from uuid import UUID

from engine.rules.calendar import Block, Calendar

RUN = 512
"""Intervals of a run; at twice as many it is parted."""
SHORTEST = timedelta(hours=2)
"""What lasts no longer is in the first class."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LENGTH_BITS = 60
"""So many bits of a number say how long its interval lasts, in microseconds: more than there are in all of time."""


class SortedNumbers:
    """Distinct numbers in order, in runs: none is empty, and none begins before the one in front of it ends."""

    def __init__(self) -> None:
        self._runs: list[list[int]] = []
        self._lasts: list[int] = []

    def add(self, number: int) -> None:
        """Put one in that is not there."""
        if not self._runs:
            self._runs, self._lasts = [[number]], [number]
            return
        at = min(bisect_left(self._lasts, number), len(self._runs) - 1)
        run = self._runs[at]
        insort(run, number)
        if len(run) > 2 * RUN:
            self._runs[at : at + 1] = [run[:RUN], run[RUN:]]
            self._lasts[at : at + 1] = [run[RUN - 1], run[-1]]
        else:
            self._lasts[at] = run[-1]

    def remove(self, number: int) -> None:
        """Take one out that is there."""
        at = bisect_left(self._lasts, number)
        run = self._runs[at]
        del run[bisect_left(run, number)]
        if run:
            self._lasts[at] = run[-1]
        else:
            del self._runs[at], self._lasts[at]

    def behind(self, least: int) -> Iterator[int]:
        """Those that are not less than ``least``, in order."""
        first = bisect_left(self._lasts, least)
        for at in range(first, len(self._runs)):
            run = self._runs[at]
            for position in range(bisect_left(run, least) if at == first else 0, len(run)):
                yield run[position]


class LargeCalendar(Calendar):
    """A Calendar that holds all claims of a resource, however many there are."""

    def __init__(self) -> None:
        super().__init__()
        self._numbered: dict[int, Block] = {}
        self._classes: dict[int, tuple[timedelta, SortedNumbers]] = {}

    def __len__(self) -> int:
        return len(self._numbered)

    def block(self, start_time: datetime, end_time: datetime) -> Block | None:
        """The claims of exactly that interval, if there are any."""
        return self._numbered.get(_number_of(start_time, end_time - start_time))

    def remove(self, start_time: datetime, end_time: datetime, *, places: int, ticket: int, booking: UUID) -> None:
        """Take a claim away that is there."""
        length = end_time - start_time
        number = _number_of(start_time, length)
        block = self._numbered[number]
        block.places -= places
        del block.bookings[bisect_left(block.bookings, (ticket, booking))]
        if not block.bookings:
            del self._numbered[number]
            self._classes[_class_of(length)][1].remove(number)

    def overlapping(self, start_time: datetime, end_time: datetime) -> Iterator[Block]:
        """Blocks that share an instant with ``[start_time, end_time)``, in order of start, then end."""
        found = []
        for longest, numbers in self._classes.values():
            of_class = self._of_class(numbers, longest, start_time, end_time)
            if (first := next(of_class, None)) is not None:
                found.append(chain((first,), of_class))
        if len(found) == 1:
            return found[0]
        return merge(*found, key=lambda block: (block.start_time, block.end_time))

    def _of_class(
        self, numbers: SortedNumbers, longest: timedelta, start_time: datetime, end_time: datetime
    ) -> Iterator[Block]:
        earliest = start_time - longest if start_time - EARLIEST > longest else EARLIEST
        for number in numbers.behind(_number_of(earliest, timedelta(0))):
            block = self._numbered[number]
            if block.start_time >= end_time:
                return
            if block.end_time > start_time:
                yield block

    def _block(self, start_time: datetime, end_time: datetime) -> Block:
        length = end_time - start_time
        number = _number_of(start_time, length)
        block = self._numbered.get(number)
        if block is None:
            block = self._numbered[number] = Block(start_time, end_time)
            of_class = _class_of(length)
            if of_class not in self._classes:
                self._classes[of_class] = (4**of_class * SHORTEST, SortedNumbers())
            self._classes[of_class][1].add(number)
        return block


def _number_of(start_time: datetime, length: timedelta) -> int:
    """The number that stands for an interval."""
    return (start_time - EARLIEST) // MICROSECOND << LENGTH_BITS | length // MICROSECOND


def _class_of(length: timedelta) -> int:
    """The number of the class in which a claim of this length is: it lasts at most ``4**number * SHORTEST``."""
    return (max(-(-length // SHORTEST) - 1, 0).bit_length() + 1) // 2
