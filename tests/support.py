"""What tests of every layer need."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Value = TypeVar("Value")

POLL_S = 0.01


@overload
async def wait_until(predicate: Callable[[], Awaitable[Value]], within_s: float = 10.0) -> Value: ...
@overload
async def wait_until(predicate: Callable[[], Value], within_s: float = 10.0) -> Value: ...
async def wait_until(predicate: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Call ``predicate``, a function or a coroutine function, until what it says is true; return that.

    Raises AssertionError with the last value when the time is over.
    """
    deadline = time.monotonic() + within_s
    while True:
        answer = predicate()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s: {inspect.getsource(predicate)}"
        await asyncio.sleep(POLL_S)


def wait_until_blocking(predicate: Callable[[], Value], within_s: float = 10.0) -> Value:
    """``wait_until`` for tests without an event loop."""
    deadline = time.monotonic() + within_s
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s: {inspect.getsource(predicate)}"
        time.sleep(POLL_S)
    return value
