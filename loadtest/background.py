"""Work in the background of a crowd: what the clock jobs do, without a pause.

Infinite series are booked one after another, and as each is stored exactly as far ahead as it has to be at that
moment, the job that stores series further ahead has work at once. It runs without a pause here instead of once an
hour, and so does the one that forgets old keys.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from engine.errors import StartupRefused
from engine.extension import extend_due
from engine.store.idempotency import forget_keys
from engine.store.pools import Pool, open_pool
from loadtest.behaviour import BOOKINGS, SERIES, SERIES_LENGTH, SERIES_PACE, Ask, booking_body, series_name
from loadtest.light import Post
from loadtest.order import Order

KEPT_HOURS = 48
FORGOTTEN_AT_ONCE = 5_000
PAUSE_S = 0.01
BOOKED_EVERY_S = 0.05
"""Twenty infinite series in a second, each of 400 occurrences: more than a host makes in a year."""
ENDS_WITHIN_S = 15.0


class Jobs:
    """What was done.

    series  that were booked.
    stored  occurrences that the clock job stored.
    """

    def __init__(self) -> None:
        self.series = 0
        self.stored = 0
        self.trouble: str | None = None


@contextmanager
def background_jobs(order: Order, database_url: str) -> Iterator[Jobs]:
    """Run them in a thread while the block runs. Raises StartupRefused where they could not do their work."""
    jobs, over = Jobs(), threading.Event()
    thread = threading.Thread(target=_run, args=(order, database_url, jobs, over), name="background jobs", daemon=True)
    thread.start()
    try:
        yield jobs
    finally:
        over.set()
        thread.join(ENDS_WITHIN_S)
    if jobs.trouble is not None:
        raise StartupRefused(f"The background jobs failed: {jobs.trouble}.")


def _run(order: Order, database_url: str, jobs: Jobs, over: threading.Event) -> None:
    try:
        asyncio.run(_work(order, database_url, jobs, over))
    except Exception as error:  # noqa: BLE001  # told by whoever waits for the thread
        jobs.trouble = repr(error)


async def _work(order: Order, database_url: str, jobs: Jobs, over: threading.Event) -> None:
    pool = await open_pool(database_url, size=2, name="firstcome load")
    try:
        await asyncio.gather(_book(order, jobs, over), _extend(pool, jobs, over), _forget(pool, over))
    finally:
        await pool.close()


async def _book(order: Order, jobs: Jobs, over: threading.Event) -> None:
    post = Post(order)
    channel = await post.connect()
    tomorrow = datetime.now(UTC).replace(minute=0, second=0) + timedelta(days=1)
    for number in count():
        if over.is_set():
            break
        resource = series_name(order.prefix, number % order.rooms)
        start = tomorrow + number // order.rooms * SERIES_PACE
        body = booking_body(resource, start, SERIES_LENGTH, recurrence_rule="FREQ=DAILY")
        heard, _, _ = await post.exchange(channel, Ask(SERIES, "POST", BOOKINGS, resource, body))
        if heard is None or heard.status != 201:
            raise RuntimeError(f"a series was answered {heard and heard.status}")
        jobs.series += 1
        await asyncio.sleep(BOOKED_EVERY_S)
    channel.close()


async def _extend(pool: Pool, jobs: Jobs, over: threading.Event) -> None:
    while not over.is_set():
        jobs.stored += await extend_due(pool)
        await asyncio.sleep(PAUSE_S)


async def _forget(pool: Pool, over: threading.Event) -> None:
    while not over.is_set():
        async with pool.acquire() as connection:
            await forget_keys(connection, hours=KEPT_HOURS, limit=FORGOTTEN_AT_ONCE)
        await asyncio.sleep(PAUSE_S)
