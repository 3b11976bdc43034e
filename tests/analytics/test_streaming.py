"""A report that is streamed ends with its reader, and never looks whole when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from api.privacy import FileAnswer
from api.streaming import StreamedAnswer
from engine.errors import Unavailable

PIECES = 5


class Reader:
    """Somebody who takes some messages, and then goes."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.taken: list[Any] = []
        self.gone = asyncio.Event()

    async def read(self, answer: StreamedAnswer | FileAnswer) -> None:
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


class Slow(Reader):
    """Somebody who takes some messages, and then none, and stays."""

    async def _send(self, message: Any) -> None:
        self.taken.append(message)
        if len(self.taken) > self.takes:
            await self.gone.wait()


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


async def test_who_takes_a_piece_too_slowly_is_cut_off_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("api.streaming.SEND_WITHIN_S", 0.05)
    ended = asyncio.Event()

    async def some() -> AsyncGenerator[bytes, None]:
        try:
            yield b"more"
        finally:
            ended.set()

    (tmp_path / "export").write_bytes(b"{}")
    file = (tmp_path / "export").open("ab+")
    for sent, takes in ((answer(some()), 2), (FileAnswer(file, []), 1)):
        reader = Slow(takes=takes)
        with pytest.raises(TimeoutError):
            await reader.read(sent)
        assert all(message.get("more_body", True) for message in reader.taken), "it does not look whole"
    assert ended.is_set()
    assert file.closed


async def test_a_report_that_breaks_off_is_not_ended() -> None:
    async def breaking() -> AsyncGenerator[bytes, None]:
        yield b"more"
        raise Unavailable("the database is gone")

    reader = Reader(takes=-1)
    with pytest.raises(Unavailable):
        await reader.read(answer(breaking()))
    assert all(message.get("more_body", True) for message in reader.taken)
