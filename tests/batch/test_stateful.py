"""Commands, deaths at every step, retries and redelivery in any order: the outcomes are those of one at a time.

A machine of rules in the sense of Hypothesis. It brings commands to two resources, lets turns serve them in batches of
any size, lets turns die at any step and their heads be delivered again, and lets callers send their requests again.
The model decides each command when it gets its ticket; whatever happens after that, the ledger comes to say the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from engine import failpoints
from engine.commands import Book, Cancel, CancelSeries, Command, Request, Reschedule
from engine.queue import scripts
from tests.batch.model import Made, Model, Wish
from tests.clients import NINE, clean, request
from tests.schema.rows import Connection, add_resource
from tests.series import book_series
from tests.turns import Turning, enqueue, turning
from worker.turn import _Turn

CAPACITIES = (1, 3)

STEP = timedelta(minutes=30)
DAY = 48
"""Steps in a day, which is how far the occurrences of a series are apart."""
OCCURRENCES = 3
STEPS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W7", "W8", "W8", "W9")
TURNS_AT_MOST = 200
"""In which everything that a machine brought is decided."""
DEATHS = 2
"""In a row: at the fourth attempt a command would be given up, which is another test's."""
LONG_PAST = 1

Value = TypeVar("Value")

starts = st.builds(lambda day, step: day * DAY + step, st.integers(0, OCCURRENCES - 1), st.integers(0, 8))
lengths = st.integers(1, 5)
sides = st.integers(0, 1)
keys = st.sampled_from([None, None, None, "a", "b"])
sizes = st.sampled_from([1, 2, 7, 256])


class Died(BaseException):
    """What a point raises where its process was to die: nothing but the test catches it."""


def die(_point: str, _action: str) -> None:
    """Stand in the place of a kill."""
    raise Died


class SeriesModel(Model):
    """The model, and series: all of their occurrences or none."""

    def decide_series(self, start: int, end: int) -> tuple[str, str | None]:
        """Give the command the next ticket, and claim every occurrence of a series or nothing."""
        self.last_ticket += 1
        spans = [(start + DAY * number, end + DAY * number) for number in range(OCCURRENCES)]
        for begin, until in spans:
            if any(self.taken(step) >= self.capacity for step in range(begin, until)):
                return "refused", "conflict"
        self.series[self.last_ticket] = [Made(self.last_ticket, begin, until, 1) for begin, until in spans]
        return "confirmed", None

    def cancel_series(self, subject: int) -> tuple[str, str | None]:
        """Give the command the next ticket, and give back what the series claimed."""
        self.last_ticket += 1
        for occurrence in self.series[subject]:
            occurrence.status = "cancelled"
        return "confirmed", None

    @property
    def series(self) -> dict[int, list[Made]]:
        """By the tickets that made them."""
        kept: dict[int, list[Made]] = self.__dict__.setdefault("_series", {})
        return kept

    def _live(self) -> list[Made]:
        occurrences = [made for series in self.series.values() for made in series if made.status == "confirmed"]
        return [*super()._live(), *occurrences]


@dataclass
class Side:
    """A resource, what the model says of it, and what is known of it by now.

    ids  of what the tickets made that were decided.
    """

    resource: int
    model: SeriesModel
    expected: list[tuple[str, str | None]] = field(default_factory=list)
    sent: list[tuple[Request, Wish]] = field(default_factory=list)
    ids: dict[int, UUID] = field(default_factory=dict)


class Ground:
    """Servers and an event loop for a whole run of the machine."""

    def __init__(self, redis_url: str, database_url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._open = AsyncExitStack()
        self.turning: Turning = self.run(self._open.enter_async_context(turning(redis_url, database_url)))
        self.database: Connection = self.run(asyncpg.connect(database_url))

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.database.close())
        self.run(self._open.aclose())
        self.loop.close()


