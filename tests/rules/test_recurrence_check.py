"""From a stranger's words to a checked series: what is put right, what is refused, and what the worst of it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule as dateutil
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules import recurrence as recurrence_module
from engine.rules import recurrence_check as module
from engine.rules.recurrence import Recurrence, candidate_periods, name_of, starts_between
from engine.rules.recurrence_check import FIRST_YEAR, LAST_YEAR, MAX_PERIODS, Checked, check_recurrence
from engine.rules.recurrence_rule import MAX_COUNT, MAX_TEXT, Rule, RuleError, RuleFault
from engine.rules.wall_clock import to_local, to_utc
from tests.rules import brute_force
from tests.rules.golden import Expansion, expansions

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONDAY = "2026-08-10T09:00Z"


def at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def check(
    rule: str | None,
    start: str = MONDAY,
    *,
    length: timedelta = HOUR,
    zone: str = "UTC",
    extra: Sequence[str] = (),
    excluded: Sequence[str] = (),
    horizon: str = "2027-09-14T00:00Z",
) -> Checked:
    return check_recurrence(
        at(start),
        at(start) + length,
        rule=rule,
        time_zone=zone,
        extra=[at(instant) for instant in extra],
        excluded=[at(instant) for instant in excluded],
        horizon=at(horizon),
    )


def refusal(rule: str | None, start: str = MONDAY, **more: object) -> RuleError:
    with pytest.raises(RuleError) as caught:
        check(rule, start, **more)  # type: ignore[arg-type]  # as check takes them
    return caught.value


TWELVE = "1,2,3,4,5,6,7,8,9,10,11,12"


def names(checked: Checked) -> list[str]:
    return [name_of(start)[:8] for start in checked.starts]


# ---------------------------------------------------------------------------- what is checked


@pytest.mark.parametrize("golden", [golden for golden in expansions() if not golden.goes_on], ids=str)
def test_a_finite_series_is_listed_whole(golden: Expansion) -> None:
    """Also where its start is none of its days."""
    zone = ZoneInfo(golden.zone)
    start = to_utc(golden.start, zone)
    checked = check_recurrence(
        start, start + HOUR, rule=golden.rule, time_zone=golden.zone, extra=(), excluded=(), horizon=start
    )
    clocks = [to_local(when, zone) for when in checked.starts]
    assert [clock.date() for clock in clocks] == golden.days
    assert checked.recurrence.start == clocks[0]
    assert checked.until is None
    assert len(checked.warnings) == (golden.days[0] != golden.first)


def test_an_infinite_series_is_listed_up_to_the_horizon() -> None:
    checked = check("FREQ=WEEKLY", horizon="2026-08-31T09:00Z")
    assert names(checked) == ["20260810", "20260817", "20260824"]
    assert checked.until == at("2026-08-31T09:00Z")
    assert checked.recurrence.infinite
    assert check("FREQ=WEEKLY", horizon="2026-08-31T09:00:00.001Z").starts[-1] == at("2026-08-31T09:00Z")


def test_an_infinite_series_that_begins_behind_the_horizon_has_nothing_before_it() -> None:
    assert check("FREQ=WEEKLY", horizon="2026-08-01T00:00Z").starts == ()


def test_the_length_is_exact_time_and_the_start_is_a_wall_clock() -> None:
    checked = check("FREQ=DAILY;COUNT=2", "2026-08-10T09:00+02:00", zone="Europe/Berlin", length=HOUR / 3)
    assert checked.recurrence.start == datetime.fromisoformat("2026-08-10T09:00")
    assert checked.recurrence.length_ms == 1_200_000
    assert checked.starts == (at("2026-08-10T07:00Z"), at("2026-08-11T07:00Z"))
    assert all(start.tzinfo is UTC for start in checked.starts)


def test_the_series_begins_with_the_first_day_that_its_rule_gives() -> None:
    checked = check("FREQ=MONTHLY;BYDAY=1MO;COUNT=2")
    assert names(checked) == ["20260907", "20261005"]
    assert checked.recurrence.start == datetime.fromisoformat("2026-09-07T09:00")
    assert checked.warnings == ("The rule does not give 2026-08-10: the series starts on 2026-09-07.",)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;COUNT=2", ["20260816", "20260830"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU;COUNT=2", ["20260823", "20260906"]),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1;COUNT=2", ["20261101", "20270201"]),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=1;COUNT=2", ["20300110", "20340110"]),
        ("FREQ=DAILY;INTERVAL=10;BYMONTH=9;COUNT=2", ["20260909", "20260919"]),
    ],
)
def test_periods_are_counted_from_the_start_that_was_given(rule: str, days: list[str]) -> None:
    checked = check(rule)
    assert names(checked) == days
    again = starts_between(checked.recurrence, at("2026-01-01T00:00Z"), at("2040-01-01T00:00Z"))
    assert tuple(again) == checked.starts


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=2", "FREQ=DAILY"])
def test_a_start_that_comes_twice_is_the_first_of_the_two(rule: str) -> None:
    checked = check(rule, "2025-10-26T01:30Z", zone="Europe/Berlin", horizon="2025-10-28T00:00Z")
    assert checked.starts == (at("2025-10-26T00:30Z"), at("2025-10-27T01:30Z"))
    assert checked.warnings == (
        "2025-10-26 02:30:00 comes twice in Europe/Berlin: the series takes the first of the two.",
    )
    assert len(check(f"{rule};BYMONTH=11", "2025-10-26T01:30Z", zone="Europe/Berlin").warnings) == 1  # it moves
    assert not check(rule, "2025-10-26T00:30Z", zone="Europe/Berlin", horizon="2025-10-28T00:00Z").warnings


def test_so_is_one_without_a_rule() -> None:
    checked = check(None, "2025-10-26T01:30Z", zone="Europe/Berlin", extra=["2025-10-26T01:30Z"])
    assert checked.starts == (at("2025-10-26T00:30Z"), at("2025-10-26T01:30Z"))
    assert len(checked.warnings) == 1


# ---------------------------------------------------------------------------- dates


@pytest.mark.parametrize("ending", ["", ";COUNT=4"])
def test_extra_and_excluded_starts_count_as_far_as_they_change_anything(ending: str) -> None:
    checked = check(
        f"FREQ=WEEKLY{ending}",
        extra=["2026-08-12T09:00+02:00", "2026-08-17T09:00Z", "2026-08-12T07:00Z", "2026-08-14T10:00Z"],
        excluded=["2026-08-24T09:00Z", "2026-08-25T09:00Z", "2026-08-14T10:00Z", "2026-08-24T11:00+02:00"],
        horizon="2026-09-01T00:00Z",
    )
    assert checked.recurrence.extra == (at("2026-08-12T07:00Z"), at("2026-08-14T10:00Z"))
    assert checked.recurrence.excluded == (at("2026-08-14T10:00Z"), at("2026-08-24T09:00Z"))
    assert names(checked) == ["20260810", "20260812", "20260817", "20260831"]
    assert checked.warnings == (
        "These rdates are named more than once: 20260812T070000Z.",
        "The rule gives these rdates already: 20260817T090000Z.",
        "These exdates are named more than once: 20260824T090000Z.",
        "No occurrence within 50 years starts at these exdates: 20260825T090000Z.",
    )


def test_an_excluded_start_far_away_is_known_to_be_one() -> None:
    checked = check("FREQ=MONTHLY;BYDAY=-1FR", "2026-08-28T09:00Z", excluded=["2071-08-28T09:00Z", "2071-08-27T09:00Z"])
    assert checked.recurrence.excluded == (at("2071-08-28T09:00Z"),)


def test_without_a_rule_the_start_and_the_extra_starts_are_the_series() -> None:
    checked = check(None, extra=["2026-08-12T07:30Z", MONDAY, "2026-09-01T10:00Z"], excluded=["2026-09-01T10:00Z"])
    assert checked.recurrence == Recurrence(
        datetime.fromisoformat("2026-08-10T09:00"),
        "UTC",
        3_600_000,
        None,
        (at(MONDAY), at("2026-08-12T07:30Z"), at("2026-09-01T10:00Z")),
        (at("2026-09-01T10:00Z"),),
    )
    assert names(checked) == ["20260810", "20260812"]
    assert checked.until is None


def test_a_warning_names_the_first_few() -> None:
    never = [f"2026-08-{day}T03:00Z" for day in range(11, 19)]
    (warning,) = check("FREQ=DAILY;COUNT=30", excluded=never).warnings
    assert warning.endswith("20260814T030000Z, 20260815T030000Z and 3 more.")


# ---------------------------------------------------------------------------- refusals

NEVER = [
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "BYMONTH=2;BYMONTHDAY=30"),
    ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "BYMONTH=2;BYMONTHDAY=30"),
    ("FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31;COUNT=3", "BYMONTH=4;BYMONTHDAY=31"),
    ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY=6MO"),
    ("FREQ=MONTHLY;BYDAY=-53MO", "BYDAY=-53MO"),
    ("FREQ=YEARLY;BYMONTH=1;BYDAY=20MO", "BYMONTH=1;BYDAY=20MO"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "BYDAY=MO;BYSETPOS=6"),
    ("FREQ=DAILY;BYDAY=MO;BYSETPOS=2", "BYDAY=MO;BYSETPOS=2"),
    ("FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=3", "BYDAY=MO,TU;BYSETPOS=3"),
    ("FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=8", "BYMONTHDAY=8;BYDAY=1MO"),
    ("FREQ=MONTHLY;INTERVAL=12;BYMONTH=9", "BYMONTH=9"),
    ("FREQ=WEEKLY;INTERVAL=1000;BYDAY=WE;BYMONTH=1,2,3,4,5,6,7,9,11", "BYMONTH=1,2,3,4,5,6,7,9,11;BYDAY=WE"),
    ("FREQ=YEARLY;INTERVAL=100;BYMONTH=1", "BYMONTH=1"),
]


@pytest.mark.parametrize(("rule", "part"), NEVER)
def test_a_rule_that_gives_no_day_is_refused_with_what_chose_none(rule: str, part: str) -> None:
    error = refusal(rule)
    assert (error.code, error.part) == (RuleFault.INVALID_RRULE, part)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("FREQ=HOURLY", RuleFault.INVALID_RRULE),
        ("FREQ=DAILY;COUNT=1001", RuleFault.RRULE_TOO_LONG),
        ("FREQ=DAILY;UNTIL=20290506", RuleFault.RRULE_TOO_LONG),
        ("FREQ=DAILY;UNTIL=20750101", RuleFault.RRULE_TOO_LONG),
        ("FREQ=YEARLY;COUNT=52", RuleFault.RRULE_TOO_LONG),
        ("FREQ=MONTHLY;COUNT=602", RuleFault.RRULE_TOO_LONG),
        ("FREQ=YEARLY;INTERVAL=50;COUNT=3", RuleFault.RRULE_TOO_LONG),
        ("FREQ=YEARLY;UNTIL=20990101", RuleFault.RRULE_TOO_LONG),
        ("FREQ=WEEKLY;INTERVAL=50;UNTIL=20761001", RuleFault.RRULE_TOO_LONG),
        ("FREQ=DAILY;BYMONTHDAY=10;UNTIL=20400101", RuleFault.RRULE_TOO_EXPENSIVE),
        ("FREQ=DAILY;BYMONTH=8;BYMONTHDAY=10;COUNT=7", RuleFault.RRULE_TOO_EXPENSIVE),
        ("FREQ=WEEKLY;BYMONTH=8;BYDAY=MO;BYSETPOS=1;UNTIL=20700101", RuleFault.RRULE_TOO_EXPENSIVE),
        (f"FREQ=YEARLY;BYDAY=MO;BYSETPOS={TWELVE};UNTIL=20700101", RuleFault.RRULE_TOO_EXPENSIVE),
        ("FREQ=DAILY;UNTIL=20260809", RuleFault.NO_OCCURRENCES),
        ("FREQ=DAILY;UNTIL=20260810T085959Z", RuleFault.NO_OCCURRENCES),
        ("FREQ=DAILY;BYMONTH=9;UNTIL=20260831", RuleFault.NO_OCCURRENCES),
        ("RSCALE=HEBREW;FREQ=YEARLY", RuleFault.UNSUPPORTED_RSCALE),
    ],
)
def test_a_rule_is_refused_for_what_it_is(rule: str, code: RuleFault) -> None:
    assert refusal(rule).code is code


@pytest.mark.parametrize(
    ("rule", "occurrences"),
    [
        ("FREQ=DAILY;COUNT=1000", 1_000),
        ("FREQ=DAILY;UNTIL=20290505", 1_000),
        ("FREQ=YEARLY;COUNT=51", 51),
        ("FREQ=MONTHLY;COUNT=601", 601),
        ("FREQ=YEARLY;UNTIL=20760810", 51),
        ("FREQ=DAILY;BYMONTH=8;BYMONTHDAY=10;COUNT=6", 6),
        ("FREQ=DAILY;UNTIL=20260810T090000Z", 1),
        (f"FREQ=YEARLY;BYDAY=MO;BYSETPOS={TWELVE};UNTIL=20451231", 19 * 12),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=12", 12),
    ],
)
def test_the_bounds_themselves_are_allowed(rule: str, occurrences: int) -> None:
    assert len(check(rule).starts) == occurrences


def test_the_budget_is_what_it_says() -> None:
    last, too_late = (at(MONDAY) + (MAX_PERIODS - 1 + days) * DAY for days in (0, 1))
    rule = "FREQ=DAILY;BYDAY=MO,FR,SA;UNTIL="
    assert check(rule + name_of(last)).starts[-1] == last
    assert refusal(rule + name_of(too_late)).code is RuleFault.RRULE_TOO_EXPENSIVE


def test_an_infinite_rule_that_began_long_ago_is_too_expensive() -> None:
    assert refusal("FREQ=DAILY", "2016-08-10T09:00Z").code is RuleFault.RRULE_TOO_EXPENSIVE
    assert len(check("FREQ=DAILY", "2023-08-10T09:00Z").starts) == 1_496


def test_a_series_of_which_nothing_is_left_is_refused() -> None:
    excluded = ["2026-08-10T09:00Z", "2026-08-11T09:00Z"]
    assert refusal("FREQ=DAILY;COUNT=2", excluded=excluded).code is RuleFault.NO_OCCURRENCES
    assert refusal(None, extra=excluded, excluded=excluded).code is RuleFault.NO_OCCURRENCES
    assert len(check("FREQ=DAILY;COUNT=3", excluded=excluded).starts) == 1


@pytest.mark.parametrize(
    ("extra", "code", "part"),
    [
        ("2026-08-10T08:59:59Z", RuleFault.INVALID_RRULE, "20260810T085959Z"),
        ("2026-08-12T09:00:00.5Z", RuleFault.INVALID_RRULE, "2026-08-12 09:00:00.500000+00:00"),
        ("2076-12-01T09:00Z", RuleFault.RRULE_TOO_LONG, "20761201T090000Z"),
    ],
)
@pytest.mark.parametrize("rule", ["FREQ=WEEKLY;COUNT=3", "FREQ=WEEKLY", None])
def test_an_extra_start_has_its_bounds(rule: str | None, extra: str, code: RuleFault, part: str) -> None:
    error = refusal(rule, extra=[extra])
    assert (error.code, error.part) == (code, part)


def test_extra_starts_are_bounded_in_number() -> None:
    many = [(at(MONDAY) + timedelta(hours=2 * hour)).isoformat() for hour in range(1, MAX_COUNT + 2)]
    assert refusal("FREQ=YEARLY", extra=many).code is RuleFault.RRULE_TOO_LONG
    assert refusal("FREQ=DAILY;COUNT=1", extra=many[:-1]).code is RuleFault.RRULE_TOO_LONG
    assert len(check(None, extra=many[:-2]).starts) == MAX_COUNT


@pytest.mark.parametrize(
    "start", ["2026-08-10T09:00:00.001Z", f"{FIRST_YEAR - 1}-12-31T23:00Z", f"{LAST_YEAR + 1}-01-01T00:00Z"]
)
def test_a_start_is_a_whole_second_of_a_usual_year(start: str) -> None:
    assert refusal("FREQ=DAILY;COUNT=2", start).code is RuleFault.INVALID_RRULE


# ---------------------------------------------------------------------------- occurrences that overlap

OVERLAPS = [
    ("FREQ=DAILY", 24, "UTC", False),
    ("FREQ=DAILY", 24.01, "UTC", True),
    ("FREQ=DAILY;INTERVAL=3", 72, "UTC", False),
    ("FREQ=DAILY;INTERVAL=3", 73, "UTC", True),
    ("FREQ=WEEKLY;BYDAY=MO,TH", 72, "UTC", False),
    ("FREQ=WEEKLY;BYDAY=MO,TH", 73, "UTC", True),
    ("FREQ=MONTHLY", 28 * 24, "UTC", False),
    ("FREQ=MONTHLY", 28 * 24 + 1, "UTC", True),
    ("FREQ=MONTHLY;BYMONTHDAY=1,-1", 24, "UTC", False),
    ("FREQ=MONTHLY;BYMONTHDAY=1,-1", 25, "UTC", True),
    ("FREQ=YEARLY", 365 * 24 + 1, "UTC", True),
    # A day of 23 hours brings two occurrences nearer to each other.
    ("FREQ=DAILY", 23, "Europe/Berlin", False),
    ("FREQ=DAILY", 24, "Europe/Berlin", True),
    ("FREQ=DAILY", 24, "Asia/Kolkata", False),
    ("FREQ=WEEKLY", 167, "Europe/Berlin", False),
    ("FREQ=WEEKLY", 168, "Europe/Berlin", True),
    ("FREQ=DAILY", 23.5, "Australia/Lord_Howe", False),
    ("FREQ=DAILY", 23.75, "Australia/Lord_Howe", True),
]


@pytest.mark.parametrize(("rule", "hours", "zone", "overlaps"), OVERLAPS)
@pytest.mark.parametrize("ending", ["", ";UNTIL=20280801"])
def test_occurrences_do_not_overlap_each_other(rule: str, hours: float, zone: str, overlaps: bool, ending: str) -> None:
    length = timedelta(hours=hours)
    if overlaps:
        assert refusal(rule + ending, zone=zone, length=length).code is RuleFault.SERIES_OVERLAPS_ITSELF
    else:
        assert check(rule + ending, zone=zone, length=length).starts


@pytest.mark.parametrize("ending", ["", ";COUNT=9"])
@pytest.mark.parametrize(
    ("extra", "overlaps"),
    [
        ("2026-08-17T08:00Z", False),
        ("2026-08-17T08:00:01Z", True),
        ("2026-08-17T09:30Z", True),
        ("2026-08-17T10:00Z", False),
        ("2026-08-17T09:00Z", False),  # it is the rule's own
    ],
)
def test_extra_starts_do_not_overlap_the_rule_s(ending: str, extra: str, overlaps: bool) -> None:
    rule = f"FREQ=WEEKLY{ending}"
    if overlaps:
        assert refusal(rule, extra=[extra]).code is RuleFault.SERIES_OVERLAPS_ITSELF
        assert check(rule, extra=[extra], excluded=["2026-08-17T09:00Z"]).starts  # what is left out is not in the way
    else:
        assert check(rule, extra=[extra]).starts


@pytest.mark.parametrize("ending", ["", ";COUNT=9"])
def test_what_is_excluded_overlaps_nothing(ending: str) -> None:
    """The day that Apia left out begins with the next one."""
    series = {"zone": "Pacific/Apia", "length": 20 * HOUR, "horizon": "2012-01-05T00:00Z"}
    rule, start = f"FREQ=DAILY{ending}", "2011-12-29T09:00-10:00"
    assert refusal(rule, start, **series).code is RuleFault.SERIES_OVERLAPS_ITSELF
    assert check(rule, start, excluded=["2011-12-30T10:00Z"], **series).starts  # type: ignore[arg-type]  # as above


@settings(deadline=None, max_examples=60)  # fifty years are listed for each
@given(
    seed=st.integers(0, 100_000),
    hours=st.sampled_from([1, 23, 24, 25, 48, 167, 168, 169, 700]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    ending=st.sampled_from(["", ";COUNT=60"]),
)
def test_a_series_that_is_accepted_never_overlaps_itself(seed: int, hours: int, zone: str, ending: str) -> None:
    rule = brute_force.draw(Random(seed)).text + ending
    try:
        checked = check(rule, length=timedelta(hours=hours), zone=zone)
    except RuleError as refused:
        if refused.code is not RuleFault.SERIES_OVERLAPS_ITSELF:
            return
        checked = check(rule, length=timedelta(seconds=1), zone=zone)
        overlaps = True
    else:
        overlaps = False
    years = starts_between(checked.recurrence, at("2026-01-01T00:00Z"), at("2077-01-01T00:00Z"))
    assert any(later - earlier < timedelta(hours=hours) for earlier, later in pairwise(years)) is overlaps


# ---------------------------------------------------------------------------- what the worst of it costs

MONTH_DAYS = [*range(1, 32), *range(-31, 0)]


def hostile(lots: Random) -> str:
    """A rule that is as much work as can be: long lists of numbers of which few or all are met."""
    frequency = lots.choice(["DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY"])
    highest = 0 if frequency in ("DAILY", "WEEKLY") else lots.choice([0, 1, 5, 53])
    weekdays = [f"{number or ''}{day}" for number in range(-highest, highest + 1) for day in brute_force.WEEKDAYS]
    positions = lots.choice([range(1, 100), range(-90, 0), [1, *range(270, 366)], [1], [366, -366]])
    days = f"BYDAY={listed(lots.sample(weekdays, min(len(weekdays), lots.choice([1, 7, 20, 60]))))}"
    parts = [
        f"INTERVAL={lots.choice([1, 1, 1, 2, 7, 999, 1_000])}",
        f"BYMONTH={listed(lots.sample(range(1, 13), lots.randint(1, 12)))}",
        f"BYSETPOS={listed(positions)}",
        lots.choice(["COUNT=1000", "COUNT=50", "COUNT=600", "UNTIL=20760101", "UNTIL=20300101"]),
    ]
    if frequency != "WEEKLY":
        parts.append(f"BYMONTHDAY={listed(lots.sample(MONTH_DAYS, lots.choice([1, 2, 31, 62])))}")
    return ";".join([f"FREQ={frequency}", days, *(part for part in parts if lots.random() < 0.6)])


def listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_listed_that_costs_more_than_the_budget(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused was counted, and never listed."""
    counted: list[int] = []
    listed_at: list[int] = []
    list_rule = recurrence_module._list

    def count(recurrence: Recurrence, *, first: int, behind: int) -> int:
        counted.append(candidate_periods(recurrence, first=first, behind=behind))
        return counted[-1]

    def list_counted(rule: Rule, begin: datetime) -> Iterator[datetime]:
        listed_at.append(counted[-1])
        return list_rule(rule, begin)

    monkeypatch.setattr(module, "candidate_periods", count)
    monkeypatch.setattr(recurrence_module, "_list", list_counted)
    lots = Random(seed)
    codes = {code_of(hostile(lots)) for _ in range(100)}
    assert codes >= {None, RuleFault.INVALID_RRULE, RuleFault.RRULE_TOO_LONG, RuleFault.RRULE_TOO_EXPENSIVE}
    assert max(listed_at) <= MAX_PERIODS < max(counted)


