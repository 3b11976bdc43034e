"""A worker that stands still inside its transaction holds nobody up, and changes nothing when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from engine.commands import Status
from engine.embedded import Valkey
from engine.tasks import end_tasks
from tests.clients import add_resources, clean, decided, drained, hour, ledger, open_intake, request
from tests.faults.matrix import Recoveries
from tests.faults.memory import copy_memory, put_back
from tests.processes import Processes
from tests.proxy import proxied
from tests.schema.rows import Connection, add_resource
from tests.support import wait_until
from worker.timing import FAILURES_AT_MOST

FROZEN = "a worker is frozen, and comes back"
GO_ON_WITHIN = timedelta(seconds=2)


def session_is_over(database: Connection) -> Callable[[], Awaitable[bool]]:
    """Ask whether the server has ended the session of a worker that was frozen inside its transaction."""

    async def is_over() -> bool:
        return not await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'firstcome worker' AND state = 'idle in transaction'"
        )

    return is_over


@pytest.mark.parametrize("step", ["W1", "W3", "W4", "W5", "W7"])
async def test_others_go_on_while_a_worker_is_frozen_and_it_changes_nothing_when_it_resumes(
    processes: Processes,
    database: Connection,
    *,
    database_url: str,
    redis_url: str,
    recoveries: Recoveries,
    step: str,
) -> None:
    room = await add_resource(database, capacity=1)
    healthy = await processes.worker()
    frozen = await processes.worker(FIRSTCOME_FAILPOINTS=f"{step}=freeze")
    async with open_intake(redis_url, database_url) as intake, Redis.from_url(redis_url) as redis:
        healthy.freeze()  # so that the other one takes the command
        await wait_until(lambda: healthy.frozen)
        waiting = asyncio.create_task(intake.decide(request(room), wait_s=20))
        await wait_until(lambda: frozen.frozen)
        frozen_at = await database.fetchval("SELECT clock_timestamp()")
        healthy.resume()
        first = decided(await waiting)
        assert first.status is Status.CONFIRMED
        recoveries.note(FROZEN, (first.decided_at - frozen_at).total_seconds(), step)
        refused = decided(await intake.decide(request(room, hour(0.5)), wait_s=20))
        assert refused.status is Status.REFUSED
        rows = await ledger(database, room)

        # It comes back, and is the only one that is left to decide what comes next.
        healthy.kill()
        resuming = asyncio.create_task(frozen.keep_resuming())
        last = decided(await intake.decide(request(room, hour(1)), wait_s=20))
        await drained(redis, [room])
        await end_tasks([resuming])
    assert (last.ticket, last.status) == (3, Status.CONFIRMED)
    assert (await ledger(database, room))[:2] == rows
    await clean(database_url)


async def test_a_worker_that_was_frozen_alone_does_its_batch_again_on_a_new_connection(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """The server has ended its session meanwhile: that is no fault of the commands, so none of them is suspect."""
    room = await add_resource(database, capacity=1)
    frozen = await processes.worker(FIRSTCOME_FAILPOINTS="W4=freeze")
    async with open_intake(redis_url, database_url) as intake:
        waiting = asyncio.create_task(intake.decide(request(room), wait_s=30))
        await wait_until(lambda: frozen.frozen)
        await wait_until(session_is_over(database))
        resuming = asyncio.create_task(frozen.keep_resuming())
        assert decided(await waiting).status is Status.CONFIRMED
        await end_tasks([resuming])
    assert frozen.records("a batch is tried again")
    assert [record for record in frozen.records() if record["level"] in {"error", "critical"}] == []
    await clean(database_url)


async def test_a_worker_that_is_frozen_again_and_again_blames_no_command(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """Each time in the middle of deciding, until the server has ended its session: as often as poison would need."""
    room = await add_resource(database, capacity=1)
    frozen = await processes.worker(FIRSTCOME_FAILPOINTS="decide=freeze")
    async with open_intake(redis_url, database_url) as intake:
        waiting = asyncio.create_task(intake.decide(request(room), wait_s=60))
        for _ in range(FAILURES_AT_MOST + 1):
            await wait_until(lambda: frozen.frozen)
            await wait_until(session_is_over(database))
            frozen.resume()
        resuming = asyncio.create_task(frozen.keep_resuming())
        assert decided(await waiting).status is Status.CONFIRMED
        await end_tasks([resuming])
    assert len(frozen.records("a batch is tried again")) >= FAILURES_AT_MOST
    assert frozen.records("its heads are suspect") == []
    await clean(database_url)


async def test_a_frozen_worker_does_not_hold_up_the_other_resources_of_its_batch(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    rooms = await add_resources(database, 20)
    healthy = await processes.worker()
    frozen = await processes.worker(FIRSTCOME_FAILPOINTS="W5=freeze")
    async with open_intake(redis_url, database_url) as intake:
        healthy.freeze()
        await wait_until(lambda: healthy.frozen)
        waiting = [asyncio.create_task(intake.decide(request(room), wait_s=20)) for room in rooms]
        await wait_until(lambda: frozen.frozen)
        frozen_at = await database.fetchval("SELECT clock_timestamp()")
        healthy.resume()
        outcomes = [decided(outcome) for outcome in await asyncio.gather(*waiting)]
    assert {outcome.status for outcome in outcomes} == {Status.CONFIRMED}
    assert max(outcome.decided_at for outcome in outcomes) - frozen_at < GO_ON_WITHIN
    await clean(database_url)


async def test_a_worker_that_trims_late_leaves_what_came_in_after_redis_was_put_back(
    own_processes: Processes, valkey: Valkey, database: Connection, database_url: str
) -> None:
    """W8: it replied and has not trimmed. Redis comes back as it was before, and gives the same ticket again."""
    room = await add_resource(database, capacity=1)
    before = await own_processes.worker()
    async with open_intake(valkey.url, database_url) as intake, proxied(valkey.url) as proxy:
        decided(await intake.decide(request(room, hour(0)), wait_s=20))
        async with Redis.from_url(valkey.url) as redis:
            await drained(redis, [room])
        await before.end()
        old = await copy_memory(valkey)

        # The proxy keeps its connection to Redis standing, so that its trim does arrive.
        frozen = await own_processes.worker(FIRSTCOME_FAILPOINTS="W8=freeze", REDIS_URL=proxy.url)
        told = decided(await intake.decide(request(room, hour(1)), wait_s=20))
        assert told.ticket == 2
        await wait_until(lambda: frozen.frozen)
        proxy.standing = True
        put_back(valkey, old)
        waiting = asyncio.create_task(intake.decide(request(room, hour(2)), wait_s=20))
        async with Redis.from_url(valkey.url) as redis:

            async def stands() -> bool:
                return bool(await redis.llen(f"fc:queue:{room}") == 1)

            await wait_until(stands)
            await proxy.attach_anew()
            resuming = asyncio.create_task(frozen.keep_resuming())
            late = decided(await waiting)
            await drained(redis, [room])
            await end_tasks([resuming])
    assert late.status is Status.CONFIRMED
    rows = [row for row in await ledger(database, room) if row["outcome"] != "repeated"]
    assert [row["ticket"] for row in rows] == [1, 2, 1_000_000], "ticket 2 was given twice, and decided once"
    assert [row["request_id"] for row in rows[1:]] == [told.request_id, late.request_id]
    report = await clean(database_url)
    assert [(jump.last_ticket, jump.next_ticket) for jump in report.jumps] == [(2, 1_000_000)]
