"""The calendar against brute force: which claims overlap, and how many places they take at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import MAX_CLASHES, Clash
from engine.rules.calendar import Block, Calendar, clashes_of, peak_use

MIDNIGHT = datetime(2036, 8, 11, tzinfo=UTC)
LAST = 30


def at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


@dataclass(frozen=True)
class Claim:
    start: int
    end: int
    places: int
    ticket: int

    @property
    def booking(self) -> UUID:
        return UUID(int=self.ticket)


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    """Claims in ticket order; equal intervals are frequent."""
    made = []
    for ticket in range(1, draw(st.integers(0, 12)) + 1):
        start = draw(st.integers(0, 12))
        made.append(Claim(start, start + draw(st.sampled_from([1, 1, 2, 3, 12])), draw(st.integers(1, 4)), ticket))
    return made


def calendar_of(made: list[Claim]) -> Calendar:
    calendar = Calendar()
    for claim in made:
        add(calendar, claim)
    return calendar


def add(calendar: Calendar, claim: Claim) -> None:
    calendar.add(at(claim.start), at(claim.end), places=claim.places, ticket=claim.ticket, booking=claim.booking)


def remove(calendar: Calendar, claim: Claim) -> None:
    calendar.remove(at(claim.start), at(claim.end), places=claim.places, ticket=claim.ticket, booking=claim.booking)


def standing(calendar: Calendar, start: int, end: int) -> list[tuple[datetime, datetime, int, list[int]]]:
    """What overlaps, in comparable form."""
    return [
        (block.start_time, block.end_time, block.places, [ticket for ticket, _ in block.bookings])
        for block in calendar.overlapping(at(start), at(end))
    ]


def expected(made: list[Claim], start: int, end: int) -> list[tuple[datetime, datetime, int, list[int]]]:
    """The same by looking at every claim."""
    there = [claim for claim in made if claim.start < end and start < claim.end]
    return [
        (
            at(first),
            at(last),
            sum(claim.places for claim in there if (claim.start, claim.end) == (first, last)),
            [claim.ticket for claim in there if (claim.start, claim.end) == (first, last)],
        )
        for first, last in sorted({(claim.start, claim.end) for claim in there})
    ]


@given(made=claims(), start=st.integers(0, 26), length=st.integers(1, 6))
def test_what_overlaps_is_what_shares_an_instant(made: list[Claim], start: int, length: int) -> None:
    assert standing(calendar_of(made), start, start + length) == expected(made, start, start + length)


@given(made=claims(), gone=st.lists(st.integers(0, 11)), start=st.integers(0, 26), length=st.integers(1, 6))
def test_what_was_taken_away_is_as_if_it_had_never_been(
    made: list[Claim], gone: list[int], start: int, length: int
) -> None:
    calendar = calendar_of(made)
    left = list(made)
    for number in gone:
        claim = next((claim for claim in left if claim.ticket == number + 1), None)
        if claim is not None:
            remove(calendar, claim)
            left.remove(claim)
    assert standing(calendar, start, start + length) == expected(left, start, start + length)


@given(made=claims(), start=st.integers(0, 26), length=st.integers(1, 6))
def test_peak_use_is_the_most_that_any_instant_has(made: list[Claim], start: int, length: int) -> None:
    blocks = list(calendar_of(made).overlapping(at(start), at(start + length)))
    most = max(
        sum(claim.places for claim in made if claim.start <= hour < claim.end) for hour in range(start, start + length)
    )
    assert peak_use(blocks, start_time=at(start)) == most


@given(made=claims())
def test_a_block_that_is_loaded_twice_counts_once(made: list[Claim]) -> None:
    calendar = Calendar()
    for _ in range(2):
        for start, end, places, tickets in expected(made, 0, LAST):
            calendar.load(start, end, places=places, bookings=[(ticket, UUID(int=ticket)) for ticket in tickets])
    assert standing(calendar, 0, LAST) == expected(made, 0, LAST)


def test_a_claim_that_was_not_loaded_may_be_taken_away() -> None:
    calendar = calendar_of([Claim(0, 1, 1, 1)])
    remove(calendar, Claim(5, 6, 1, 9))
    assert standing(calendar, 0, LAST) == expected([Claim(0, 1, 1, 1)], 0, LAST)


def test_a_claim_that_comes_back_stands_where_it_stood() -> None:
    """A move that was refused: whatever came in its place, the clashes are named in ticket order."""
    calendar = Calendar()
    claims = [Claim(0, 1, 1, ticket) for ticket in (1, 2, 3)]
    for claim in claims:
        add(calendar, claim)
    remove(calendar, claims[1])
    add(calendar, claims[1])
    (block,) = calendar.overlapping(at(0), at(1))
    assert [ticket for ticket, _ in block.bookings] == [1, 2, 3]


def test_taking_away_more_bookings_than_are_named_leaves_the_count_right() -> None:
    """A block names its first bookings only; one that is not named can be cancelled all the same."""
    calendar = Calendar()
    calendar.load(at(0), at(1), places=500, bookings=[(ticket, UUID(int=ticket)) for ticket in range(1, 12)])
    remove(calendar, Claim(0, 1, 1, 400))
    remove(calendar, Claim(0, 1, 1, 2))
    (block,) = calendar.overlapping(at(0), at(1))
    assert block.places == 498
    assert [ticket for ticket, _ in block.bookings] == [1, *range(3, 12)]


@pytest.mark.parametrize(
    ("start", "end", "shares"),
    [
        (8, 9, False),
        (8, 9.5, True),
        (9, 10, True),
        (9.25, 9.75, True),
        (8, 11, True),
        (9.5, 11, True),
        (10, 11, False),
    ],
)
def test_an_interval_is_half_open(start: float, end: float, shares: bool) -> None:
    calendar = calendar_of([Claim(9, 10, 1, 1)])
    assert bool(list(calendar.overlapping(at(start), at(end)))) is shares


@pytest.mark.parametrize(
    ("blocks", "start", "peak"),
    [
        ([], 0, 0),
        ([(0, 1, 2)], 0, 2),
        ([(0, 1, 2), (1, 2, 3)], 0, 3),
        ([(0, 2, 2), (1, 3, 3)], 0, 5),
        ([(0, 4, 1), (0, 1, 1), (1, 2, 1), (2, 3, 1)], 0, 2),
        ([(0, 9, 1), (6, 8, 5), (8, 9, 1)], 7, 6),
    ],
)
def test_peak_use_by_example(blocks: list[tuple[int, int, int]], start: int, peak: int) -> None:
    made = [Block(at(first), at(last), places) for first, last, places in blocks]
    assert peak_use(made, start_time=at(start)) == peak


def test_clashes_are_named_by_start_then_end_then_ticket_and_not_all_of_them() -> None:
    calendar = calendar_of(
        [Claim(2, 4, 1, 1), Claim(1, 4, 1, 2), Claim(1, 3, 1, 3), Claim(1, 3, 1, 4)]
        + [Claim(3, 4, 1, ticket) for ticket in range(5, 20)]
    )
    named = clashes_of(calendar.overlapping(at(0), at(5)))
    assert [clash.booking.int for clash in named] == [3, 4, 2, 1, *range(5, 20)][:MAX_CLASHES]
    assert named[0] == Clash(UUID(int=3), at(1), at(3))
