"""The atomic steps one by one: what each does, and that repeating it does nothing."""

from __future__ import annotations

import asyncpg
import pytest
from redis.asyncio import Redis

from engine.batch import TICKET_JUMP, jump
from engine.queue import scripts
from engine.store.memory import claim_memory
from tests.clients import hour, request, waiting_requests, waiting_tickets
from tests.schema.rows import Connection, add_resource
from tests.turns import ask_of, enqueue

ROOM, OTHER = 7, 8
DAY_S = 86_400
FAR_US = 3_600_000_000


async def now_us(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return int(seconds) * 1_000_000 + int(microseconds)


async def drain(redis: Redis, token: str = "turn") -> list[scripts.Taken]:
    """Take everything, trim it, and let it go."""
    taken = await scripts.take(redis, token, limit=256)
    await scripts.trim(redis, {item.resource: item.entries for item in taken})
    await scripts.release(redis, token, [(item.resource, False) for item in taken])
    return taken


# ---------------------------------------------------------------------- enqueue


async def test_a_queue_without_state_gives_no_ticket_and_names_its_memory(redis: Redis) -> None:
    memory, announced, (place,) = await scripts.enqueue(
        redis, [ask_of(request(ROOM))], api="a", limit=10, candidate="first"
    )
    assert (memory, announced, place.ticket) == (b"first", False, None)
    again, _, _ = await scripts.enqueue(redis, [ask_of(request(ROOM))], api="a", limit=10, candidate="second")
    assert again == b"first", "the memory id stays"
    assert await redis.keys(f"fc:*:{ROOM}") == []


async def test_a_number_from_another_memory_is_not_taken(redis: Redis) -> None:
    for memory, ticket in ((b"another", None), (b"mine", 42)):
        ask = ask_of(request(ROOM), last_ticket=41, memory=memory)
        _, _, (place,) = await scripts.enqueue(redis, [ask], api="a", limit=10, candidate="mine")
        assert place.ticket == ticket


async def test_tickets_are_given_in_the_order_of_the_call_for_each_resource(redis: Redis) -> None:
    requests = [request(resource) for resource in (ROOM, OTHER, ROOM, ROOM, OTHER)]
    _, places = await enqueue(redis, requests)
    assert [place.ticket for place in places] == [1, 1, 2, 3, 2]
    assert [place.request_id for place in places] == [item.request_id for item in requests]
    assert await waiting_requests(redis, ROOM) == [requests[at].request_id for at in (0, 2, 3)]
    assert sorted(await redis.lrange("fc:ready", 0, -1)) == [b"7", b"8"], "each once"  # type: ignore[misc]


async def test_a_repeated_call_changes_nothing(redis: Redis) -> None:
    requests = [request(ROOM) for _ in range(3)]
    _, first = await enqueue(redis, requests)
    before = await redis.lrange(f"fc:queue:{ROOM}", 0, -1)  # type: ignore[misc]
    _, again = await enqueue(redis, requests)
    assert again == first
    assert await redis.lrange(f"fc:queue:{ROOM}", 0, -1) == before  # type: ignore[misc]
    assert await redis.lrange("fc:ready", 0, -1) == [b"7"]  # type: ignore[misc]


async def test_an_equal_request_gets_the_ticket_of_the_first_and_its_process_waits_too(redis: Redis) -> None:
    first, second, third = (request(ROOM, key="a") for _ in range(3))
    await enqueue(redis, [first], api="one")
    for item, api in ((second, "two"), (third, "two"), (third, "three")):
        _, (place,) = await enqueue(redis, [item], api=api)
        assert (place.ticket, place.request_id) == (1, first.request_id)
    (taken,) = await scripts.take(redis, "turn", limit=10)
    assert taken.waiting == [b"two three"]
    assert len(taken.entries) == 1


async def test_equal_requests_of_one_call_share_a_ticket_unless_their_bodies_differ(redis: Redis) -> None:
    first, same, other = request(ROOM, key="a"), request(ROOM, key="a"), request(ROOM, hour(3), key="a")
    _, places = await enqueue(redis, [first, same, other])
    assert [place.ticket for place in places] == [1, 1, 2]
    assert [place.request_id for place in places] == [first.request_id, first.request_id, other.request_id]


async def test_a_drained_queue_goes_on_with_its_numbers_for_a_day(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(3)])
    await drain(redis)
    assert 0 < await redis.ttl(f"fc:state:{ROOM}") <= DAY_S
    _, (place,) = await enqueue(redis, [request(ROOM)], last_ticket=17)
    assert place.ticket == 4, "it knows better than whoever asks"
    assert await redis.ttl(f"fc:state:{ROOM}") == -1, "while something is queued it does not go"


