"""The schema against a sweep in Python: whatever is written, both say yes or both say no."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.schema.rows import Connection, add_resource, book_all, cancel, hours, set_capacity


@dataclass(frozen=True)
class Interval:
    start: int
    end: int
    places: int = 1


@dataclass(frozen=True)
class Booking:
    wanted: tuple[Interval, ...]


@dataclass(frozen=True)
class Cancelling:
    which: int


@dataclass(frozen=True)
class Moving:
    which: int
    to: Interval


@dataclass(frozen=True)
class Resizing:
    capacity: int


Step: TypeAlias = Booking | Cancelling | Moving | Resizing
Live: TypeAlias = dict[UUID, Interval]

REFUSALS = (asyncpg.ExclusionViolationError, asyncpg.CheckViolationError)

capacities = st.integers(1, 4)
intervals = st.builds(
    lambda start, length, places: Interval(start, start + length, places),
    st.integers(0, 8),
    st.integers(1, 4),
    st.sampled_from([1, 1, 1, 2, 3]),
)
steps = st.one_of(
    st.builds(Booking, st.lists(intervals, min_size=1, max_size=4).map(tuple)),
    st.builds(Cancelling, st.integers(0, 20)),
    st.builds(Moving, st.integers(0, 20), intervals),
    st.builds(Resizing, capacities),
)


def fits(live: Live, capacity: int) -> bool:
    """Whether no hour has more places taken than there are. Every boundary is a whole hour."""
    return all(
        sum(claim.places for claim in live.values() if claim.start <= hour < claim.end) <= capacity
        for hour in range(13)
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(capacity=capacities, plan=st.lists(steps, min_size=1, max_size=12))
async def test_the_schema_refuses_exactly_what_exceeds(database: Connection, capacity: int, plan: list[Step]) -> None:
    resource = await add_resource(database, capacity=capacity)
    live: Live = {}
    for step in plan:
        wished, wished_capacity = await imagine(live, capacity, step)
        try:
            made = await write(database, resource, live, step)
        except REFUSALS:
            assert not fits(wished, wished_capacity), step
            continue
        assert fits(wished, wished_capacity), step
        if isinstance(step, Booking):
            wished = live | dict(zip(made, step.wanted, strict=True))
        live, capacity = wished, wished_capacity


async def imagine(live: Live, capacity: int, step: Step) -> tuple[Live, int]:
    """What would stand after a step, if it were let pass. New bookings have no number yet."""
    match step:
        case Booking(wanted):
            return live | {UUID(int=index): claim for index, claim in enumerate(wanted)}, capacity
        case Cancelling(which) if live:
            return {booking: claim for booking, claim in live.items() if booking != pick(live, which)}, capacity
        case Moving(which, to) if live:
            booking = pick(live, which)
            return live | {booking: replace(live[booking], start=to.start, end=to.end)}, capacity
        case Resizing(wished):
            return live, wished
    return live, capacity


async def write(database: Connection, resource: int, live: Live, step: Step) -> list[UUID]:
    """Take a step in SQL. Returns the bookings it made."""
    match step:
        case Booking(wanted):
            claims = [(resource, hours(claim.start, claim.end), claim.places) for claim in wanted]
            return await book_all(database, claims)
        case Cancelling(which) if live:
            await cancel(database, pick(live, which))
        case Moving(which, to) if live:
            change = "UPDATE booking SET during = $2 WHERE id = $1"
            await database.execute(change, pick(live, which), hours(to.start, to.end))
        case Resizing(capacity):
            await set_capacity(database, resource, capacity)
    return []


def pick(live: Live, which: int) -> UUID:
    return list(live)[which % len(live)]