def code_of(rule: str) -> RuleFault | None:
    """Why a rule is refused, if it is."""
    assert len(rule) <= MAX_TEXT
    try:
        checked = check(rule)
    except RuleError as refused:
        return refused.code
    assert len(checked.starts) <= MAX_COUNT
    return None


class Counted(dateutil.rrule):
    """dateutil, and the positions that it was given."""

    given: tuple[int, ...]

    def __init__(self, freq: Any, **parts: Any) -> None:
        super().__init__(freq, **parts)
        Counted.given = parts["bysetpos"]


@pytest.mark.parametrize(
    ("rule", "given_positions"),
    [
        ("FREQ=YEARLY;BYDAY=1MO;COUNT=50", (1,)),
        ("FREQ=YEARLY;BYDAY=1MO,2MO,-1MO;COUNT=20", (-3, 1, 2, 3)),
        ("FREQ=MONTHLY;BYDAY=MO;COUNT=50", (-5, -4, -3, 1, 2, 3, 4, 5)),
        ("FREQ=WEEKLY;BYDAY=MO,TU;COUNT=50", (1, 2)),
        ("FREQ=DAILY;BYDAY=MO;COUNT=50", (1,)),
    ],
)
def test_positions_that_no_period_has_are_not_looked_for(
    rule: str, given_positions: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """dateutil goes through a whole year for each of them: 250 of them in 50 years took it 40 ms."""
    monkeypatch.setattr(dateutil, "rrule", Counted)
    check(f"{rule};BYSETPOS={listed([*range(1, 100), *range(-90, -2)])}")
    assert Counted.given == given_positions
