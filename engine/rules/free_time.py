"""What is free: the gaps that standing claims leave, and the next starts that fit into them. Pure.

Advice only (guarantee G6): a time shown as free may be taken before its booking is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter

Interval = tuple[datetime, datetime]
Taken = tuple[datetime, datetime, int]
"""Start, end and how many places are taken from the one to the other."""

STEP = timedelta(hours=1)
"""Suggested starts stand this far apart, counted from the start that was wished for."""
HORIZON = timedelta(days=90)
"""How far behind the wished start (or now) the last suggested start may stand."""
MAX_SUGGESTIONS = 5
"""How many times are suggested at most."""


def free_intervals(
    taken: Iterable[Taken], *, start: datetime, end: datetime, capacity: int, places: int, now: datetime
) -> list[Interval]:
    """Find where ``places`` are free throughout, within ``[start, end)`` and not before ``now``.

    taken     live claims in any order; those outside the window do no harm.
    capacity  places that may be taken at one instant, at least 1.

    Returns half-open intervals in order, disjoint, and none ends where the next one starts.
    """
    start = max(start, now)
    if start >= end or places > capacity:
        return []
    free: list[Interval] = []
    free_from: datetime | None = start
    use = 0
    for at, change in _changes(taken, start, end):
        use += change
        if use + places <= capacity:
            free_from = at if free_from is None else free_from
        elif free_from is not None:
            if free_from < at:
                free.append((free_from, at))
            free_from = None
    if free_from is not None and free_from < end:
        free.append((free_from, end))
    return free


def _changes(taken: Iterable[Taken], start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """By how much the use changes, in order of time, from ``start`` on and before ``end``.

    Of one instant the ends come first: what starts where another ends never stands beside it.
    """
    within = [claim for claim in taken if claim[0] < end and claim[1] > start]
    changes = [(claim_end, -places) for _, claim_end, places in within if claim_end < end]
    changes += [(max(claim_start, start), places) for claim_start, _, places in within]
    changes.sort(key=itemgetter(0))
    return changes


def suggestion_window(wished: datetime, length: timedelta, *, now: datetime) -> Interval:
    """The time that must be known before ``next_starts`` can be asked."""
    earliest = max(wished, now)
    return earliest, earliest + HORIZON + length


def next_starts(free: Sequence[Interval], *, wished: datetime, length: timedelta, now: datetime) -> list[Interval]:
    """Suggest the first MAX_SUGGESTIONS times of a length that are free as a whole.

    free    free intervals in order, as ``free_intervals`` gives them.
    wished  the start that could not be had. Starts lie whole steps behind it, so they keep its
            minutes, also when it is past.

    Returns intervals in order of start, later than ``now`` and at most HORIZON behind the wished
    start or now; fewer where fewer exist.
    """
    latest = max(wished, now) + HORIZON
    fits = (
        (start, start + length)
        for free_start, free_end in free
        for start in _steps(max(free_start, wished), min(free_end - length, latest), wished)
        if start > now
    )
    return list(islice(fits, MAX_SUGGESTIONS))


def _steps(earliest: datetime, latest: datetime, wished: datetime) -> Iterable[datetime]:
    """The instants from ``earliest`` to ``latest``, both included, that lie whole steps behind ``wished``."""
    start = wished - (wished - earliest) // STEP * STEP
    while start <= latest:
        yield start
        start += STEP
