"""An operator who asks for the figures of a year, second after second, while bookings are measured."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from engine.accounts.tokens import Tokens
from engine.identifiers import uuid7
from loadtest.history import Connection
from loadtest.people import LEFT

EVERY_S = 1.0
"""Ten times as often as is asked for, so that what it costs stands out of what a shared machine does anyway."""
WITHIN_S = 30.0
DAY = timedelta(days=1)
YEAR = 365 * DAY
NEARLY_A_YEAR = YEAR - 5 * DAY
"""What was decided in this time is in the year that is asked for, in every zone."""


@dataclass
class Operator:
    """Somebody who may see the figures of an installation.

    since  the database's clock when the session began.
    """

    url: str
    tokens: Tokens
    person: UUID
    session: UUID
    since: datetime
    _began: float = field(default_factory=time.monotonic)
    _wrong: list[str] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask, EVERY_S after each answer, in a thread of its own, until the block ends."""
        done = threading.Event()
        thread = threading.Thread(target=self._ask_until, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def total(self) -> int:
        """Ask once: how many bookings were made in the year that ends tomorrow.

        Raises OSError or HTTPException where that is not answered.
        """
        address = urlsplit(self.url)
        today = self.since.date()
        days = {"start_date": today - YEAR + 2 * DAY, "end_date": today + DAY, "time_zone": "Europe/Berlin"}
        token = self.tokens.issue(self.person, self.session, now=self.since + self._age())
        connection = HTTPConnection(address.hostname or "", address.port, timeout=WITHIN_S)
        try:
            path = f"/api/v1/admin/analytics?{urlencode(days)}"
            connection.request("GET", path, headers={"authorization": f"Bearer {token}", "connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise HTTPException(f"figures were answered {answer.status}: {body[:300].decode(errors='replace')}")
        return int(json.loads(body)["total_bookings"])

    def complaints(self) -> list[str]:
        """Tell, once, what was not answered as it had to be."""
        told, self._wrong = self._wrong, []
        return told

    def _age(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._began)

    def _ask_until(self, done: threading.Event) -> None:
        while not done.wait(EVERY_S):
            try:
                self.total()
            except (OSError, HTTPException, ValueError, KeyError) as error:
                self._wrong.append(repr(error))


async def store_operator(connection: Connection) -> tuple[UUID, UUID, datetime]:
    """Store an operator who has logged in. Returns who it is, the session, and the database's clock."""
    person, session = uuid7(), uuid7()
    now: datetime = await connection.fetchval("SELECT date_trunc('second', now())")
    await connection.execute(
        "INSERT INTO person (id, email, email_key, name, time_zone, roles)"
        " VALUES ($1, 'operator@example.com', 'operator@example.com', 'Operator', 'UTC', '{operator}')",
        person,
    )
    await connection.execute(
        "INSERT INTO session (id, person, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        session,
        person,
        now,
        now + LEFT,
    )
    return person, session, now


async def is_folded(connection: Connection, *, until: datetime) -> bool:
    """Whether everything that was decided before ``until`` is in the counts."""
    return bool(await connection.fetchval("SELECT folded_until > $1 FROM fold", until))


async def count_booked(connection: Connection) -> int:
    """Count what was booked, row by row, in the ledger."""
    return int(await connection.fetchval("SELECT count(*) FROM attempt WHERE result = 'booked'"))
