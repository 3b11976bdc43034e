"""Tasks that run for ever: how they go on, and how they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

AGAIN_S = 0.1

logger = logging.getLogger(__name__)


async def repeat(job: Callable[[], Awaitable[object]], *, name: str, every_s: float) -> NoReturn:
    """Do a job now and every ``every_s`` seconds, whatever comes of it.

    name  what the log calls it when it raises.
    """
    while True:
        try:
            await job()
        except Exception as error:  # noqa: BLE001  # whatever it was, it is done again
            logger.warning("a clock job failed and is tried again", extra={"job": name, "error": repr(error)})
        await asyncio.sleep(every_s)


async def end_tasks(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel tasks and wait until they have ended.

    Cancelled again and again: a time-out that runs out in the same instant takes a cancellation for its
    own, and the task would go on.
    """
    left = {task for task in tasks if task is not None}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
