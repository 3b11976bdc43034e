"""Sets of days against a brute-force expansion, day by day, of 10,000 rules; and against themselves, far away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.day_set import LAST_DAY, days_of, largest_period
from engine.rules.recurrence import Recurrence, starts_between, wall_clocks
from engine.rules.recurrence_check import Checked, check_recurrence
from engine.rules.recurrence_rule import Rule, RuleError, RuleFault, parse_rule
from tests.rules import brute_force
from tests.rules.brute_force import Drawn

UTC_ZONE = ZoneInfo("UTC")
NINE = timedelta(hours=9)
WINDOW_DAYS = {"DAILY": 90, "WEEKLY": 250, "MONTHLY": 500, "YEARLY": 1_300}


def days_in(found: int, first: date) -> list[date]:
    """The days of a set by name."""
    return [first + timedelta(days=day) for day in range(found.bit_length()) if found >> day & 1]


def parsed(rule: str) -> Rule:
    return parse_rule(rule, zone=UTC_ZONE)


def days_within(rule: Rule, start: date, first: date, behind: date) -> list[date]:
    return days_in(days_of(rule, start, first=first.toordinal(), behind=behind.toordinal()), first)


def at_nine(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + NINE


def plain_series(rule: Rule, start: date) -> Recurrence:
    return Recurrence(at_nine(start).replace(tzinfo=None), "UTC", 3_600_000, rule)


@pytest.mark.parametrize("seed", range(20))
def test_rules_give_the_days_that_brute_force_finds(seed: int) -> None:
    """500 rules for each seed."""
    lots = Random(seed)
    for _ in range(500):
        drawn = brute_force.draw(lots)
        start = date(1990, 1, 1) + timedelta(days=lots.randrange(45_000))
        behind = start + timedelta(days=WINDOW_DAYS[drawn.frequency])
        expected = brute_force.expand(drawn, start, first=start, behind=behind)
        said = f"seed {seed}: {drawn.text} from {start}"
        rule = parsed(drawn.text)
        assert days_within(rule, start, start, behind) == expected, said
        found = starts_between(plain_series(rule, start), at_nine(start), at_nine(behind))
        assert found == [at_nine(day) for day in expected], said
        check_an_ending(lots, drawn, start, expected, behind)


def check_an_ending(lots: Random, drawn: Drawn, start: date, expected: list[date], behind: date) -> None:
    """Let the rule end in one of the three ways, and check it as a stranger's."""
    count = lots.randint(1, max(1, len(expected)))
    until = lots.choice(expected or [start])
    ending, kept = lots.choice(
        [
            (f";COUNT={count}", expected[:count]),
            (f";UNTIL={until:%Y%m%d}", [day for day in expected if day <= until]),
            ("", expected),
        ]
    )
    checked = check_or_refuse(drawn.text + ending, start, behind)
    if isinstance(checked, RuleFault):
        assert checked in (RuleFault.INVALID_RRULE, RuleFault.NO_OCCURRENCES)
        assert not expected, f"{drawn.text}{ending} from {start}"
        return
    given = [when for when in checked.starts if when < at_nine(behind)]
    assert given == [at_nine(day) for day in kept], f"{drawn.text}{ending} from {start}"


def check_or_refuse(text: str, start: date, behind: date) -> Checked | RuleFault:
    """What becomes of a series of one hour at nine."""
    begin, horizon = at_nine(start), at_nine(behind)
    end = begin + timedelta(hours=1)
    try:
        return check_recurrence(begin, end, rule=text, time_zone="UTC", extra=(), excluded=(), horizon=horizon)
    except RuleError as refused:
        return refused.code


FAR = [5, 50, 500]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("years", FAR)
def test_a_window_far_away_holds_what_brute_force_finds_there(seed: int, years: int) -> None:
    lots = Random(f"{seed} {years}")
    for _ in range(20):
        drawn = brute_force.draw(lots)
        start = date(2026, 1, 1) + timedelta(days=lots.randrange(1_000))
        first = start.replace(year=start.year + years, day=1) + timedelta(days=lots.randrange(400))
        behind = first + timedelta(days=lots.choice([1, 8, 40, 400]))
        expected = brute_force.expand(drawn, start, first=first, behind=behind)
        said = f"{drawn.text} from {start}, {first} to {behind}"
        rule = parsed(drawn.text)
        assert days_within(rule, start, first, behind) == expected, said
        window = {"first": first.toordinal(), "behind": behind.toordinal()}
        assert [clock.date() for clock in wall_clocks(plain_series(rule, start), **window)] == expected, said


