"""Passwords: argon2id, never on the event loop, and never more at one time than the machine bears.

Hashing is slow on purpose: about 30 ms and 19 MiB each. It runs in threads of its own, two at a time; the
library lets other threads run meanwhile. Whoever finds a long queue before them is turned away at once.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from engine.errors import TooManyWaiting

SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1_024
"""Characters of a password, and nothing else is asked of it. Source: NIST SP 800-63B, 5.1.1.2."""
MEMORY_KIB, PASSES, LANES = 19 * 1_024, 2, 1
"""What a hash costs. Source: OWASP Password Storage Cheat Sheet. One lane, so that a storm of log-ins leaves the
other cores to the bookings."""
AT_ONCE = 2
WAITING_LIMIT = 100
"""Passwords under way in one process, waiting ones included: about 1.5 s of work."""

Value = TypeVar("Value")


class Passwords:
    """Hashes and compares passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._under_way = 0
        self._nobodys = self._hasher.hash("nobody's")

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises TooManyWaiting."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Compare a password with a kept hash.

        kept  None: there is no such account. That takes as long, and is never right.

        Raises TooManyWaiting.
        """
        same = await self._run(lambda: self._same(self._nobodys if kept is None else kept, password))
        return same and kept is not None

    def stop(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _same(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Value]) -> Value:
        if self._under_way >= WAITING_LIMIT:
            raise TooManyWaiting("as many passwords wait in this process as may")
        self._under_way += 1
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(self._done)
        return await running

    def _done(self, _: object) -> None:
        self._under_way -= 1


def _bytes(password: str) -> bytes:
    """The same bytes however a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password).encode()
