"""The occurrences of a series in a window: what is stored, and behind it what the rule gives.

Of an infinite series only the occurrences of the next HORIZON are stored. Those behind it are arithmetic, done from
the window and not from the start of the series, so they cost what the window costs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine.commands import BookingStatus
from engine.rules.recurrence import starts_between
from engine.store.bookings import list_occurrences
from engine.store.pools import READ_TIMEOUT_S, Connection, Pool
from engine.store.reading import ask
from engine.store.series import Occurrence, Series

LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""What begins later is not listed: the calendar ends before some zones' last day."""

Place = tuple[datetime, datetime]
"""Where an occurrence stands in a list: its start, then its name."""


@dataclass(slots=True, frozen=True)
class Listed:
    """An occurrence in a list.

    booking     None: it is not stored yet.
    occurrence  its name: the start that the rule gives it.
    """

    booking: UUID | None
    occurrence: datetime
    start_time: datetime
    end_time: datetime
    status: BookingStatus

    @property
    def place(self) -> Place:
        """Where it stands in a list."""
        return self.start_time, self.occurrence


async def read_occurrences(
    pool: Pool, series: UUID, *, start: datetime, end: datetime, after: Place | None, limit: int
) -> list[Listed]:
    """Read the occurrences of a series that begin in a window, in order of start, then name.

    start, end  at most 366 days apart.
    after       place of the last one on the page before.

    Raises Unavailable.
    """

    async def read(connection: Connection) -> tuple[Series, list[Occurrence]]:
        return await list_occurrences(connection, series, start=start, end=end, after=after, limit=limit)

    found, rows = await ask(pool, read, within_s=READ_TIMEOUT_S)
    listed = [Listed(row.booking, row.occurrence, row.start_time, row.end_time, row.status) for row in rows]
    until = found.materialised_until
    if found.status is BookingStatus.CONFIRMED and until is not None and until < end:
        window = max(start, until, after[0] if after else start), min(end, LAST)
        listed += await asyncio.to_thread(unstored, found, *window)  # a year of a rule may take some milliseconds
    return sorted((item for item in listed if after is None or item.place > after), key=_place)[:limit]


def unstored(series: Series, after: datetime, before: datetime) -> list[Listed]:
    """What the rule of a series gives in ``[after, before)``, all of it behind what is stored.

    What has a row of its own there, because it was cancelled or moved before its time, is not the rule's any more.
    """
    length = timedelta(milliseconds=series.recurrence.length_ms)
    return [
        Listed(None, start, start, start + length, BookingStatus.CONFIRMED)
        for start in starts_between(series.recurrence, after, before)
        if start not in series.without
    ]


def _place(item: Listed) -> Place:
    return item.place
