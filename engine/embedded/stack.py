"""PostgreSQL with a streaming replica and a Redis-compatible server, for one machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.embedded.binaries import postgresql_folder, redis_server
from engine.embedded.folder import open_folder, password
from engine.embedded.postgres import Postgres, check_major
from engine.embedded.server import Identity, Lifeline, launch
from engine.embedded.valkey import Valkey


class Stack:
    """The three servers of a data folder.

    data       the folder: ``primary/``, ``replica/``, ``valkey/``, ``log/``.
    ephemeral  nobody keeps the folder: it is removed when the stack stops, or when its owner dies.
    settings   more settings for both PostgreSQL servers.
    identity   how PostgreSQL runs when we are root.
    """

    def __init__(
        self,
        data: Path,
        *,
        ephemeral: bool = False,
        settings: Mapping[str, str] | None = None,
        identity: Identity = "auto",
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.data = data.resolve()
        self.ephemeral = ephemeral
        self._report = report
        binaries, program = postgresql_folder(), redis_server()
        self._lock = open_folder(self.data)
        self._remover = _remove_afterwards(self.data) if ephemeral else None
        secret, logs = password(self.data), self.data / "log"
        logs.mkdir(exist_ok=True)
        self.primary, self.replica = (
            Postgres(
                self.data / name,
                binaries=binaries,
                password=secret,
                log=logs / f"{name}.log",
                settings=settings,
                lock=self._lock,
                identity=identity,
            )
            for name in ("primary", "replica")
        )
        self.valkey = Valkey(
            self.data / "valkey", program=program, password=secret, log=logs / "valkey.log", lock=self._lock
        )

    @property
    def database_url(self) -> str:
        """The primary."""
        return self.primary.url

    @property
    def replica_url(self) -> str:
        """The streaming replica."""
        return self.replica.url

    @property
    def redis_url(self) -> str:
        """The Redis-compatible server."""
        return self.valkey.url

    def start(self) -> None:
        """Start all three; the first time, make the clusters. Nothing is left running when it fails.

        Raises StartupRefused.
        """
        try:
            with ThreadPoolExecutor(2) as starters:
                valkey, pair = starters.submit(self.valkey.start), starters.submit(self._start_pair)
                valkey.result()
                pair.result()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> list[str]:
        """Start again what has died. Returns the names of those servers."""
        dead = [server for server in (self.primary, self.replica, self.valkey) if not server.alive]
        for server in dead:
            server.start()
        return [server.process.name for server in dead]

    def stop(self) -> None:
        """Stop Redis, then the replica, then the primary. Stopping twice is harmless."""
        for server in (self.valkey, self.replica, self.primary):
            if server.alive:
                server.stop()
        if self._lock >= 0:
            os.truncate(self._lock, 0)  # says to whoever comes next that he only has to wait for the watchers
            os.close(self._lock)
            self._lock = -1
        if self._remover is not None:
            self._remover.close()
            self._remover = None
            shutil.rmtree(self.data, ignore_errors=True)

    def _start_pair(self) -> None:
        self._make_clusters()
        check_major(self.primary.data, self.primary.binaries)
        self._report("Starting PostgreSQL, its replica and Valkey.")
        self.primary.start()
        self.replica.follow(self.primary)
        self.replica.start()

    def _make_clusters(self) -> None:
        """Make what is missing. A folder counts once it has its final name; the primary's is given last."""
        primary, replica = self.primary.data, self.replica.data
        if primary.exists():
            if not replica.exists():
                self._report("Making a new replica.")
                self.primary.copy_to(replica)
            return
        self._report(f"Making a PostgreSQL cluster in {primary}.")
        making = primary.with_name("primary.making")
        for leftover in (making, replica):
            shutil.rmtree(leftover, ignore_errors=True)
        self.primary.data = making
        try:
            self.primary.create(durable=not self.ephemeral)
            self.primary.copy_to(replica)
        finally:
            self.primary.data = primary
        making.replace(primary)
        if not self.ephemeral:
            os.sync()  # the clusters' own files are flushed by initdb, and not what was written beside them


def start(data: Path, *, ephemeral: bool = False, report: Callable[[str], None] = lambda _: None) -> Stack:
    """Start a PostgreSQL pair and a Redis-compatible server in a data folder.

    data       kept from start to start, unless ``ephemeral``.
    ephemeral  the folder is removed when the stack stops, or when its owner dies.
    report     told in a sentence what takes a while.

    Raises StartupRefused, and then nothing is left running.
    """
    stack = Stack(data, ephemeral=ephemeral, report=report)
    stack.start()
    return stack


def _remove_afterwards(data: Path) -> Lifeline:
    lifeline = Lifeline()
    launch(["--remove"], lifeline.watched, own=data).wait()
    return lifeline
