"""Suggestions: looked up once for many, bounded in time and number, and never an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from engine import suggestions as module
from engine.reader import Answer, Reader
from engine.rules.free_time import HORIZON, STEP
from engine.store.availability import ClaimsQuery, StandingClaims
from engine.suggestions import Suggestions
from tests.flow.cable import cable_to
from tests.flow.test_reader import reading
from tests.schema.rows import MIDNIGHT, Connection, add_resource, book, hours

HOUR = timedelta(hours=1)


@pytest.fixture
async def suggestions(database_url: str) -> AsyncIterator[Suggestions]:
    async with reading(database_url, None) as reader:
        made = Suggestions(reader)
        yield made
        await made.stop()


async def starts(
    suggestions: Suggestions, resource: int, start: float, *, length: float = 1, places: int = 1
) -> list[float]:
    """Ask, and tell the hours of the day; they must have the length that was asked for."""
    wished = MIDNIGHT + start * HOUR
    slots = await suggestions.next_slots(resource, wished, length * HOUR, places)
    assert all(end - begin == length * HOUR for begin, end in slots)
    return [(begin - MIDNIGHT) / HOUR for begin, _ in slots]


async def test_the_next_five_free_times_keep_the_minutes_of_the_wish(
    database: Connection, suggestions: Suggestions
) -> None:
    room = await add_resource(database, capacity=1)
    await book(database, room, hours(9, 10))
    await book(database, room, hours(11.5, 12))
    assert await starts(suggestions, room, 9.25) == [10.25, 12.25, 13.25, 14.25, 15.25]


async def test_the_refused_start_itself_is_not_suggested(database: Connection, suggestions: Suggestions) -> None:
    """The replica may not know yet that it is taken."""
    room = await add_resource(database, capacity=1)
    assert await starts(suggestions, room, 9) == [10, 11, 12, 13, 14]


async def test_places_count(database: Connection, suggestions: Suggestions) -> None:
    course = await add_resource(database, capacity=3)
    await book(database, course, hours(9, 12), places=2)
    assert (await starts(suggestions, course, 9, places=1))[0] == 10
    assert (await starts(suggestions, course, 9, places=2))[0] == 12
    assert await starts(suggestions, course, 9, places=4) == []


async def test_fewer_where_fewer_exist_and_none_behind_ninety_days(
    database: Connection, suggestions: Suggestions
) -> None:
    room = await add_resource(database, capacity=1)
    days = HORIZON / HOUR
    await book(database, room, hours(9, 11))
    await book(database, room, hours(12, 9 + days))
    assert await starts(suggestions, room, 9) == [11, 9 + days]


async def test_a_wish_that_is_past_leads_to_times_behind_now(database: Connection, suggestions: Suggestions) -> None:
    room = await add_resource(database, capacity=1)
    long_ago = datetime(2020, 1, 1, 9, 30, tzinfo=UTC)
    now = datetime.now(UTC)
    slots = await suggestions.next_slots(room, long_ago, HOUR, 1)
    assert len(slots) == 5
    assert now < slots[0][0] <= datetime.now(UTC) + STEP
    assert {begin.minute for begin, _ in slots} == {30}


async def test_an_unknown_resource_and_the_end_of_the_calendar_have_none(
    database: Connection, suggestions: Suggestions
) -> None:
    room = await add_resource(database, capacity=1)
    assert await suggestions.next_slots(4_711, MIDNIGHT, HOUR, 1) == []
    assert await suggestions.next_slots(room, datetime(9999, 12, 31, tzinfo=UTC), HOUR, 1) == []


async def test_equal_questions_under_way_are_asked_once_and_all_answered(
    database: Connection, suggestions: Suggestions, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await add_resource(database, capacity=1)
    await starts(suggestions, room, 1)  # the statement is prepared: what takes longer than WAIT_S is given up
    looks = 0

    read = Reader.read_claims

    async def counted(reader: Reader, query: ClaimsQuery) -> Answer[StandingClaims | None]:
        nonlocal looks
        looks += 1
        return await read(reader, query)

    monkeypatch.setattr(Reader, "read_claims", counted)
    answers = await asyncio.gather(*(starts(suggestions, room, 9) for _ in range(200)))
    assert answers == [[10, 11, 12, 13, 14]] * 200
    assert looks == 1
    assert await starts(suggestions, room, 10) == [11, 12, 13, 14, 15]
    assert looks == 2


async def test_an_answer_is_remembered_for_a_while_and_then_looked_up_again(
    database: Connection, suggestions: Suggestions, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await add_resource(database, capacity=1)
    monkeypatch.setattr(module, "REMEMBERED_S", 600.0)
    assert (await starts(suggestions, room, 9))[0] == 10
    await book(database, room, hours(10, 11))
    assert (await starts(suggestions, room, 9))[0] == 10
    monkeypatch.setattr(module, "REMEMBERED_S", 0.0)
    assert (await starts(suggestions, room, 9))[0] == 11


async def test_questions_are_bounded_and_old_ones_make_room(
    database: Connection, suggestions: Suggestions, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await add_resource(database, capacity=1)
    monkeypatch.setattr(module, "QUESTIONS", 3)
    monkeypatch.setattr(module, "REMEMBERED_S", 600.0)
    for hour in range(3):
        assert len(await starts(suggestions, room, hour)) == 5
    assert await starts(suggestions, room, 3) == []
    assert len(await starts(suggestions, room, 2)) == 5, "what is remembered still serves"
    monkeypatch.setattr(module, "REMEMBERED_S", 0.0)
    assert len(await starts(suggestions, room, 3)) == 5
    assert len(suggestions._asked) == 1


async def test_a_database_that_does_not_answer_costs_no_error_and_a_bounded_wait(
    database_url: str, database: Connection
) -> None:
    room = await add_resource(database, capacity=1)
    async with cable_to(database_url) as cable, reading(cable.url, None) as reader:
        suggestions = Suggestions(reader)
        assert len(await starts(suggestions, room, 9)) == 5
        cable.cut("back")
        asking = asyncio.create_task(starts(suggestions, room, 10))
        assert await asking == []
        wished = MIDNIGHT + 10 * HOUR
        ((_, looking),) = [asked for question, asked in suggestions._asked.items() if question[1] == wished]
        assert not looking.done(), "the answer came before the look-up ended: the wait is bounded"
        await suggestions.stop()
        assert looking.done()


async def test_a_refused_caller_who_goes_away_leaves_the_answer_to_the_others(
    database: Connection, suggestions: Suggestions
) -> None:
    room = await add_resource(database, capacity=1)
    first, second = (asyncio.create_task(starts(suggestions, room, 9)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == [10, 11, 12, 13, 14]
