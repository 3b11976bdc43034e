"""One stream of commands in batches of several sizes: what the tests of it have in common."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from engine.commands import Entry

SIZES = (1, 7, 256)
EVERY_TIME = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=True,
)
"""The same streams each time, all in one database: what a stream makes are resources of its own."""


def heads(waiting: dict[int, list[Entry]], size: int) -> dict[int, list[Entry]]:
    """The heads of queues, the longest queue first, so many commands in all."""
    taken: dict[int, list[Entry]] = {}
    for resource in sorted(waiting, key=lambda resource: -len(waiting[resource])):
        if waiting[resource] and size:
            taken[resource] = waiting[resource][:size]
            size -= len(taken[resource])
    return taken