@pytest.fixture
def ground(redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(failpoints, "_act", die)
    made = Ground(redis_url, database_url)
    yield made
    failpoints.arm(None)
    made.close()


class Machine(RuleBasedStateMachine):
    """What may happen, in any order."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.caller = f"caller {uuid4()}"
        self.deaths = 0
        self.sides = [
            Side(self.ground.run(add_resource(self.ground.database, capacity=capacity)), SeriesModel(capacity))
            for capacity in CAPACITIES
        ]

    # ------------------------------------------------------------------ what callers do

    @rule(at=sides, start=starts, length=lengths, places=st.sampled_from([1, 1, 2]), key=keys)
    def book(self, at: int, start: int, length: int, places: int, key: str | None) -> None:
        wish = Wish("book", start, start + length, places, key=key and f"{key} {at}")
        self._bring(at, wish, Book(NINE + start * STEP, NINE + (start + length) * STEP, places))

    @rule(at=sides, subject=st.integers(0, 50), key=keys)
    def cancel(self, at: int, subject: int, key: str | None) -> None:
        if named := self._named(at, subject, self.sides[at].model.made):
            ticket, booking = named
            self._bring(at, Wish("cancel", subject=ticket, key=key and f"{key} {at}"), Cancel(booking, None, None))

    @rule(at=sides, subject=st.integers(0, 50), start=starts, length=lengths)
    def reschedule(self, at: int, subject: int, start: int, length: int) -> None:
        if named := self._named(at, subject, self.sides[at].model.made):
            ticket, booking = named
            times = NINE + start * STEP, NINE + (start + length) * STEP
            self._bring(
                at, Wish("reschedule", start, start + length, subject=ticket), Reschedule(booking, *times, None)
            )

    @rule(at=sides, start=st.integers(0, 8), length=lengths)
    def book_series(self, at: int, start: int, length: int) -> None:
        side = self.sides[at]
        command = book_series(f"FREQ=DAILY;COUNT={OCCURRENCES}", NINE + start * STEP, length * STEP)
        self._enqueue(request(side.resource, command, caller=self.caller))
        side.expected.append(side.model.decide_series(start, start + length))

    @rule(at=sides, subject=st.integers(0, 50))
    def cancel_series(self, at: int, subject: int) -> None:
        side = self.sides[at]
        if named := self._named(at, subject, side.model.series):
            self._enqueue(request(side.resource, CancelSeries(named[1], None, None), caller=self.caller))
            side.expected.append(side.model.cancel_series(named[0]))

    @rule(at=sides, which=st.integers(0, 50))
    def send_again(self, at: int, which: int) -> None:
        """With its key: while it is queued it has its ticket, and after that the outcome of its first one."""
        side = self.sides[at]
        keyed = [(asked, wish) for asked, wish in side.sent if wish.key is not None]
        if keyed:
            asked, wish = keyed[which % len(keyed)]
            self._bring(at, wish, asked.command)

    # ------------------------------------------------------------------ what turns do

    @rule(limit=sizes)
    def serve(self, limit: int) -> None:
        self.ground.run(self._turn(limit, None))

    @precondition(lambda self: self.deaths < DEATHS)
    @rule(limit=sizes, step=st.sampled_from(STEPS))
    def die_at_a_step(self, limit: int, step: str) -> None:
        """Its heads are delivered again, to whoever takes them next."""
        self.deaths += 1
        self.ground.run(self._turn(limit, step))

    @rule()
    def settle(self) -> None:
        """Let everything be decided, and look."""
        self.ground.run(self._settle())
        self.deaths = 0
        for side in self.sides:
            rows = self.ground.run(self._rows(side.resource))
            assert [(row["outcome"], row["reason"]) for row in rows] == side.expected
            assert [row["ticket"] for row in rows] == list(range(1, len(rows) + 1))
            side.ids = {row["ticket"]: row["booking"] for row in rows if row["booking"] is not None}

    def teardown(self) -> None:
        """Whatever happened, at the end everything is decided as the model says."""
        self.settle()

    # ------------------------------------------------------------------ how

    def _bring(self, at: int, wish: Wish, command: Command) -> None:
        side = self.sides[at]
        asked = request(side.resource, command, key=wish.key, caller=self.caller)
        if self._enqueue(asked) <= side.model.last_ticket:
            return  # an equal one is queued, and this one shares its ticket
        answer = side.model.decide(wish)
        side.expected.append((answer.outcome, answer.reason))
        side.sent.append((asked, wish))

    def _enqueue(self, asked: Request) -> int:
        """Returns the ticket."""
        _, (place,) = self.ground.run(enqueue(self.ground.turning.redis, [asked]))
        assert place.ticket is not None
        return place.ticket

    def _named(self, at: int, subject: int, made: dict[int, Any]) -> tuple[int, UUID] | None:
        """One of those that were made and whose id is known by now: its ticket, and the id."""
        known = [ticket for ticket in made if ticket in self.sides[at].ids]
        if not known:
            return None
        ticket = known[subject % len(known)]
        return ticket, self.sides[at].ids[ticket]

    async def _turn(self, limit: int, dies_at: str | None) -> bool:
        """One batch, or a part of one. Returns whether there was anything to do."""
        worker, token = self.ground.turning, uuid4().hex
        taken = await scripts.take(worker.redis, token, limit=limit)
        turn = _Turn(worker.turns, token, worker.pool)
        failpoints.arm(dies_at and f"{dies_at}=kill")
        try:
            if taken:
                await turn._serve(taken)
        except Died:
            pass
        finally:
            failpoints.arm(None)
            await turn._session.discard()
        await worker.redis.zadd("fc:turns", {token: LONG_PAST})
        await scripts.sweep(worker.redis)
        return bool(taken)

    async def _settle(self) -> None:
        for _ in range(TURNS_AT_MOST):
            if not await self._turn(256, None):
                return
        raise AssertionError("something is never decided")

    async def _rows(self, resource: int) -> list[asyncpg.Record]:
        return await self.ground.database.fetch(
            "SELECT ticket, outcome, reason, booking FROM ledger WHERE resource = $1 ORDER BY ticket", resource
        )


def test_whatever_happens_outcomes_are_those_of_one_command_at_a_time(ground: Ground, database_url: str) -> None:
    Machine.ground = ground
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
    ground.run(clean(database_url))
