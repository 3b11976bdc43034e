"""Connections are lent in the order in which they were asked for, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.store.fair_pool import FairPool
from engine.store.pools import Pool, open_pool


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await open_pool(database_url, size=2, name="test")
    yield opened
    opened.terminate()


async def all_there(pool: Pool) -> bool:
    """Whether as many connections as the pool has can be had at once."""
    async with pool.acquire(timeout=5) as one, pool.acquire(timeout=5) as other:
        return [await connection.fetchval("SELECT 1") for connection in (one, other)] == [1, 1]


async def test_who_comes_first_is_served_first_however_many_come_after(pool: Pool) -> None:
    asked: list[int] = []
    served: list[int] = []
    assert await all_there(pool)  # connections that are made first come when they come

    async def ask(number: int) -> None:
        asked.append(number)
        async with pool.acquire(timeout=10) as connection:
            served.append(number)
            await connection.fetchval("SELECT 1")

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(ask(number))
        number = 20
        while len(served) < 15:  # in every turn of the loop another one comes, so also just after one was given back
            await asyncio.sleep(0)
            group.create_task(ask(number))
            number += 1
    assert served == asked


async def test_who_gives_up_takes_no_turn_along(pool: Pool) -> None:
    async with pool.acquire(), pool.acquire():
        waiting = [asyncio.ensure_future(pool.acquire(timeout=timeout)) for timeout in (0.01, None, 0.01, None)]
        await asyncio.wait(waiting[::2])
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError, asyncio.CancelledError] * 2
    assert await all_there(pool)


async def test_a_connection_given_back_twice_is_lent_once(pool: Pool) -> None:
    connection = await pool.acquire()
    for _ in range(3):
        await pool.release(connection)
    async with pool.acquire(), pool.acquire():
        with pytest.raises(TimeoutError):
            await pool.acquire(timeout=0.05)


async def test_a_connection_that_was_cut_is_replaced(pool: Pool) -> None:
    for _ in range(3):
        async with pool.acquire() as connection:
            connection.terminate()
    assert await all_there(pool)


async def test_a_server_that_cannot_be_reached_costs_no_turn(database_url: str) -> None:
    pool = await open_pool(database_url, size=2, name="test")
    assert isinstance(pool, FairPool)
    pool.set_connect_args("postgresql://127.0.0.1:1/nowhere")
    await pool.expire_connections()
    for _ in range(3):
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await pool.acquire(timeout=5)
    pool.set_connect_args(database_url)
    assert await all_there(pool)
    pool.terminate()
