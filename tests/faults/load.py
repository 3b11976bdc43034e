"""Callers that keep asking while things fail, and what must have become of every one of them."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from engine.commands import Outcome, Request, Status
from engine.queue.intake import QueuedIntake
from engine.verify import Report
from tests.clients import ask_until_decided, clean, hour, request
from tests.schema.rows import Connection
from tests.support import wait_until

KILLS = int(os.environ.get("KILLS", "0"))
"""How often a server or a worker is killed in a test; 0: as often as every run has time for."""
HOURS = 10_000
"""So many that a long run still books at its end."""

logger = logging.getLogger(__name__)


@dataclass
class Load:
    """So many callers at a time, each with a new request as soon as the last one is answered.

    hours  how many there are to ask for: where they are all taken everything is refused.
    spans  of every request, by the monotonic clock: when it was brought, and when it was answered.
    """

    intake: QueuedIntake
    resources: Sequence[int]
    callers: int = 20
    hours: int = 97
    keyed: bool = False
    answers: list[tuple[Request, Outcome]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    _stopping: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(self.callers)]

    async def stop(self) -> None:
        """Let everyone have the last answer; whoever gets none fails the test."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    @property
    def answered(self) -> int:
        return len(self.answers)

    @property
    def booked(self) -> int:
        """How many of the answers are bookings."""
        return sum(outcome.status is Status.CONFIRMED for _, outcome in self.answers)

    async def more(self, count: int, within_s: float = 60) -> None:
        """Wait until so many more were answered."""
        before = self.answered
        await wait_until(lambda: self.answered >= before + count, within_s)

    def held_up_s(self, since: float, *, decided_by: datetime | None = None) -> float:
        """How long the last of those waited who waited at an instant, by the monotonic clock; to be asked later.

        decided_by  only those whose command was decided by then.
        """
        last = since
        for (brought, answered), (_, outcome) in zip(self.spans, self.answers, strict=True):
            if brought <= since < answered and (decided_by is None or outcome.decided_at <= decided_by):
                last = max(last, answered)
        return last - since

    async def _call(self, caller: int) -> None:
        asked = 0
        while not self._stopping:
            asked += 1
            resource = self.resources[(caller + asked) % len(self.resources)]
            wanted = request(resource, hour(asked % self.hours), key=f"{caller}-{asked}" if self.keyed else None)
            brought = time.monotonic()
            outcome = await ask_until_decided(self.intake, wanted)
            self.answers.append((wanted, outcome))
            self.spans.append((brought, time.monotonic()))


def tell(what: str, spans: Sequence[float]) -> None:
    """Log what was measured, in seconds: the nearest of the spans to each share of them."""
    ordered = sorted(spans)
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.50, 0.99))
    logger.info("%s: %d measured, p50 %.2f s, p99 %.2f s", what, len(ordered), p50, p99)


async def check(load: Load, connection: Connection, database_url: str) -> Report:
    """Every answer is in the ledger as it was given, every request was decided once, and the audit is clean."""
    rows = await connection.fetch("SELECT * FROM ledger WHERE outcome <> 'repeated'")
    by_request: dict[UUID, list[tuple[int, int, str]]] = {}
    for row in rows:
        by_request.setdefault(row["request_id"], []).append((row["resource"], row["ticket"], row["outcome"]))
    assert all(len(decisions) == 1 for decisions in by_request.values()), "a request was decided twice"
    for wanted, outcome in load.answers:
        assert by_request[outcome.request_id] == [(wanted.resource, outcome.ticket, outcome.status.value)]
        assert outcome.status.value != "failed", "an innocent command was given up"
    assert await connection.fetchval("SELECT count(*) FROM dead_letter") == 0
    logger.info("%d answers, of them %d bookings: none was lost", load.answered, load.booked)
    return await clean(database_url)
