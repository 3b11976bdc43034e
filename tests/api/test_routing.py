"""Look-ups that are remembered: bounded, made once, and never of what does not exist."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import asyncpg
import httpx
import pytest

from api.routing import Memory
from engine.errors import Unavailable
from tests.api.steps import ROOT, book, make_resource
from tests.support import wait_until


class Source:
    """Where look-ups end. Each waits until it may answer."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.there = {"a": 1, "b": 2, "c": 3}
        self.broken = False
        self.statements = 0

    async def look_up(self, names: Sequence[str]) -> dict[str, int]:
        self.statements += 1
        self.asked.update(names)
        await self.may_answer.wait()
        if self.broken:
            raise Unavailable("out of order")
        return {name: self.there[name] for name in names if name in self.there}


async def test_what_is_there_is_asked_for_once() -> None:
    source = Source()
    memory = Memory(source.look_up)
    assert [await memory.find("a") for _ in range(3)] == [1, 1, 1]
    assert source.asked == {"a": 1}


async def test_what_is_not_there_is_asked_for_again() -> None:
    source = Source()
    memory = Memory(source.look_up)
    assert await memory.find("new") is None
    source.there["new"] = 4
    assert await memory.find("new") == 4


async def test_the_oldest_goes_first() -> None:
    source = Source()
    memory = Memory(source.look_up, bound=2)
    for name in ("a", "b", "c", "b", "c", "a"):
        await memory.find(name)
    assert source.asked == {"a": 2, "b": 1, "c": 1}


async def test_equal_questions_under_way_are_one() -> None:
    source = Source()
    memory = Memory(source.look_up)
    source.may_answer.clear()
    waiting = [asyncio.create_task(memory.find("a")) for _ in range(5)]
    await wait_until(lambda: source.asked)
    waiting[0].cancel()  # one who goes away does not take the answer from the others
    source.may_answer.set()
    assert await asyncio.gather(*waiting[1:]) == [1, 1, 1, 1]
    assert source.asked == {"a": 1}


async def test_those_who_come_while_one_is_asked_for_are_asked_for_together() -> None:
    source = Source()
    memory = Memory(source.look_up)
    source.may_answer.clear()
    waiting = [asyncio.create_task(memory.find("a"))]
    await wait_until(lambda: source.asked)
    waiting += [asyncio.create_task(memory.find(name)) for name in ("b", "c", "new", "b")]
    source.may_answer.set()
    assert await asyncio.gather(*waiting) == [1, 2, 3, None, 2]
    assert (source.statements, source.asked["b"]) == (2, 1)


async def test_trouble_is_told_and_not_remembered() -> None:
    source = Source()
    memory = Memory(source.look_up)
    source.broken = True
    with pytest.raises(Unavailable):
        await memory.find("a")
    source.broken = False
    assert await memory.find("a") == 1


async def test_a_resource_that_comes_to_be_is_found(
    client: httpx.AsyncClient, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    assert (await book(client)).status_code == 404
    await make_resource(client)
    assert (await book(client)).status_code == 201
    await database.execute("UPDATE resource SET resource_id = 'renamed by hand'")
    assert (await client.get(f"{ROOT}/resources/room-1/ledger")).status_code == 200, "it was remembered"
