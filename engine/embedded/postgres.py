"""One PostgreSQL server: a primary or a replica, on the loopback interface, durable."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.embedded.binaries import postgresql_major
from engine.embedded.server import Identity, Lifeline, Process, free_port, launch, tail
from engine.errors import StartupRefused

USER = "firstcome"
DATABASE = "firstcome"
SLOT = "replica"
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
ENDING = "INT:10,QUIT:3,KILL:3"
READY_WITHIN_S = 120.0
"""Recovery after a crash may take its time."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # paths of sockets have a limit that folders of users pass
    "max_connections": "200",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "wal_level": "replica",
    "wal_keep_size": "64MB",
    "max_slot_wal_keep_size": "4GB",  # a replica that never comes back must not fill the disk
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "hot_standby": "on",
    "hot_standby_feedback": "on",  # a read on the replica must not be cancelled by a vacuum
    "max_standby_streaming_delay": "500ms",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",  # else a replica that starts first waits for 5 s
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "10s",
}
SETTINGS_FILE = "firstcome.conf"


class Postgres:
    """A server in the folder ``data``.

    binaries  folder of PostgreSQL's programs.
    password  of the one user; the folder's files are readable for nobody else.
    settings  more settings, over SETTINGS.
    lock      descriptor that stays open as long as the server lives.
    """

    def __init__(
        self,
        data: Path,
        *,
        binaries: Path,
        password: str,
        log: Path,
        settings: Mapping[str, str] | None = None,
        lock: int | None = None,
        identity: Identity = "auto",
    ) -> None:
        self.data = data
        self.binaries = binaries
        self.port = free_port()
        self.settings = dict(settings or {})
        self.process = Process(f"PostgreSQL ({data.name})", log=log, lock=lock)
        self._password = password
        self._identity: Identity = identity
        self._bound = False

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the postmaster runs."""
        return self.process.alive

    @property
    def url(self) -> str:
        """Where the database is."""
        return self.database_url(DATABASE)

    def database_url(self, name: str) -> str:
        """Where the database ``name`` of this server is."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{name}"

    def create(self, *, durable: bool = True) -> None:
        """Make a cluster with one user, one database and the slot of a replica, and leave it shut down.

        durable  False leaves the flushing to the system: for folders that nobody keeps.
        """
        secret = self.data.with_name(self.data.name + ".password")
        _write_private(secret, self._password)
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", f"--username={USER}", "--encoding=UTF8"]
        options += ["--locale=C", "--no-instructions", *([] if durable else ["--no-sync"])]
        try:
            self._run(self.binaries / "initdb", *options, "-D", self.data)
        finally:
            secret.unlink()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"include '{SETTINGS_FILE}'\n")
        self._write_settings()
        statements = f"CREATE DATABASE {DATABASE};\nSELECT pg_create_physical_replication_slot('{SLOT}', true);\n"
        self._run(self.binaries / "postgres", "--single", "-D", self.data, "postgres", statements=statements)

    def copy_to(self, replica: Path) -> None:
        """Copy the cluster, which must not run, into a replica's folder. The slots stay where they are."""
        making = replica.with_name(replica.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(self.data, making, symlinks=True, ignore=_not_for_a_replica(self.data))
        (making / "pg_replslot").mkdir(mode=0o700, exist_ok=True)
        (making / "standby.signal").touch(mode=0o600)
        making.chmod(0o700)
        making.replace(replica)

    def start(self) -> None:
        """Start, and return when connections are accepted.

        The port stays the same from start to start; only the first may meet one that somebody took.
        Raises StartupRefused with PostgreSQL's own words.
        """
        for _ in range(50):
            said_before = self.process.log.stat().st_size if self.process.log.exists() else 0
            self._write_settings()
            self.process.spawn(
                [self.binaries / "postgres", "-D", self.data],
                ending=ENDING,
                identity=self._identity,
                own=self.data,
            )
            if self.process.wait_ready(self._ready, within_s=READY_WITHIN_S):
                self._bound = True
                return
            said = tail(self.process.log, said_before)
            if "could not bind" in said and not self._bound:
                self.port = free_port()
            elif "pre-existing shared memory block" not in said:  # of one that was killed: its children are ending
                break
        fatal = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line] or said.splitlines()
        why = fatal[-1].split("FATAL:")[-1].strip() if fatal else "no word"
        raise StartupRefused(f"{self.process.name} did not start: {why} (see {self.process.log}).")

    def stop(self) -> None:
        """Shut down: sessions are ended, everything is written."""
        self.process.end([(FAST, 20), (IMMEDIATE, 5), (signal.SIGKILL, 5)])

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.end([(signal.SIGKILL, 10)])

    def restart(self) -> None:
        """Stop and start, on the same port."""
        self.stop()
        self.start()

    def follow(self, primary: Postgres) -> None:
        """Say whom this replica follows. Read at its next start."""
        self.settings |= {
            "primary_conninfo": f"host=127.0.0.1 port={primary.port} user={USER} password={self._password}"
            " application_name=replica",
            "primary_slot_name": SLOT,
        }

    def _ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _write_settings(self) -> None:
        settings = {**SETTINGS, "port": str(self.port), **self.settings}
        lines = ["# Written at every start. ALTER SYSTEM takes precedence over it."]
        lines += [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        file = self.data / SETTINGS_FILE
        owner = self.data.stat()
        _write_private(file, "\n".join(lines) + "\n")
        os.chown(file, owner.st_uid, owner.st_gid)

    def _run(self, *command: str | Path, statements: str = "") -> None:
        """Run one of PostgreSQL's programs as the server's user."""
        lifeline = Lifeline()
        self.data.mkdir(mode=0o700, exist_ok=True)
        try:
            child = launch(
                command,
                lifeline.watched,
                identity=self._identity,
                own=self.data,
                input=subprocess.PIPE,
                output=subprocess.PIPE,
            )
            said, _ = child.communicate(statements.encode(), timeout=READY_WITHIN_S)
        finally:
            lifeline.close()
        text = said.decode(errors="replace")
        if child.returncode != 0 or "FATAL:" in text or "ERROR:" in text:
            raise StartupRefused(f"{Path(command[0]).name} failed: {' '.join(text.split())[-500:]}.")


def check_major(data: Path, binaries: Path) -> None:
    """Refuse a cluster that another major version made."""
    made_by = (data / "PG_VERSION").read_text().strip()
    found = postgresql_major(binaries)
    if made_by != str(found):
        raise StartupRefused(
            f"{data} was made by PostgreSQL {made_by}, and the programs in {binaries} are of version {found}:"
            " use another data folder, or name programs of that version in POSTGRESQL_BIN."
        )


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)


def _not_for_a_replica(data: Path) -> Callable[[str, list[str]], set[str]]:
    left_out = {"pg_replslot", "postmaster.pid", "postmaster.opts", "pg_stat_tmp"}
    return lambda folder, names: left_out.intersection(names) if Path(folder) == data else set()
