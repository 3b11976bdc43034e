"""Which heads a turn gets alone: those that were taken before, and those that stood in batches that failed."""

from __future__ import annotations

from redis.asyncio import Redis

from engine.queue import scripts
from tests.clients import request
from tests.turns import enqueue

ROOM = 7
LIMIT = 4


async def taken(redis: Redis, *, trim: int) -> tuple[int, int]:
    """Take the room, settle ``trim`` of what was read, and let it go. Returns how suspect, and how many were read."""
    (item,) = await scripts.take(redis, "turn", limit=LIMIT)
    if item.tries > 0:
        await scripts.attempt(redis, "turn", ROOM, name=f"{item.entries[0]!r}{trim}")
    if trim:
        await scripts.trim(redis, {ROOM: item.entries[:trim]})
    await scripts.release(redis, "turn", [(ROOM, False)])
    return item.tries, len(item.entries)


async def test_after_one_failure_only_the_head_is_suspect(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(9)])
    assert await taken(redis, trim=0) == (0, 4)
    assert await taken(redis, trim=1) == (1, 1)
    assert await taken(redis, trim=4) == (0, 4)
    assert await taken(redis, trim=4) == (0, 4)


async def test_after_a_second_failure_all_that_the_first_had_read_goes_alone(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(9)])
    assert await taken(redis, trim=0) == (0, 4)
    assert await taken(redis, trim=1) == (1, 1)
    assert await taken(redis, trim=0) == (0, 4)
    assert [await taken(redis, trim=1) for _ in range(3)] == [(1, 1)] * 3, "tickets 2 to 4"
    assert await taken(redis, trim=4) == (0, 4), "ticket 5 was not there when the first batch failed"


async def test_a_suspect_by_company_has_all_its_attempts(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(9)])
    await taken(redis, trim=0)
    await taken(redis, trim=1)
    await taken(redis, trim=0)
    await taken(redis, trim=1)
    attempts = []
    for name in ("first", "second", "third", "fourth"):
        (item,) = await scripts.take(redis, "turn", limit=LIMIT)
        assert len(item.entries) == 1
        attempts.append(await scripts.attempt(redis, "turn", ROOM, name=name))
        await scripts.release(redis, "turn", [(ROOM, False)])
    assert attempts == [1, 2, 3, 4]


async def test_a_batch_that_is_settled_in_part_is_no_failure(redis: Redis) -> None:
    """A change of the resource is decided in a batch of its own, so the rest of what was read stays."""
    await enqueue(redis, [request(ROOM) for _ in range(9)])
    assert await taken(redis, trim=1) == (0, 4)
    assert await taken(redis, trim=2) == (0, 4)
    assert await taken(redis, trim=4) == (0, 4)


async def test_what_was_suspect_is_forgotten_with_a_drained_queue(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(2)])
    for trim in (0, 1, 0, 1):
        await taken(redis, trim=trim)
    assert set(await redis.hkeys(f"fc:state:{ROOM}")) == {b"next"}  # type: ignore[misc]
    await enqueue(redis, [request(ROOM) for _ in range(3)])
    assert await taken(redis, trim=3) == (0, 3)
