"""When a run counts, and what follows from those that do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from loadtest.bench import Audited, Result
from loadtest.generators import SATURATED, Kind, Shot
from loadtest.goals import FEW, OCCURRENCES, Goal, few_of, goal_table, goals
from loadtest.history import CLASS_PLACES
from loadtest.machine import Machine
from loadtest.report import Measurement, lines, table, what_is_wrong

CROWD = 800
CALM = Shot(seconds=2, sent=1_801, statuses={"201": 1_000}, errors=0, p50_ms=2, p99_ms=9, longest_ms=20, busy=SATURATED)
"""As much as a generator may work, and as many unanswered at the end as there are connections."""


def measured(
    target: str, rate: float, *, connections: int = CROWD, round_: int = 1, wrong: Sequence[str] = (), **more: Any
) -> Measurement:
    shot = replace(CALM, **more)
    return Measurement(
        target=target,
        connections=connections,
        round=round_,
        rate=rate,
        p50_ms=shot.p50_ms,
        p99_ms=shot.p99_ms,
        statuses=shot.statuses,
        busy=shot.busy,
        saturated=shot.saturated,
        cpu_s={"API": 0.5},
        memory_mb={"API": 90, "workers": 130},
        wrong=list(wrong),
    )


def goal(found: Sequence[Measurement], name: str, *, backlog: float | None = None) -> Goal:
    return next(one for one in goals(found, (1, CROWD), backlog=backlog) if one.name == name)


def test_a_generator_that_uses_more_than_nine_tenths_of_a_core_is_saturated() -> None:
    assert not CALM.saturated
    assert replace(CALM, busy=SATURATED + 0.001).saturated
    assert SATURATED == 0.9


@pytest.mark.parametrize("side", ["many", "noop"])
def test_a_ratio_is_void_when_the_generator_was_saturated_on_either_side(side: str) -> None:
    calm = [measured("many", 4_000), measured("noop", 8_000)]
    busy = [measured(one.target, one.rate, busy=0.91 if one.target == side else 0.5) for one in calm]
    assert goal(calm, "queue, many resources / no-op").verdict == "met"
    void = goal(busy, "queue, many resources / no-op")
    assert (void.verdict, void.value) == ("void", 0.5)


def test_a_ratio_is_void_when_one_round_of_three_was_saturated() -> None:
    rounds = [measured(name, 8_000, round_=number) for name in ("many", "noop") for number in (1, 2)]
    rounds += [measured("many", 8_000, round_=3, busy=0.95), measured("noop", 8_000, round_=3)]
    assert goal(rounds[:4], "queue, many resources / no-op").verdict == "met"
    assert goal(rounds, "queue, many resources / no-op").verdict == "void"


@pytest.mark.parametrize(
    ("name", "connections"),
    [
        ("one caller alone: p50", 1),
        ("one caller alone: p99", 1),
        (f"p99 at {CROWD} connections, many resources", CROWD),
    ],
)
def test_a_latency_is_void_when_the_generator_was_saturated(name: str, connections: int) -> None:
    assert goal([measured("many", 300, connections=connections)], name).verdict == "met"
    assert goal([measured("many", 300, connections=connections, busy=0.91)], name).verdict == "void"


def test_memory_counts_also_when_the_generator_was_saturated() -> None:
    found = [measured("many", 300, busy=0.91)]
    assert goal(found, f"resident memory at {CROWD} waiting: API").verdict == "met"
    assert goal(found, f"resident memory at {CROWD} waiting: workers").verdict == "missed"


def test_a_run_with_wrong_answers_voids_what_follows_from_it() -> None:
    found = [measured("many", 9_000, wrong=["unexpected answers: 1 of 500"]), measured("noop", 9_000)]
    assert goal(found, "queue, many resources / no-op").verdict == "void"
    assert goal(found, f"p99 at {CROWD} connections, many resources").verdict == "void"
    assert goal(found, f"resident memory at {CROWD} waiting: API").verdict == "void"


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    pairs = [(5_000, 10_000), (2_000, 10_000), (300, 500)]
    found = [measured("many", above, round_=number) for number, (above, _) in enumerate(pairs)]
    found += [measured("noop", below, round_=number) for number, (_, below) in enumerate(pairs)]
    assert goal(found, "queue, many resources / no-op").value == 0.5


def test_only_rounds_with_both_sides_make_a_ratio() -> None:
    found = [measured("many", 100, round_=1), measured("many", 5_000, round_=2), measured("noop", 10_000, round_=2)]
    assert goal(found, "queue, many resources / no-op").value == 0.5


def test_a_side_without_an_answer_makes_no_ratio_that_is_met() -> None:
    found = [measured("many", 100), measured("noop", 0, wrong=["no answers at all"])]
    assert goal(found, "queue, many resources / no-op").verdict == "void"


def test_a_figure_below_its_floor_is_missed() -> None:
    found = [measured("many", 3_999), measured("noop", 10_000)]
    assert goal(found, "queue, many resources / no-op").verdict == "missed"


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {one.verdict for one in goals([], (1, CROWD), backlog=None)} == {"not measured"}


SERIES_COST = "one caller alone: weekly series of 52 / single"


def alone(target: str, p50_ms: float, *, round_: int = 1, busy: float = 0.5) -> Measurement:
    return measured(target, 100, connections=1, round_=round_, p50_ms=p50_ms, busy=busy)


@pytest.mark.parametrize(("p50_ms", "verdict"), [(20, "met"), (20.1, "missed")])
def test_a_series_of_52_may_take_five_times_as_long_as_a_single_booking(p50_ms: float, verdict: str) -> None:
    found = goal([alone("series-52", p50_ms), alone("series-single", 4)], SERIES_COST)
    assert (found.verdict, found.value) == (verdict, p50_ms / 4)


def test_a_cost_is_the_median_of_the_rounds_own_ratios() -> None:
    pairs = [(40, 10), (6, 3), (90, 10)]
    found = [alone("series-52", above, round_=number) for number, (above, _) in enumerate(pairs)]
    found += [alone("series-single", below, round_=number) for number, (_, below) in enumerate(pairs)]
    assert goal(found, SERIES_COST).value == 4


@pytest.mark.parametrize("side", ["series-52", "series-single"])
def test_a_cost_is_void_when_the_generator_was_saturated_on_either_side(side: str) -> None:
    found = [alone(name, 4, busy=0.91 if name == side else 0.5) for name in ("series-52", "series-single")]
    assert goal(found, SERIES_COST).verdict == "void"


@pytest.mark.parametrize(("rate", "verdict"), [(OCCURRENCES / 52 + 0.1, "met"), (OCCURRENCES / 52 - 0.1, "missed")])
def test_each_answer_to_a_series_of_52_counts_for_52_occurrences(rate: float, verdict: str) -> None:
    found = [measured("series-52", rate, connections=FEW), measured("series-52", 1, connections=1)]
    (one,) = [one for one in goals(found, (1, FEW, CROWD), backlog=None) if one.name.startswith("occurrences")]
    assert one.name == "occurrences at 64 connections"
    assert (one.verdict, one.value) == (verdict, rate * 52)


@pytest.mark.parametrize(
    ("connections", "few"), [((1, 64, 800), 64), ((1, 16), 16), ((2, 64, 65), 64), ((1, 800), None), ((1,), None)]
)
def test_occurrences_are_counted_with_the_most_connections_of_two_to_64(
    connections: Sequence[int], few: int | None
) -> None:
    assert few_of(connections) == few


@pytest.mark.parametrize(
    ("rate", "told"), [(0.0123456, "0.642 /s"), (19.22, "999 /s"), (19.229, "1,000 /s"), (152.469, "7,928 /s")]
)
def test_a_figure_is_told_with_three_digits_and_without_an_exponent(rate: float, told: str) -> None:
    table = goal_table(goals([measured("series-52", rate, connections=FEW)], (1, FEW), backlog=None))
    assert f" {told} " in next(line for line in table.splitlines() if "occurrences" in line)


@pytest.mark.parametrize(("ratio", "verdict"), [(1.2, "met"), (1.21, "missed")])
def test_the_enqueue_step_may_be_a_fifth_slower(ratio: float, verdict: str) -> None:
    assert goal([], "enqueue, many waiting / none waiting", backlog=ratio).verdict == verdict


def test_lines_are_medians_for_each_target_and_number_of_connections() -> None:
    found = [measured("many", rate, round_=number, p99_ms=rate / 10) for number, rate in enumerate((100, 900, 200))]
    found.append(measured("many", 7, connections=1, busy=0.95))
    crowd, alone = lines(found)
    assert (crowd.connections, crowd.rate, crowd.p99_ms, crowd.void) == (CROWD, 200, 20, False)
    assert crowd.cpu_s_per_1000 == {"API": 0.5}
    assert (alone.connections, alone.rate, alone.void) == (1, 7, True)
    told = table([crowd, alone]).splitlines()
    assert "void" not in told[2]
    assert told[3].startswith("| many (void) ")


def wrong(statuses: dict[str, int], kind: Kind = "many", *, limit: int = 0, lost: int = 0) -> list[str]:
    shot = replace(CALM, statuses=statuses, sent=sum(statuses.values()) + CROWD + 1 + lost)
    return what_is_wrong(shot, kind, connections=CROWD, limit=limit)


@pytest.mark.parametrize("kind", ["many", "one", "class", "read"])
@pytest.mark.parametrize("status", ["202", "304", "400", "429", "500", "503"])
def test_a_single_unexpected_status_is_wrong(kind: Kind, status: str) -> None:
    expected = "200" if kind == "read" else "201"
    assert wrong({expected: 400}, kind) == []
    assert wrong({expected: 400, status: 1}, kind) == [f"unexpected answers: 1 of {status}"]


def test_a_booking_is_answered_with_201_and_a_question_with_200() -> None:
    assert wrong({"200": 400}, "many") == ["unexpected answers: 400 of 200"]
    assert wrong({"201": 400}, "read") == ["unexpected answers: 400 of 201"]


def test_a_refusal_is_expected_of_a_class_only() -> None:
    assert wrong({"201": 400, "409": 1}, "class") == []
    assert wrong({"201": 400, "409": 1}, "many") == wrong({"201": 400, "409": 1}, "one") != []


def test_one_request_more_than_can_be_under_way_was_lost() -> None:
    assert wrong({"201": 400}, lost=1) == ["1 requests whose connections were closed"]


def test_a_class_has_as_many_bookings_as_places_when_all_who_came_were_answered() -> None:
    right, limit = {"201": CLASS_PLACES, "409": 19_500}, 20_000
    assert wrong(right, "class", limit=limit) == []
    assert wrong({"201": CLASS_PLACES - 1, "409": 19_501}, "class", limit=limit)
    assert wrong({"201": CLASS_PLACES + 1, "409": 19_499}, "class", limit=limit)
    assert wrong({"201": 499, "409": 1}, "class", limit=limit) == [], "it was cut off by time"


def result(*, clean: bool = True, wrong: Sequence[str] = (), found: Sequence[Measurement] = ()) -> Result:
    words = {"processor": "", "system": "", "file_system": "", "python": "", "postgresql": "", "redis": ""}
    machine = Machine(**words, cores=2, memory_gb=4, libraries={}, servers="embedded", durability="")
    audit = Audited(installation="queue", clean=clean, tickets=1, booked=1, stands=1, violations=[] if clean else ["x"])
    return Result(
        machine=machine,
        generator="wrk",
        seconds=1,
        rounds=1,
        lines=lines(found),
        goals=goals(found, (1, CROWD), backlog=None),
        backlog=None,
        audits=[audit],
        wrong=list(wrong),
        measurements=list(found),
    )


def test_a_run_fails_on_what_the_audit_finds_and_on_wrong_answers() -> None:
    assert result().code(strict=False) == 0
    assert result(clean=False).code(strict=False) == 1
    assert result(wrong=["unexpected answers: 1 of 500"]).code(strict=False) == 1


def test_a_missed_or_void_figure_fails_a_strict_run_only() -> None:
    for rate, busy in ((1, 0.5), (9_000, 0.95)):
        found = [measured("class", rate, busy=busy), measured("one", 9_000)]
        assert result(found=found).code(strict=False) == 0
        assert result(found=found).code(strict=True) == 1
    assert result().code(strict=True) == 0


def test_the_text_names_what_fails_it() -> None:
    told = result(clean=False, wrong=["1 of 500"], found=[measured("many", 1)]).text()
    assert "INVALID  1 of 500" in told
    assert "verify queue: broken\nx" in told


def test_the_document_can_be_read_back() -> None:
    found = result(found=[measured("many", 1)])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Result) == found
