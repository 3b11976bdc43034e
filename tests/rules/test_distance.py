"""A new infinite series against what stands far away, held against comparison one by one and against a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.commands import Clash
from engine.rules.distance import FarClaim, FarClash, FarSeries, far_clashes, far_peak
from engine.rules.lattice import Lattice, lattice_of
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import Frequency, Rule
from tests.rules.far_series import DAY, LENGTHS, YEARS, occurrences_by_hand, recurrences

AFTER = datetime(2027, 9, 6, 13, 30, tzinfo=UTC)
BEFORE = AFTER.replace(year=AFTER.year + YEARS)
WINDOW = (AFTER, BEFORE)
HOUR_MS = 3_600_000
HOUR = timedelta(hours=1)
LIMIT = 50

DAILY = Rule(Frequency.DAILY)
MONDAYS = Rule(Frequency.WEEKLY, by_day=((0, 0),))
YEARLY = Rule(Frequency.YEARLY)

Standing = tuple[datetime, datetime, int, UUID, int]
"""Start, end, ticket, name and places of one claim."""


def recurrence(start: str, rule: Rule, *, zone: str = "Europe/Berlin", hours: float = 1) -> Recurrence:
    return Recurrence(datetime.fromisoformat(start), zone, round(hours * HOUR_MS), rule)


def lattice(of: Recurrence) -> Lattice:
    return lattice_of(of, after=AFTER, before=BEFORE)


def far(of: Recurrence, *, ticket: int = 1, places: int = 1) -> FarSeries:
    return FarSeries(UUID(int=ticket), ticket, places, lattice(of))


def claim(start: datetime, end: datetime, *, ticket: int = 1, places: int = 1) -> FarClaim:
    return FarClaim(start, end, places, ticket, UUID(int=ticket))


def clashes(
    wanted: Recurrence,
    *series: FarSeries,
    claims: Iterable[FarClaim] = (),
    places: int = 1,
    capacity: int = 1,
    limit: int = LIMIT,
) -> tuple[int, list[FarClash]]:
    return far_clashes(lattice(wanted), places, series=series, claims=claims, capacity=capacity, limit=limit)


def clashes_by_hand(
    wanted: Recurrence, places: int, standing: Iterable[Standing], *, capacity: int
) -> tuple[int, list[FarClash]]:
    """Occurrence by occurrence: what overlaps it, and how many places that takes at each start within it."""
    rest = sorted(standing)
    found = []
    longest = max((end - start for start, end, *_ in rest), default=DAY)
    for start, end in occurrences_by_hand(wanted, *WINDOW):
        while rest and rest[0][0] + longest <= start:
            rest.pop(0)
        near = []
        for one in rest:
            if one[0] >= end:
                break
            if one[1] > start:
                near.append(one)
        if most_at_once(near, start) + places > capacity:
            clash_start, clash_end, _, name, _ = near[0]
            found.append(FarClash(start, end, Clash(name, clash_start, clash_end)))
    return len(found), found[:LIMIT]


def most_at_once(claims: Sequence[Standing], start: datetime) -> int:
    """The most places that are taken at one instant from ``start`` on: at it, or where a claim starts."""
    instants = {start} | {one[0] for one in claims if one[0] > start}
    return max(sum(one[4] for one in claims if one[0] <= instant < one[1]) for instant in instants)


def standing_by_hand(made: Sequence[tuple[Recurrence, int]]) -> list[Standing]:
    """All occurrences of some series with their places; the tickets are 1, 2, 3 …"""
    return [
        (start, end, ticket, UUID(int=ticket), places)
        for ticket, (of, places) in enumerate(made, 1)
        for start, end in occurrences_by_hand(of, *WINDOW)
    ]


RECURRENCES = recurrences(within=WINDOW)
MINUTES = st.integers(0, 60 * 24 * 60)


@settings(max_examples=100, deadline=None)
@given(RECURRENCES, RECURRENCES)
@example(recurrence("2026-01-05T09:00", MONDAYS), recurrence("2026-03-04T09:30", YEARLY))
@example(recurrence("2026-01-01T14:00", DAILY), recurrence("2026-01-01T09:00", DAILY, zone="America/New_York"))
@example(recurrence("2026-01-01T02:30", DAILY), recurrence("2026-01-01T03:00", DAILY))
@example(recurrence("2026-01-01T12:00", DAILY, hours=24), recurrence("2026-01-01T12:00", DAILY, hours=24, zone="UTC"))
@example(recurrence("2026-01-01T12:00", YEARLY, hours=9_000), recurrence("2026-01-01T12:00", YEARLY, hours=1))
def test_two_infinite_series_clash_where_their_occurrences_do(wanted: Recurrence, other: Recurrence) -> None:
    assert clashes(wanted, far(other)) == clashes_by_hand(wanted, 1, standing_by_hand([(other, 1)]), capacity=1)


@settings(max_examples=40, deadline=None)
@given(
    RECURRENCES,
    st.lists(st.tuples(RECURRENCES, st.integers(1, 4)), min_size=3, max_size=5),
    st.integers(1, 4),
    st.integers(2, 10),
    st.lists(st.tuples(MINUTES, st.sampled_from(LENGTHS), st.integers(1, 3)), max_size=20),
)
def test_a_series_on_a_shared_resource_clashes_where_a_sweep_finds_too_little_room(
    wanted: Recurrence,
    series: list[tuple[Recurrence, int]],
    places: int,
    capacity: int,
    booked: list[tuple[int, timedelta, int]],
) -> None:
    places = min(places, capacity)
    claims = []
    for ticket, (minute, length, taken) in enumerate(booked, 100):
        start = AFTER + timedelta(minutes=minute)
        claims.append(claim(start, start + length, ticket=ticket, places=taken))
    standing = standing_by_hand(series)
    standing += [(one.start_time, one.end_time, one.ticket, one.booking, one.places) for one in claims]
    stored = [far(of, ticket=ticket, places=taken) for ticket, (of, taken) in enumerate(series, 1)]
    expected = clashes_by_hand(wanted, places, standing, capacity=capacity)
    assert clashes(wanted, *stored, claims=claims, places=places, capacity=capacity) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(RECURRENCES, st.integers(1, 9)), max_size=4))
def test_the_peak_of_series_is_the_peak_of_a_sweep(series: list[tuple[Recurrence, int]]) -> None:
    changes = []
    for start, end, _, _, places in standing_by_hand(series):
        changes += [(start, places), (end, -places)]
    use = peak = 0
    for _, change in sorted(changes):
        use += change
        peak = max(peak, use)
    assert far_peak([far(of, ticket=ticket, places=places) for ticket, (of, places) in enumerate(series, 1)]) == peak


def test_a_weekly_and_a_yearly_series_first_meet_after_years() -> None:
    weekly, yearly = recurrence("2026-01-05T09:00", MONDAYS), recurrence("2026-03-04T09:30", YEARLY)
    count, named = clashes(yearly, far(weekly, ticket=7))
    first = datetime(2030, 3, 4, 8, 30, tzinfo=UTC)  # the first 4 March from 2027 on that is a Monday
    clash = Clash(UUID(int=7), first - HOUR / 2, first + HOUR / 2)
    assert named[0] == FarClash(first, first + HOUR, clash)
    years = [year for year in range(2028, 2078) if datetime(year, 3, 4, tzinfo=UTC).weekday() == 0]
    assert [one.wanted_start.year for one in named] == years
    assert count == len(years) == 7
    assert clashes(weekly, far(yearly))[0] == count


def test_hours_apart_in_one_zone_never_meet() -> None:
    for first, second in ((8, 9), (9, 10), (0, 23)):
        one = recurrence(f"2026-01-05T{first:02}:00", DAILY)
        other = recurrence(f"2026-02-01T{second:02}:00", MONDAYS)
        assert clashes(one, far(other)) == clashes(other, far(one)) == (0, [])


def test_series_back_to_back_do_not_clash_and_a_millisecond_more_does() -> None:
    nine, ten = recurrence("2026-01-05T09:00", MONDAYS), recurrence("2026-01-05T10:00", MONDAYS)
    assert clashes(ten, far(nine))[0] == clashes(nine, far(ten))[0] == 0
    longer = Recurrence(nine.start, nine.time_zone, nine.length_ms + 1, nine.rule)
    assert clashes(ten, far(longer))[0] == clashes(longer, far(ten))[0] == len(lattice(ten))


def test_series_of_two_zones_meet_only_while_their_summer_times_differ() -> None:
    berlin = recurrence("2026-01-01T14:00", DAILY)
    new_york = recurrence("2026-01-01T09:00", DAILY, zone="America/New_York")  # mostly 15:00 in Berlin
    count, named = clashes(berlin, far(new_york), limit=100_000)
    assert count == len(named)
    of_2028 = [one.wanted_start.date().isoformat() for one in named if one.wanted_start.year == 2028]
    spring = [f"2028-03-{day}" for day in range(12, 26)]  # New York changes two weeks before Berlin
    autumn = ["2028-10-29", "2028-10-30", "2028-10-31", *(f"2028-11-0{day}" for day in range(1, 5))]
    assert of_2028 == spring + autumn
    assert clashes(new_york, far(berlin))[0] == count


def test_a_time_that_the_clock_jumps_over_clashes_with_what_stands_behind_the_jump() -> None:
    jumped, behind = recurrence("2026-01-01T02:00", DAILY), recurrence("2026-01-01T03:00", DAILY)
    count, named = clashes(jumped, far(behind))
    assert count == YEARS
    assert named[0].wanted_start == named[0].clash.start_time == datetime(2028, 3, 26, 1, tzinfo=UTC)


@pytest.mark.parametrize("hours", [1, 30])
def test_when_everything_clashes_all_are_counted_and_the_first_are_named(hours: int) -> None:
    wanted = recurrence("2026-01-01T09:00", DAILY, hours=hours)
    standing = recurrence("2026-01-01T00:30", DAILY, zone="UTC", hours=23)
    for places, capacity in ((1, 1), (3, 10)):
        stored = [far(standing, ticket=ticket, places=1) for ticket in range(1, capacity - places + 2)]
        count, named = clashes(wanted, *stored, places=places, capacity=capacity)
        assert count == len(lattice(wanted)) > 18_000
        assert len(named) == LIMIT
        assert all(earlier.wanted_start < later.wanted_start for earlier, later in pairwise(named))
        assert clashes(wanted, *stored[1:], places=places, capacity=capacity) == (0, [])


def test_stored_bookings_stand_in_the_way_as_series_do() -> None:
    wanted = recurrence("2026-01-05T09:00", MONDAYS, zone="UTC")
    monday = datetime(2040, 1, 2, 9, tzinfo=UTC)
    touching = claim(monday - HOUR, monday, ticket=1)
    late = claim(monday + 7 * DAY + HOUR / 2, monday + 7 * DAY + 9 * HOUR, ticket=2)
    long = claim(monday + 14 * DAY, monday + 40 * DAY, ticket=3)
    gone = claim(AFTER - 2 * DAY, AFTER + HOUR, ticket=4)
    count, named = clashes(wanted, claims=iter([long, touching, late, gone]))
    assert [(one.wanted_start, one.clash.booking.int) for one in named] == [
        (monday + 7 * DAY, 2),
        (monday + 14 * DAY, 3),
        (monday + 21 * DAY, 3),
        (monday + 28 * DAY, 3),
        (monday + 35 * DAY, 3),
    ]
    assert count == 5


def test_bookings_of_one_interval_are_counted_together() -> None:
    wanted = recurrence("2026-01-05T09:00", MONDAYS, zone="UTC")
    monday = datetime(2040, 1, 2, 9, tzinfo=UTC)
    claims = [claim(monday, monday + HOUR, ticket=ticket, places=2) for ticket in (9, 3, 5)]
    assert clashes(wanted, claims=claims, places=4, capacity=10) == (0, [])
    clash = Clash(UUID(int=3), monday, monday + HOUR)
    assert clashes(wanted, claims=claims, places=5, capacity=10) == (1, [FarClash(monday, monday + HOUR, clash)])


@pytest.mark.parametrize("hours", [24, 25, 30, 48, 49])
def test_long_bookings_that_begin_every_day_add_up_while_they_overlap(hours: int) -> None:
    wanted = recurrence("2026-01-05T08:00", MONDAYS, zone="UTC", hours=3)
    monday = datetime(2040, 1, 2, 9, tzinfo=UTC)
    days = [monday + day * DAY for day in range(-9, 10)]
    claims = [claim(day, day + hours * HOUR, ticket=ticket, places=2) for ticket, day in enumerate(days)]
    at_once = -(-hours // 24)
    assert clashes(wanted, claims=claims, places=1, capacity=2 * at_once)[0] == 3
    assert clashes(wanted, claims=claims, places=1, capacity=2 * at_once + 1)[0] == 0


@pytest.mark.parametrize("days", [1, 2])
def test_what_ends_at_midnight_takes_nothing_of_the_next_day(days: int) -> None:
    ending = far(recurrence("2026-01-05T00:00", MONDAYS, zone="UTC", hours=24 * days), places=2)
    following = far(recurrence(f"2026-01-{5 + days:02}T00:00", Rule(Frequency.WEEKLY), zone="UTC"), ticket=2, places=2)
    across = recurrence(f"2026-01-{4 + days:02}T23:30", Rule(Frequency.WEEKLY), zone="UTC")
    assert clashes(across, ending, following, places=1, capacity=3)[0] == 0
    assert clashes(across, ending, following, places=2, capacity=3)[0] == len(lattice(across))


def test_series_and_bookings_add_up_wherever_their_sets_begin() -> None:
    wanted = recurrence("2026-01-05T09:00", MONDAYS, zone="UTC")
    monday = datetime(2040, 1, 2, 9, tzinfo=UTC)
    later = [
        FarSeries(UUID(int=ticket), ticket, 1, lattice_of(wanted, after=after, before=BEFORE))
        for ticket, after in enumerate([AFTER, AFTER + 1_000 * DAY, monday - 30 * DAY], 1)
    ]
    booked = claim(monday, monday + HOUR, ticket=4)
    count, named = clashes(wanted, *later, claims=[booked], places=1, capacity=4)
    assert (count, named[0].wanted_start) == (1, monday)
    assert clashes(wanted, *later, claims=[booked], places=1, capacity=5)[0] == 0
    assert clashes(wanted, *later, places=1, capacity=3)[0] == len(later[2].lattice)
    assert far_peak(later) == 3


def test_claims_one_after_another_do_not_add_up() -> None:
    wanted = recurrence("2026-01-05T09:00", MONDAYS, hours=3)
    stored = [far(recurrence(f"2026-01-05T{hour:02}:00", MONDAYS), ticket=hour, places=2) for hour in (9, 10, 11)]
    assert clashes(wanted, *stored, places=2, capacity=4) == (0, [])
    beside = far(recurrence("2026-01-05T10:59", MONDAYS, hours=0.5), ticket=1, places=1)
    assert clashes(wanted, *stored, beside, places=2, capacity=4)[0] == len(lattice(wanted))
    assert far_peak(stored) == 2
    assert far_peak([*stored, beside]) == 3


def test_of_several_in_the_way_the_first_by_start_then_end_then_ticket_is_named() -> None:
    wanted = recurrence("2026-01-05T09:00", MONDAYS, zone="UTC", hours=4)
    monday = datetime(2040, 1, 2, 9, tzinfo=UTC)

    def named(*standing: tuple[int, float, float], booked: Sequence[tuple[int, float, float]]) -> int:
        stored = [
            far(recurrence(f"2026-01-05T{int(start):02}:00", MONDAYS, zone="UTC", hours=end - start), ticket=ticket)
            for ticket, start, end in standing
        ]
        midnight = monday - 9 * HOUR
        claims = [claim(midnight + start * HOUR, midnight + end * HOUR, ticket=ticket) for ticket, start, end in booked]
        found = clashes(wanted, *stored, claims=claims, limit=100_000)[1]
        return next(one.clash.booking.int for one in found if one.wanted_start == monday)

    assert named((5, 9, 10), (4, 10, 11), booked=[(3, 11, 12)]) == 5
    assert named((5, 10, 11), booked=[(6, 9, 10)]) == 6
    assert named((5, 9, 11), booked=[(6, 9, 10)]) == 6
    assert named((5, 9, 10), booked=[(6, 9, 10)]) == 5
    assert named((7, 9, 10), booked=[(6, 9, 10)]) == 6
    assert named((7, 10, 11), booked=[(9, 10, 11), (8, 10, 11)]) == 7


def test_series_that_are_stored_to_different_days_are_compared_behind_them() -> None:
    wanted = recurrence("2026-01-05T09:00", MONDAYS)
    later = AFTER + 365 * DAY
    stored = FarSeries(UUID(int=1), 1, 1, lattice_of(wanted, after=later, before=BEFORE))
    count, named = clashes(wanted, stored)
    assert count == len(lattice_of(wanted, after=later, before=BEFORE))
    assert named[0].wanted_start >= later


def test_nothing_stands_in_the_way_of_the_only_series() -> None:
    wanted = recurrence("2026-01-05T09:00", DAILY)
    assert clashes(wanted) == clashes(wanted, places=3, capacity=3) == (0, [])
    assert far_peak([]) == 0


def test_a_limit_of_none_still_counts() -> None:
    wanted = recurrence("2026-01-05T09:00", DAILY)
    assert clashes(wanted, far(wanted), limit=0) == (len(lattice(wanted)), [])
