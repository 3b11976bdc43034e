"""What questions may cost: bounded in number and in time, and never passed on to the primary for being long."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from engine.analytics import MOST_WAITING, Analyst, Question
from engine.config import Config
from engine.errors import Unavailable
from engine.reader import Reader
from engine.store.pools import Connection, Pool
from tests.schema.rows import Connection as Outside
from tests.support import wait_until

QUESTION = Question(date(2025, 1, 1), date(2025, 1, 2))


async def test_one_question_is_asked_at_a_time_and_some_wait(reader: Reader, database: Outside) -> None:
    analyst = Analyst(reader)
    async with database.transaction():
        await database.execute("LOCK TABLE fold IN ACCESS EXCLUSIVE MODE")
        asking = [asyncio.create_task(analyst.ask(QUESTION)) for _ in range(MOST_WAITING + 2)]
        done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert done == {asking[-1]}
        assert isinstance(asking[-1].exception(), Unavailable)
    assert [answer.value.attempts for answer in await asyncio.gather(*waiting)] == [0] * (MOST_WAITING + 1)


async def test_what_takes_the_replica_too_long_is_not_asked_of_the_primary(config: Config, pool: Pool) -> None:
    reader, asked = Reader(pool, config), []

    async def sleep(connection: Connection) -> bool:
        asked.append("replica" if await connection.fetchval("SELECT pg_is_in_recovery()") else "primary")
        return bool(await connection.fetchval("SELECT pg_sleep(30) IS NULL"))

    await reader.start()
    try:
        await wait_until(lambda: reader.lag_ms is not None)
        with pytest.raises(Unavailable):
            await reader.read(sleep, within_s=0.3)
        assert asked == ["replica"]
    finally:
        await reader.stop()
