"""One Redis-compatible server: on the loopback interface, with an append-only file, evicting nothing."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from engine.embedded.appendonly import cut_zeros_off
from engine.embedded.server import Process, free_port, tail
from engine.errors import StartupRefused

ENDING = "TERM:10,KILL:3"
READY_WITHIN_S = 120.0
"""Reading a long append-only file may take its time."""
SETTINGS = {
    "bind": "127.0.0.1",
    "databases": "64",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}
SETTINGS_FILE = "firstcome.conf"
CUT_BY_ITSELF = "the truncated file is not the last file"
"""What a server says that has mended a file which ends in the middle of a command, and ends; see ``appendonly``."""


class Valkey:
    """A server in the folder ``data``, on one port from start to start.

    program   ``valkey-server`` or ``redis-server``.
    settings  more settings, over SETTINGS.
    lock      descriptor that stays open as long as the server lives.
    """

    def __init__(
        self,
        data: Path,
        *,
        program: Path,
        password: str,
        log: Path,
        settings: Mapping[str, str] | None = None,
        lock: int | None = None,
    ) -> None:
        self.data = data
        self.program = program
        self.port = free_port()
        self.settings = dict(settings or {})
        self.process = Process("Valkey", log=log, lock=lock)
        self._password = password
        self._bound = False

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process.alive

    @property
    def url(self) -> str:
        """Where logical database 0 is."""
        return self.database_url(0)

    def database_url(self, number: int) -> str:
        """Where the logical database ``number`` is."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{number}"

    def start(self) -> None:
        """Start, and return when commands are answered. What a power cut has left is mended.

        Raises StartupRefused with the server's own words.
        """
        self.data.mkdir(mode=0o700, exist_ok=True)
        cut_zeros_off(self.data)
        for _ in range(3):
            said_before = self.process.log.stat().st_size if self.process.log.exists() else 0
            self.process.spawn([self.program, self._write_settings()], ending=ENDING)
            if self.process.wait_ready(self._answers, within_s=READY_WITHIN_S):
                self._bound = True
                return
            said = tail(self.process.log, said_before)
            if "bind" in said.lower() and not self._bound:
                self.port = free_port()
            elif CUT_BY_ITSELF not in said:
                break
        words = said.strip().splitlines()[-1] if said.strip() else "no word"
        raise StartupRefused(f"{self.process.name} did not start: {words} (see {self.process.log}).")

    def stop(self) -> None:
        """Shut down: the append-only file is complete."""
        self.process.end([(signal.SIGTERM, 10), (signal.SIGKILL, 5)])

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.end([(signal.SIGKILL, 10)])

    def restart(self) -> None:
        """Stop and start, on the same port, with its data."""
        self.stop()
        self.start()

    def empty(self) -> None:
        """Remove everything it knows. The server must not run."""
        assert not self.alive
        shutil.rmtree(self.data)

    def _write_settings(self) -> Path:
        settings = {**SETTINGS, "port": str(self.port), "requirepass": self._password, **self.settings}
        settings["dir"] = f'"{self.data}"'
        file = self.data / SETTINGS_FILE
        file.touch(mode=0o600)
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        return file

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                said = b""
                while said.count(b"\r\n") < 2:
                    part = connection.recv(1024)
                    if not part:
                        return False
                    said += part
        except OSError:
            return False
        return b"+PONG" in said
