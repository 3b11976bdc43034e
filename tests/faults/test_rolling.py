"""Every process is replaced while callers book: not one of their requests fails."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from cli.urls import read_urls
from loadtest.caller import Caller, NoAnswer, Reply
from tests.cli.running import Up, up
from tests.clients import clean
from tests.faults.http import ROOMS, booking
from tests.support import wait_until

CALLERS = 16


@dataclass
class Told:
    """What callers were told."""

    answers: list[Reply] = field(default_factory=list)
    unanswered: list[NoAnswer] = field(default_factory=list)
    stopping: bool = False


async def test_every_process_is_replaced_under_load_and_no_request_fails(tmp_path: Path) -> None:
    """SIGHUP: a process is told to stop only when its successor has started, and the socket stays open throughout."""
    with up("--data", tmp_path / "data", "--apis", "2", "--workers", "2", more={"AUTH_MODE": "open"}) as running:
        setting_up = Caller(running.address)
        for room in range(ROOMS):
            made = await setting_up.ask("POST", "/api/v1/resources", {"resource_id": f"room-{room}", "name": "Room"})
            assert made.status == 201
        before = pids(running)
        told = Told()
        calls = [asyncio.create_task(keep_booking(running.address, caller, told)) for caller in range(CALLERS)]
        await wait_until(lambda: len(told.answers) > 100)
        running.process.send_signal(signal.SIGHUP)
        await wait_until(lambda: len(pids(running)) == 4 and not pids(running) & before, 60)
        replaced_at = len(told.answers)
        await wait_until(lambda: len(told.answers) > replaced_at + 100)
        told.stopping = True
        await asyncio.gather(*calls)
        setting_up.close()
        await check_ledger(read_urls(tmp_path / "data")["DATABASE_URL"], told)
    assert told.unanswered == []
    assert {answer.status for answer in told.answers} == {201, 409}


def pids(running: Up) -> set[int]:
    """The processes that serve and decide."""
    return {child.pid for command in ("api", "worker") for child in running.processes(command)}


async def keep_booking(address: str, number: int, told: Told) -> None:
    """Book again and again on one connection, and never ask twice for anything."""
    caller = Caller(address)
    asked = 0
    while not told.stopping:
        asked += 1
        try:
            told.answers.append(await caller.ask("POST", "/api/v1/bookings", booking(asked * CALLERS + number % 4)))
        except NoAnswer as error:
            told.unanswered.append(error)
    caller.close()


async def check_ledger(database_url: str, told: Told) -> None:
    """As many are confirmed as were told so."""
    connection = await asyncpg.connect(database_url)
    confirmed = await connection.fetchval("SELECT count(*) FROM ledger WHERE outcome = 'confirmed'")
    await connection.close()
    assert confirmed == sum(answer.status == 201 for answer in told.answers)
    await clean(database_url)
