"""arq's part: a turn is an arq job, and nothing more is asked of arq.

It is not trusted for order (its score is the producer's clock, ties broken by random id), for latency
(it polls), or with a clock (a job runs when its score has passed the worker's): jobs are deferred to a
time long past, and a worker is woken through a list of our own. A job that is lost is healed by the sweep.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from arq.connections import ArqRedis
from redis.asyncio import Redis

from engine.queue.keys import WAKE_WORKERS

QUEUE = "fc:jobs"
TURN = "turn"
LONG_PAST = datetime(2000, 1, 1, tzinfo=UTC)
JOB_LIVES_S = 60.0
"""A turn that nobody ran within this is of no use: the sweep has announced others since."""
WAKES_KEPT = 8


def serialize(job: dict[str, Any]) -> bytes:
    """Write a job's payload, or its failure in words. Data only: a payload can never be code."""
    return msgspec.msgpack.encode(job, enc_hook=repr)


def deserialize(payload: bytes) -> dict[str, Any]:
    """Read a job's payload. Raises msgspec.DecodeError where it is none, as a pickle is not."""
    job: dict[str, Any] = msgspec.msgpack.decode(payload, type=dict[str, Any])
    return job


def open_jobs(redis: Redis) -> ArqRedis:
    """arq's view of a client; the connections are the client's."""
    return ArqRedis(
        redis.connection_pool, job_serializer=serialize, job_deserializer=deserialize, default_queue_name=QUEUE
    )


async def enqueue_turn(jobs: ArqRedis) -> None:
    """Enqueue an announced turn and wake a worker for it."""
    await jobs.enqueue_job(TURN, _job_id=uuid4().hex, _defer_until=LONG_PAST, _expires=JOB_LIVES_S)
    async with jobs.pipeline(transaction=False) as pipeline:
        pipeline.rpush(WAKE_WORKERS, b"1")
        pipeline.ltrim(WAKE_WORKERS, -WAKES_KEPT, -1)
        await pipeline.execute()
