"""The bucket in Redis: exact, atomic, by Redis's own clock, and gone when it is full again."""

from __future__ import annotations

import asyncio
import random

import pytest
from redis.asyncio import Redis

from engine.queue import scripts
from engine.queue.limits import LocalCounts
from engine.rules.rate import LONGEST_WINDOW_S, SECOND_US, Bucket, Rate
from tests.clients import hour, request, waiting_requests, waiting_tickets
from tests.support import wait_until
from tests.turns import ask_of

ROOM, OTHER = 7, 8
FAR_US = 7_200 * SECOND_US
HOSTILE = ["a b", 'a"b', "a\r\nb", "a\x00b", "a:b", "*", "../a", "{a}", "a" * 200, "1" * 200, "-1", ""]


def bucket(who: str = "ann", *, calls: int = 5, policy: str = "bookings") -> Bucket:
    """A bucket that wins next to nothing back while a test runs."""
    return Bucket(policy, Rate(calls, LONGEST_WINDOW_S), who)


async def enqueue(redis: Redis, asks: list[scripts.Ask], *, limit: int = 100) -> list[scripts.Place]:
    _, _, places = await scripts.enqueue(redis, asks, api="a", limit=limit, candidate="mine")
    return places


def ask(resource: int = ROOM, *buckets: Bucket, key: str | None = None, numbered: bool = True) -> scripts.Ask:
    """An ask of a new request, which counts in these buckets."""
    made = ask_of(request(resource, hour(), key=key), last_ticket=0, memory=b"mine" if numbered else b"other")
    return scripts.Ask(made.resource, made.field, made.request_id, made.body, made.last_ticket, made.memory, buckets)


async def shift(redis: Redis, which: Bucket, by_us: int) -> None:
    """Let time pass for a bucket."""
    key = f"fc:rate:{which.name}"
    await redis.set(key, int(await redis.get(key) or 0) - by_us, keepttl=True)


# ---------------------------------------------------------------------- calls without a command


async def test_of_three_times_too_many_calls_at_once_exactly_the_quota_is_counted(redis_url: str) -> None:
    clients = [Redis.from_url(redis_url) for _ in range(4)]
    wanted = bucket(calls=20)
    calls = [scripts.limit(client, [[wanted]] * 3) for client in clients for _ in range(5)]
    verdicts = [verdict for answer in await asyncio.gather(*calls) for verdict in answer]
    for client in clients:
        await client.aclose()
    assert len(verdicts) == 60
    assert sorted(verdict.levels[0].remaining for verdict in verdicts if verdict.counted) == list(range(20))
    assert {verdict.levels[0].remaining for verdict in verdicts if not verdict.counted} == {0}


async def test_a_call_counts_in_all_of_its_buckets_or_in_none(redis: Redis) -> None:
    person, address = bucket("ann", calls=5), bucket("192.0.2.7", calls=2, policy="bookings-address")
    verdicts = await scripts.limit(redis, [[person, address]] * 4)
    assert [verdict.counted for verdict in verdicts] == [True, True, False, False]
    assert [level.remaining for level in verdicts[-1].levels] == [3, 0], "the person lost nothing by being refused"
    (elsewhere,) = await scripts.limit(redis, [[person, bucket("192.0.2.8", policy="bookings-address")]])
    assert elsewhere.counted


async def test_a_call_is_won_back_when_its_share_of_the_window_has_passed(redis: Redis) -> None:
    wanted = bucket(calls=4)
    await scripts.limit(redis, [[wanted]] * 4)
    for passed_us, counted in ((wanted.rate.interval_us - 60 * SECOND_US, False), (60 * SECOND_US, True), (0, False)):
        await shift(redis, wanted, passed_us)
        (verdict,) = await scripts.limit(redis, [[wanted]])
        assert verdict.counted is counted
        assert 0 < verdict.levels[0].next_s <= wanted.rate.interval_us // SECOND_US
    await shift(redis, wanted, FAR_US)
    assert [verdict.counted for verdict in await scripts.limit(redis, [[wanted]] * 5)] == [True] * 4 + [False], (
        "however long nobody called, a bucket holds no more than its quota"
    )


async def test_a_number_of_a_clock_that_went_back_refuses_nobody(redis: Redis) -> None:
    wanted = bucket(calls=2)
    await scripts.limit(redis, [[wanted]] * 2)
    await shift(redis, wanted, -FAR_US)
    (verdict,) = await scripts.limit(redis, [[wanted]])
    assert (verdict.counted, verdict.levels[0].remaining) == (True, 1)


