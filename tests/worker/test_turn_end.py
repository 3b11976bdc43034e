"""A command that arrives at any instant of a turn's life is served, though nobody sweeps here."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from engine.commands import Request
from tests.clients import add_resources, clean, drained, hour, ledger, request
from tests.schema.rows import Connection
from tests.support import wait_until
from tests.turns import Turning, turning

STEPS = ("take", "trim", "release", "end_turn")
ROUNDS = 12


@pytest.mark.parametrize("instant", list(product(("before", "after"), STEPS)), ids=" ".join)
async def test_what_arrives_at_a_step_of_a_turn_is_not_left_to_the_sweep(
    monkeypatch: pytest.MonkeyPatch, database: Connection, database_url: str, redis_url: str, instant: tuple[str, str]
) -> None:
    """The turn does not wait for work: it ends as soon as nothing is ready, and looks again in that very step."""
    monkeypatch.setattr("worker.turn.IDLE_S", 0.0)
    room, other = await add_resources(database, 2)
    async with turning(redis_url, database_url) as worker:
        for number in range(ROUNDS):
            for late in (room, other):
                arrived = plan(instant, worker, request(late, hour(number)))
                await worker.bring([request(room, hour(number))])
                await wait_until(arrived.is_set)
                await drained(worker.redis, [room, other], within_s=5)
    rows = [*(await ledger(database, room)), *(await ledger(database, other))]
    assert len(rows) == 4 * ROUNDS
    await clean(database_url)


def plan(instant: tuple[str, str], worker: Turning, late: Request) -> asyncio.Event:
    """Have a request arrive around the next run of a script. Returns what is set once it did."""
    arrived = asyncio.Event()

    async def arrive() -> None:
        await worker.bring([late])
        arrived.set()

    when, step = instant
    hooks = worker.redis.before if when == "before" else worker.redis.after
    hooks[step] = arrive
    return arrived
