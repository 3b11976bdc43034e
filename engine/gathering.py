"""Look-ups that are made together: those that come while others are under way wait, and are then asked for at once.

A thousand callers who arrive in one second cost a few statements and one connection, not a thousand of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.errors import Unavailable
from engine.store.pools import READ_TIMEOUT_S, Connection, Pool
from engine.store.reading import ask

ASKED_AT_ONCE = 1_000
"""Names in one statement."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LookUp = Callable[[Sequence[K]], Awaitable[dict[K, V]]]
"""Finds what there is for the names; what there is not is missing from its answer."""


class NoLaneInTime(Unavailable):
    """Nothing was asked: those before took too long."""


class Gathering(Generic[K, V]):
    """Look-ups of one kind.

    at_once  how many are in one look-up.
    lanes    how many look-ups are under way at one time. While a lane is free nobody waits.
    line_s   how long a name waits for a lane at most; None: as long as its callers do.

    Equal ones that wait are made once. None is answered from a look-up that began before it was asked for, which may
    not know what the caller knows. What everybody gave up who asked for it is not looked up.
    """

    def __init__(
        self, look_up: LookUp[K, V], *, at_once: int = ASKED_AT_ONCE, lanes: int = 1, line_s: float | None = None
    ) -> None:
        self._look_up = look_up
        self._at_once = at_once
        self._free_lanes = lanes
        self._line_s = line_s
        self._waiting: dict[K, _Question[V]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def find(self, name: K) -> V | None:
        """Look up. None: there is none.

        Raises whatever the look-up raises, and NoLaneInTime.
        """
        question = self._waiting.get(name)
        if question is None:
            question = self._waiting[name] = self._line_up(name)
            if self._free_lanes:
                self._free_lanes -= 1
                task = asyncio.create_task(self._ask())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
        question.callers += 1
        try:
            return await asyncio.shield(question.answer)  # one who goes away must not take it from the others
        finally:
            question.callers -= 1

    def _line_up(self, name: K) -> _Question[V]:
        loop = asyncio.get_running_loop()
        expiry = None if self._line_s is None else loop.call_later(self._line_s, self._expire, name)
        return _Question(loop.create_future(), expiry)

    def _expire(self, name: K) -> None:
        answer = self._waiting.pop(name).answer
        answer.set_exception(NoLaneInTime("too many wait for a look-up"))
        answer.exception()  # whoever asked may have gone

    async def _ask(self) -> None:
        try:
            while asked := self._take():
                await self._answer(asked)
        finally:
            self._free_lanes += 1

    def _take(self) -> dict[K, asyncio.Future[V | None]]:
        """Those who are next, and still there. Nobody: nobody waits."""
        taken: dict[K, asyncio.Future[V | None]] = {}
        while self._waiting and len(taken) < self._at_once:
            name = next(iter(self._waiting))
            question = self._waiting.pop(name)
            if question.expiry is not None:
                question.expiry.cancel()
            if question.callers:
                taken[name] = question.answer
        return taken

    async def _answer(self, asked: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._look_up(list(asked))
        except BaseException as error:
            ended = error if isinstance(error, Exception) else Unavailable("the look-up was ended")
            for future in asked.values():
                future.set_exception(ended)
                future.exception()  # whoever asked may have gone
            if ended is not error:
                raise
            return
        for name, future in asked.items():
            future.set_result(found.get(name))


@dataclass(slots=True)
class _Question(Generic[V]):
    """Something that is to be looked up, until when that may begin, and how many wait for it."""

    answer: asyncio.Future[V | None]
    expiry: asyncio.TimerHandle | None
    callers: int = 0


def look_up_in(pool: Pool, statement: Callable[[Connection, Sequence[K]], Awaitable[dict[K, V]]]) -> LookUp[K, V]:
    """Make a look-up of a statement that runs on a connection of the pool."""

    async def look_up(names: Sequence[K]) -> dict[K, V]:
        return await ask(pool, lambda connection: statement(connection, names), within_s=READ_TIMEOUT_S)

    return look_up
