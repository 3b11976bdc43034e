"""Lattices against the occurrences one by one: rules, zones, exceptions, windows, overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules import lattice as lattice_module
from engine.rules.lattice import (
    MILLISECOND,
    Lattice,
    lattice_at,
    lattice_of,
    meeting,
    milliseconds_of,
    moved_back_any,
    overlaps_itself,
    touched,
)
from engine.rules.recurrence import Recurrence
from engine.rules.recurrence_rule import Frequency, Rule
from engine.rules.zone_days import DAY_MS
from tests.rules.far_series import (
    DAY,
    YEARS,
    Interval,
    occurrences_by_hand,
    recurrences,
    rules,
    starts_by_hand,
)

AFTER = datetime(2027, 9, 6, 13, 30, tzinfo=UTC)
BEFORE = AFTER.replace(year=AFTER.year + YEARS)
HOUR_MS = 3_600_000
SETTINGS = settings(max_examples=80, deadline=None)


def series(
    start: str,
    rule: Rule | None,
    *,
    zone: str = "Europe/Berlin",
    hours: float = 1,
    extra: Sequence[datetime] = (),
    excluded: Sequence[datetime] = (),
) -> Recurrence:
    clock = datetime.fromisoformat(start)
    return Recurrence(clock, zone, round(hours * HOUR_MS), rule, tuple(sorted(extra)), tuple(sorted(excluded)))


def with_exceptions(recurrence: Recurrence, extra: Sequence[datetime], excluded: Sequence[datetime]) -> Recurrence:
    return Recurrence(
        recurrence.start,
        recurrence.time_zone,
        recurrence.length_ms,
        recurrence.rule,
        tuple(sorted(set(extra))),
        tuple(sorted(set(excluded))),
    )


def lattice_by_hand(intervals: Sequence[tuple[int, int]]) -> Lattice:
    """Occurrences of one length, in hours from a midnight."""
    midnight = datetime(2030, 1, 1, tzinfo=UTC)
    lengths = {end - start for start, end in intervals}
    return lattice_at([midnight + timedelta(hours=start) for start, _ in intervals], length_ms=lengths.pop() * HOUR_MS)


@SETTINGS
@given(recurrences(within=(AFTER, BEFORE)))
def test_a_lattice_holds_what_the_rule_gives_for_fifty_years(recurrence: Recurrence) -> None:
    starts = starts_by_hand(recurrence, AFTER, BEFORE)
    lattice = lattice_of(recurrence, after=AFTER, before=BEFORE)
    assert list(lattice.starts()) == starts
    assert (len(lattice), bool(lattice)) == (len(starts), bool(starts))


@SETTINGS
@given(recurrences(within=(AFTER, BEFORE)), st.integers(0, 18_000), st.integers(0, 40 * 24), st.data())
def test_a_lattice_holds_what_its_window_and_its_exceptions_leave(
    recurrence: Recurrence, distance: int, hours: int, data: st.DataObject
) -> None:
    after = AFTER + distance * DAY
    before = after + timedelta(hours=hours)
    minutes = st.integers(-40 * 24 * 60, 40 * 24 * 60)
    extra = [after + timedelta(minutes=minute) for minute in data.draw(st.lists(minutes, max_size=3))]
    by_rule = starts_by_hand(recurrence, after - 2 * DAY, before + 2 * DAY)
    some = st.lists(st.sampled_from([*by_rule, *extra, after]), max_size=4)
    extra += data.draw(some)
    excluded, without = data.draw(some), data.draw(some)
    whole = with_exceptions(recurrence, extra, excluded)
    expected = [start for start in sorted({*by_rule, *extra} - {*excluded, *without}) if after <= start < before]
    assert list(lattice_of(whole, after=after, before=before, without=without).starts()) == expected


@SETTINGS
@given(recurrences(within=(AFTER, BEFORE)), st.integers(-100, 18_500), st.integers(0, 1439), st.integers(1, 20_000))
def test_what_overlaps_an_interval_is_found_in_order(
    recurrence: Recurrence, days: int, minute: int, minutes: int
) -> None:
    start = AFTER + days * DAY + timedelta(minutes=minute)
    end = start + timedelta(minutes=minutes)
    near = occurrences_by_hand(recurrence, max(AFTER, start - 3 * DAY), min(BEFORE, end))
    expected = [(at, until) for at, until in near if until > start]
    lattice = lattice_of(recurrence, after=AFTER, before=BEFORE)
    assert list(lattice.overlapping(start, end)) == expected
    first = milliseconds_of(expected[0][0]) if expected else None
    assert lattice.first_overlap(milliseconds_of(start), milliseconds_of(end)) == first


def test_the_first_that_overlaps_is_the_earliest_whatever_its_clock() -> None:
    lattice = lattice_of(series("2026-01-01T09:00", Rule(Frequency.DAILY)), after=AFTER, before=BEFORE)
    for month, day, hour in ((3, 25, 8), (10, 28, 7)):  # the clocks of Berlin change on the 26th and the 29th
        first = datetime(2028, month, day, hour, tzinfo=UTC)
        start_ms, end_ms = (milliseconds_of(instant) for instant in (first, first + 3 * DAY))
        assert lattice.first_overlap(start_ms, end_ms) == start_ms


def test_an_occurrence_that_ends_where_the_interval_starts_does_not_overlap_it() -> None:
    lattice = lattice_by_hand([(9, 10), (10, 11), (11, 12)])
    ten, eleven = (datetime(2030, 1, 1, hour, tzinfo=UTC) for hour in (10, 11))
    assert list(lattice.overlapping(ten, eleven)) == [(ten, eleven)]
    assert len(list(lattice.overlapping(ten - MILLISECOND, eleven + MILLISECOND))) == 3


@SETTINGS
@given(recurrences(within=(AFTER, BEFORE)), recurrences(within=(AFTER, BEFORE)), st.integers(0, 2))
def test_the_occurrences_that_another_series_touches_are_found(
    one: Recurrence, other: Recurrence, later_years: int
) -> None:
    wanted = lattice_of(one, after=AFTER, before=BEFORE)
    other_after = AFTER.replace(year=AFTER.year + later_years)
    standing = lattice_of(other, after=other_after, before=BEFORE)
    found = wanted.only([touched(wanted, *group, other=standing) for group in wanted.groups])
    expected = overlapping_by_hand(
        occurrences_by_hand(one, AFTER, BEFORE), occurrences_by_hand(other, other_after, BEFORE)
    )
    assert list(found.occurrences()) == expected


def overlapping_by_hand(wanted: Sequence[Interval], standing: Sequence[Interval]) -> list[Interval]:
    """Those of ``wanted`` that share an instant with one of ``standing``; both sorted, each with one length."""
    found = []
    position = 0
    for start, end in wanted:
        while position < len(standing) and standing[position][1] <= start:
            position += 1
        if position < len(standing) and standing[position][0] < end:
            found.append((start, end))
    return found


@SETTINGS
@given(recurrences(within=(AFTER, BEFORE)), st.integers(1, 400 * 24 * 60))
def test_a_series_overlaps_itself_if_one_occurrence_starts_before_the_one_before_ends(
    recurrence: Recurrence, minutes: int
) -> None:
    lattice = lattice_of(recurrence, after=AFTER, before=BEFORE)
    starts = list(lattice.starts())
    for length in (recurrence.length_ms, minutes * 60_000):
        expected = any(later - earlier < length * MILLISECOND for earlier, later in pairwise(starts))
        assert overlaps_itself(Lattice(lattice.first, length, lattice.groups)) is expected


def test_days_that_touch_do_not_overlap_until_a_day_of_23_hours() -> None:
    daily = Rule(Frequency.DAILY)
    for zone, hours, overlaps in (("UTC", 24, False), ("Europe/Berlin", 24, True), ("Europe/Berlin", 23, False)):
        # In spring the noons of Berlin are 23 hours apart, and the length is exact.
        recurrence = series("2026-01-01T12:00", daily, zone=zone, hours=hours)
        assert overlaps_itself(lattice_of(recurrence, after=AFTER, before=BEFORE)) is overlaps


def test_an_extra_start_inside_an_occurrence_is_an_overlap() -> None:
    monday = datetime(2030, 1, 7, 8, tzinfo=UTC)
    weekly = Rule(Frequency.WEEKLY)
    for minutes, overlaps in ((0, False), (1, True), (59, True), (60, False), (-60, False), (-59, True)):
        recurrence = series("2026-01-05T09:00", weekly, extra=[monday + timedelta(minutes=minutes)])
        assert overlaps_itself(lattice_of(recurrence, after=AFTER, before=BEFORE)) is overlaps


def test_a_time_that_the_clock_jumps_over_takes_a_group_of_its_own() -> None:
    lattice = lattice_of(series("2026-01-01T02:30", Rule(Frequency.DAILY)), after=AFTER, before=BEFORE)
    clocks = [clock for clock, _ in lattice.groups]
    assert clocks == [HOUR_MS // 2, HOUR_MS, HOUR_MS + HOUR_MS // 2]
    jumps = lattice.only([days if clock == HOUR_MS else 0 for clock, days in lattice.groups])
    assert [start.isoformat() for start in islice(jumps.starts(), 2)] == [
        "2028-03-26T01:00:00+00:00",
        "2029-03-25T01:00:00+00:00",
    ]
    assert len(jumps) == YEARS


def test_a_zone_that_left_out_a_day_has_one_clock_before_and_behind_it() -> None:
    after, before = datetime(2011, 12, 27, tzinfo=UTC), datetime(2012, 1, 3, tzinfo=UTC)
    recurrence = series("2011-01-01T09:00", Rule(Frequency.DAILY), zone="Pacific/Apia")
    lattice = lattice_of(recurrence, after=after, before=before)
    # 9 o'clock of the 30th, which never came, is midnight of the 31st.
    in_december = [(27, 19), (28, 19), (29, 19), (30, 10), (30, 19), (31, 19)]
    expected = [datetime(2011, 12, day, hour, tzinfo=UTC) for day, hour in in_december]
    expected += [datetime(2012, 1, day, 19, tzinfo=UTC) for day in (1, 2)]
    assert list(lattice.starts()) == expected == starts_by_hand(recurrence, after, before)
    assert [clock for clock, _ in lattice.groups] == [10 * HOUR_MS, 19 * HOUR_MS]


def test_until_ends_the_rule_and_not_the_extra_starts() -> None:
    until = datetime(2027, 10, 4, 7, tzinfo=UTC)  # 9 o'clock in Berlin, a Monday
    extra = datetime(2050, 1, 1, tzinfo=UTC)
    mondays = [datetime(2027, 9, day, 7, tzinfo=UTC) for day in (13, 20, 27)]
    for last, expected in ((until, [*mondays, until, extra]), (until - MILLISECOND, [*mondays, extra])):
        recurrence = series("2026-01-05T09:00", Rule(Frequency.WEEKLY, until=last), extra=[extra])
        assert list(lattice_of(recurrence, after=AFTER, before=BEFORE).starts()) == expected


def test_a_rule_that_counts_is_counted_from_its_start() -> None:
    recurrence = series("2027-08-30T09:00", Rule(Frequency.WEEKLY, count=4))
    starts = [datetime(2027, 9, day, 7, tzinfo=UTC) for day in (13, 20)]
    assert list(lattice_of(recurrence, after=AFTER, before=BEFORE).starts()) == starts


def test_extra_starts_need_no_rule() -> None:
    extra = [AFTER - MILLISECOND, AFTER, BEFORE - MILLISECOND, BEFORE, datetime(9999, 12, 1, tzinfo=UTC)]
    lattice = lattice_of(series("2027-09-06T09:00", None, extra=extra), after=AFTER, before=BEFORE)
    assert list(lattice.starts()) == extra[1:3]


def test_an_extra_start_in_a_far_millennium_makes_no_set_longer() -> None:
    recurrence = series("2027-09-06T09:00", None, extra=[AFTER, datetime(9999, 12, 1, tzinfo=UTC)])
    kept = lattice_module._lattice_of_years(recurrence, 2020, 2030)
    assert [days.bit_length() < 11 * 366 for _, days in kept.groups] == [True]


@pytest.mark.parametrize("year", [100, 9_985, 9_999])
def test_the_ends_of_the_calendar_are_no_trouble(year: int) -> None:
    after, before = datetime(year, 1, 1, 4, tzinfo=UTC), datetime(year, 12, 1, tzinfo=UTC)
    recurrence = series(f"{year - 5:04}-02-01T09:00", Rule(Frequency.DAILY), zone="Etc/GMT-5")
    starts = list(lattice_of(recurrence, after=after, before=before).starts())
    assert starts == [after + number * DAY for number in range((before - after).days + 1)]


def test_a_window_may_begin_and_end_within_a_millisecond() -> None:
    recurrence = series("2026-01-05T09:00", Rule(Frequency.DAILY), zone="UTC")
    nine, instant = datetime(2030, 1, 1, 9, tzinfo=UTC), timedelta(microseconds=1)
    for after, before, held in ((nine, nine + instant, 1), (nine + instant, nine + DAY, 0), (nine - DAY, nine, 1)):
        assert len(lattice_of(recurrence, after=after, before=before)) == held
    lattice = lattice_of(recurrence, after=AFTER, before=BEFORE)
    for start, end, found in (
        (-1, 0, 0),
        (-1, 1, 1),
        (3_599_999_999, 3_600_000_001, 1),
        (3_600_000_000, 4_000_000_000, 0),
    ):
        assert len(list(lattice.overlapping(nine + start * instant, nine + end * instant))) == found


def test_a_window_that_ends_before_it_begins_is_empty() -> None:
    recurrence = series("2026-01-05T09:00", Rule(Frequency.DAILY))
    for before in (AFTER, AFTER - DAY, AFTER - 20_000 * DAY):
        assert not lattice_of(recurrence, after=AFTER, before=before)


def test_windows_of_the_same_decades_share_what_was_computed() -> None:
    recurrence = series("2026-01-05T09:00", Rule(Frequency.WEEKLY, interval=3))
    lattice_of(recurrence, after=AFTER, before=BEFORE)
    misses = lattice_module._lattice_of_years.cache_info().misses
    for days in range(100):
        lattice_of(recurrence, after=AFTER + days * DAY, before=BEFORE - days * DAY)
    assert lattice_module._lattice_of_years.cache_info().misses == misses


@settings(max_examples=40, deadline=None)
@given(rules(), st.sampled_from([1, 24 * HOUR_MS, 60 * 24 * HOUR_MS]))
def test_a_lattice_has_at_most_a_few_groups_whatever_its_rule(rule: Rule, length_ms: int) -> None:
    recurrence = series("2026-01-05T02:30", rule, hours=length_ms / HOUR_MS)
    assert len(lattice_of(recurrence, after=AFTER, before=BEFORE).groups) <= 3


@given(st.integers(0, DAY_MS - 1), st.integers(0, DAY_MS - 1), st.integers(1, 3 * DAY_MS), st.integers(1, 3 * DAY_MS))
def test_the_distances_at_which_two_clocks_meet_are_all_and_only_those(
    clock: int, other: int, length_ms: int, other_length_ms: int
) -> None:
    expected = [
        ahead
        for ahead in range(-5, 6)
        if ahead * DAY_MS + other < clock + length_ms and clock < ahead * DAY_MS + other + other_length_ms
    ]
    assert list(meeting(clock, length_ms, other=other, other_length_ms=other_length_ms)) == expected


@given(st.integers(0, 1 << 40), st.integers(-9, 9), st.integers(0, 9))
def test_a_set_moved_by_any_of_many_distances_is_the_union_of_the_sets(days: int, first: int, count: int) -> None:
    expected = 0
    for distance in range(first, first + count):
        expected |= days >> distance if distance >= 0 else days << -distance
    assert moved_back_any(days, range(first, first + count)) == expected


def test_a_lattice_says_in_a_few_words_what_it_holds() -> None:
    lattice = lattice_of(series("2026-01-05T09:00", Rule(Frequency.DAILY)), after=AFTER, before=BEFORE)
    assert repr(lattice) == "<Lattice: 18263 occurrences of 3600000 ms>"


def test_only_the_days_that_are_kept_stay() -> None:
    lattice = lattice_by_hand([(9, 10), (33, 34), (36, 37)])
    assert lattice.only([0, 0b10]).groups == ((12 * HOUR_MS, 0b10),)
    assert not lattice.only([0, 0])
    assert lattice.first == date(2030, 1, 1).toordinal()
