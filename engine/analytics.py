"""What operators ask about bookings, answered from the counts and what came since, on the replica.

Every number counts attempts to book and what was decided about them, in the order of decision: a day has the attempts
that were decided on it. A series is one attempt and one booking. A booking that is moved stays the one that it was,
and one that was cancelled counts as cancelled on the day on which it was made.

One question at a time is asked by a process, each with a bound in time, and with one core of the replica: bookings go
on beside it. Where the replica is passed over, the primary is asked within the same bound; what takes the replica too
long is not asked of the primary.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

from engine.commands import Reason
from engine.errors import Unavailable
from engine.reader import Answer, Reader
from engine.store import analytics as store
from engine.store.analytics import BOOKED, CANCELLED, Counted, HostCount, ResourceCount
from engine.store.pools import Connection

STATEMENT_S = 2.0
"""A statement that takes longer is ended by the server."""
WITHIN_S = 3.0
"""When a connection is given up on which a question is not answered."""
WAIT_S = 5.0
"""How long a question waits for those before it."""
MOST_WAITING = 8
"""Questions that wait in one process."""
RESOURCES_AT_ONCE = 2_000
"""Rows of a report that are read, and held, at one time."""
TAKEN = frozenset({Reason.CONFLICT, Reason.NO_SEATS_LEFT})
"""Refusals because somebody else came first."""

Value = TypeVar("Value")


@dataclass(slots=True, frozen=True)
class Question:
    """Which days, in which zone.

    first, last  the first and the last day, at most 366 of them.
    hosts        how many hosts to name.
    """

    first: date
    last: date
    time_zone: str = "UTC"
    hosts: int = 10


@dataclass(slots=True, frozen=True)
class Figures:
    """What there is to say about some days.

    days       bookings of each day, in order.
    refusals   refused attempts, by reason.
    attempts   all of them: bookings, refusals, and what failed or was withdrawn.
    cancelled  how many of the bookings were cancelled since.
    now        the clock of the server that answered.
    """

    days: list[int]
    refusals: dict[str, int]
    attempts: int
    cancelled: int
    hosts: list[HostCount]
    now: datetime

    @property
    def bookings(self) -> int:
        """All bookings of the days."""
        return sum(self.days)

    @property
    def conflicts(self) -> int:
        """Attempts that were refused because somebody else came first."""
        return conflicts(self.refusals)

    @property
    def cancellation_rate(self) -> float:
        """Of the bookings made on these days, how many percent were cancelled since."""
        return percentage(self.cancelled, self.bookings)


class Analyst:
    """Asks for one API process, one question at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._asking = asyncio.Lock()
        self._waiting = 0

    async def ask(self, question: Question) -> Answer[Figures]:
        """Answer a question. Raises Unavailable where it cannot be answered in time."""
        return await self._read(partial(_figures, question=question))

    async def report(
        self, question: Question, *, resources_at_once: int = RESOURCES_AT_ONCE
    ) -> AsyncIterator[list[tuple[date, ResourceCount]]]:
        """Say of each day, in order, what came of the attempts on each resource, as far as the counts reach.

        Yields pages, each of one day and read by itself, so a report holds no connection while its reader is slow.
        Raises Unavailable where one cannot be read in time.
        """
        days = day_boundaries(question.first, question.last, question.time_zone)
        for number, (start, end) in enumerate(pairwise(days)):
            day, behind, found = question.first + timedelta(days=number), 0, resources_at_once
            while found == resources_at_once:
                query = partial(_page, start=start, end=end, behind=behind, limit=resources_at_once)
                page = (await self._read(query)).value
                found = len(page)
                if page:
                    behind = page[-1].resource
                    yield [(day, row) for row in page]

    async def _read(self, query: Callable[[Connection], Awaitable[Value]]) -> Answer[Value]:
        async with self._turn():
            answer = await self._reader.read(query, within_s=WITHIN_S)
        value = answer.value
        assert value is not None, "the query always finds something to say"
        return Answer(value, answer.source, answer.as_of, answer.staleness_ms)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("as many questions about bookings wait as may")
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._asking.acquire()
        except TimeoutError:
            raise Unavailable("other questions about bookings took too long") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._asking.release()


def day_boundaries(first: date, last: date, time_zone: str) -> list[datetime]:
    """Say when each day of a zone begins, in UTC, and behind them when the last one ends.

    A day may have 23 or 25 hours. Where the clock jumps over midnight, the day begins at the jump; where midnight
    comes twice, at the first one. A date that a zone left out is as long as nothing.
    """
    zone = ZoneInfo(time_zone)
    days = ((first + timedelta(days=number)) for number in range((last - first).days + 2))
    return [datetime.combine(day, time(), zone).astimezone(UTC) for day in days]


def whole_months(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The whole months of UTC between two instants: from the first to behind the last; ``end`` twice for none."""
    first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if first < start:
        first = (first + timedelta(days=32)).replace(day=1)
    behind = end.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first, behind) if first < behind else (end, end)


def percentage(part: int, whole: int) -> float:
    """How many percent a part is, to one decimal, halves up; 0 of nothing."""
    return (2_000 * part + whole) // (2 * whole) / 10 if whole else 0.0


def refusals(results: dict[str, int]) -> dict[str, int]:
    """The attempts that were refused, by reason in the order of precedence; what a newer release wrote stands last."""
    known = [reason.value for reason in Reason if reason in results]
    newer = sorted(results.keys() - {*known, BOOKED, "failed", "withdrawn"})
    return {reason: results[reason] for reason in (*known, *newer)}


def conflicts(results: dict[str, int]) -> int:
    """How many attempts were refused because somebody else came first."""
    return sum(results.get(reason, 0) for reason in TAKEN)


async def _figures(connection: Connection, *, question: Question) -> Figures:
    """Read everything in one snapshot."""
    days = day_boundaries(question.first, question.last, question.time_zone)
    window = days[0], days[-1]
    months = whole_months(*window)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await store.bound_read(connection, within_s=STATEMENT_S)
        folded, now = await store.folded_until(connection)
        counted = await store.count_attempts(connection, days, months, folded=folded)
        hosts = await store.top_hosts(connection, window, months, folded=folded, limit=question.hosts)
    return _summed(counted, len(days) - 1, hosts, now)


def _summed(counted: list[Counted], days: int, hosts: list[HostCount], now: datetime) -> Figures:
    booked, results = [0] * days, Counter[str]()
    for row in counted:
        results[row.result] += row.attempts
        if row.result == BOOKED:
            booked[row.day - 1] += row.attempts
    cancelled = results.pop(CANCELLED, 0)
    return Figures(booked, refusals(results), results.total(), cancelled, hosts, now)


async def _page(
    connection: Connection, *, start: datetime, end: datetime, behind: int, limit: int
) -> list[ResourceCount]:
    async with connection.transaction(readonly=True):
        await store.bound_read(connection, within_s=STATEMENT_S)
        return await store.count_resources(connection, start, end, behind=behind, limit=limit)
