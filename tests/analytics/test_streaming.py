"""A report that is streamed ends with its reader, and never looks whole when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from api.streaming import StreamedAnswer
from engine.errors import Unavailable

PIECES = 5


class Reader:
    """Somebody who takes some messages, and then goes."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.taken: list[Any] = []
        self.gone = asyncio.Event()

    async def read(self, answer: StreamedAnswer) -> None:
        scope: Any = {"type": "http", "headers": [], "state": {}}
        await answer(scope, self._receive, self._send)

    async def _receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.taken.append(message)
        if len(self.taken) == self.takes:
            self.gone.set()
        await asyncio.sleep(0)  # as a server does


def answer(pieces: AsyncGenerator[bytes, None]) -> StreamedAnswer:
    return StreamedAnswer(b"first", pieces, b"text/csv", "report.csv")


async def test_a_report_is_sent_whole_and_ends() -> None:
    async def some() -> AsyncGenerator[bytes, None]:
        for number in range(PIECES):
            yield b"%d" % number

    reader = Reader(takes=-1)
    await reader.read(answer(some()))
    assert b"".join(message.get("body", b"") for message in reader.taken) == b"first01234"
    assert [message["more_body"] for message in reader.taken[1:]] == [True] * (PIECES + 1) + [False]


async def test_nothing_more_is_made_for_a_reader_who_went() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"more"
        finally:
            ended.set()

    reader = Reader(takes=PIECES)
    async with asyncio.timeout(5):
        await reader.read(answer(endless()))
    assert ended.is_set()
    assert len(reader.taken) <= PIECES + 2


async def test_a_report_that_breaks_off_is_not_ended() -> None:
    async def breaking() -> AsyncGenerator[bytes, None]:
        yield b"more"
        raise Unavailable("the database is gone")

    reader = Reader(takes=-1)
    with pytest.raises(Unavailable):
        await reader.read(answer(breaking()))
    assert all(message.get("more_body", True) for message in reader.taken)
