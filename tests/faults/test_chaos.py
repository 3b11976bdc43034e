"""``firstcome chaos`` in short; and what it reckons with."""

from __future__ import annotations

from collections import Counter

import pytest

from loadtest import chaos
from loadtest.chaos import PAUSE_S, Result, share_soon
from loadtest.faults import KINDS, plan
from tests.cli.running import firstcome
from tests.faults.matrix import Recoveries

SEVERAL = "several at once, at random"
SEED = 5


def test_a_short_run_of_chaos_breaks_nothing(recoveries: Recoveries) -> None:
    """Half a minute, so not every kind comes; a seed that is fixed, so a failure is one of this release's."""
    result = chaos.run(chaos.Wish(seed=SEED, minutes=0.5), print)
    assert result.wrong == [], result.text()
    assert result.operations > 50
    assert len(result.fired) >= 5
    assert result.healed_s is not None
    recoveries.note(SEVERAL, result.healed_s)


def test_a_run_ends_when_enough_was_asked_for() -> None:
    result = chaos.run(chaos.Wish(seed=SEED, minutes=5, operations=200), print)
    assert result.wrong == [], result.text()
    assert 200 <= result.operations < 20_000
    again = plan(SEED, result.minutes * 60, PAUSE_S)
    assert result.minutes < 5
    assert len(again) == sum(result.fired.values()) + sum(result.missed.values()), "the same minutes, the same faults"


def test_a_seed_makes_one_plan_and_another_seed_another() -> None:
    assert plan(1, 600, PAUSE_S) == plan(1, 600, PAUSE_S)
    assert [each.kind for each in plan(1, 600, 1.0)][:50] == [each.kind for each in plan(1, 600, PAUSE_S)][:50]
    assert [each.kind for each in plan(1, 600, PAUSE_S)] != [each.kind for each in plan(2, 600, PAUSE_S)]


def test_every_kind_comes_before_one_comes_again() -> None:
    kinds = [each.kind for each in plan(3, 600, PAUSE_S)]
    counts = Counter(kinds[: 2 * len(KINDS)])
    assert set(counts) == set(KINDS)
    assert set(counts.values()) == {2}
    assert all(each.at_s <= 600 for each in plan(3, 600, PAUSE_S))


def test_the_absence_of_a_server_is_left_out_and_nothing_else() -> None:
    quick, slow = (100.0, 101.0), (100.0, 106.0)
    assert share_soon([quick, slow], []) == 0.5
    assert share_soon([quick, slow], [(104.0, 104.5)]) == 1.0, "it was away while the slow one waited"
    assert share_soon([quick, slow], [(105.5, 106.0)]) == 0.5, "it was late before the server was away"
    assert share_soon([quick, slow], [(90.0, 97.0)]) == 0.5, "it was back long before"
    assert share_soon([quick, slow], [(90.0, 120.0), (91.0, 92.0)]) == 1.0
    assert share_soon([], []) == 1.0


@pytest.mark.parametrize("healed_s", [None, 1.5])
def test_what_was_broken_is_said_with_the_command_that_repeats_it(healed_s: float | None) -> None:
    found = Result(
        seed=7,
        minutes=0.5,
        pause_s=2.0,
        callers=40,
        fired={"Redis is killed": 2},
        missed={"a worker is killed": 1},
        operations=10,
        requests=20,
        tickets=9,
        soon=0.9876,
        healed_s=healed_s,
        violations=1,
        wrong=["replay: room-01: it should be refused"],
    )
    said = found.text()
    assert not found.clean
    assert said.endswith("again: firstcome chaos --minutes 0.5 --pause 2 --callers 40 --seed 7")
    assert "broken  replay: room-01: it should be refused" in said
    assert "98.76% had a definite answer within 5 s" in said
    assert ("not within" in said) == (healed_s is None)


def test_a_seed_and_minutes_that_are_none_are_refused() -> None:
    for wrong in (
        ("--minutes", "0"),
        ("--minutes", "nan"),
        ("--seed", "-1"),
        ("--pause", "0.1"),
        ("--operations", "0"),
    ):
        refused = firstcome("chaos", *wrong)
        assert refused.returncode == 2
        assert "is not a" in refused.stderr
