"""The next free times after a refusal: advice, from the replica, once for many.

When a launch opens, thousands are refused the same time within a second. The first of them looks, those
that come while it looks wait for it, and those that come within REMEMBERED_S get what it found.
Advice is worth little waiting and no error: after WAIT_S, and on any trouble, there is none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID

from engine.errors import EngineError
from engine.preview import free_starts
from engine.reader import Reader
from engine.rules.free_time import STEP, Interval, free_intervals, next_starts, suggestion_window
from engine.rules.recurrence import Recurrence
from engine.store.availability import ClaimsQuery, StandingClaims
from engine.store.offers import Offering, next_open_slots
from engine.tasks import end_tasks

logger = logging.getLogger(__name__)

WAIT_S = 0.25
"""How long a refused request waits for suggestions."""
REMEMBERED_S = 1.0
"""How long an answer serves for equal questions, counted from the question."""
QUESTIONS = 1_000
"""How many different questions are under way or remembered at most; past that there is no advice."""

MOST_SLOTS = 5
"""How many slots of a host are suggested."""
T = TypeVar("T")

Question = tuple[int, datetime, timedelta, int] | tuple[int, Recurrence, int] | tuple[int, UUID]
"""A time, or a series: the resource, what is wished for there, and places. Or a host's calendar, and a slot of it."""


class Suggestions:
    """Free times near a refused one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._asked: dict[Question, tuple[float, asyncio.Task[list[Any]]]] = {}

    async def next_slots(self, resource: int, start: datetime, length: timedelta, places: int) -> list[Interval]:
        """Find at most five free times of the same length, from ``start`` (or now) on, within 90 days.

        start  the start that was refused; it is not suggested again, as the replica may not know yet
               that it is taken.

        Returns the times in order; nothing where there are none or they were not found in time.
        """
        return await self._wait_for((resource, start, length, places), self._find(resource, start, length, places))

    async def next_series_starts(self, resource: int, recurrence: Recurrence, places: int) -> list[Interval]:
        """Find at most five later starts of a series at which every occurrence is free.

        Returns their first occurrences in order; nothing where none was found in time.
        """
        return await self._wait_for((resource, recurrence, places), self._find_starts(resource, recurrence, places))

    async def next_open_slots(self, calendar: int, slot: UUID) -> list[Offering]:
        """Find the next MOST_SLOTS slots of the same host that can be booked, behind the one that was refused."""
        return await self._wait_for((calendar, slot), self._find_open_slots(slot))

    async def _wait_for(self, question: Question, finding: Coroutine[Any, Any, list[T]]) -> list[T]:
        looking = self._look(question, finding)
        if looking is None:
            return []
        if not looking.done():
            await asyncio.wait({looking}, timeout=WAIT_S)
        return looking.result() if looking.done() and not looking.cancelled() else []

    async def stop(self) -> None:
        """End what is under way."""
        await end_tasks(task for _, task in self._asked.values())
        self._asked.clear()

    def _look(self, question: Question, finding: Coroutine[Any, Any, list[T]]) -> asyncio.Task[list[T]] | None:
        """The look-up for a question: the one under way or remembered, or a new one. None: there are too many."""
        now = time.monotonic()
        self._forget(now)
        if question in self._asked or len(self._asked) >= QUESTIONS:
            finding.close()  # somebody has asked, or there is no room
        else:
            self._asked[question] = (now, asyncio.create_task(self._answer(question[0], finding)))
        asked = self._asked.get(question)
        return None if asked is None else asked[1]

    def _forget(self, now: float) -> None:
        """Drop the answers that are too old. All stand in the order in which they were asked for."""
        old = takewhile(lambda asked: now - asked[1][0] >= REMEMBERED_S, self._asked.items())
        for question in [question for question, (_, looking) in old if looking.done()]:
            del self._asked[question]

    async def _answer(self, resource: int, finding: Coroutine[Any, Any, list[T]]) -> list[T]:
        """Find the times; on trouble, which must not turn a refusal into an error, there are none."""
        try:
            return await finding
        except OverflowError:  # the calendar ends within the 90 days
            return []
        except EngineError as error:
            logger.warning("no suggestions", extra={"resource": resource, "error": str(error)})
        except Exception:
            logger.exception("no suggestions", extra={"resource": resource})
        return []

    async def _find(self, resource: int, start: datetime, length: timedelta, places: int) -> list[Interval]:
        claims = await self._claims(resource, suggestion_window(start, length, now=start))
        if claims is not None and claims.now > start:
            claims = await self._claims(resource, suggestion_window(start, length, now=claims.now))
        if claims is None:
            return []
        free = free_intervals(
            claims.taken,
            start=start + STEP,
            end=suggestion_window(start, length, now=claims.now)[1],
            capacity=claims.capacity,
            places=places,
            now=claims.now,
        )
        return next_starts(free, wished=start, length=length, now=claims.now)

    async def _find_starts(self, resource: int, recurrence: Recurrence, places: int) -> list[Interval]:
        query = partial(free_starts, resource=resource, recurrence=recurrence, places=places)
        return (await self._reader.read(query)).value or []

    async def _find_open_slots(self, slot: UUID) -> list[Offering]:
        return (await self._reader.read(partial(next_open_slots, slot=slot, limit=MOST_SLOTS))).value or []

    async def _claims(self, resource: int, window: Interval) -> StandingClaims | None:
        return (await self._reader.read_claims(ClaimsQuery(resource, *window))).value
