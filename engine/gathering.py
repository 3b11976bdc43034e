"""Look-ups that are made together: those that come while others are under way wait, and are then asked for at once.

A thousand callers who arrive in one second cost a few statements and one connection, not a thousand of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from itertools import islice
from typing import Generic, TypeVar

from engine.store.pools import READ_TIMEOUT_S, Connection, Pool
from engine.store.reading import ask

ASKED_AT_ONCE = 1_000
"""Names in one statement."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LookUp = Callable[[Sequence[K]], Awaitable[dict[K, V]]]
"""Finds what there is for the names; what there is not is missing from its answer."""


class Gathering(Generic[K, V]):
    """Look-ups of one kind.

    at_once  how many are in one look-up.
    lanes    how many look-ups are under way at one time. While a lane is free nobody waits.

    Equal ones that wait are made once. None is answered from a look-up that began before it was asked for, which may
    not know what the caller knows.
    """

    def __init__(self, look_up: LookUp[K, V], *, at_once: int = ASKED_AT_ONCE, lanes: int = 1) -> None:
        self._look_up = look_up
        self._at_once = at_once
        self._free_lanes = lanes
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def find(self, name: K) -> V | None:
        """Look up. None: there is none. Raises whatever the look-up raises."""
        future = self._waiting.get(name)
        if future is None:
            future = self._waiting[name] = asyncio.get_running_loop().create_future()
            if self._free_lanes:
                self._free_lanes -= 1
                task = asyncio.create_task(self._ask())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(future)  # one caller who goes away must not take the answer from the others

    async def _ask(self) -> None:
        try:
            while self._waiting:
                names = list(islice(self._waiting, self._at_once))
                await self._answer({name: self._waiting.pop(name) for name in names})
        finally:
            self._free_lanes += 1

    async def _answer(self, asked: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._look_up(list(asked))
        except Exception as error:  # noqa: BLE001  # it is raised again, in each of those who asked
            for future in asked.values():
                future.set_exception(error)
                future.exception()  # whoever asked may have gone
            return
        for name, future in asked.items():
            future.set_result(found.get(name))


def look_up_in(
    pool: Pool,
    statement: Callable[[Connection, Sequence[K]], Awaitable[dict[K, V]]],
    *,
    within_s: float = READ_TIMEOUT_S,
) -> LookUp[K, V]:
    """Make a look-up of a statement that runs on a connection of the pool.

    within_s  as for ``ask``.
    """

    async def look_up(names: Sequence[K]) -> dict[K, V]:
        return await ask(pool, lambda connection: statement(connection, names), within_s=within_s)

    return look_up