@pytest.mark.parametrize("owned", [False, True])
async def test_a_queue_whose_state_was_deleted_goes_on_behind_its_last_entry(redis: Redis, owned: bool) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(3)])
    if owned:
        await scripts.take(redis, "turn", limit=10)
    await redis.delete(f"fc:state:{ROOM}")
    _, places = await enqueue(redis, [request(ROOM) for _ in range(2)], last_ticket=0)
    assert [place.ticket for place in places] == [4, 5], "1 to 3 are given"
    assert [place.decided for place in places] == [0, 0]
    await scripts.release(redis, "turn", [(ROOM, False)])
    assert await redis.lrange("fc:ready", 0, -1) == [b"7"], "once"  # type: ignore[misc]
    (taken,) = await scripts.take(redis, "another", limit=10)
    assert len(taken.entries) == 5
    (full,) = (await enqueue(redis, [request(ROOM)], limit=5))[1]
    assert full.ticket == -1


# ---------------------------------------------------------------------- taking and ending


async def test_a_turn_takes_many_resources_in_rotation_and_not_more_than_its_limit(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(10)])
    await enqueue(redis, [request(OTHER) for _ in range(3)])
    first = await scripts.take(redis, "one", limit=6)
    assert [(item.resource, len(item.entries)) for item in first] == [(ROOM, 6)]
    second = await scripts.take(redis, "two", limit=6)
    assert [(item.resource, len(item.entries)) for item in second] == [(OTHER, 3)]
    await scripts.release(redis, "one", [(ROOM, False)])
    await scripts.release(redis, "two", [(OTHER, False)])
    assert await redis.lrange("fc:ready", 0, -1) == [b"7", b"8"]  # type: ignore[misc]


async def test_what_a_turn_still_held_goes_back_when_it_takes_again(redis: Redis) -> None:
    """The answer of its last call was lost, so it does not know what it holds."""
    await enqueue(redis, [request(ROOM)])
    await scripts.take(redis, "turn", limit=6)
    (again,) = await scripts.take(redis, "turn", limit=6)
    assert (again.resource, again.tries) == (ROOM, 1)


async def test_a_turn_does_not_end_while_something_is_ready_unless_its_slice_is_over(redis: Redis) -> None:
    await scripts.take(redis, "turn", limit=6)
    await enqueue(redis, [request(ROOM)])
    assert await scripts.end_turn(redis, "turn", slice_over=False) == (False, False)
    assert await redis.zscore("fc:turns", "turn") is not None
    assert await scripts.end_turn(redis, "turn", slice_over=True) == (True, True)
    assert await redis.zscore("fc:turns", "turn") is None
    await scripts.take(redis, "successor", limit=6)
    assert await redis.zcard("fc:announced") == 0, "a turn that begins uses up its announcement"
    assert await scripts.end_turn(redis, "successor", slice_over=True) == (True, True)
    assert await redis.lrange("fc:ready", 0, -1) == [b"7"], "it gave back what it held"  # type: ignore[misc]


async def test_turns_are_announced_up_to_what_living_workers_can_run(redis: Redis) -> None:
    await scripts.beat(redis, "worker", turns=3, tokens=())
    announced = [(await enqueue(redis, [request(ROOM)]))[0] for _ in range(5)]
    assert announced == [True, True, True, False, False]
    await scripts.take(redis, "turn", limit=1)
    announced_again = [(await enqueue(redis, [request(OTHER)]))[0] for _ in range(2)]
    assert announced_again == [False, False], "one is alive and two are announced"


async def test_the_first_turn_is_announced_although_no_worker_is_alive(redis: Redis) -> None:
    assert [(await enqueue(redis, [request(ROOM)]))[0] for _ in range(3)] == [True, False, False]


# ---------------------------------------------------------------------- the sweep


@pytest.mark.parametrize("deadline", ["passed", "far away"])
async def test_the_sweep_takes_back_what_the_dead_hold(redis: Redis, deadline: str) -> None:
    """A deadline further away than its span is one of a clock that has gone back since."""
    await enqueue(redis, [request(ROOM)])
    await scripts.beat(redis, "worker", turns=2, tokens=())
    await scripts.take(redis, "turn", limit=6)
    assert await scripts.sweep(redis) is False
    assert await redis.lrange("fc:ready", 0, -1) == []  # type: ignore[misc]
    instant = 1 if deadline == "passed" else await now_us(redis) + FAR_US
    await redis.zadd("fc:turns", {"turn": instant})
    await redis.zadd("fc:workers", {"2:worker": instant})
    await redis.zadd("fc:announced", {"lost": instant})
    assert await scripts.sweep(redis) is True, "work waits, and nobody is alive"
    assert await redis.lrange("fc:ready", 0, -1) == [b"7"]  # type: ignore[misc]
    assert [await redis.zcard(f"fc:{name}") for name in ("turns", "workers")] == [0, 0]
    assert await redis.zscore("fc:announced", "lost") is None
    await scripts.beat(redis, "other", turns=1, tokens=["turn"])
    assert await redis.zscore("fc:turns", "turn") is None, "a turn that was swept is not brought back"


