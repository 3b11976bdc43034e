"""Ends a process whose event loop stands still: it can neither decide nor renew, and only looks alive.

A thread, because the loop cannot watch itself. A process that was frozen as a whole (SIGSTOP, a paused
virtual machine) stood still with its watchdog: then the time begins anew, as the fence makes its
coming back harmless.
"""

from __future__ import annotations

import logging
import os
import threading
import time

STANDSTILL_S = 2.0
LOOK_EVERY_S = 0.25
EXIT_CODE = 70

logger = logging.getLogger(__name__)


class Watchdog:
    """Started with ``start``; the event loop calls ``alive`` at least every second."""

    def __init__(self) -> None:
        self._alive_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._alive_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End watching."""
        self._stop.set()
        self._thread.join()

    def alive(self) -> None:
        """Say that the event loop runs."""
        self._alive_at = time.monotonic()

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while not self._stop.wait(LOOK_EVERY_S):
            now = time.monotonic()
            if now - looked_at > STANDSTILL_S / 2:
                self._alive_at = now
            looked_at = now
            if now - self._alive_at > STANDSTILL_S:
                logger.critical("the event loop stands still; this worker ends itself")
                logging.shutdown()
                os._exit(EXIT_CODE)
