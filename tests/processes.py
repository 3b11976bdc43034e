"""Workers and API processes as they run in earnest: processes of their own, to be killed and frozen by pid."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx
import psutil  # type: ignore[import-untyped]
from redis.asyncio import Redis

from engine.queue.burial import bury
from engine.tasks import end_tasks
from tests.cli.running import ROOT, environment
from tests.support import wait_until

START_WITHIN_S = 30.0
RESUME_EVERY_S = 0.01


class Child:
    """One ``firstcome worker`` or ``firstcome api``, with its log as a file of JSON lines."""

    def __init__(self, command: list[str], settings: dict[str, str], *, log: Path, descriptors: list[int]) -> None:
        self.log = log
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *command],
                cwd=ROOT,
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=descriptors,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def frozen(self) -> bool:
        """Whether it is stopped, by a failpoint or by us."""
        with suppress(psutil.NoSuchProcess):
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        return False

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def end(self, within_s: float = 20.0) -> int:
        """Tell it to stop, and wait for its end. Returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        await wait_until(lambda: self.ended, within_s)
        return self.process.returncode

    async def keep_resuming(self) -> None:
        """Let it go on whenever a failpoint freezes it."""
        while True:
            if self.frozen:
                self.resume()
            await asyncio.sleep(RESUME_EVERY_S)

    def records(self, message: str = "") -> list[dict[str, Any]]:
        """What it has logged with ``message`` in it."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [record for record in found if message in record["message"]]


class Worker(Child):
    """A worker process, with the name that it calls itself."""

    def __init__(self, settings: dict[str, str], *, log: Path) -> None:
        self.name = uuid4().hex[:12]
        super().__init__(["worker", "--name", self.name], settings, log=log, descriptors=[])

    async def begins(self, redis_url: str) -> None:
        """Wait until it is among the living workers."""
        async with Redis.from_url(redis_url) as redis:

            async def beats() -> bool:
                assert not self.ended, self.log.read_text()
                living = await redis.zrange("fc:workers", 0, -1)
                return any(at.decode().endswith(self.name) for at in living)

            await wait_until(beats, START_WITHIN_S)


class Api(Child):
    """An API process on a port of its own."""

    def __init__(self, settings: dict[str, str], *, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            descriptor = listener.fileno()
            super().__init__(["api", "--socket", str(descriptor)], settings, log=log, descriptors=[descriptor])

    def client(self) -> httpx.AsyncClient:
        """Ask it over HTTP."""
        return httpx.AsyncClient(
            base_url=f"{self.address}/api/v1",
            trust_env=False,
            timeout=40,
            limits=httpx.Limits(max_connections=300, max_keepalive_connections=300),
        )

    async def begins(self) -> None:
        """Wait until it takes requests."""
        async with self.client() as client:

            async def live() -> bool:
                assert not self.ended, self.log.read_text()
                with suppress(httpx.TransportError):
                    return (await client.get("/health/live", timeout=2)).status_code == 200
                return False

            await wait_until(live, START_WITHIN_S)


class Processes:
    """The processes of one test, started on its servers; the fixture ends them."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder = folder
        self.settings = settings
        self.all: list[Child] = []

    def start_worker(self, **more: str) -> Worker:
        """Start a worker, and do not wait for it."""
        worker = Worker({**self.settings, **more}, log=self._log("worker"))
        self.all.append(worker)
        return worker

    async def worker(self, **more: str) -> Worker:
        """Start a worker that is alive.

        more  its settings, by the names of their variables.
        """
        worker = self.start_worker(**more)
        await worker.begins({**self.settings, **more}["REDIS_URL"])
        return worker

    def start_api(self, **more: str) -> Api:
        """Start an API process, and do not wait for it."""
        api = Api({**self.settings, **more}, log=self._log("api"))
        self.all.append(api)
        return api

    async def api(self, **more: str) -> Api:
        """Start an API process that takes requests."""
        api = self.start_api(**more)
        await api.begins()
        return api

    def end(self) -> None:
        """End what still runs."""
        for child in self.all:
            if not child.ended:
                child.kill()

    def _log(self, kind: str) -> Path:
        return self._folder / f"{kind}-{len(self.all)}.log"


def started(folder: Path, *, database_url: str, redis_url: str | None, **more: str) -> Iterator[Processes]:
    """What a fixture yields from: processes on these servers, ended at its end."""
    settings = {"DATABASE_URL": database_url, **more}
    if redis_url is not None:
        settings["REDIS_URL"] = redis_url
    processes = Processes(folder, settings)
    try:
        yield processes
    finally:
        processes.end()


class Supervisor:
    """Buries workers that die and starts others, as ``firstcome up`` does, and counts how often.

    buries  False leaves what they held to the end of their leases, as where nobody watches them.
    more    settings of the workers.
    """

    def __init__(self, processes: Processes, *, buries: bool = True, **more: str) -> None:
        self._processes = processes
        self._buries = buries
        self._more = more
        self.restarts = 0
        self._task: asyncio.Task[None] | None = None
        self.workers: list[Worker] = []

    async def start(self, count: int = 1) -> None:
        self.workers = [await self._processes.worker(**self._more) for _ in range(count)]
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        await end_tasks([self._task])
        for worker in self.workers:
            if not worker.ended:
                worker.kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _keep(self) -> None:
        while True:
            for place, worker in enumerate(self.workers):
                if worker.ended:
                    self.restarts += 1
                    if self._buries:
                        await bury(self._processes.settings["REDIS_URL"], worker.name)
                    self.workers[place] = self._processes.start_worker(**self._more)
            await asyncio.sleep(RESUME_EVERY_S)
