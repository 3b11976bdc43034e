"""Free time: a decision table of edges, and properties against a sweep over every point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.free_time import (
    HORIZON,
    MAX_SUGGESTIONS,
    STEP,
    Interval,
    Taken,
    free_intervals,
    next_starts,
    suggestion_window,
)

DAY = datetime(2026, 8, 10, tzinfo=UTC)
LONG_AGO = DAY - timedelta(days=365)
POINTS = 48
"""Half hours of the day: the grid on which the properties are checked."""


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def taken(*claims: tuple[float, float, int]) -> list[Taken]:
    return [(at(start), at(end), places) for start, end, places in claims]


def hours(intervals: list[Interval]) -> list[tuple[float, float]]:
    return [((start - DAY) / timedelta(hours=1), (end - DAY) / timedelta(hours=1)) for start, end in intervals]


@pytest.mark.parametrize(
    ("claims", "capacity", "places", "expected"),
    [
        pytest.param([], 1, 1, [(8, 18)], id="nothing taken"),
        pytest.param([(9, 10, 1)], 1, 1, [(8, 9), (10, 18)], id="one in the middle"),
        pytest.param([(8, 9, 1)], 1, 1, [(9, 18)], id="from the start"),
        pytest.param([(17, 18, 1)], 1, 1, [(8, 17)], id="to the end"),
        pytest.param([(8, 18, 1)], 1, 1, [], id="the whole window"),
        pytest.param([(6, 20, 1)], 1, 1, [], id="more than the window"),
        pytest.param([(6, 9, 1), (17, 20, 1)], 1, 1, [(9, 17)], id="across both borders"),
        pytest.param([(6, 8, 1), (18, 20, 1)], 1, 1, [(8, 18)], id="touching both borders"),
        pytest.param([(9, 10, 1), (10, 11, 1)], 1, 1, [(8, 9), (11, 18)], id="back to back leaves no gap"),
        pytest.param([(10, 11, 1), (9, 10, 1)], 1, 1, [(8, 9), (11, 18)], id="in any order"),
        pytest.param([(9, 12, 1), (10, 11, 1)], 2, 1, [(8, 10), (11, 18)], id="full only where both stand"),
        pytest.param([(9, 12, 1), (10, 11, 1)], 2, 2, [(8, 9), (12, 18)], id="two places at once"),
        pytest.param([(9, 10, 2), (10, 11, 1)], 2, 1, [(8, 9), (10, 18)], id="one of two left"),
        pytest.param([(9, 10, 1), (10, 11, 1)], 2, 1, [(8, 18)], id="a handover is not two at once"),
        pytest.param([], 2, 3, [], id="more places than there are"),
        pytest.param([(9, 10, 3)], 2, 1, [(8, 9), (10, 18)], id="overfull is full"),
    ],
)
def test_gaps_of_a_day(
    claims: list[tuple[float, float, int]], capacity: int, places: int, expected: list[tuple[float, float]]
) -> None:
    free = free_intervals(taken(*claims), start=at(8), end=at(18), capacity=capacity, places=places, now=LONG_AGO)
    assert hours(free) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(7, [(8, 9), (10, 18)], id="before the window"),
        pytest.param(8.5, [(8.5, 9), (10, 18)], id="inside a gap"),
        pytest.param(9, [(10, 18)], id="where a gap ends"),
        pytest.param(9.5, [(10, 18)], id="inside a claim"),
        pytest.param(17.5, [(17.5, 18)], id="near the end"),
        pytest.param(18, [], id="at the end"),
        pytest.param(19, [], id="behind it"),
    ],
)
def test_nothing_before_now_is_free(now: float, expected: list[tuple[float, float]]) -> None:
    free = free_intervals(taken((9, 10, 1)), start=at(8), end=at(18), capacity=1, places=1, now=at(now))
    assert hours(free) == expected


claims_on_the_grid = st.lists(
    st.tuples(st.integers(-6, POINTS + 6), st.integers(1, 20), st.integers(1, 4)).map(
        lambda drawn: (at(drawn[0] / 2), at((drawn[0] + drawn[1]) / 2), drawn[2])
    ),
    max_size=12,
)


@given(
    claims=claims_on_the_grid,
    capacity=st.integers(1, 5),
    places=st.integers(1, 5),
    window=st.tuples(st.integers(0, POINTS), st.integers(0, POINTS)),
    now=st.integers(-2, POINTS + 2),
)
def test_free_and_busy_make_the_window_and_share_nothing(
    claims: list[Taken], capacity: int, places: int, window: tuple[int, int], now: int
) -> None:
    start, end = at(window[0] / 2), at(window[1] / 2)
    free = free_intervals(claims, start=start, end=end, capacity=capacity, places=places, now=at(now / 2))

    for point in range(-2, POINTS + 2):
        instant = at(point / 2)
        use = sum(claim[2] for claim in claims if claim[0] <= instant < claim[1])
        is_free = start <= instant < end and instant >= at(now / 2) and use + places <= capacity
        assert sum(begins <= instant < ends for begins, ends in free) == is_free
    assert all(begins < ends for begins, ends in free)
    assert all(before[1] < after[0] for before, after in pairwise(free))


@given(claims=claims_on_the_grid, capacity=st.integers(1, 5), shuffled=st.randoms(use_true_random=False))
def test_the_order_of_claims_does_not_matter(claims: list[Taken], capacity: int, shuffled: object) -> None:
    other = list(claims)
    shuffled.shuffle(other)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    one, two = (
        free_intervals(order, start=at(0), end=at(24), capacity=capacity, places=1, now=LONG_AGO)
        for order in (claims, other)
    )
    assert one == two


@pytest.mark.parametrize(
    ("free", "wished", "length", "now", "expected"),
    [
        pytest.param([(0, 24)], 9, 1, 0, [9, 10, 11, 12, 13], id="five in a row"),
        pytest.param([(10, 12)], 9, 1, 0, [10, 11], id="fewer where fewer exist"),
        pytest.param([], 9, 1, 0, [], id="none"),
        pytest.param([(9.25, 12)], 9, 1, 0, [10, 11], id="steps count from the wish, not from the gap"),
        pytest.param([(9, 12)], 9.5, 1, 0, [9.5, 10.5], id="the wish's minutes are kept"),
        pytest.param([(10, 11.5), (12, 14)], 9, 2, 0, [12], id="the whole length must fit"),
        pytest.param([(0, 9)], 9, 1, 0, [], id="nothing before the wish"),
        pytest.param([(12.3, 24)], 9.5, 1, 12.3, [12.5, 13.5, 14.5, 15.5, 16.5], id="a past wish: behind now"),
        pytest.param([(12, 15)], 9, 1, 12, [13, 14], id="now itself is past"),
    ],
)
def test_next_starts_of_a_day(
    free: list[tuple[float, float]],
    wished: float,
    length: float,
    now: float,
    expected: list[float],
) -> None:
    suggested = next_starts(
        [(at(start), at(end)) for start, end in free],
        wished=at(wished),
        length=timedelta(hours=length),
        now=at(now),
    )
    assert hours(suggested) == [(start, start + length) for start in expected]


def test_the_last_suggestion_stands_ninety_days_behind_the_wish() -> None:
    length = timedelta(minutes=30)
    window = suggestion_window(at(9), length, now=LONG_AGO)
    free = [(at(9) + HORIZON, window[1] + timedelta(days=1))]
    assert next_starts(free, wished=at(9), length=length, now=LONG_AGO) == [(at(9) + HORIZON, window[1])]


@given(
    claims=claims_on_the_grid,
    capacity=st.integers(1, 4),
    wished=st.integers(0, POINTS),
    length=st.integers(1, 8),
    now=st.integers(0, POINTS),
)
def test_suggestions_are_the_first_free_steps(
    claims: list[Taken], capacity: int, wished: int, length: int, now: int
) -> None:
    long = timedelta(minutes=30 * length)
    start, end = suggestion_window(at(wished / 2), long, now=at(now / 2))
    free = free_intervals(claims, start=start, end=end, capacity=capacity, places=1, now=at(now / 2))
    suggested = next_starts(free, wished=at(wished / 2), length=long, now=at(now / 2))

    def is_free(candidate: datetime) -> bool:
        points = [candidate + timedelta(minutes=30 * point) for point in range(length)]
        return all(sum(claim[2] for claim in claims if claim[0] <= point < claim[1]) < capacity for point in points)

    expected: list[Interval] = []
    candidate = at(wished / 2)
    while len(expected) < MAX_SUGGESTIONS and candidate <= max(at(wished / 2), at(now / 2)) + HORIZON:
        if candidate > at(now / 2) and is_free(candidate):
            expected.append((candidate, candidate + long))
        candidate += STEP
    assert suggested == expected