@given(
    seed=st.integers(0, 10_000),
    start=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    windows=st.lists(st.integers(-400, 4_000), min_size=3, max_size=3),
)
def test_a_window_holds_what_the_windows_that_make_it_hold(seed: int, start: date, windows: list[int]) -> None:
    rule = parsed(brute_force.draw(Random(seed)).text)
    first, middle, behind = (start.toordinal() + days for days in sorted(windows))
    whole = days_of(rule, start, first=first, behind=behind)
    early = days_of(rule, start, first=first, behind=middle)
    late = days_of(rule, start, first=middle, behind=behind)
    assert whole == early | late << (middle - first)


def test_there_is_nothing_before_the_start_nor_in_an_empty_window() -> None:
    start = date(2026, 8, 10)
    rule = parsed("FREQ=DAILY")
    assert days_of(rule, start, first=start.toordinal() - 100, behind=start.toordinal()) == 0
    assert days_of(rule, start, first=start.toordinal() - 3, behind=start.toordinal() + 1) == 0b1000
    assert days_of(rule, start, first=start.toordinal(), behind=start.toordinal()) == 0
    assert days_of(rule, start, first=LAST_DAY + 10, behind=LAST_DAY + 20) == 0


@pytest.mark.parametrize("year", range(2026, 2033))
def test_the_last_of_a_week_may_lie_behind_the_window_and_the_year(year: int) -> None:
    """A window that ends within the week still knows which day is the week's last."""
    start, behind = date(2026, 1, 5), date(year, 12, 31)
    rule = Drawn("WEEKLY", by_day=((0, 0), (0, 1), (0, 2), (0, 5)), by_set_position=(-1, 2))
    expected = brute_force.expand(rule, start, first=start, behind=behind)
    assert days_within(parsed(rule.text), start, start, behind) == expected


@pytest.mark.parametrize("frequency", ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
def test_the_calendar_ends_with_its_last_day(frequency: str) -> None:
    start = date(9998, 12, 31)
    first = LAST_DAY - 400
    found = days_of(
        parsed(f"FREQ={frequency};BYMONTHDAY=31" if frequency != "WEEKLY" else "FREQ=WEEKLY;BYDAY=FR"),
        start,
        first=first,
        behind=LAST_DAY + 1_000,
    )
    assert first + found.bit_length() - 1 == LAST_DAY


@pytest.mark.parametrize("seed", range(4))
def test_no_period_is_larger_than_the_largest(seed: int) -> None:
    """Positions beyond it are never met, and one more than that many days never come."""
    lots = Random(seed)
    for _ in range(100):
        drawn = brute_force.draw(lots)
        start = brute_force.period_begin(drawn, date(2026, 8, 10))
        rule = parsed(Drawn(drawn.frequency, 1, drawn.by_month, drawn.by_month_day, drawn.by_day).text)
        implied = rule.implied_by(date(2026, 8, 10))
        plain = Drawn(drawn.frequency, 1, implied.by_month, implied.by_month_day, implied.by_day)
        expected = brute_force.expand(plain, start, first=start, behind=start + timedelta(days=800))
        numbers = [brute_force.number_of(plain, day, start) for day in expected]
        most = max((numbers.count(number) for number in set(numbers)), default=0)
        assert largest_period(implied) >= most, plain.text


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        ("FREQ=DAILY", 1),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR", 3),
        ("FREQ=MONTHLY;BYDAY=MO", 5),
        ("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", 1),
        ("FREQ=YEARLY;BYDAY=MO", 53),
        ("FREQ=YEARLY;BYDAY=53MO", 1),
        ("FREQ=YEARLY;BYMONTHDAY=29;BYMONTH=2", 1),
        ("FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR", 3),
    ],
)
def test_the_largest_period_is_no_larger_than_it_is(rule: str, most: int) -> None:
    assert largest_period(parsed(rule)) == most
