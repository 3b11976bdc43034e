"""A hundred times the load: what is too much is refused at once, what was let in keeps its order, and it passes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from loadtest.caller import Caller, NoAnswer
from tests.clients import clean
from tests.faults.http import booking
from tests.faults.matrix import Recoveries
from tests.processes import Processes
from tests.schema.rows import Connection

STORM = "a hundred times the load"
USUAL, MANY = 10, 1_000
"""Callers at one time."""
STORM_S = 5.0
QUEUE_LIMIT = 200
REFUSED_WITHIN_S = 3.0
"""A refusal costs next to nothing to make; in a storm it waits for its turn on two busy processors all the same."""
SPAN_S = 1.0
ENOUGH = 0.6
"""Of the answers that there were in the slowest of SPANS seconds before the storm: a collapse that outlives it leaves
next to none, and what else the machine does takes a third now and then."""
SPANS = 3


class Crowd:
    """Callers who each ask again as soon as they are answered, always for the same time: the first one gets it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stopping = False
        self._calls: list[asyncio.Task[None]] = []
        self.statuses: Counter[int] = Counter()
        self.refused_s: list[float] = []

    def start(self, callers: int) -> None:
        self._calls = [asyncio.create_task(self._call(number)) for number in range(callers)]

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._calls)

    @property
    def decided(self) -> int:
        """How many were told yes or no."""
        return self.statuses[201] + self.statuses[409]

    async def decided_in(self, span_s: float) -> int:
        """How many are told so in a span."""
        before = self.decided
        await asyncio.sleep(span_s)  # the span that is measured
        return self.decided - before

    async def _call(self, number: int) -> None:
        caller = Caller(self._address)
        while not self._stopping:
            since = time.monotonic()
            try:
                answer = await caller.ask("POST", "/api/v1/bookings", booking(number))
            except NoAnswer:
                self.statuses[0] += 1
                continue
            self.statuses[answer.status] += 1
            if answer.status == 503:
                self.refused_s.append(time.monotonic() - since)
                assert int(answer.headers["retry-after"]) >= 1
        caller.close()


async def test_a_storm_is_refused_early_and_leaves_nothing_behind(
    processes: Processes, database: Connection, database_url: str, recoveries: Recoveries
) -> None:
    api, _ = await asyncio.gather(processes.api(FIRSTCOME_QUEUE_LIMIT=str(QUEUE_LIMIT)), processes.worker())
    async with api.client() as client:
        for room in range(4):
            await client.post("/resources", json={"resource_id": f"room-{room}", "name": "Room"})
    usual, storm = Crowd(api.address), Crowd(api.address)
    usual.start(USUAL)
    await usual.decided_in(SPAN_S)
    before = min([await usual.decided_in(SPAN_S) for _ in range(SPANS)])
    storm.start(MANY)
    await asyncio.sleep(STORM_S)
    await storm.stop()
    since = time.monotonic()
    while await usual.decided_in(SPAN_S) < ENOUGH * before:
        assert time.monotonic() - since < 30
    recoveries.note(STORM, time.monotonic() - since)
    await usual.stop()
    assert set(usual.statuses) <= {201, 409, 503}
    assert set(storm.statuses) <= {201, 409, 503}
    assert storm.statuses[503] > 100, "it was no storm"
    assert sorted(storm.refused_s)[int(len(storm.refused_s) * 0.95)] < REFUSED_WITHIN_S
    told = Counter({status: usual.statuses[status] + storm.statuses[status] for status in (201, 409)})
    rows = await database.fetch("SELECT outcome, count(*) AS number FROM ledger GROUP BY outcome")
    decided = {row["outcome"]: row["number"] for row in rows}
    assert decided == {"confirmed": told[201], "refused": told[409]}, "who was refused early has no ticket"
    await clean(database_url)
