"""Sums for many days at once against sums day by day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.day_sums import DaySums

DAYS = 12
SETS = st.integers(0, (1 << DAYS) - 1)


@given(st.lists(st.tuples(st.integers(1, 70), SETS, st.booleans()), max_size=8), st.integers(0, 150))
def test_sums_for_many_days_at_once_equal_sums_day_by_day(added: list[tuple[int, int, bool]], bound: int) -> None:
    sums = DaySums()
    by_hand = [0] * DAYS
    for places, days, given_back in added:
        sums.add(places, days)
        for day in range(DAYS):
            by_hand[day] += places * (days >> day & 1)
        if given_back:
            sums.add(-places, days)
            for day in range(DAYS):
                by_hand[day] -= places * (days >> day & 1)
    assert sums.above(bound) == sum(1 << day for day in range(DAYS) if by_hand[day] > bound)
    assert sums.most() == max(by_hand)


def test_a_number_that_falls_below_0_is_a_bug_and_not_an_endless_loop() -> None:
    sums = DaySums()
    sums.add(1, 0b10)
    with pytest.raises(AssertionError):
        sums.add(-1, 0b11)
