"""The power fails: everything that no disk was told of is gone, and nothing that a caller was told of.

The servers' folder is a file system of its own on a loop device. ext4 can be told to stop in its tracks, without
writing another byte of its journal or of what it still holds in memory (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, which
file systems are tested with). What is mounted anew is what a power cut leaves. A kill -9 is none: the system lives.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest
from redis.asyncio import Redis

from engine.commands import Queued
from engine.embedded import Stack, Valkey
from engine.embedded.binaries import redis_server
from engine.embedded.valkey import SETTINGS
from engine.errors import EngineError
from engine.queue import scripts
from engine.queue.entries import field_of
from engine.queue.flushing import ask_server
from engine.queue.intake import QueuedIntake
from engine.queue.promise import Promiser
from tests.clients import add_resources, clean, drained, hour, open_intake, outcome_at_address, request
from tests.conftest import migrate
from tests.faults.load import HOURS, Load, check
from tests.processes import Processes, started
from tests.support import wait_until, wait_until_blocking
from tests.turns import enqueue

SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
SIZE_BYTES = 900_000_000
CUTS = int(os.environ.get("POWER_CUTS", "1"))
"""How often the power fails; more by hand."""
ENOUGH = 200
SMALL = {"max_wal_size": "64MB", "min_wal_size": "32MB"}

logger = logging.getLogger(__name__)


class Disk:
    """A file system on a loop device, which can lose its power."""

    def __init__(self, folder: Path) -> None:
        self.image, self.mount = folder / "disk", folder / "mount"
        self.mount.mkdir()
        with self.image.open("wb") as image:
            image.truncate(SIZE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True, capture_output=True)

    def plug_in(self) -> None:
        subprocess.run(["mount", "-o", "loop", self.image, self.mount], check=True, capture_output=True)

    def cut_power(self) -> None:
        """From now on nothing is written any more, whatever the system still holds."""
        folder = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("=I", NOLOGFLUSH))
        finally:
            os.close(folder)

    def unplug(self) -> None:
        """Take it away, and with it the servers' processes, as the power does.

        One that waits for a lock of another that is gone would wait for ever, where its server cannot end it any more.
        """
        for process in working_in(self.mount):
            process.kill()
        unmount = ["umount", str(self.mount)]
        wait_until_blocking(lambda: subprocess.run(unmount, check=False, capture_output=True).returncode == 0, 20)


def working_in(folder: Path) -> Iterator[psutil.Process]:
    """The processes whose working folder is below a folder, as that of every server's process is its data."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                yield process


@pytest.fixture
def disk() -> Iterator[Disk]:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("a power cut needs Linux, its superuser, and mkfs.ext4")
    with tempfile.TemporaryDirectory(prefix="firstcome-") as folder:
        made = Disk(Path(folder))
        try:
            made.plug_in()
        except subprocess.CalledProcessError as refused:
            pytest.skip(f"this machine lets nobody mount a loop device: {refused.stderr.decode().strip()}")
        try:
            yield made
        finally:
            if made.mount.is_mount():
                made.unplug()


@pytest.fixture
def disk_stack(disk: Disk) -> Iterator[Stack]:
    """Servers whose data are on that disk, durable as in earnest."""
    # A mount has a folder lost+found, and a data folder must be ours alone.
    stack = Stack(disk.mount / "data", settings=SMALL)
    stack.start()
    asyncio.run(migrate(stack.database_url))
    yield stack
    stack.stop()


@pytest.fixture
def disk_processes(tmp_path: Path, disk_stack: Stack) -> Iterator[Processes]:
    yield from started(tmp_path, database_url=disk_stack.database_url, redis_url=disk_stack.redis_url)


