"""A command that raises, one that does not end, one that kills its process: it fails alone, its neighbours do not."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from engine.commands import Command, Status
from tests.clients import add_resources, clean, decided, hour, ledger, open_intake, request
from tests.faults.matrix import Recoveries
from tests.processes import Processes, Supervisor
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until
from worker.timing import FAILURES_AT_MOST
from worker.watchdog import EXIT_CODE

NEIGHBOURS = 8
POISON = "a command raises, hangs or kills its worker"


@pytest.mark.parametrize("action", ["raise", "kill", "hang", "hold"])
async def test_poison_fails_and_its_neighbours_are_decided_in_order(
    processes: Processes,
    database: Connection,
    *,
    database_url: str,
    redis_url: str,
    recoveries: Recoveries,
    action: str,
) -> None:
    room, other = await add_resources(database, 2)
    async with (
        Supervisor(processes, FIRSTCOME_FAILPOINTS=f"decide={action}@poison") as supervisor,
        open_intake(redis_url, database_url) as intake,
    ):
        before = [request(room, hour(at)) for at in range(NEIGHBOURS)]
        poison = request(room, hour(50), key="poison")
        behind = [request(room, hour(at / 2)) for at in range(2 * NEIGHBOURS)]
        elsewhere = [request(other, hour(at)) for at in range(NEIGHBOURS)]
        waiting = [
            asyncio.create_task(intake.decide(item, wait_s=60)) for item in (*before, poison, *behind, *elsewhere)
        ]
        await asyncio.sleep(0)  # they are brought in this order before a worker is there
        await supervisor.start(3 if action == "kill" else 1)
        started_at = await database.fetchval("SELECT clock_timestamp()")
        outcomes = [decided(answer) for answer in await asyncio.gather(*waiting)]

    failed = outcomes[NEIGHBOURS]
    assert (failed.status, failed.ticket, failed.booking) == (Status.FAILED, NEIGHBOURS + 1, None)
    assert [outcome.status for outcome in outcomes[:NEIGHBOURS]] == [Status.CONFIRMED] * NEIGHBOURS
    assert {outcome.status for outcome in outcomes[NEIGHBOURS + 1 : -NEIGHBOURS]} == {Status.REFUSED}
    assert [outcome.status for outcome in outcomes[-NEIGHBOURS:]] == [Status.CONFIRMED] * NEIGHBOURS

    rows = await ledger(database, room)
    assert [row["ticket"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["ticket"] for row in rows if row["outcome"] == "failed"] == [NEIGHBOURS + 1]
    letters = await database.fetch("SELECT * FROM dead_letter")
    assert [(row["resource"], row["ticket"], row["request_id"]) for row in letters] == [
        (room, NEIGHBOURS + 1, poison.request_id)
    ]
    assert msgspec.msgpack.decode(letters[0]["command"], type=Command) == poison.command
    assert supervisor.restarts == (FAILURES_AT_MOST if action == "kill" else 0)
    recoveries.note(POISON, (failed.decided_at - started_at).total_seconds(), action)
    await clean(database_url)


async def test_a_worker_whose_loop_stands_still_outside_a_batch_ends_and_another_goes_on(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    standing = await processes.worker(FIRSTCOME_FAILPOINTS="W2=hang")
    async with open_intake(redis_url, database_url) as intake:
        waiting = asyncio.create_task(intake.decide(request(room), wait_s=60))
        await wait_until(lambda: standing.ended)
        assert standing.process.returncode == EXIT_CODE, "the watchdog ended it"
        await processes.worker()
        assert decided(await waiting).status is Status.CONFIRMED
    await clean(database_url)


async def test_the_log_shows_where_a_command_hung(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    worker = await processes.worker(FIRSTCOME_FAILPOINTS="decide=hang@poison")
    async with open_intake(redis_url, database_url) as intake:
        poison = request(room, key="poison")
        assert decided(await intake.decide(poison, wait_s=60)).status is Status.FAILED
    blamed = worker.records("its heads are suspect")
    assert {record["request_id"] for record in blamed} == {str(poison.request_id)}
    assert all("HeldTooLong" in record["error"] and "failpoints.py" in record["error"] for record in blamed)
    await clean(database_url)


async def test_many_poisonous_commands_do_not_block_a_queue(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    await processes.worker(FIRSTCOME_FAILPOINTS="decide=raise@poison")
    async with open_intake(redis_url, database_url) as intake:
        requests = [
            request(room, hour(number), key=f"poison-{number}" if number % 3 == 0 else None) for number in range(30)
        ]
        outcomes = [
            decided(answer) for answer in await asyncio.gather(*(intake.decide(r, wait_s=60) for r in requests))
        ]
    assert [outcome.status for outcome in outcomes] == [
        Status.FAILED if number % 3 == 0 else Status.CONFIRMED for number in range(30)
    ]
    assert await database.fetchval("SELECT count(*) FROM dead_letter") == 10
    await clean(database_url)


async def test_what_failed_stays_failed_for_its_key(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """A worker that could decide it comes later: the outcome is the one that was told."""
    room = await add_resource(database, capacity=1)
    poisoned = await processes.worker(FIRSTCOME_FAILPOINTS="decide=raise@poison")
    async with open_intake(redis_url, database_url) as intake:
        failed = decided(await intake.decide(request(room, key="poison"), wait_s=60))
        assert failed.status is Status.FAILED
        await poisoned.end()
        await processes.worker()
        again = decided(await intake.decide(request(room, key="poison"), wait_s=60))
        assert (again.status, again.request_id, again.repeated) == (Status.FAILED, failed.request_id, True)
    await clean(database_url)
