"""The arithmetic of rates: what is written, what is left, and for whom it counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Config, read_config
from engine.errors import StartupRefused
from engine.queue.limits import LocalCounts
from engine.rules.rate import OFF, SECOND_US, Bucket, Level, Rate, level_of, network_of, over_rate, read_rate

MINUTE = Rate(60, 60)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("60/60s", MINUTE), ("1/1s", Rate(1, 1)), ("100000/3600s", Rate(100_000, 3_600)), ("off", OFF), ("0", OFF)],
)
def test_a_rate_is_read_as_it_is_written(text: str, rate: Rate) -> None:
    assert read_rate(text) == rate
    assert read_rate(str(rate)) == rate


@pytest.mark.parametrize(
    "text",
    ["60", "60/60", "0/60s", "60/0s", "100001/60s", "60/3601s", "-1/1s", "6e1/60s", "٦/6s", "60/60s burst 5", ""],
)
def test_what_is_no_rate_is_refused_with_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 100000 in 1 to 3600, as in 120/60s, or off"):
        read_rate(text)


def test_a_setting_that_is_no_rate_stops_the_start_and_names_the_variable() -> None:
    servers = {"DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x"}
    assert read_config({**servers, "FIRSTCOME_LOGIN_RATE": "3/5s"}).login_rate == Rate(3, 5)
    assert read_config({**servers, "FIRSTCOME_LOGIN_RATE": ""}).login_rate == Config(database_url="").login_rate
    with pytest.raises(StartupRefused, match=r"^FIRSTCOME_LOGIN_RATE is '3/m': expected calls/seconds"):
        read_config({**servers, "FIRSTCOME_LOGIN_RATE": "3/m"})


@pytest.mark.parametrize(
    ("rate", "debt_us", "remaining", "next_s"),
    [
        (MINUTE, 1_000_000, 59, 1),
        (MINUTE, 1_000_001, 58, 1),
        (MINUTE, 999_999, 59, 1),
        (MINUTE, 59_000_001, 0, 1),
        (MINUTE, 60_000_000, 0, 1),
        (MINUTE, 0, 60, 1),
        (Rate(1, 3_600), 3_600_000_000, 0, 3_600),
        (Rate(1, 3_600), 3_599_000_001, 0, 3_600),
        (Rate(1, 3_600), 1, 0, 1),
        (Rate(2, 60), 30_000_000, 1, 30),
        (Rate(2, 60), 31_000_000, 0, 1),
        (Rate(7, 60), 7 * 8_571_428, 0, 9),
    ],
)
def test_what_is_left_in_a_bucket_follows_from_its_debt(rate: Rate, debt_us: int, remaining: int, next_s: int) -> None:
    assert level_of(Bucket("reads", rate, "a"), debt_us) == Level("reads", rate, remaining, next_s)


def test_who_is_over_two_rates_waits_for_the_slower_of_them() -> None:
    levels = [Level("a", MINUTE, 0, 5), Level("b", Rate(1, 90), 0, 60), Level("c", MINUTE, 7, 900)]
    error = over_rate(levels)
    assert (error.policy, error.quota, error.window_s, error.retry_after_s) == ("b", 1, 90, 60)


@settings(deadline=None)
@given(
    quota=st.integers(1, 20),
    window_s=st.integers(1, 10),
    pauses_us=st.lists(st.integers(0, 2 * SECOND_US), max_size=80),
)
def test_no_stretch_of_time_has_more_calls_than_a_full_bucket_and_what_it_wins_back(
    quota: int, window_s: int, pauses_us: list[int]
) -> None:
    rate, counts, now = Rate(quota, window_s), LocalCounts(), 10**12
    counted: list[int] = []
    for pause in pauses_us:
        now += pause
        if counts.take([Bucket("reads", rate, "a")], now_us=now).counted:
            counted.append(now)
    for first, begin in enumerate(counted):
        for last, end in enumerate(counted[first:], first):
            assert last - first + 1 <= quota + (end - begin) // rate.interval_us


@settings(deadline=None)
@given(quota=st.integers(1, 1_000), window_s=st.integers(1, 3_600), calls=st.integers(1, 50))
def test_who_keeps_to_the_rate_is_never_refused(quota: int, window_s: int, calls: int) -> None:
    rate, counts = Rate(quota, window_s), LocalCounts()
    for call in range(calls):
        assert counts.take([Bucket("reads", rate, "a")], now_us=call * rate.interval_us).counted


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", None),
        ("", None),
        ("192.0.2.7:80", None),
    ],
)
def test_an_address_stands_for_its_network(address: str, network: str | None) -> None:
    assert network_of(address) == network
