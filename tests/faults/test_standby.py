"""The primary is lost and its synchronous standby takes its place: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis

from engine.embedded import Stack
from tests.clients import add_resources, drained, open_intake
from tests.faults.load import Load, check
from tests.faults.matrix import Recoveries
from tests.processes import Processes
from tests.support import wait_until

PROMOTED = "the primary is lost, and its synchronous standby promoted"
ENOUGH = 150


def either_of(stack: Stack) -> str:
    """Both servers in one URL: whoever connects goes to the one that takes writes."""
    first, second = urlsplit(stack.database_url), urlsplit(stack.replica_url)
    login, _, host = first.netloc.rpartition("@")
    both = f"{login}@{host},{second.hostname}:{second.port}"
    return first._replace(netloc=both, query="target_session_attrs=read-write").geturl()


async def test_what_was_acknowledged_stands_on_the_standby_that_is_promoted(
    own_stack: Stack, stack_processes: Processes, recoveries: Recoveries
) -> None:
    """The old primary comes back as the new one's standby, which is what keeps it from being written to."""
    primary = await asyncpg.connect(own_stack.database_url)
    rooms = await add_resources(primary, 5)
    await primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'replica'")
    await primary.execute("SELECT pg_reload_conf()")
    is_synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    await wait_until(lambda: primary.fetchval(is_synchronous))
    await primary.close()
    url = either_of(own_stack)
    await asyncio.gather(*(stack_processes.worker(DATABASE_URL=url) for _ in range(2)))
    async with open_intake(own_stack.redis_url, url) as intake, Redis.from_url(own_stack.redis_url) as redis:
        load = Load(intake, rooms)
        load.start()
        await load.more(ENOUGH)
        await asyncio.to_thread(own_stack.primary.kill)
        acknowledged = list(load.answers)
        standby = await asyncpg.connect(own_stack.replica_url)
        assert await standby.fetchval("SELECT pg_promote(wait => true)")
        await standby.execute("ALTER SYSTEM RESET synchronous_standby_names")
        since = time.monotonic()
        await load.more(ENOUGH)
        recoveries.note(PROMOTED, load.held_up_s(since))

        # The old one comes back while callers are answered, as the standby that it has to be.
        (own_stack.primary.data / "standby.signal").touch()
        await asyncio.to_thread(own_stack.primary.start)
        await load.more(ENOUGH)
        await load.stop()
        await drained(redis, rooms)
        in_new = {row["request_id"] for row in await standby.fetch("SELECT request_id FROM ledger")}
        assert {outcome.request_id for _, outcome in acknowledged} <= in_new
        await check(load, standby, own_stack.replica_url)
        await standby.close()
    assert not any(child.ended for child in stack_processes.all)
