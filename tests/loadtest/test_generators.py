"""Both generators send the same, count every answer, and miss none that does not come."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.errors import StartupRefused
from loadtest.generators import Generator, Kind, Load, Rooms, find_generator
from loadtest.report import what_is_wrong
from tests.loadtest.listener import HANG_UP, Wish, listening

BEGINNING = datetime(2060, 1, 1, tzinfo=UTC)
SERIES_BEGINNING = datetime(2061, 1, 1, tzinfo=UTC)
RULE = "FREQ=WEEKLY;COUNT=52"
CONNECTIONS = 8
LONG_S = 60
"""Loads end with their limit, long before this."""


@pytest.fixture(params=["wrk", "locust"])
def generator(request: pytest.FixtureRequest) -> Generator:
    name: str = request.param
    if name == "wrk" and shutil.which("wrk") is None:
        pytest.skip("wrk is not in PATH")
    return find_generator(name)


def load(kind: Kind, url: str, *, prefix: str = "room", rule: str = "") -> Load:
    return Load(url, kind, CONNECTIONS, LONG_S, first=70_000, rooms=Rooms(200, prefix), limit=400, rule=rule)


def wish(sent: Load, slot: int) -> Wish:
    """What is asked for in a slot."""
    if sent.kind == "many":
        resource_id = f"{sent.rooms.prefix}-{slot * 7919 % sent.rooms.number:05d}"
        minute = slot // sent.rooms.number
    elif sent.kind == "one":
        resource_id, minute = "room-one", slot
    else:
        resource_id, minute = "class", sent.first
    start = (SERIES_BEGINNING if sent.rule else BEGINNING) + timedelta(minutes=minute)
    return resource_id, start, start + timedelta(minutes=1), sent.rule


@pytest.mark.parametrize(
    ("kind", "prefix", "rule"),
    [("many", "room", ""), ("one", "room", ""), ("many", "series-52", RULE)],
    ids=["many", "one", "series"],
)
def test_every_slot_is_asked_for_at_most_once_and_no_slot_of_others(
    generator: Generator, kind: Kind, prefix: str, rule: str
) -> None:
    with listening(201) as listener:
        sent = load(kind, listener.url, prefix=prefix, rule=rule)
        shot = generator.shoot(sent)
    expected = {wish(sent, slot) for slot in range(sent.first, sent.first + shot.sent)}
    assert len(expected) == shot.sent, "two slots are the same wish"
    assert len(set(listener.wishes)) == len(listener.wishes) >= sent.limit
    assert set(listener.wishes) <= expected


def test_many_takes_every_resource_in_turn(generator: Generator) -> None:
    with listening(201) as listener:
        sent = load("many", listener.url)
        generator.shoot(sent)
    assert len({resource_id for resource_id, *_ in listener.wishes}) == sent.rooms.number


def test_a_class_is_asked_for_one_time_by_everybody(generator: Generator) -> None:
    with listening(201) as listener:
        sent = load("class", listener.url)
        generator.shoot(sent)
    assert set(listener.wishes) == {wish(sent, sent.first)}


def test_callers_show_their_tokens_in_turn(generator: Generator, tmp_path: Path) -> None:
    bearers = tmp_path / "bearers"
    bearers.write_text("first\nsecond\nthird\n")
    with listening(201) as listener:
        sent = replace(load("one", listener.url), bearers=bearers)
        generator.shoot(sent)
    shown = {wish[1]: bearer for wish, bearer in zip(listener.wishes, listener.bearers, strict=True)}
    names = ["first", "second", "third"]
    slots = [(start - BEGINNING) // timedelta(minutes=1) for start in shown]
    assert list(shown.values()) == [f"Bearer {names[slot % 3]}" for slot in slots]
    assert len(shown) >= sent.limit


def test_nobody_signs_in_without_tokens(generator: Generator) -> None:
    with listening(201) as listener:
        generator.shoot(load("one", listener.url))
    assert set(listener.bearers) == {None}


def test_reading_asks_for_the_address_as_it_is_and_books_nothing(generator: Generator) -> None:
    with listening(200) as listener:
        sent = load("read", f"{listener.url}?resource_id=room&start_date=2061-01-10T00%3A00%3A00%2B00%3A00")
        shot = generator.shoot(sent)
    assert set(listener.asked) == {sent.url.removeprefix(listener.url.removesuffix("/book"))}
    assert listener.wishes == []
    assert set(shot.statuses) == {"200"}
    assert what_is_wrong(shot, "read", connections=CONNECTIONS, limit=sent.limit) == []


def test_every_answer_is_counted_by_its_status(generator: Generator) -> None:
    with listening(201, 409, 409, 503) as listener:
        sent = load("class", listener.url)
        shot = generator.shoot(sent)
    assert sent.limit <= shot.answers < sent.limit + CONNECTIONS
    assert shot.errors == 0
    assert set(shot.statuses) == {"201", "409", "503"}
    for status, count in shot.statuses.items():
        assert count <= listener.answered[status] <= count + CONNECTIONS
    assert 0 < shot.p50_ms <= shot.p99_ms <= shot.longest_ms
    assert shot.busy > 0
    (why,) = what_is_wrong(shot, "class", connections=CONNECTIONS, limit=sent.limit)
    assert why == f"unexpected answers: {shot.statuses['503']} of 503"


def test_answers_that_are_all_expected_are_not_wrong(generator: Generator) -> None:
    with listening(201) as listener:
        sent = load("one", listener.url)
        shot = generator.shoot(sent)
    assert what_is_wrong(shot, "one", connections=CONNECTIONS, limit=sent.limit) == []


def test_connections_that_are_closed_without_an_answer_are_wrong(generator: Generator) -> None:
    with listening(201, 201, 201, HANG_UP) as listener:
        sent = load("one", listener.url)
        shot = generator.shoot(sent)
    assert shot.answers >= sent.limit
    (why,) = what_is_wrong(shot, "one", connections=CONNECTIONS, limit=sent.limit)
    assert "without an answer" in why or "connections were closed" in why


def test_a_load_without_a_limit_ends_with_its_time(generator: Generator) -> None:
    with listening(201) as listener:
        shot = generator.shoot(replace(load("one", listener.url), seconds=1, limit=0))
    assert shot.answers > 0
    assert shot.seconds >= 1


def test_a_generator_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StartupRefused, match="wrk is not in PATH"):
        find_generator("wrk")
    assert find_generator().name == "locust"
