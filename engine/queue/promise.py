"""Before a caller is sent away with an address: the command is on disk, and can be found there.

The addresses are written, and flushed: whatever was written earlier, by whomever, is on disk with them. How that is
made sure of is in ``flushing``. One flush serves all that wait.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from uuid import UUID

from engine.errors import EngineError, NotPromised, Unavailable
from engine.queue import scripts
from engine.queue.client import TROUBLE, open_client
from engine.queue.flushing import ON_DISK_WITHIN_MS, Flusher, Server
from engine.tasks import end_tasks

logger = logging.getLogger(__name__)


class Promiser:
    """Makes 202 true for the requests of one API process."""

    def __init__(self, redis_url: str) -> None:
        # A connection of its own: WAITAOF waits for what its own connection wrote, and holds up everything behind it.
        self._client = open_client(redis_url, timeout_s=ON_DISK_WITHIN_MS / 1000 + 1)
        self._redis = self._client.client()
        self._pending: list[tuple[tuple[UUID, int, bytes, str], asyncio.Future[None]]] = []
        self._kick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, server: Server) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(Flusher(self._redis, server)))

    async def stop(self) -> None:
        """End; promises under way fail."""
        await end_tasks([self._task])
        self._settle([future for _, future in self._pending], Unavailable("this process stops"))
        await self._redis.aclose()
        await self._client.aclose()

    async def promise(self, request_id: UUID, resource: int, field: bytes, caller: str) -> None:
        """Return when the command is on disk and findable by its caller. Raises NotPromised where that is not known."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(((request_id, resource, field, caller), future))
        self._kick.set()
        await future

    async def _run(self, flusher: Flusher) -> None:
        while True:
            await self._kick.wait()
            self._kick.clear()
            batch, self._pending = self._pending, []
            commands = [command for command, _ in batch]
            error: EngineError | None = None
            try:
                await flusher.flush(partial(scripts.address, self._redis, commands))
            except NotPromised as trouble:
                error = trouble
            except TROUBLE as trouble:
                logger.warning("a promise could not be made", extra={"error": repr(trouble)})
                error = NotPromised("the queue cannot be asked; send the request again")
            self._settle([future for _, future in batch], error)

    @staticmethod
    def _settle(futures: list[asyncio.Future[None]], error: EngineError | None) -> None:
        for future in futures:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
