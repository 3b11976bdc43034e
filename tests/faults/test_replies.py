"""Replies that never arrive, of Redis and of workers: asked again, looked up, never decided twice."""

from __future__ import annotations

import asyncio
import time

from engine.commands import Status
from engine.queue import scripts
from tests.clients import clean, decided, hour, ledger, open_intake, request
from tests.faults.matrix import Recoveries
from tests.processes import Processes
from tests.proxy import Link, proxied
from tests.schema.rows import Connection, add_resource

CUT = "the reply channel is cut"
ENQUEUE = scripts._DIGESTS["enqueue"].encode()


async def test_a_cut_reply_to_enqueue_and_its_retry_without_a_key_is_one_decision(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await processes.worker()
    room = await add_resource(database, capacity=5)
    async with proxied(redis_url) as proxy, open_intake(proxy.url, database_url) as intake:
        await intake.decide(request(room), wait_s=10)  # the script is known and the connection stands
        for number in range(1, 4):
            proxy.cut_reply_to(ENQUEUE)
            wanted = request(room, hour(number))
            outcome = decided(await intake.decide(wanted, wait_s=10))
            assert proxy.cuts == number, "the reply was not lost"
            assert (outcome.status, outcome.ticket) == (Status.CONFIRMED, number + 1)
    rows = await ledger(database, room)
    assert [(row["ticket"], row["outcome"]) for row in rows] == [(ticket, "confirmed") for ticket in (1, 2, 3, 4)]
    assert len({row["request_id"] for row in rows}) == 4
    await clean(database_url)


async def test_a_reply_that_is_lost_is_found_in_the_ledger(
    processes: Processes, database: Connection, database_url: str, redis_url: str, recoveries: Recoveries
) -> None:
    await processes.worker()
    room = await add_resource(database, capacity=1)

    def is_outcome(link: Link, said: bytes) -> bool:
        return link.subscribed and b"fc:reply:" in said and b"subscribe" not in said

    async with proxied(redis_url) as proxy, open_intake(proxy.url, database_url) as intake:
        proxy.swallow = is_outcome
        outcomes = await asyncio.gather(*(intake.decide(request(room), wait_s=20) for _ in range(20)))
        assert proxy.swallowed >= 1, "no reply was lost"
        for number in range(8):
            since = time.monotonic()
            decided(await intake.decide(request(room, hour(number + 0.5)), wait_s=20))
            recoveries.note(CUT, time.monotonic() - since)
        assert proxy.swallowed >= 9, "no reply was lost"
    assert sorted(decided(outcome).ticket for outcome in outcomes) == list(range(1, 21))
    assert [decided(outcome).status for outcome in outcomes].count(Status.CONFIRMED) == 1
    await clean(database_url)


async def test_a_lost_reply_and_the_ledger_say_the_same(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """Every kind of outcome is rebuilt from the ledger word for word."""
    await processes.worker()
    room = await add_resource(database, capacity=1)
    async with open_intake(redis_url, database_url) as intake:
        for wanted in (hour(0), hour(0.5), hour(-200_000)):
            told = decided(await intake.decide(request(room, wanted), wait_s=10))
            assert await intake.find(told.request_id) == told


async def test_a_reply_channel_that_is_cut_is_opened_anew(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await processes.worker()
    room = await add_resource(database, capacity=1)
    async with proxied(redis_url) as proxy, open_intake(proxy.url, database_url) as intake:
        for number in range(5):
            waiting = asyncio.create_task(intake.decide(request(room, hour(number)), wait_s=10))
            for link in proxy.links:
                if link.subscribed:
                    link.cut()
            assert decided(await waiting).status is Status.CONFIRMED
        assert sum(link.subscribed for link in proxy.links) > 1, "it was never opened anew"
    await clean(database_url)


async def test_a_reply_channel_that_falls_silent_is_opened_anew(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """A half-open connection: it stands, and nothing comes through it any more."""
    await processes.worker()
    room = await add_resource(database, capacity=1)
    async with proxied(redis_url) as proxy, open_intake(proxy.url, database_url) as intake:
        (silent,) = [link for link in proxy.links if link.subscribed]
        proxy.swallow = lambda link, _said: link is silent
        opened = asyncio.Event()

        async def book_until_opened() -> None:
            number = 0
            while not opened.is_set():
                number += 1
                assert decided(await intake.decide(request(room, hour(number)), wait_s=10)).ticket == number
                if any(link.subscribed and link is not silent for link in proxy.links):
                    opened.set()

        await asyncio.wait_for(book_until_opened(), 30)
        replies = 0

        def count(link: Link, said: bytes) -> bool:
            nonlocal replies
            replies += link.subscribed and b"fc:reply:" in said
            return False

        proxy.swallow = count
        assert decided(await intake.decide(request(room, hour(500)), wait_s=10)).status is Status.CONFIRMED
        assert replies >= 1, "the outcome did not come through the new channel"
    await clean(database_url)
