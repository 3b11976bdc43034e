"""Look-ups that are made together: those that come while one is under way wait, and are then asked for at once.

A thousand callers who arrive in one second cost a few statements and one connection, not a thousand of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
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
    """Look-ups of one kind. Equal ones under way are made once."""

    def __init__(self, look_up: LookUp[K, V]) -> None:
        self._look_up = look_up
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, name: K) -> V | None:
        """Look up. None: there is none. Raises whatever the look-up raises."""
        future = self._waiting.get(name)
        if future is None:
            future = self._waiting[name] = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(future)  # one caller who goes away must not take the answer from the others

    async def _ask(self) -> None:
        try:
            while self._waiting:
                names = list(self._waiting)[:ASKED_AT_ONCE]
                asked = {name: self._waiting[name] for name in names}
                await self._answer(asked)
                for name in names:
                    del self._waiting[name]
        finally:
            self._asking = None

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


def look_up_in(pool: Pool, statement: Callable[[Connection, Sequence[K]], Awaitable[dict[K, V]]]) -> LookUp[K, V]:
    """Make a look-up of a statement that runs on a connection of the pool."""

    async def look_up(names: Sequence[K]) -> dict[K, V]:
        return await ask(pool, lambda connection: statement(connection, names), within_s=READ_TIMEOUT_S)

    return look_up
