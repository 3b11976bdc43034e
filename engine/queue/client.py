"""Connections to Redis: with time-outs, which redis-py has none of unless told."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

COMMAND_TIMEOUT_S = 2.0
"""An atomic step that takes longer is repeated on another connection: each of them is safe to repeat."""
CONNECT_TIMEOUT_S = 1.0
TROUBLE = (RedisError, OSError, TimeoutError)
"""What is raised where Redis is away, does not answer, or does not want to."""


def open_client(url: str, *, timeout_s: float | None = COMMAND_TIMEOUT_S) -> Redis:
    """Open a client. Connections are made when they are first used.

    timeout_s  how long a reply may take; None for a client that blocks on purpose.
    """
    client: Redis = Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_keepalive=True,
        protocol=2,
    )
    return client
