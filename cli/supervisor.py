"""Keeps API and worker processes running: restarts what dies, replaces on demand, ends all at the end.

The listening socket belongs to the supervisor, so no connection is refused while processes come and go.
Each process holds the read end of a pipe whose write end only the supervisor holds: when the supervisor
is killed, they see the pipe close and end themselves (``cli.process``).
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from cli.children import REFUSED, Slot, Spawner
from engine.embedded import Stack
from engine.embedded.server import Lifeline
from engine.errors import StartupRefused
from engine.tasks import end_tasks

START_WITHIN_S = 60.0
ASK_S = 0.05
ASK_WITHIN_S = 5.0
LOOK_S = 0.5
"""How often the servers of our own are looked at."""
READY_PATH = "/api/v1/health/ready"

logger = logging.getLogger(__name__)


class Supervisor:
    """The processes of one ``firstcome up``.

    listener     the socket on which the API processes accept.
    environment  what every process is given.
    stack        servers of our own, which are started again too when they die; None: others run them.
    """

    def __init__(
        self,
        listener: socket.socket,
        environment: Mapping[str, str],
        *,
        apis: int,
        workers: int,
        stack: Stack | None,
    ) -> None:
        self._listener = listener
        self._lifeline = Lifeline()
        spawner = Spawner(environment, listener, self._lifeline)
        self._apis = [Slot("api", spawner) for _ in range(apis)]
        self._workers = [Slot("worker", spawner) for _ in range(workers)]
        self._stack = stack
        self._stopping = asyncio.Event()
        self._rolling: asyncio.Task[None] | None = None

    async def run(self, *, ready: Callable[[], None]) -> int:
        """Start all, call ``ready`` once requests are decided, and stop all on SIGTERM or SIGINT.

        Returns the exit code of the command.
        """
        self._listen_to_signals()
        tasks: list[asyncio.Task[None]] = []
        try:
            for slot in self._slots:
                await slot.fill()
            tasks += [asyncio.create_task(slot.keep()) for slot in self._slots]
            if self._stack is not None:
                tasks.append(asyncio.create_task(self._revive(self._stack)))
            if await self._become_ready():
                ready()
                await self._stopping.wait()
            return REFUSED if any(slot.refused for slot in self._slots) and not self._stopping.is_set() else 0
        finally:
            await end_tasks([*tasks, *([self._rolling] if self._rolling else [])])
            # Workers go last: requests that wait in an API process still get their answer.
            for slots in (self._apis, self._workers):
                await asyncio.gather(*(slot.end() for slot in slots))
            self._lifeline.close()

    @property
    def _slots(self) -> Sequence[Slot]:
        return [*self._workers, *self._apis]

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._roll)

    def _roll(self) -> None:
        if self._rolling is None or self._rolling.done():
            self._rolling = asyncio.create_task(self._replace_all())

    async def _replace_all(self) -> None:
        for slot in self._slots:
            await slot.replace()
        logger.info("all processes were replaced")

    async def _become_ready(self) -> bool:
        """Wait until the API says that it can decide. False: told to stop, or a process refused to start."""
        deadline = asyncio.get_running_loop().time() + START_WITHIN_S
        answer = "nothing"
        while not self._stopping.is_set() and not any(slot.refused for slot in self._slots):
            if all(slot.started for slot in self._slots):
                answer = await asyncio.to_thread(self._ask)
                if answer == "200":
                    return True
            if asyncio.get_running_loop().time() > deadline:
                raise StartupRefused(f"Not ready within {START_WITHIN_S:.0f} s: {READY_PATH} answered {answer}.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), ASK_S)
        return False

    def _ask(self) -> str:
        host, port = self._listener.getsockname()[:2]
        connection = http.client.HTTPConnection(host, port, timeout=ASK_WITHIN_S)
        try:
            connection.request("GET", READY_PATH, headers={"connection": "close"})
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()

    async def _revive(self, stack: Stack) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                for name in await asyncio.to_thread(stack.revive):
                    logger.warning("started again, as it had died", extra={"server": name})
            except StartupRefused as refused:
                logger.error("a server that died does not start again", extra={"reason": str(refused)})