# ---------------------------------------------------------------------- trimming, finding, restamping


async def test_a_trim_stops_at_the_first_entry_that_differs(redis: Redis) -> None:
    await enqueue(redis, [request(ROOM) for _ in range(4)])
    (taken,) = await scripts.take(redis, "turn", limit=10)
    one, two, _, four = taken.entries
    await scripts.trim(redis, {ROOM: [one, two, four]})
    assert await waiting_tickets(redis, ROOM) == [3, 4]
    await scripts.trim(redis, {ROOM: [one, two]})
    assert await waiting_tickets(redis, ROOM) == [3, 4], "a trim that is repeated removes nothing"


async def test_a_trim_tells_who_joined_since_the_heads_were_read(redis: Redis) -> None:
    first, second = request(ROOM, key="a"), request(ROOM, key="b")
    await enqueue(redis, [first, second], api="one")
    (taken,) = await scripts.take(redis, "turn", limit=10)
    await enqueue(redis, [request(ROOM, key="a")], api="late")
    assert await scripts.trim(redis, {ROOM: taken.entries}) == {first.request_id: ["late"]}


async def test_a_command_is_found_by_its_address_until_it_is_trimmed(redis: Redis) -> None:
    first, second = request(ROOM), request(ROOM)
    await enqueue(redis, [first, second])
    assert await scripts.find(redis, second.request_id) is None, "it was given no address"
    ask = ask_of(second)
    await scripts.address(redis, [(second.request_id, ROOM, ask.field, "anonymous")])
    assert await scripts.find(redis, second.request_id) == (2, 0)
    assert await scripts.find(redis, second.request_id, withdraw=True) == (2, 0)
    (taken,) = await scripts.take(redis, "turn", limit=1)
    await scripts.trim(redis, {ROOM: taken.entries})
    await scripts.release(redis, "turn", [(ROOM, False)])
    assert await scripts.find(redis, second.request_id) == (2, 1)
    (taken,) = await drain(redis)
    assert taken.withdrawn == [1]
    assert await scripts.find(redis, second.request_id) is None
    assert await redis.keys("fc:request:*") == []


async def test_a_queue_is_restamped_in_its_order_and_only_while_its_head_is_the_same(redis: Redis) -> None:
    requests = [request(ROOM, key=f"{number}") for number in range(3)]
    await enqueue(redis, requests)
    await scripts.address(redis, [(requests[2].request_id, ROOM, ask_of(requests[2]).field, "anonymous")])
    (taken,) = await scripts.take(redis, "turn", limit=10)
    before = await redis.lrange(f"fc:queue:{ROOM}", 0, -1)  # type: ignore[misc]
    assert await scripts.restamp(redis, ROOM, taken.entries[1], 1_000_000) == 0
    assert await redis.lrange(f"fc:queue:{ROOM}", 0, -1) == before  # type: ignore[misc]

    assert await scripts.restamp(redis, ROOM, taken.entries[0], 1_000_000) == 3
    assert await waiting_tickets(redis, ROOM) == [1_000_000, 1_000_001, 1_000_002]
    assert await waiting_requests(redis, ROOM) == [item.request_id for item in requests]
    assert await scripts.restamp(redis, ROOM, taken.entries[0], 2_000_000) == 0, "the head is another now"
    assert await scripts.find(redis, requests[2].request_id) == (1_000_002, 999_999)
    _, places = await enqueue(redis, [requests[0], request(ROOM)])
    assert [place.ticket for place in places] == [1_000_000, 1_000_003]


# ---------------------------------------------------------------------- where numbers go on


async def test_numbers_jump_only_where_another_memory_knew_them(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    await database.execute("UPDATE resource SET last_ticket = 5 WHERE id = $1", room)
    assert await claim_memory(database, [room], "first") == {room: 5}, "no memory was lost"
    assert await claim_memory(database, [room], "first") == {room: 5}
    assert await claim_memory(database, [room], "second") == {room: TICKET_JUMP - 1}
    assert await claim_memory(database, [room], "second") == {room: TICKET_JUMP - 1}
    assert await claim_memory(database, [room], "third") == {room: 2 * TICKET_JUMP - 1}, "two jumps do not meet"
    assert jump(5) == TICKET_JUMP
    assert jump(TICKET_JUMP - 1) == 2 * TICKET_JUMP


async def test_a_row_that_is_locked_is_asked_for_again(database: Connection, database_url: str) -> None:
    held, free = [await add_resource(database, capacity=1) for _ in range(2)]
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM resource WHERE id = $1 FOR NO KEY UPDATE", held)
            assert set(await claim_memory(database, [held, free], "memory")) == {free}
        assert set(await claim_memory(database, [held, free], "memory")) == {held, free}
    finally:
        await other.close()
