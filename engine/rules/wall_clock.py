"""From wall clocks to instants and back. Pure.

A series lives on a wall clock: it keeps its local time across daylight saving. Where the clock jumps forward, the
times in between do not exist, and the first instant that does takes their place; where it goes back, times exist
twice, and the first counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the wall clock shows ``local``: a later wall clock never gives an earlier instant.

    local  naive.

    Returns the first such instant, in UTC; where there is none, the instant at which the clock jumps over it.
    Raises OverflowError within a day of the first or last that ``datetime`` can say.
    """
    at = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return at if to_local(at, zone) == local else _jump_over(local, zone)


def to_local(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the wall clock shows at an instant: naive, and the same for both of the times that exist twice."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _jump_over(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the wall clock passes ``local`` without showing it. Offsets change at whole seconds."""
    # Read with the offset from after the jump it is an instant before it, and the other way round (PEP 495).
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    behind = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    before, behind = before.replace(microsecond=0), behind.replace(microsecond=0)
    while behind - before > SECOND:
        middle = before + (behind - before) // SECOND // 2 * SECOND
        if to_local(middle, zone) > local:
            behind = middle
        else:
            before = middle
    return behind
