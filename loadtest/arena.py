"""Where chaos happens: servers, APIs and workers of our own, and a cable on every edge between them.

Each API and each worker has cables of its own, so that one of them can be cut off while the others go on. Processes
that die are started again at once, as ``firstcome up`` does it; servers are started again by the fault that ended them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from engine.embedded import Stack
from engine.embedded.server import Lifeline, free_port
from engine.errors import StartupRefused
from engine.tasks import end_tasks
from loadtest.processes import Program
from loadtest.wire import HOST, Wire, wire_to
from migrations.runner import up

APIS = WORKERS = 2
LOOK_S = 0.02
AGAIN_S = 0.1
"""A process that was refused its start, as a server is away, is started again after this."""
READY_WITHIN_S = 60.0

Kind = Literal["api", "worker"]


@dataclass
class Place:
    """A process, one after another, with its cables by the name of the server at their other end.

    program     None before it was first started, and while a successor starts.
    failpoints  what the next process is armed with; used up by it.
    armed       what the present one is armed with.
    deaths      how often one has ended, and how: the signal that ended it, negative, or its exit code.
    """

    name: str
    kind: Kind
    wires: Mapping[str, Wire]
    environment: Mapping[str, str]
    port: int = 0
    program: Program | None = None
    failpoints: str | None = None
    armed: str | None = None
    deaths: int = 0
    alarms: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where an API takes requests."""
        return f"http://{HOST}:{self.port}"

    def signal(self, number: int) -> bool:
        """Send a signal to the process. Returns whether there was one."""
        if self.program is None or not self.program.alive:
            return False
        os.kill(self.program.pid, number)
        return True

    @property
    def is_stopped(self) -> bool:
        """Whether the process stands still, by a signal or a failpoint."""
        with suppress(OSError):
            if self.program is not None:
                return Path(f"/proc/{self.program.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def alarms_so_far(self) -> list[str]:
        """What its processes logged as critical, the present one and those before it."""
        return [*self.alarms, *(self.program.alarms() if self.program is not None else [])]

    async def keep(self, lifeline: Lifeline) -> None:
        """Start a process, and another whenever it has ended."""
        while True:
            await self._start(lifeline)
            while self.program is not None and self.program.alive:  # noqa: ASYNC110  # a process has no event
                await asyncio.sleep(LOOK_S)
            self.deaths += 1
            self._bury()

    def end(self) -> None:
        """End the process, also one that stands still."""
        if self.program is not None:
            self.signal(signal.SIGCONT)
            self.program.tell_to_end()
            self._bury()

    async def _start(self, lifeline: Lifeline) -> None:
        self.armed, self.failpoints = self.failpoints, None
        environment = {**self.environment, "FIRSTCOME_FAILPOINTS": self.armed or ""}
        command = ["worker"] if self.kind == "worker" else ["api", "--host", HOST, "--port", str(self.port)]
        program = Program(command, environment, lifeline)
        self.program = program
        with suppress(StartupRefused):  # it ended again, and the next one may find the servers there
            await asyncio.to_thread(program.wait_started)
            return
        await asyncio.sleep(AGAIN_S)

    def _bury(self) -> None:
        if self.program is not None:
            program, self.program = self.program, None
            with suppress(OSError):
                self.alarms += program.alarms()
            program.end()


class Arena:
    """Servers and processes; all of it ends with it. An asynchronous context manager."""

    def __init__(self) -> None:
        self._open = AsyncExitStack()
        self._lifeline = Lifeline()
        self._tasks: list[asyncio.Task[None]] = []
        self.stack: Stack
        self.places: list[Place] = []
        self.replication: Wire

    async def __aenter__(self) -> Self:
        self._open.callback(self._lifeline.close)
        try:
            await self._set_up()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await end_tasks(self._tasks)
        try:
            await asyncio.gather(*(asyncio.to_thread(place.end) for place in self.places))
        finally:
            await self._open.aclose()

    @property
    def apis(self) -> list[Place]:
        """The places of API processes."""
        return [place for place in self.places if place.kind == "api"]

    @property
    def workers(self) -> list[Place]:
        """The places of workers."""
        return [place for place in self.places if place.kind == "worker"]

    def wires(self) -> Iterator[tuple[str, Wire]]:
        """Every cable, by the names of its ends."""
        yield "replica to primary", self.replication
        for place in self.places:
            for server, wire in place.wires.items():
                yield f"{place.name} to {server}", wire

    async def _set_up(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="firstcome-chaos-"))
        # Durable as in earnest: what is checked at the end is what is promised.
        self.stack = Stack(folder, ephemeral=True)
        self._open.callback(self.stack.stop)
        await asyncio.to_thread(self.stack.start)
        await up(self.stack.database_url)
        self.replication = await self._open.enter_async_context(wire_to(self.stack.database_url))
        await asyncio.to_thread(self._follow_through_the_cable)
        for number in range(APIS):
            await self._add("api", number)
        for number in range(WORKERS):
            await self._add("worker", number)
        self._tasks = [asyncio.create_task(place.keep(self._lifeline)) for place in self.places]

    def _follow_through_the_cable(self) -> None:
        replica = self.stack.replica
        replica.stop()
        followed = replica.settings["primary_conninfo"]
        replica.settings["primary_conninfo"] = followed.replace(
            f"port={self.stack.primary.port}", f"port={self.replication.port}"
        )
        replica.start()

    async def _add(self, kind: Kind, number: int) -> None:
        urls = {"Redis": self.stack.redis_url, "primary": self.stack.database_url}
        if kind == "api":
            urls["replica"] = self.stack.replica_url
        wires = {server: await self._open.enter_async_context(wire_to(url)) for server, url in urls.items()}
        environment = {
            "DATABASE_URL": wires["primary"].url,
            "REDIS_URL": wires["Redis"].url,
            "REPLICA_URL": wires["replica"].url if "replica" in wires else "",
            "BOOKING_MODE": "queue",
            "AUTH_MODE": "open",
        }
        port = free_port() if kind == "api" else 0
        self.places.append(Place(f"{kind} {number}", kind, wires, environment, port))
