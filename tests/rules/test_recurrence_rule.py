"""What a rule may say: a table of refusals, and properties of reading and writing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.rules.recurrence_rule import (
    MAX_PART,
    MAX_TEXT,
    Frequency,
    Rule,
    RuleError,
    RuleFault,
    parse_rule,
    rule_of,
    utc_text,
)
from tests.rules import brute_force

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")


def refused(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        parse_rule(text, zone=BERLIN)
    return caught.value


INVALID = [
    ("", ""),
    ("RRULE:", ""),
    ("RRULE", "RRULE"),
    ("every day", "every day"),
    ("FREQ", "FREQ"),
    ("FREQ=", "FREQ="),
    ("=DAILY", "=DAILY"),
    ("INTERVAL=2", "INTERVAL=2"),
    ("FREQ=HOURLY", "FREQ=HOURLY"),
    ("FREQ=MINUTELY", "FREQ=MINUTELY"),
    ("FREQ=SECONDLY", "FREQ=SECONDLY"),
    ("FREQ=FORTNIGHTLY", "FREQ=FORTNIGHTLY"),
    ("FREQ=DAILY;", ""),
    (";FREQ=DAILY", ""),
    ("FREQ=DAILY;;COUNT=2", ""),
    ("FREQ=DAILY; COUNT=2", " COUNT=2"),
    ("FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY"),
    ("FREQ=DAILY;COUNT=2;count=2", "count=2"),
    ("FREQ=DAILY;RRULE:COUNT=2", "RRULE:COUNT=2"),
    ("FREQ=DAILY\nCOUNT=2", "FREQ=DAILY\N{REPLACEMENT CHARACTER}COUNT=2"),
    ("FREQ=DAILY;COUNT=2\r\n", "COUNT=2\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
    ("FREQ=DAILY;COUNT=\x002", "COUNT=\N{REPLACEMENT CHARACTER}2"),
    ("FREQ=DAILY;COUNT=\u0663", "COUNT=\u0663"),
    ("FREQ=DAILY;INTERVAL=\u00b2", "INTERVAL=\u00b2"),
    ("FREQ=DA\u0130LY", "FREQ=DA\u0130LY"),
    ("FREQ=DAILY;X-NAME=1", "X-NAME=1"),
    ("FREQ=DAILY;DTSTART=20260101", "DTSTART=20260101"),
    ("FREQ=DAILY;BYHOUR=9", "BYHOUR=9"),
    ("FREQ=DAILY;BYMINUTE=30", "BYMINUTE=30"),
    ("FREQ=DAILY;BYSECOND=0", "BYSECOND=0"),
    ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO=20"),
    ("FREQ=YEARLY;BYYEARDAY=100", "BYYEARDAY=100"),
    ("FREQ=YEARLY;BYEASTER=0", "BYEASTER=0"),
    ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
    ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1"),
    ("FREQ=DAILY;INTERVAL=+1", "INTERVAL=+1"),
    ("FREQ=DAILY;INTERVAL=1001", "INTERVAL=1001"),
    ("FREQ=DAILY;INTERVAL=1e3", "INTERVAL=1e3"),
    ("FREQ=DAILY;INTERVAL=1.0", "INTERVAL=1.0"),
    ("FREQ=DAILY;INTERVAL=1_0", "INTERVAL=1_0"),
    ("FREQ=DAILY;INTERVAL=NaN", "INTERVAL=NaN"),
    ("FREQ=DAILY;INTERVAL=2=3", "INTERVAL=2=3"),
    ("FREQ=DAILY;COUNT=0", "COUNT=0"),
    ("FREQ=DAILY;COUNT=-1", "COUNT=-1"),
    ("FREQ=DAILY;COUNT=NaN", "COUNT=NaN"),
    ("FREQ=DAILY;COUNT=5;UNTIL=20261231", "COUNT=5;UNTIL=20261231"),
    ("FREQ=DAILY;UNTIL=20261231;COUNT=5", "COUNT=5;UNTIL=20261231"),
    ("FREQ=DAILY;UNTIL=2026", "UNTIL=2026"),
    ("FREQ=DAILY;UNTIL=20261301", "UNTIL=20261301"),
    ("FREQ=DAILY;UNTIL=20260230", "UNTIL=20260230"),
    ("FREQ=DAILY;UNTIL=00000101", "UNTIL=00000101"),
    ("FREQ=DAILY;UNTIL=99991231", "UNTIL=99991231"),
    ("FREQ=DAILY;UNTIL=20261231T250000Z", "UNTIL=20261231T250000Z"),
    ("FREQ=DAILY;UNTIL=20261231T2359", "UNTIL=20261231T2359"),
    ("FREQ=DAILY;UNTIL=2026-12-31", "UNTIL=2026-12-31"),
    ("FREQ=DAILY;UNTIL=20261231Z", "UNTIL=20261231Z"),
    ("FREQ=DAILY;UNTIL=20261231T225959+0100", "UNTIL=20261231T225959+0100"),
    ("FREQ=MONTHLY;BYMONTH=0", "BYMONTH=0"),
    ("FREQ=MONTHLY;BYMONTH=13", "BYMONTH=13"),
    ("FREQ=MONTHLY;BYMONTH=-1", "BYMONTH=-1"),
    ("FREQ=MONTHLY;BYMONTH=5L", "BYMONTH=5L"),
    ("FREQ=MONTHLY;BYMONTH=1,", "BYMONTH=1,"),
    ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0"),
    ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32"),
    ("FREQ=MONTHLY;BYMONTHDAY=-32", "BYMONTHDAY=-32"),
    ("FREQ=MONTHLY;BYMONTHDAY=--1", "BYMONTHDAY=--1"),
    ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY=1"),
    ("FREQ=WEEKLY;BYDAY=XX", "BYDAY=XX"),
    ("FREQ=WEEKLY;BYDAY=MO,", "BYDAY=MO,"),
    ("FREQ=WEEKLY;BYDAY=MON", "BYDAY=MON"),
    ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY=1MO"),
    ("FREQ=DAILY;BYDAY=-1MO", "BYDAY=-1MO"),
    ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY=0MO"),
    ("FREQ=YEARLY;BYDAY=54MO", "BYDAY=54MO"),
    ("FREQ=YEARLY;BYDAY=60MO", "BYDAY=60MO"),
    ("FREQ=MONTHLY;BYDAY=1 MO", "BYDAY=1 MO"),
    ("FREQ=MONTHLY;BYDAY=1,MO", "BYDAY=1,MO"),
    ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS=1"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS=0"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS=367"),
    ("FREQ=WEEKLY;WKST=1", "WKST=1"),
    ("FREQ=WEEKLY;WKST=MO,TU", "WKST=MO,TU"),
]


@pytest.mark.parametrize(("text", "part"), INVALID)
def test_what_cannot_be_read_is_quoted(text: str, part: str) -> None:
    error = refused(text)
    assert (error.code, error.part) == (RuleFault.INVALID_RRULE, part)
    assert error.detail.endswith(".")


@pytest.mark.parametrize(
    "text", ["FREQ=DAILY\n", "FREQ=DAILY;COUNT=\u0661\u0660\u0660\u0661", "FREQ=DAILY;COUNT=\u00b2"]
)
def test_what_is_not_plain_text_is_not_read_at_all(text: str) -> None:
    assert refused(text).detail == "A rule is written in plain printable characters."


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("FREQ=DAILY;COUNT=1001", RuleFault.RRULE_TOO_LONG, "COUNT=1001"),
        ("FREQ=DAILY;COUNT=99999999999999999999", RuleFault.RRULE_TOO_LONG, "COUNT=99999999999999999999"),
        ("RSCALE=HEBREW;FREQ=YEARLY", RuleFault.UNSUPPORTED_RSCALE, "RSCALE=HEBREW"),
        ("RSCALE=CHINESE;FREQ=YEARLY;BYMONTH=5L", RuleFault.UNSUPPORTED_RSCALE, "RSCALE=CHINESE"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD", RuleFault.UNSUPPORTED_RSCALE, "SKIP=FORWARD"),
        ("FREQ=MONTHLY;SKIP=BACKWARD", RuleFault.UNSUPPORTED_RSCALE, "SKIP=BACKWARD"),
    ],
)
def test_what_can_be_read_but_not_had_has_a_code_of_its_own(text: str, code: RuleFault, part: str) -> None:
    error = refused(text)
    assert (error.code, error.part) == (code, part)


@pytest.mark.parametrize("garbage", ["A" * MAX_TEXT, ";" * MAX_TEXT, "=" * MAX_TEXT, "\x00" * MAX_TEXT, "\ud800;" * 99])
def test_a_kilobyte_of_garbage_is_refused_and_quoted_in_part(garbage: str) -> None:
    error = refused(garbage)
    assert error.code is RuleFault.INVALID_RRULE
    assert len(error.part) <= MAX_PART
    assert error.part.isprintable()


def test_a_rule_has_a_thousand_characters_at_most() -> None:
    longest = "FREQ=DAILY;INTERVAL=".ljust(MAX_TEXT - 1, "0") + "2"
    assert refused(longest + " ").detail == "A rule has at most 1,000 characters."
    assert refused(longest).part.startswith("INTERVAL=000")  # read, and refused for its digits


@given(text=st.one_of(st.text(max_size=80), st.text(alphabet="FREQ=DAILYWKBSTOPUN;,:0123456789+-T", max_size=80)))
def test_any_text_is_a_rule_or_an_error_that_can_be_shown(text: str) -> None:
    try:
        rule = parse_rule(text, zone=BERLIN)
    except RuleError as error:
        shown = error.part
    else:
        shown = rule.text
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("rrule:freq=daily;interval=1;wkst=mo", "FREQ=DAILY"),
        ("INTERVAL=007;FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=7"),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=we,MO,MO", "FREQ=WEEKLY;BYDAY=MO,WE;WKST=SU"),
        ("FREQ=MONTHLY;BYDAY=-1fr,+2MO,MO", "FREQ=MONTHLY;BYDAY=-1FR,MO,2MO"),
        ("FREQ=MONTHLY;BYMONTHDAY=31,-1,+1", "FREQ=MONTHLY;BYMONTHDAY=-1,1,31"),
        ("FREQ=YEARLY;BYSETPOS=2,-1;BYMONTH=12,1;COUNT=5", "FREQ=YEARLY;BYMONTH=1,12;BYSETPOS=-1,2;COUNT=5"),
        ("RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT", "FREQ=MONTHLY"),
        ("rscale=gregorian;freq=daily;count=1000", "FREQ=DAILY;COUNT=1000"),
    ],
)
def test_a_rule_is_written_in_one_way(text: str, canonical: str) -> None:
    assert parse_rule(text, zone=BERLIN).text == canonical


@pytest.mark.parametrize(
    ("until", "zone", "expected"),
    [
        pytest.param("20261231T225959Z", "Europe/Berlin", "2026-12-31T22:59:59Z", id="an instant"),
        pytest.param("20261231T225959", "Europe/Berlin", "2026-12-31T21:59:59Z", id="a wall clock in winter"),
        pytest.param("20260731T225959", "Europe/Berlin", "2026-07-31T20:59:59Z", id="a wall clock in summer"),
        pytest.param("20261231", "Europe/Berlin", "2026-12-31T22:59:59Z", id="the whole day in winter"),
        pytest.param("20260731", "America/New_York", "2026-08-01T03:59:59Z", id="the whole day in summer"),
        pytest.param("20260731", "Pacific/Kiritimati", "2026-07-31T09:59:59Z", id="the whole day far from Greenwich"),
        pytest.param("20250330T023000", "Europe/Berlin", "2025-03-30T01:00:00Z", id="a time that does not exist"),
        pytest.param("20251026T023000", "Europe/Berlin", "2025-10-26T00:30:00Z", id="a time that exists twice"),
        pytest.param("20250330", "Europe/Berlin", "2025-03-30T21:59:59Z", id="a day of 23 hours"),
        pytest.param("20251026", "Europe/Berlin", "2025-10-26T22:59:59Z", id="a day of 25 hours"),
        pytest.param("20240330", "America/Nuuk", "2024-03-31T00:59:59Z", id="a day without its last hour"),
        pytest.param("20240425", "Africa/Cairo", "2024-04-25T21:59:59Z", id="a day before one without its first hour"),
        pytest.param("20241031", "Africa/Cairo", "2024-10-31T21:59:59Z", id="a day with its last hour twice"),
        pytest.param("20111230", "Pacific/Apia", "2011-12-30T09:59:59Z", id="a day that was left out"),
    ],
)
def test_until_is_an_instant_whichever_way_it_is_said(until: str, zone: str, expected: str) -> None:
    rule = parse_rule(f"FREQ=DAILY;UNTIL={until}", zone=ZoneInfo(zone))
    assert rule.until == datetime.fromisoformat(expected)
    assert not rule.infinite


instants = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1)).map(  # noqa: DTZ001  # Hypothesis wants them so
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)


@given(
    seed=st.integers(0, 100_000),
    ending=st.one_of(
        st.none(),
        st.integers(1, 1_000).map(lambda count: f";COUNT={count}"),
        instants.map(lambda at: f";UNTIL={utc_text(at)}"),
    ),
)
def test_what_is_written_reads_the_same(seed: int, ending: str | None) -> None:
    rule = parse_rule(brute_force.draw(Random(seed)).text + (ending or ""), zone=BERLIN)
    assert rule_of(rule.text) == rule
    assert parse_rule(f"rrule:{rule.text.lower()}", zone=UTC_ZONE) == rule
    assert rule.infinite is (ending is None)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(rule), type=Rule) == rule
    assert hash(rule_of(rule.text)) == hash(rule)


@pytest.mark.parametrize(
    ("text", "implied"),
    [
        ("FREQ=DAILY;BYMONTH=2", "FREQ=DAILY;BYMONTH=2"),
        ("FREQ=WEEKLY;BYMONTH=2", "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO"),
        ("FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=SU"),
        ("FREQ=MONTHLY;COUNT=3", "FREQ=MONTHLY;BYMONTHDAY=10;COUNT=3"),
        ("FREQ=MONTHLY;BYDAY=1SU", "FREQ=MONTHLY;BYDAY=1SU"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=8;BYMONTHDAY=10"),
        ("FREQ=YEARLY;BYMONTH=2", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=10"),
        ("FREQ=YEARLY;BYMONTHDAY=3", "FREQ=YEARLY;BYMONTHDAY=3"),
        ("FREQ=YEARLY;BYDAY=20MO", "FREQ=YEARLY;BYDAY=20MO"),
    ],
)
def test_the_start_says_what_the_rule_leaves_open(text: str, implied: str) -> None:
    monday = date(2026, 8, 10)
    assert rule_of(text).implied_by(monday).text == implied


def test_a_stored_rule_may_be_longer_than_one_that_is_sent() -> None:
    numbers = ",".join(f"{number}{day}" for number in range(1, 54) for day in ("MO", "TU", "WE", "TH", "FR"))
    sent = f"FREQ=YEARLY;BYDAY={numbers}"[:985].rpartition(",")[0] + ";UNTIL=20261231"
    stored = parse_rule(sent, zone=BERLIN).text
    assert rule_of(stored).text == stored
    assert len(stored) > len(sent)


def test_the_frequencies_are_the_whitelist() -> None:
    assert [frequency.value for frequency in Frequency] == ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]


def test_an_instant_is_written_in_utc() -> None:
    at = datetime(2026, 8, 10, 11, 0, 5, tzinfo=BERLIN)
    assert utc_text(at) == "20260810T090005Z"
    assert utc_text(datetime(999, 1, 2, tzinfo=UTC) + timedelta(hours=3)) == "09990102T030000Z"
