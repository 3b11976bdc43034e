"""The ground that is measured on: real servers, and installations of firstcome on them.

An installation is a database with one API process and, in queue mode, two workers: exactly what
``firstcome up`` runs. Several stand beside each other on the same servers, each with a database and a
logical Redis database of its own, and one at a time is under load.

What dies with us, however we end: every process, and the folder of our own servers. Databases made on
servers of others are dropped at the end; a benchmark that is killed with -9 leaves them (``bench_…``).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

import asyncpg
from redis import Redis, RedisError

from engine.embedded import Stack
from engine.embedded.server import Lifeline, free_port
from engine.errors import StartupRefused
from loadtest.noop import BARE, LEAN
from loadtest.processes import Program, Watch
from migrations.runner import up

WORKERS = 2
READY_WITHIN_S = 30.0
REPLICA_WITHIN_S = 60.0
DECIDED_WITHIN_S = 60.0
STILL_S = 0.3
"""Nothing is under way any more when nothing was decided for this long."""
POLL_S = 0.05
HOST = "127.0.0.1"
BOOK = "/api/v1/bookings"

Mode = Literal["queue", "direct"]
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Servers:
    """Where the servers are. ``stack`` is None where others run them; then nobody can say what they cost."""

    database_url: str
    replica_url: str | None
    redis_url: str
    stack: Stack | None

    def groups(self) -> dict[str, list[int]]:
        """The servers' processes, by the name in the report."""
        if self.stack is None:
            return {}
        return {
            "PostgreSQL": [self.stack.primary.pid],
            "replica": [self.stack.replica.pid],
            "Redis": [self.stack.valkey.pid],
        }


@dataclass
class Noop:
    """The process of the ceiling."""

    programs: Sequence[Program]
    port: int

    def url(self, *, lean: bool) -> str:
        """Where it takes requests."""
        return f"http://{HOST}:{self.port}{LEAN if lean else BARE}"

    def watch(self) -> Watch:
        """Watch what it costs."""
        return Watch({"API": [program.pid for program in self.programs]})

    def settle(self) -> None:
        """Nothing goes on once the answers are there."""


@dataclass
class Installation:
    """One installation: its addresses and processes.

    stored  bookings that were stored before it was started.
    """

    name: str
    mode: Mode
    environment: dict[str, str]
    servers: Servers
    port: int = field(default_factory=free_port)
    api: list[Program] = field(default_factory=list)
    workers: list[Program] = field(default_factory=list)
    stored: int = 0

    @property
    def url(self) -> str:
        """Where bookings are made."""
        return f"http://{HOST}:{self.port}{BOOK}"

    @property
    def programs(self) -> Sequence[Program]:
        """What runs."""
        return [*self.api, *self.workers]

    def watch(self) -> Watch:
        """Watch what it and the servers cost."""
        groups = {"API": self.api, "workers": self.workers}
        pids = {name: [program.pid for program in programs] for name, programs in groups.items() if programs}
        return Watch({**pids, **self.servers.groups()})

    def ask(self, question: Callable[[Connection], Awaitable[Any]]) -> Any:
        """Ask its database on the primary, on a connection of its own."""
        return ask(self.environment["DATABASE_URL"], question)

    def settle(self) -> None:
        """Wait until nothing is decided any more: whoever was cut off at a run's end has been served."""
        deadline = time.monotonic() + DECIDED_WITHIN_S
        before = -1
        while (decided := self.ask(_decided)) != before:
            if time.monotonic() > deadline:
                raise StartupRefused(f"{self.name} still decides {DECIDED_WITHIN_S:.0f} s after the load has ended.")
            before = decided
            time.sleep(STILL_S)