async def test_what_was_acknowledged_is_there_after_a_power_cut(
    disk: Disk, disk_stack: Stack, disk_processes: Processes
) -> None:
    connection = await asyncpg.connect(disk_stack.database_url)
    rooms = await add_resources(connection, 5)
    (queue,) = await add_resources(connection, 1)
    await connection.close()
    await disk_processes.worker()
    promised: list[Queued] = []
    async with (
        open_intake(disk_stack.redis_url, disk_stack.database_url) as intake,
        Redis.from_url(disk_stack.redis_url) as redis,
    ):
        load = Load(intake, rooms, hours=HOURS)
        load.start()
        for number in range(CUTS):
            await load.more(ENOUGH)
            promised.append(await promise(intake, queue, number))
            if number % 2:  # a promise flushes everything: now and then much is written after it
                await load.more(ENOUGH)
            disk.cut_power()
            acknowledged, booked = list(load.answers), load.booked
            await asyncio.to_thread(restart, disk, disk_stack)
            connection = await asyncpg.connect(disk_stack.database_url)
            there = {row["request_id"] for row in await connection.fetch("SELECT request_id FROM ledger")}
            await connection.close()
            lost = [outcome for _, outcome in acknowledged if outcome.request_id not in there]
            assert lost == [], f"{len(lost)} of {len(acknowledged)} answers were lost"
            logger.info("power cut %d: %d answers, %d bookings, none lost", number + 1, len(acknowledged), booked)
        await load.more(ENOUGH)
        await load.stop()
        for each in promised:
            assert (await outcome_at_address(intake, each.request_id)).ticket == each.ticket
        await drained(redis, [*rooms, queue])
    connection = await asyncpg.connect(disk_stack.database_url)
    try:
        await check(load, connection, disk_stack.database_url)
    finally:
        await connection.close()
    await clean(disk_stack.database_url)


async def promise(intake: QueuedIntake, resource: int, number: int) -> Queued:
    """Ask until a request is accepted: whoever comes first when a server was away may have to come again."""

    async def accepted() -> Queued | None:
        with suppress(EngineError):
            answer = await intake.decide(request(resource, hour(number)), wait_s=0)
            return answer if isinstance(answer, Queued) else None
        return None

    found = await wait_until(accepted, 30)
    assert found is not None
    return found


@pytest.fixture
def disk_valkey(disk: Disk, tmp_path: Path) -> Iterator[Valkey]:
    """A server whose file is on that disk, with a flush a second."""
    server = Valkey(disk.mount / "valkey", program=redis_server(), password="secret", log=tmp_path / "valkey.log")
    assert SETTINGS["appendfsync"] == "everysec"
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize("rewriting", [False, True], ids=["plain", "rewriting"])
async def test_a_promise_outlives_a_power_cut_in_the_same_instant(
    disk: Disk, disk_valkey: Valkey, *, rewriting: bool
) -> None:
    """Between two flushes of the server's own lies a second: the promise does not rest on them."""
    promised = []
    for _ in range(CUTS):
        promiser = Promiser(disk_valkey.url)
        async with Redis.from_url(disk_valkey.url) as redis:
            promiser.start(await ask_server(redis))
            for room in range(10):
                asked = request(room + 1)
                await enqueue(redis, [asked])
                if rewriting and room == 5:
                    await redis.bgrewriteaof()
                await promiser.promise(asked.request_id, asked.resource, field_of(asked), asked.caller)
                promised.append(asked.request_id)
        disk.cut_power()
        await promiser.stop()
        disk_valkey.kill()
        disk.unplug()
        disk.plug_in()
        disk_valkey.start()
    async with Redis.from_url(disk_valkey.url) as redis:
        there = [await scripts.find(redis, request_id) for request_id in promised]
        assert None not in there, f"{there.count(None)} of {len(promised)} that were promised are lost"
        assert (await redis.config_get("appendfsync"))["appendfsync"] == "everysec"


def restart(disk: Disk, stack: Stack) -> None:
    """End what the power cut ended, and start again on what it left."""
    for server in (stack.primary, stack.replica, stack.valkey):
        if server.alive:
            server.kill()
    if stack._lock >= 0:  # the first time
        os.close(stack._lock)
        stack._lock = -1
    disk.unplug()
    disk.plug_in()
    for server in (stack.valkey, stack.primary, stack.replica):
        server.process._lock = None
        server.start()
