"""The processes of a supervisor, and the places that they fill."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

import cli
from engine.embedded.server import Lifeline
from engine.queue.burial import bury

FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0
"""Bounds of the pause before a dead process is started again; it doubles in between."""
HEALTHY_S = 10.0
"""A process that lived this long starts over with the first pause."""
NAME_DIGITS = 12
START_WITHIN_S = 60.0
END_WITHIN_S = 12.0
"""A process that was told to stop and still runs after this is killed: longer than an API's own grace."""
REFUSED = 2
"""Exit code of a process that said in one sentence why it does not start."""
ROOT = Path(cli.__file__).parents[1]

Kind = Literal["api", "worker"]

logger = logging.getLogger(__name__)


class Child:
    """One process, and whether it has said that it started.

    name  that we gave it; a worker calls itself so in Redis.
    """

    def __init__(self, process: asyncio.subprocess.Process, announced: int, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.name = name
        self.born_s = loop.time()
        self.started: asyncio.Future[bool] = loop.create_future()
        loop.add_reader(announced, self._hear, announced)

    async def has_started(self) -> bool:
        """Wait for its word. False: it ended before, or says nothing."""
        try:
            return await asyncio.wait_for(asyncio.shield(self.started), START_WITHIN_S)
        except TimeoutError:
            return False

    async def end(self) -> None:
        """Tell it to stop, and kill it when it does not."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), END_WITHIN_S)
        except TimeoutError:
            logger.warning("killed, as it did not stop", extra={"child": self.process.pid})
            self.process.kill()
            await self.process.wait()

    def _hear(self, announced: int) -> None:
        asyncio.get_running_loop().remove_reader(announced)
        word = os.read(announced, 1)
        os.close(announced)
        self.started.set_result(bool(word))


class Spawner:
    """Starts processes that end with us.

    environment  what they are given.
    listener     the socket on which API processes accept.
    lifeline     what they watch.
    """

    def __init__(self, environment: Mapping[str, str], listener: socket.socket, lifeline: Lifeline) -> None:
        self._listener = listener.fileno()
        self._lifeline = lifeline.watched
        # -P keeps the folder that we were started in out of the path: it may have an ``api`` of its own.
        path = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH", "")]))
        self._environment = {**environment, "PYTHONPATH": path}
        self._redis_url = environment.get("REDIS_URL") or None

    async def spawn(self, kind: Kind) -> Child:
        """Start one process."""
        announced, announce = os.pipe()
        descriptors = [self._lifeline, announce]
        name = uuid4().hex[:NAME_DIGITS]
        options = ["--lifeline", str(self._lifeline), "--announce", str(announce)]
        if kind == "worker":
            options += ["--name", name]
        if kind == "api":
            descriptors.append(self._listener)
            options += ["--socket", str(self._listener)]
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "cli.main", kind, *options),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=descriptors,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end them in their order
                env=self._environment,
            )
        finally:
            os.close(announce)
        return Child(process, announced, name)

    async def bury(self, dead: Child) -> None:
        """Let others have what a dead worker held, without waiting for its leases."""
        if self._redis_url is not None:
            await bury(self._redis_url, dead.name)


class Slot:
    """A place that one process after another fills.

    At most one change is under way: a restart after a death, or a replacement.
    """

    def __init__(self, kind: Kind, spawner: Spawner) -> None:
        self.kind: Kind = kind
        self.refused = False
        self._spawner = spawner
        self._child: Child | None = None
        self._changing = asyncio.Lock()

    @property
    def started(self) -> bool:
        """Whether the process that fills the place has said that it started."""
        return self._child is not None and self._child.started.done() and self._child.started.result()

    async def fill(self) -> None:
        """Start a process."""
        self._child = await self._spawner.spawn(self.kind)

    async def keep(self) -> None:
        """Start a process again whenever it dies, sooner or later as it had lived long or not."""
        pause_s = FIRST_PAUSE_S
        while (child := self._child) is not None:
            code = await child.process.wait()
            if self.kind == "worker":
                await self._spawner.bury(child)
            async with self._changing:
                if child is not self._child:
                    continue
                self.refused = code == REFUSED
                lived_s = asyncio.get_running_loop().time() - child.born_s
                pause_s = FIRST_PAUSE_S if lived_s > HEALTHY_S else pause_s
                logger.warning(
                    "a process died and is started again",
                    extra={
                        "kind": self.kind,
                        "child": child.process.pid,
                        "exit_code": code,
                        "pause_s": pause_s,
                    },
                )
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LAST_PAUSE_S)
                await self.fill()

    async def replace(self) -> None:
        """Start a successor, and stop the present process once the successor has started."""
        async with self._changing:
            before, successor = self._child, await self._spawner.spawn(self.kind)
            if not await successor.has_started():
                logger.error("a successor did not start, the process stays", extra={"kind": self.kind})
                await successor.end()
                return
            self._child = successor
        if before is not None:
            await before.end()

    async def end(self) -> None:
        """Stop the process."""
        if self._child is not None:
            await self._child.end()
