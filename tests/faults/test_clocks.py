"""Clocks that are off by an hour, or go back while processes run: order and expiry depend on none of them."""

from __future__ import annotations

import asyncio
import shutil
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from engine.commands import Book, Reason, Status
from engine.embedded import Valkey
from engine.tasks import end_tasks
from tests.clients import add_resources, clean, decided, drained, hour, ledger, open_intake, request
from tests.faults.load import Load, check
from tests.processes import Processes
from tests.schema.rows import Connection

SOURCE = Path(__file__).with_name("clock.c")
HOUR_S = 3_600
compiler = shutil.which("cc")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or compiler is None, reason="a false clock needs Linux's loader and a C compiler"
)


class Clocks:
    """False clocks, each in a file: the processes that are given one see it change at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._library = folder / "clock.so"
        subprocess.run([compiler or "", "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"], check=True)

    def settings(self, name: str, off_by_s: int) -> dict[str, str]:
        """What a process is given so that its clock is off."""
        self.put(name, off_by_s)
        return {"LD_PRELOAD": str(self._library), "CLOCK_OFF_BY": str(self._folder / name)}

    def put(self, name: str, off_by_s: int) -> None:
        """Put a clock forward or back."""
        file = self._folder / name
        file.touch()
        with file.open("r+b") as written:
            written.write(struct.pack("=q", off_by_s))


async def test_no_outcome_depends_on_the_clock_of_a_process(
    tmp_path: Path,
    own_processes: Processes,
    *,
    valkey: Valkey,
    database: Connection,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers an hour fast and an hour slow, one that goes back, and Redis that goes back and forth under load."""
    clocks = Clocks(tmp_path)
    valkey.stop()
    with monkeypatch.context() as patch:
        for name, value in clocks.settings("redis", 0).items():
            patch.setenv(name, value)
        valkey.start()
    rooms = await add_resources(database, 5)
    await asyncio.gather(
        own_processes.worker(**clocks.settings("fast", HOUR_S)),
        own_processes.worker(**clocks.settings("slow", -HOUR_S)),
        own_processes.worker(**clocks.settings("falling", 0)),
    )
    async with open_intake(valkey.url, database_url) as intake, Redis.from_url(valkey.url) as redis:
        load = Load(intake, rooms, callers=10)
        load.start()
        jumping = asyncio.create_task(jump(clocks, load))
        await jumping
        await load.stop()
        await drained(redis, rooms)
        assert abs((await redis.time())[0] - HOUR_S - datetime.now(UTC).timestamp()) < 60, "its clock was not off"
        await end_tasks([jumping])

        now = await database.fetchval("SELECT clock_timestamp()")
        for minutes, expected in ((-30, Status.REFUSED), (30, Status.CONFIRMED)):
            start = now + timedelta(minutes=minutes)
            outcome = decided(
                await intake.decide(request(rooms[0], Book(start, start + timedelta(minutes=1), 1)), wait_s=20)
            )
            assert outcome.status is expected
            assert outcome.reason is (Reason.SLOT_IN_PAST if expected is Status.REFUSED else None)
        assert decided(await intake.decide(request(rooms[0], hour(2_000)), wait_s=20)).status is Status.CONFIRMED
    report = await check(load, database, database_url)
    assert report.jumps == [], "a clock that jumps is no loss of memory"
    for room in rooms:
        instants = [row["decided_at"] for row in await ledger(database, room)]
        assert instants == sorted(instants)
        assert max(instants) - min(instants) < timedelta(minutes=5), "they are the primary's"
    await clean(database_url)


async def jump(clocks: Clocks, load: Load) -> None:
    """Put clocks back and forward while callers are answered."""
    for falling, redis in ((-HOUR_S, -HOUR_S), (2 * HOUR_S, HOUR_S), (-2 * HOUR_S, -HOUR_S), (0, HOUR_S)):
        clocks.put("falling", falling)
        clocks.put("redis", redis)
        await load.more(60)