class Ground:
    """Servers and what was started on them; all of it ends with it.

    data  where the servers' folder is made; None for the system's temporary folder.
    """

    def __init__(self, data: Path | None) -> None:
        self.installations: list[Installation] = []
        self._programs: list[Program] = []
        self._lifeline = Lifeline()
        self._open = ExitStack()
        self._open.callback(self._lifeline.close)
        try:
            self.servers = self._open.enter_context(_servers(data))
        except BaseException:
            self._open.close()
            raise
        self._redis_numbers = count(int(urlsplit(self.servers.redis_url).path.strip("/") or 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for program in self._programs:
                program.tell_to_end()
            for program in self._programs:
                program.end()
        finally:
            self._open.close()

    def install(self, name: str, mode: Mode) -> Installation:
        """Make an installation with an empty database of its own. It is not started."""
        database = f"bench_{name}_{os.getpid()}"
        servers = self.servers
        ask(servers.database_url, lambda connection: connection.execute(f"CREATE DATABASE {database}"))
        if servers.stack is None:
            drop = f"DROP DATABASE {database} WITH (FORCE)"
            self._open.callback(ask, servers.database_url, lambda connection: connection.execute(drop))
        environment = {
            "DATABASE_URL": with_path(servers.database_url, database),
            "REPLICA_URL": with_path(servers.replica_url, database) if servers.replica_url else "",
            "REDIS_URL": self.redis_url() if mode == "queue" else "",
            "BOOKING_MODE": mode,
            "AUTH_MODE": "open",  # callers of a load are not what is measured
        }
        asyncio.run(up(environment["DATABASE_URL"]))
        installation = Installation(name, mode, environment, servers)
        self.installations.append(installation)
        return installation

    def start(self, installation: Installation) -> None:
        """Start API and workers of an installation whose data are in place; return when the API is ready.

        What was written before is flushed, and has come to the replica: it must not cost anything later.
        """
        installation.ask(_flush)
        if url := installation.environment["REPLICA_URL"]:
            written = installation.ask(lambda c: c.fetchval("SELECT pg_current_wal_lsn()::text"))
            wait_until(lambda: _replayed(url, written), REPLICA_WITHIN_S, "the replica has what was written")
        if installation.mode == "queue":
            installation.workers = [self._run(["worker"], installation.environment) for _ in range(WORKERS)]
        command = ["api", "--host", HOST, "--port", str(installation.port)]
        installation.api = [self._run(command, installation.environment)]
        for program in installation.programs:
            program.wait_started()
        ready = "/api/v1/health/ready"
        wait_until(lambda: _answers(installation.port, ready), READY_WITHIN_S, f"{installation.name} is ready")

    def start_noop(self) -> Noop:
        """Start the ceiling."""
        port = free_port()
        unused = {"DATABASE_URL": "unused", "REPLICA_URL": "", "REDIS_URL": "unused", "BOOKING_MODE": "queue"}
        program = self._run(["bench", "noop", "--port", str(port)], unused)
        program.wait_started()
        return Noop([program], port)

    def folder(self) -> Path:
        """A folder that is gone at the end."""
        return Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="firstcome-bench-")))

    def redis_url(self) -> str:
        """A logical database that is empty, and ours alone.

        Where the servers are not ours, they begin with the one that REDIS_URL names, and are emptied at the end.

        Raises StartupRefused where somebody has something in it.
        """
        url = with_path(self.servers.redis_url, str(next(self._redis_numbers)))
        if self.servers.stack is None:
            _refuse_used(url)
            self._open.callback(_empty, url)
        return url

    def _run(self, command: Sequence[str], environment: dict[str, str]) -> Program:
        program = Program(command, environment, self._lifeline)
        self._programs.append(program)
        return program


@contextmanager
def _servers(data: Path | None) -> Iterator[Servers]:
    """The servers that the environment names, or a stack of our own."""
    if named := os.environ.get("DATABASE_URL"):
        redis_url = os.environ.get("REDIS_URL")
        if not redis_url:
            raise StartupRefused("DATABASE_URL is set and REDIS_URL is not: set both, or neither.")
        yield Servers(named, os.environ.get("REPLICA_URL") or None, redis_url, None)
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix="firstcome-bench-", dir=data))
    except OSError as error:
        raise StartupRefused(f"--data {data} cannot be used: {error.strerror}.") from None
    try:
        stack = Stack(folder, ephemeral=True)
        try:
            stack.start()
            yield Servers(stack.database_url, stack.replica_url, stack.redis_url, stack)
        finally:
            stack.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ask(url: str, question: Callable[[Connection], Awaitable[Any]]) -> Any:
    """Ask a database, on a connection of its own. Raises StartupRefused where it does not answer, or refuses."""

    async def connected() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await question(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(connected())
    except OSError as error:
        raise StartupRefused(f"The database does not answer: {error}.") from error
    except asyncpg.PostgresError as error:
        raise StartupRefused(f"The database refuses: {error}.") from error


def wait_until(predicate: Callable[[], bool], within_s: float, what: str) -> None:
    """Wait for what must come. Raises StartupRefused where it does not."""
    deadline = time.monotonic() + within_s
    while not predicate():
        if time.monotonic() > deadline:
            raise StartupRefused(f"Not within {within_s:.0f} s: {what}.")
        time.sleep(POLL_S)


def with_path(url: str, path: str) -> str:
    """The same server, another database."""
    return urlsplit(url)._replace(path=f"/{path}").geturl()


async def _flush(connection: Connection) -> None:
    """Leave nothing to be written or tidied up later, while it is measured."""
    await connection.execute("VACUUM (ANALYZE) resource")
    if await connection.fetchval("SELECT EXISTS (SELECT FROM booking)"):
        await connection.execute("VACUUM (ANALYZE)")
    with suppress(asyncpg.InsufficientPrivilegeError):  # servers of others checkpoint when they like
        await connection.execute("CHECKPOINT")


async def _decided(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT COALESCE(sum(last_ticket), 0) FROM resource"))


def _replayed(url: str, written: str) -> bool:
    async def question(connection: Connection) -> bool:
        return bool(await connection.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written))

    with suppress(StartupRefused):  # the database itself has yet to come
        return bool(ask(url, question))
    return False


def _refuse_used(url: str) -> None:
    try:
        with Redis.from_url(url, socket_timeout=5) as client:
            used = client.dbsize()
    except RedisError as error:
        raise StartupRefused(f"A logical database of REDIS_URL cannot be used: {error}.") from error
    if used:
        number = urlsplit(url).path.strip("/")
        raise StartupRefused(
            f"Redis database {number} is in use: REDIS_URL has to name the first of several empty ones."
        )


def _empty(url: str) -> None:
    with Redis.from_url(url, socket_timeout=5) as client:
        client.flushdb()


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path, headers={"connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
