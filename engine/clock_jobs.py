"""What is done on a clock, by whoever decides: worker processes, or in direct mode those of the API.

Each job may run in several processes at once, and may have been off for a month: it sees to that itself. No guarantee
rests on when one runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from engine import extension, folding, forget_keys, forget_sessions, publishing
from engine.store.pools import Pool
from engine.tasks import repeat

POOL_SIZE = 5
"""Connections that the jobs work on: one for each, as none may be late because another takes long."""


def start_clock_jobs(pool: Pool, *, idempotency_hours: int) -> list[asyncio.Task[None]]:
    """Start all of them: now, and then each in its own time. Whoever starts them ends them (``end_tasks``)."""
    jobs: dict[str, tuple[Callable[[], Awaitable[object]], float]] = {
        "forget_keys": (partial(forget_keys.forget_keys, pool, hours=idempotency_hours), forget_keys.EVERY_S),
        "forget_sessions": (partial(forget_sessions.forget_sessions, pool), forget_sessions.EVERY_S),
        "extend_series": (partial(extension.extend_due, pool), extension.EVERY_S),
        "publish_slots": (partial(publishing.publish_due, pool), publishing.EVERY_S),
        "fold_counts": (partial(folding.fold_due, pool), folding.EVERY_S),
    }
    return [asyncio.create_task(repeat(job, name=name, every_s=every_s)) for name, (job, every_s) in jobs.items()]
