"""A sum for each day of a set, kept in binary, so that adding to thousands of days is a few steps on integers."""

from __future__ import annotations


class DaySums:
    """A number for each day, 0 at first and never below: ``_bits[k]`` is the set of the days whose number has bit k."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def add(self, change: int, days: int) -> None:
        """Add to the number of each of the days.

        change  may be below 0; what it leaves may not.
        """
        size = abs(change).bit_length()
        self._bits += [0] * (size - len(self._bits))
        for position in range(size):
            if abs(change) >> position & 1:
                self._ripple(position, days, up=change > 0)

    def above(self, bound: int) -> int:
        """The days whose number is above the bound."""
        above, not_below = 0, -1  # by the bits looked at so far, from the highest
        for position in reversed(range(max(len(self._bits), bound.bit_length()))):
            has = self._bits[position] if position < len(self._bits) else 0
            if bound >> position & 1:
                not_below &= has
            else:
                above |= not_below & has
        return above

    def most(self) -> int:
        """The highest number of any day."""
        most, days = 0, -1
        for position in reversed(range(len(self._bits))):
            if days & self._bits[position]:
                most |= 1 << position
                days &= self._bits[position]
        return most

    def _ripple(self, position: int, days: int, *, up: bool) -> None:
        """Add or take away one at a position, and carry or borrow as long as there is something to."""
        while days:
            if position == len(self._bits):
                assert up, "a number fell below 0, which would be borrowed for without end"
                self._bits.append(0)
            had = self._bits[position]
            self._bits[position] = had ^ days
            days &= had if up else self._bits[position]
            position += 1
