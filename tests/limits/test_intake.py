"""Commands count as they are enqueued: for all processes together, once each, and never when they stand already."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import cycle

import pytest
from redis.asyncio import Redis

from engine.commands import Queued, Request
from engine.errors import OverRate
from engine.intake import Count
from engine.queue.intake import QueuedIntake
from engine.rules.rate import Bucket, Rate
from tests.clients import add_resources, hour, open_intake, request, waiting_requests, waiting_tickets
from tests.schema.rows import Connection
from tests.support import wait_until

QUOTA = 10
PERSON = Bucket("bookings", Rate(QUOTA, 3_600), "ann")


async def bring(intake: QueuedIntake, item: Request, *buckets: Bucket) -> Queued | OverRate:
    try:
        answer = await intake.decide(item, wait_s=0, count=Count(buckets))
    except OverRate as error:
        return error
    assert isinstance(answer, Queued)
    return answer


async def test_two_processes_let_exactly_the_quota_through(
    database: Connection, database_url: str, redis_url: str, redis: Redis
) -> None:
    rooms = await add_resources(database, 3)
    async with open_intake(redis_url, database_url) as one, open_intake(redis_url, database_url) as other:
        places = zip(cycle((one, other)), cycle(rooms), range(3 * QUOTA), strict=False)
        answers = await asyncio.gather(*(bring(intake, request(room, hour(at)), PERSON) for intake, room, at in places))
    over = [answer for answer in answers if isinstance(answer, OverRate)]
    assert len(over) == 2 * QUOTA
    assert {(error.policy, error.quota, error.window_s) for error in over} == {("bookings", QUOTA, 3_600)}
    assert all(0 < error.retry_after_s <= 360 for error in over)
    assert sum([len(await waiting_tickets(redis, room)) for room in rooms]) == QUOTA
    for room in rooms:
        tickets = await waiting_tickets(redis, room)
        assert tickets == list(range(1, len(tickets) + 1)), "no number is lost to those who were refused"


async def test_the_same_command_brought_again_while_it_is_queued_counts_once(
    database: Connection, database_url: str, redis_url: str
) -> None:
    (room,) = await add_resources(database, 1)
    once = Bucket("bookings", Rate(1, 3_600), "ann")
    async with open_intake(redis_url, database_url) as one, open_intake(redis_url, database_url) as other:
        count = Count([once])
        first = await one.decide(request(room, key="a"), wait_s=0, count=count)
        assert [level.remaining for level in count.levels] == [0]
        for intake in (one, other):
            count = Count([once])
            again = await intake.decide(request(room, key="a"), wait_s=0, count=count)
            assert (again.request_id, count.levels) == (first.request_id, ())
        with pytest.raises(OverRate):
            await one.decide(request(room, hour(3), key="b"), wait_s=0, count=Count([once]))


async def test_a_command_that_redis_lost_is_enqueued_again_though_its_rate_is_used_up(
    database: Connection, database_url: str, redis_url: str, redis: Redis
) -> None:
    (room,) = await add_resources(database, 1)
    item, once = request(room), Bucket("bookings", Rate(1, 3_600), "ann")
    async with open_intake(redis_url, database_url) as intake:
        waiting = asyncio.create_task(intake.decide(item, wait_s=30, count=Count([once])))
        await wait_until(partial(waiting_requests, redis, room))
        await redis.delete(f"fc:queue:{room}", f"fc:state:{room}", "fc:ready")
        intake._enqueue_again()
        assert await wait_until(partial(waiting_requests, redis, room)) == [item.request_id]
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
