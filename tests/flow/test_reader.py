"""Reads go to the replica while it is near, and to the primary without an error when it is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest

from engine.config import Config
from engine.embedded import Stack
from engine.errors import Unavailable
from engine.reader import MANY_CLAIMS, MARKS, Answer, Mark, Reader
from engine.store.availability import ClaimsQuery, StandingClaims
from engine.store.pools import Connection, Pool, open_pool
from tests.flow.cable import cable_to
from tests.schema.rows import MIDNIGHT, add_resource
from tests.schema.rows import Connection as Rows
from tests.support import wait_until

MANY = """
INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)
SELECT gen_random_uuid(), $1, false, tstzrange(start, start + interval '20 s'), 1, 'confirmed', 'anonymous', number,
    gen_random_uuid(), now()
FROM generate_series(1, $2) AS number
CROSS JOIN LATERAL (SELECT $3::timestamptz + number * interval '30 minutes') AS place (start)
"""


@asynccontextmanager
async def reading(database_url: str, replica_url: str | None, *, lag_bound_ms: int = 1_000) -> AsyncIterator[Reader]:
    """A reader with a primary pool, started."""
    config = Config(
        database_url=database_url,
        replica_url=replica_url,
        booking_mode="direct",
        replica_lag_bound_ms=lag_bound_ms,
        read_pool_size=4,
    )
    pool: Pool = await open_pool(database_url, size=4, name="test")
    reader = Reader(pool, config)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()
        pool.terminate()


async def where(connection: Connection) -> str:
    """Ask the server which one it is."""
    return "replica" if await connection.fetchval("SELECT pg_is_in_recovery()") else "primary"


async def source(reader: Reader) -> str:
    """Read, and say who answered; the answer must say the same."""
    answer = await reader.read(where)
    assert answer.value == answer.source
    return answer.source


async def is_near(reader: Reader) -> bool:
    return await source(reader) == "replica"


async def is_passed_over(reader: Reader) -> bool:
    return await source(reader) == "primary"


async def test_without_a_replica_the_primary_answers(database_url: str) -> None:
    async with reading(database_url, None) as reader:
        assert await source(reader) == "primary"
        assert reader.lag_ms is None


async def test_a_near_replica_answers_also_when_nothing_is_written(database_url: str, replica_url: str) -> None:
    async with reading(database_url, replica_url) as reader:
        await wait_until(lambda: is_near(reader))
        first = reader._as_of
        await wait_until(lambda: reader._as_of is not first)
        assert await source(reader) == "replica"
        assert reader.lag_ms is not None


async def test_a_replica_that_was_never_there_holds_up_nobody(database_url: str) -> None:
    async with reading(database_url, "postgresql://nobody@127.0.0.1:1/none") as reader:
        assert await source(reader) == "primary"
        await wait_until(lambda: reader._trouble)
        assert await source(reader) == "primary"
        assert reader.lag_ms is None


async def test_a_primary_is_no_replica(database_url: str) -> None:
    async with reading(database_url, database_url) as reader:
        await wait_until(lambda: reader._trouble)
        assert "no replica" in str(reader._trouble)
        assert await source(reader) == "primary"


async def test_a_replica_that_stands_still_ages_while_the_primary_goes_on(
    database_url: str, replica_url: str, database: asyncpg.Connection[Any]
) -> None:
    replica = await asyncpg.connect(replica_url)
    async with reading(database_url, replica_url, lag_bound_ms=400) as reader:
        await wait_until(lambda: is_near(reader))
        await replica.execute("SELECT pg_wal_replay_pause()")
        try:
            await write(database)
            await wait_until(lambda: is_passed_over(reader))
            assert reader.lag_ms is not None, "it can be reached, so its lag is known"
            lag_ms = reader.lag_ms
            assert lag_ms > 400
            await wait_until(lambda: (reader.lag_ms or 0) > lag_ms)
        finally:
            await replica.execute("SELECT pg_wal_replay_resume()")
            await replica.close()
        await wait_until(lambda: is_near(reader))


@pytest.mark.parametrize("directions", [("there", "back"), ("there",), ("back",)], ids="-".join)
async def test_a_cut_cable_costs_no_read_and_is_mended_without_help(
    database_url: str, replica_url: str, directions: tuple[str, ...]
) -> None:
    async with cable_to(replica_url) as cable, reading(database_url, cable.url) as reader:
        await wait_until(lambda: is_near(reader))
        cable.cut(*directions)
        answers = await asyncio.gather(*(source(reader) for _ in range(20)))
        assert set(answers) == {"primary"}
        await wait_until(lambda: reader.lag_ms is None)
        cable.mend()
        await wait_until(lambda: is_near(reader))


async def test_many_who_ask_for_claims_are_held_up_by_nothing_for_long(
    database: Rows, database_url: str, replica_url: str
) -> None:
    """Not by a replica that is cut off, nor by a window that is full, nor by those before them."""
    room, course = [await add_resource(database, capacity=capacity) for capacity in (1, 50)]
    await database.execute(MANY, course, MANY_CLAIMS + 1, MIDNIGHT)
    bound_ms = 1_000
    async with cable_to(replica_url) as cable, reading(database_url, cable.url, lag_bound_ms=bound_ms) as reader:

        async def claims(number: int, resource: int = room) -> tuple[float, Answer[StandingClaims | None]]:
            start = MIDNIGHT + number * timedelta(minutes=1)
            began = time.monotonic()
            answer = await reader.read_claims(ClaimsQuery(resource, start, start + timedelta(days=90)))
            return time.monotonic() - began, answer

        await wait_until(lambda: is_near(reader))
        told = await asyncio.gather(*(claims(number, course if number % 50 == 0 else room) for number in range(400)))
        assert {answer.source for _, answer in told} == {"replica"}
        assert all(answer.value is not None and answer.staleness_ms <= bound_ms for _, answer in told)
        assert set(reader._heavy) == {course}, "it is read alone from now on"

        cable.cut("back")
        told = await asyncio.gather(*(claims(number) for number in range(400)))
        assert {answer.source for _, answer in told} == {"primary"}
        # What the line, a connection, an answer and then the primary may take; without a bound it was 6.5 s.
        assert max(took for took, _ in told) < 3
        cable.mend()


async def test_connections_that_died_silently_are_not_tried_one_by_one(database_url: str, replica_url: str) -> None:
    async with cable_to(replica_url) as cable, reading(database_url, cable.url) as reader:
        await wait_until(lambda: is_near(reader))
        together = asyncio.Barrier(4)

        async def at_once(connection: Connection) -> str:
            await together.wait()
            return await where(connection)

        await asyncio.gather(*(reader.read(at_once) for _ in range(4)))
        assert reader._replica is not None
        assert reader._replica.pool.get_idle_size() == 4

        cable.strand()
        assert await source(reader) == "primary"
        await wait_until(lambda: reader.lag_ms is None)
        await wait_until(lambda: reader.lag_ms)
        answers = await asyncio.gather(*(reader.read(at_once) for _ in range(4)))
        assert {answer.source for answer in answers} == {"replica"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_sleep(30)",
        "DO $$ BEGIN RAISE 'conflict with recovery' USING ERRCODE = 'serialization_failure'; END $$",
    ],
    ids=["slow", "cancelled"],
)
async def test_a_read_that_fails_alone_goes_to_the_primary_and_the_others_stay(
    database_url: str, replica_url: str, statement: str
) -> None:
    async with reading(database_url, replica_url) as reader:
        await wait_until(lambda: is_near(reader))
        sessions: set[int] = set()

        async def failing(connection: Connection) -> str:
            server = await where(connection)
            if server == "replica":
                sessions.add(await connection.fetchval("SELECT pg_backend_pid()"))
                await connection.execute(statement)
            return server

        assert (await reader.read(failing)).source == "primary"
        assert reader._as_of is not None, "nothing is wrong with the replica"
        answer = await reader.read(lambda connection: connection.fetchval("SELECT pg_backend_pid()"))
        assert (answer.source, {answer.value}) == ("replica", sessions), "the connection is used again"


async def test_a_replica_that_ends_its_sessions_is_passed_over_at_once(database_url: str, replica_url: str) -> None:
    async with reading(database_url, replica_url) as reader:
        await wait_until(lambda: is_near(reader))

        async def ending(connection: Connection) -> str:
            server = await where(connection)
            if server == "replica":
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return server

        assert (await reader.read(ending)).source == "primary"
        assert reader._as_of is None
        await wait_until(lambda: is_near(reader))


async def test_a_primary_that_does_not_answer_is_unavailable_and_leaves_the_replica_until_it_ages(
    database_url: str, replica_url: str
) -> None:
    async with cable_to(database_url) as cable, reading(cable.url, replica_url, lag_bound_ms=800) as reader:
        await wait_until(lambda: is_near(reader))
        cable.cut("there", "back")
        await wait_until(lambda: (reader.lag_ms or 0) > 800)
        with pytest.raises(Unavailable):
            await source(reader)
        cable.mend()
        await wait_until(lambda: is_near(reader))


async def test_a_statement_that_is_wrong_shows_on_the_primary_too(database_url: str, replica_url: str) -> None:
    async with reading(database_url, replica_url) as reader:
        await wait_until(lambda: is_near(reader))

        async def wrong(connection: Connection) -> str:
            return str(await connection.fetchval("SELECT nothing"))

        with pytest.raises(asyncpg.UndefinedColumnError):
            await reader.read(wrong)
        await wait_until(lambda: is_near(reader))


async def test_a_caller_who_goes_away_takes_no_connection_along(database_url: str, replica_url: str) -> None:
    async with reading(database_url, replica_url) as reader:
        await wait_until(lambda: is_near(reader))

        async def slow(connection: Connection) -> str:
            await connection.execute("SELECT pg_sleep(30)")
            return "never"

        assert reader._replica is not None
        pool = reader._replica.pool

        def is_busy() -> bool:
            return bool(pool.get_size() > pool.get_idle_size())

        for _ in range(8):
            task = asyncio.create_task(reader.read(slow))
            await wait_until(is_busy)
            task.cancel()
            await asyncio.wait({task})
        assert await source(reader) == "replica"


async def test_marks_are_bounded_and_keep_their_span(database_url: str) -> None:
    async with reading(database_url, None) as reader:
        await reader._mark()
        (first,) = reader._marks
        reader._marks = [Mark(first.at, first.asked_at, number) for number in range(MARKS)]
        await reader._mark()
        assert len(reader._marks) == MARKS // 2 + 1
        assert [mark.position for mark in reader._marks[:3]] == [1, 3, 5]
        for pool in reader._probes.values():
            pool.terminate()


async def test_a_replica_killed_frozen_and_cut_from_its_primary(own_stack: Stack) -> None:
    replica = own_stack.replica
    async with reading(own_stack.database_url, own_stack.replica_url, lag_bound_ms=800) as reader:
        await wait_until(lambda: is_near(reader))

        await asyncio.to_thread(replica.kill)
        assert set(await asyncio.gather(*(source(reader) for _ in range(20)))) == {"primary"}
        assert await source(reader) == "primary"
        await asyncio.to_thread(replica.start)
        await wait_until(lambda: is_near(reader), within_s=30)

        postmaster = psutil.Process(replica.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            assert set(await asyncio.gather(*(source(reader) for _ in range(20)))) == {"primary"}
        finally:
            for process in processes:
                process.resume()
        await wait_until(lambda: is_near(reader))

        standby = await asyncpg.connect(own_stack.replica_url)
        primary = await asyncpg.connect(own_stack.database_url)
        await standby.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'")
        await standby.execute("SELECT pg_reload_conf()")
        await wait_until(lambda: standby.fetchval("SELECT count(*) = 0 FROM pg_stat_wal_receiver"))
        await write(primary)
        await wait_until(lambda: is_passed_over(reader))
        assert reader.lag_ms is not None
        await standby.execute("ALTER SYSTEM RESET primary_conninfo")
        await standby.execute("SELECT pg_reload_conf()")
        await wait_until(lambda: is_near(reader), within_s=30)
        await standby.close()
        await primary.close()


async def write(primary: asyncpg.Connection[Any]) -> None:
    """Write something; it is on disk when this returns."""
    await primary.execute("INSERT INTO installation DEFAULT VALUES ON CONFLICT DO NOTHING")
    await primary.execute("UPDATE installation SET created_at = now()")
