"""Look-ups that are made together: how many, in what order, and never older than the question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from engine.errors import Unavailable
from engine.gathering import Gathering, NoLaneInTime


class Library:
    """Answers a look-up when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self._open: list[asyncio.Future[dict[str, int]]] = []

    async def look_up(self, names: Sequence[str]) -> dict[str, int]:
        self.asked.append(list(names))
        self._open.append(asyncio.get_running_loop().create_future())
        return await self._open[-1]

    async def answer(self, number: int, found: dict[str, int] | Exception) -> None:
        """End a look-up, and let whoever waited go on."""
        if isinstance(found, Exception):
            self._open[number].set_exception(found)
        else:
            self._open[number].set_result(found)
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def ask(gathering: Gathering[str, int], names: str) -> list[asyncio.Task[int | None]]:
    return [asyncio.create_task(gathering.find(name)) for name in names]


async def test_those_who_come_while_one_is_under_way_are_asked_for_together() -> None:
    library = Library()
    gathering = Gathering(library.look_up)
    first = ask(gathering, "a")
    await settle()
    second = ask(gathering, "bcb")
    await settle()
    assert library.asked == [["a"]]
    await library.answer(0, {"a": 1})
    assert library.asked == [["a"], ["b", "c"]]
    await library.answer(1, {"b": 2})
    assert await asyncio.gather(*first, *second) == [1, 2, None, 2]


async def test_who_asks_while_the_same_is_under_way_is_not_given_its_answer() -> None:
    library = Library()
    gathering = Gathering(library.look_up)
    early = ask(gathering, "a")
    await settle()
    late = ask(gathering, "a")
    await settle()
    await library.answer(0, {"a": 1})
    assert not late[0].done()
    await library.answer(1, {"a": 2})
    assert await asyncio.gather(*early, *late) == [1, 2]


async def test_lanes_are_used_before_anyone_waits_and_given_back_after_trouble() -> None:
    library = Library()
    gathering = Gathering(library.look_up, at_once=2, lanes=2)
    for round_begins in (0, 4):
        tasks: list[asyncio.Task[int | None]] = []
        for name in "abcdef":
            tasks += ask(gathering, name)
            await settle()
        assert library.asked[round_begins:] == [["a"], ["b"]]
        await library.answer(round_begins + 1, OSError("gone"))
        assert library.asked[round_begins:] == [["a"], ["b"], ["c", "d"]]
        await library.answer(round_begins, {"a": 1})
        await library.answer(round_begins + 2, {"c": 3, "d": 4})
        await library.answer(round_begins + 3, {"e": 5, "f": 6})
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [result if isinstance(result, int) else type(result) for result in results] == [1, OSError, 3, 4, 5, 6]


async def test_one_who_goes_away_takes_the_answer_from_nobody() -> None:
    library = Library()
    gathering = Gathering(library.look_up)
    gone, stays = ask(gathering, "aa")
    await settle()
    gone.cancel()
    await settle()
    await library.answer(0, {"a": 1})
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_whoever_has_no_turn_in_time_is_told_so_and_the_others_have_theirs() -> None:
    library = Library()
    gathering = Gathering(library.look_up, line_s=0.05)
    first = ask(gathering, "a")
    await settle()
    late = ask(gathering, "bc")
    results = await asyncio.gather(*late, return_exceptions=True)
    assert [type(result) for result in results] == [NoLaneInTime] * 2
    last = ask(gathering, "b")
    await settle()
    await library.answer(0, {"a": 1})
    await library.answer(1, {"b": 2})
    assert await asyncio.gather(*first, *last) == [1, 2]
    assert library.asked == [["a"], ["b"]]


async def test_what_everybody_gave_up_is_not_looked_up() -> None:
    library = Library()
    gathering = Gathering(library.look_up)
    first = ask(gathering, "a")
    await settle()
    gone, stays = ask(gathering, "bcd"), ask(gathering, "c")
    await settle()
    for task in gone:
        task.cancel()
    await library.answer(0, {"a": 1})
    assert library.asked == [["a"], ["c"]]
    await library.answer(1, {"c": 3})
    assert await asyncio.gather(*first, *stays) == [1, 3]


async def test_a_look_up_that_is_ended_leaves_nobody_waiting() -> None:
    library = Library()
    gathering = Gathering(library.look_up)
    waiting = ask(gathering, "ab")
    await settle()
    for lane in gathering._under_way:
        lane.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 2
    later = ask(gathering, "c")
    await settle()
    await library.answer(1, {"c": 3})
    assert await later[0] == 3