async def test_a_bucket_lives_until_it_is_full_and_no_longer(redis: Redis) -> None:
    hourly = bucket(calls=1)
    await scripts.limit(redis, [[hourly]])
    assert LONGEST_WINDOW_S - 60 < await redis.ttl(f"fc:rate:{hourly.name}") <= LONGEST_WINDOW_S
    quick = Rate(1_000, 1)
    for first in range(0, 5_000, 500):
        await scripts.limit(redis, [[Bucket("reads", quick, f"{first + at}")] for at in range(500)])

    async def only_that_one() -> bool:
        """To look at a key is what removes it when its time is over."""
        return set(await redis.keys("fc:rate:*")) == {f"fc:rate:{hourly.name}".encode()}

    await wait_until(only_that_one)


@pytest.mark.parametrize("seed", range(5))
async def test_redis_counts_as_a_process_does_that_counts_for_itself(redis: Redis, seed: int) -> None:
    chance = random.Random(seed)
    pool = [bucket(str(who), calls=chance.randint(1, 6)) for who in range(4)]
    calls = [chance.sample(pool, chance.randint(1, 3)) for _ in range(40)]
    counts = LocalCounts()
    assert await scripts.limit(redis, calls) == [counts.take(buckets, now_us=0) for buckets in calls]


async def test_whoever_names_a_bucket_reaches_no_other(redis: Redis) -> None:
    await redis.set("fc:memory", "mine")
    verdicts = await scripts.limit(redis, [[bucket(who, calls=1)] for who in HOSTILE])
    assert all(verdict.counted for verdict in verdicts)
    assert len(await redis.keys("*")) == len(HOSTILE) + 1
    again = await scripts.limit(redis, [[bucket(who, calls=1)] for who in HOSTILE])
    assert not any(verdict.counted for verdict in again)
    assert await redis.get("fc:memory") == b"mine"


# ---------------------------------------------------------------------- commands


async def test_a_command_over_its_rate_leaves_no_trace_and_no_gap(redis: Redis) -> None:
    ann, bob = bucket("ann", calls=2), bucket("bob", calls=9)
    asks = [ask(ROOM, who) for who in (ann, bob, ann, ann, bob, ann, bob)]
    places = await enqueue(redis, asks)
    assert [place.ticket for place in places] == [1, 2, 3, scripts.OVER_RATE, 4, scripts.OVER_RATE, 5]
    kept = [item.request_id for item, place in zip(asks, places, strict=True) if place.ticket != scripts.OVER_RATE]
    assert await waiting_requests(redis, ROOM) == kept
    assert await waiting_tickets(redis, ROOM) == [1, 2, 3, 4, 5]
    assert not await redis.hexists(f"fc:state:{ROOM}", asks[3].field)  # type: ignore[misc, arg-type]
    assert [place.levels[0].remaining for place in places] == [1, 8, 0, 0, 7, 0, 6]


async def test_when_all_of_a_call_are_over_their_rate_no_turn_is_woken(redis: Redis) -> None:
    await scripts.limit(redis, [[bucket(calls=1)]])
    _, announced, (place,) = await scripts.enqueue(
        redis, [ask(ROOM, bucket(calls=1))], api="a", limit=9, candidate="mine"
    )
    assert (place.ticket, announced) == (scripts.OVER_RATE, False)
    assert await redis.keys("fc:[qs]*") == []
    assert await redis.llen("fc:ready") == 0  # type: ignore[misc]


async def test_a_command_that_has_its_ticket_is_not_counted_again(redis: Redis) -> None:
    one = ask(ROOM, bucket(calls=1), key="a")
    equal = ask(ROOM, bucket(calls=1), key="a")
    places = await enqueue(redis, [one, one, equal])
    places += await enqueue(redis, [one, equal])
    assert [place.ticket for place in places] == [1] * 5
    assert [len(place.levels) for place in places] == [1, 0, 0, 0, 0]


async def test_a_command_that_gets_no_ticket_is_not_counted(redis: Redis) -> None:
    wanted = bucket(calls=1)
    (numberless,) = await enqueue(redis, [ask(ROOM, wanted, numbered=False)])
    assert (numberless.ticket, numberless.levels) == (None, ())
    _, full = await enqueue(redis, [ask(ROOM), ask(ROOM, wanted)], limit=1)
    assert (full.ticket, full.levels) == (scripts.QUEUE_FULL, ())
    (counted,) = await enqueue(redis, [ask(OTHER, wanted)])
    assert (counted.ticket, counted.levels[0].remaining) == (1, 0)


async def test_commands_and_reads_of_a_person_count_apart(redis: Redis) -> None:
    reads = bucket(calls=1, policy="reads")
    await scripts.limit(redis, [[reads]])
    (place,) = await enqueue(redis, [ask(ROOM, bucket(calls=1))])
    assert place.ticket == 1
    assert not (await scripts.limit(redis, [[reads]]))[0].counted
