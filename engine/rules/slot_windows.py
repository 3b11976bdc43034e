"""Windows of the wall clock, cut into slots, and how far ahead they are published. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.rules.wall_clock import to_local, to_utc


def slots_of_window(window_ms: int, slot_ms: int, step_ms: int) -> int:
    """How many slots a window has room for.

    window_ms, slot_ms, step_ms  the length of the window, that of a slot, and from the start of a slot to that of the
                                 next, which is not shorter.
    """
    return 0 if slot_ms > window_ms else 1 + (window_ms - slot_ms) // step_ms


def cut_windows(windows: Iterable[datetime], *, window_ms: int, slot_ms: int, step_ms: int) -> list[datetime]:
    """The starts of the slots in windows, in the order of the windows.

    windows  their starts (UTC). A window lasts exactly ``window_ms``, also on a day on which the clock is changed.
    """
    steps = [number * timedelta(milliseconds=step_ms) for number in range(slots_of_window(window_ms, slot_ms, step_ms))]
    return [start + step for start in windows for step in steps]


def published_before(instant: datetime, time_zone: str, horizon_days: int) -> datetime:
    """The instant (UTC) before which slots are published: a midnight on the wall clock.

    instant       some instant of the first day.
    horizon_days  how many days are published, the first one included. 0: the midnight with which that day begins.
    """
    zone = ZoneInfo(time_zone)
    day = to_local(instant, zone).date() + timedelta(days=horizon_days)
    return to_utc(datetime.combine(day, time.min), zone)
