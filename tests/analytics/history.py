"""A history of attempts to book, written as the engine leaves it behind, and counted again in the plainest way."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from engine.analytics import Question, day_boundaries, percentage
from tests.schema.rows import Connection

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
MONTH = timedelta(days=30)
HASH = bytes(32)
REASONS = ("conflict", "no_seats_left", "max_active_bookings")
OWNERS = [UUID(int=number + 1, version=4) for number in range(5)]
RESOURCES = 12
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
CHANGES: dict[str, list[date]] = {
    "Europe/Berlin": [date(2025, 3, 30), date(2025, 10, 26)],
    "America/New_York": [date(2025, 3, 9), date(2025, 11, 2)],
    "Australia/Lord_Howe": [date(2025, 4, 6), date(2025, 10, 5)],
}
"""Days on which clocks changed: the first and the last of each zone in that year."""

LEDGER = """
INSERT INTO ledger (resource, ticket, request_id, kind, outcome, reason, first_ticket, joined_at, decided_at, row_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
"""
BOOKING = """
INSERT INTO booking (id, resource, exclusive, during, places, status, ended_at, caller, ticket, request_id, created_at,
    rescheduled_from, rescheduled_to, slot, series, occurrence)
VALUES ($1, $2, false, tstzrange($3, $3::timestamptz + interval '1 hour'), 1, $4, $5, 'x', 1, $1, $3, $6, $7,
    $8, $9, $10)
"""
SERIES = """
INSERT INTO series (id, resource, wall_clock, time_zone, length_ms, rule, places, status, ended_at, caller, ticket,
    request_id, created_at, rescheduled_from, rescheduled_to)
VALUES ($1, $2, '2030-01-01', 'UTC', 1, 'FREQ=DAILY', 1, $4, $5, 'x', 1, $1, $3, $6, $7)
"""
PERSON = """
INSERT INTO person (id, email, email_key, name, time_zone, roles)
VALUES ($1::uuid, $1::uuid || '@example.org', $1::uuid || '@example.org', $2, 'UTC', '{host}')
"""
RESOURCE = """
INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity, owner)
VALUES ($1, 'Room', 'UTC', 9, 9, $2)
RETURNING id
"""


@dataclass(frozen=True)
class Attempt:
    """What counts: an attempt, when it was decided, and what came of it."""

    resource: int
    at: datetime
    result: str
    cancelled: bool = False


@dataclass
class History:
    """Attempts, and the rows of them and of what must not count."""

    seed: int
    attempts: list[Attempt] = field(default_factory=list)
    owner: dict[int, str | None] = field(default_factory=dict)
    ledger: list[tuple[Any, ...]] = field(default_factory=list)
    bookings: list[tuple[Any, ...]] = field(default_factory=list)
    series: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    async def write(self, database: Connection, attempts: int) -> None:
        """Make up a history, and write it."""
        for number, owner in enumerate(OWNERS[:-1]):  # the last one was erased long ago
            await database.execute(PERSON, owner, f"Host {number}")
        for number in range(RESOURCES):
            host = None if number == 0 else str(OWNERS[number % len(OWNERS)])
            self.owner[await database.fetchval(RESOURCE, f"room-{number}", host)] = host
        instants = [*self._edges(), *(self._instant() for _ in range(attempts))]
        for at in sorted(instants):
            self._attempt(self.random.choice(list(self.owner)), at)
        async with database.transaction():
            await database.execute("SET LOCAL session_replication_role = replica")  # rows only, without their parents
            await database.executemany(LEDGER, self.ledger)
            await database.executemany(SERIES, self.series)
            await database.executemany(BOOKING, self.bookings)
            await database.execute("UPDATE fold SET folded_until = $1", FIRST - MONTH)

    def _instant(self) -> datetime:
        return FIRST + timedelta(minutes=self.random.randrange(DAYS * 24 * 60))

    def _edges(self) -> Iterable[datetime]:
        """The first instants of months, of the days on which clocks changed and of the days after, and the last before
        them: some attempts at each.
        """
        months = {"UTC": [date(FIRST.year, month, 1) for month in range(1, 13)]}
        for zone, days in (months | CHANGES).items():
            for day in days:
                for edge in day_boundaries(day, day, zone):
                    yield from (edge, edge - timedelta(microseconds=1)) * 3

    def _attempt(self, resource: int, at: datetime) -> None:
        kind = self.random.choice(("book", "book_seat", "book_series"))
        outcome = self.random.choices(("confirmed", "refused", "failed", "withdrawn"), (12, 5, 1, 1))[0]
        reason = self.random.choice(REASONS) if outcome == "refused" else None
        self._note(resource, at, kind, outcome, reason)
        cancelled = outcome == "confirmed" and self._lives(resource, at, series=kind == "book_series")
        result = {"confirmed": "booked", "refused": str(reason)}.get(outcome, outcome)
        self.attempts.append(Attempt(resource, at, result, cancelled))
        if self.random.random() < 0.2:
            self._noise(resource, at)

    def _note(self, resource: int, at: datetime, kind: str, outcome: str, reason: str | None = None) -> None:
        first = 1 if outcome == "repeated" else None
        self.ledger.append((resource, len(self.ledger) + 1, self._id(), kind, outcome, reason, first, at, HASH))

    def _lives(self, resource: int, at: datetime, *, series: bool) -> bool:
        """Let a booking live: be moved some times, and be cancelled or not. Returns whether it was."""
        rows, row, before = self.series if series else self.bookings, self._id(), None
        for _ in range(self.random.choice((0, 0, 0, 1, 3))):
            moved, following = at + self._later(), self._id()
            rows.append(self._row(row, resource, at, "rescheduled", moved, before, following, series=series))
            self._note(resource, moved, "reschedule", "confirmed")
            before, row, at = row, following, moved
        cancelled = self.random.random() < 0.3
        ended = at + self._later() if cancelled else None
        rows.append(
            self._row(row, resource, at, "cancelled" if cancelled else "confirmed", ended, before, series=series)
        )
        if series and not cancelled and self.random.random() < 0.3:  # its second part was moved, and then cancelled
            rows.append(self._row(self._id(), resource, at, "cancelled", at + self._later(), row, series=True))
        return cancelled

    def _row(self, row: UUID, resource: int, *values: Any, series: bool) -> tuple[Any, ...]:
        whole = (row, resource, *values, *(None,) * (5 - len(values)))
        return whole if series else (*whole, None, None, None)

    def _noise(self, resource: int, at: datetime) -> None:
        """What is no attempt to book, and no booking that somebody made."""
        self._note(resource, at, "book", "repeated")
        self._note(resource, at, "reschedule", "refused", "conflict")
        self._note(resource, at, "cancel", "confirmed")
        slot, series, ended = self._id(), self._id(), at + self._later()
        self.bookings.append((slot, resource, at, "cancelled", ended, None, None, slot, None, None))
        self.bookings.append((self._id(), resource, at, "cancelled", ended, None, None, None, series, at))

    def _later(self) -> timedelta:
        return timedelta(minutes=self.random.randrange(1, 60 * 24 * 40))

    def _id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def by_day(self, zone: str) -> dict[date, list[Attempt]]:
        """The attempts of each day, by what a clock on the wall there showed."""
        place, found = ZoneInfo(zone), defaultdict[date, list[Attempt]](list)
        for attempt in self.attempts:
            found[attempt.at.astimezone(place).date()].append(attempt)
        return found

    def figures(self, question: Question) -> dict[str, Any]:
        """Count by looking at every attempt of every day."""
        length = (question.last - question.first).days + 1
        of_day = self.by_day(question.time_zone)
        by_day = [of_day[question.first + timedelta(days=number)] for number in range(length)]
        attempts = [attempt for day in by_day for attempt in day]
        booked = [attempt for attempt in attempts if attempt.result == "booked"]
        hosts = Counter(host for attempt in booked if (host := self.owner[attempt.resource]) is not None)
        cancelled = sum(attempt.cancelled for attempt in booked)
        return {
            "days": [sum(attempt.result == "booked" for attempt in day) for day in by_day],
            "refusals": dict(Counter(attempt.result for attempt in attempts if attempt.result in REASONS)),
            "attempts": len(attempts),
            "cancelled": cancelled,
            "rate": percentage(cancelled, len(booked)),
            "hosts": sorted(hosts.items(), key=lambda item: (-item[1], item[0]))[: question.hosts],
        }
