"""Bounds how long anything holds the event loop: a batch is interrupted, a loop that stands still ends its process.

A thread, because the loop cannot watch itself. It looks twenty times a second, and has two answers. A batch that
holds the loop longer than HELD_S gets a signal, whose handler raises HeldTooLong in the very place where it hangs:
the command is to blame, the process goes on. Whatever else holds the loop for STANDSTILL_S ends the process, which
can neither decide nor renew any more, and only looks alive.

Both are counted in time that this process *lived*. One that was frozen as a whole (SIGSTOP, a paused virtual
machine) stood still with its watchdog: between two looks lies a gap, of which only what the processor worked for us
counts, so nobody is blamed for it, and the fence makes its coming back harmless. Processor time alone would not do,
as a command that sleeps uses none; nor would the looks alone, as a command that does not let go of the interpreter
allows none (docs/decisions, 11).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from worker.timing import HELD_S, LOOK_EVERY_S, STANDSTILL_S

LONGEST_LOOK_S = 2 * LOOK_EVERY_S
"""Of a gap between two looks so much counts as lived, whatever the processor did."""
INTERRUPT = signal.SIGURG
"""Ignored by whoever has no handler for it: one that comes late does no harm."""
EXIT_CODE = 70

Value = TypeVar("Value")

logger = logging.getLogger(__name__)


class HeldTooLong(Exception):
    """A batch held the event loop longer than it may: something about one of its commands does not end."""

    def __init__(self) -> None:
        super().__init__(f"the event loop was held for longer than {HELD_S} s")


class Watchdog:
    """Started with ``start`` in the main thread; the event loop calls ``alive`` at least every second."""

    def __init__(self) -> None:
        # Seconds lived at the last look, and when that was: replaced as one, as two threads read it.
        self._look = (0.0, time.monotonic(), time.process_time())
        self._alive_at_s = 0.0
        self._stretch_from_s: float | None = None
        self._main = threading.main_thread().ident or 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        signal.signal(INTERRUPT, self._interrupt)
        self.alive()
        self._thread.start()

    def stop(self) -> None:
        """End watching."""
        self._stop.set()
        self._thread.join()
        signal.signal(INTERRUPT, signal.SIG_DFL)

    def alive(self) -> None:
        """Say that the event loop runs."""
        self._alive_at_s = self.lived_s()

    def lived_s(self) -> float:
        """Seconds that this process has run: not those in which it was frozen."""
        lived_s, looked_at, worked_s = self._look
        gap_s = time.monotonic() - looked_at
        return lived_s + min(gap_s, max(LONGEST_LOOK_S, time.process_time() - worked_s))

    async def bounded(self, work: Coroutine[Any, Any, Value], *, step: Callable[[], None] = lambda: None) -> Value:
        """Await ``work``, of which no stretch between two awaits may hold the event loop longer than HELD_S.

        step  called before each stretch: what was awaited has come.

        Raises HeldTooLong where one did, and whatever ``work`` raises.
        """
        return await _Stretches(self, work, step)

    def stretch(self, step: Callable[[Any], Any], argument: Any) -> Any:
        """Call ``step``, which must not take longer than HELD_S. Raises HeldTooLong."""
        self._stretch_from_s = self.lived_s()
        try:
            return step(argument)
        finally:
            # Where it could not be interrupted, it is told afterwards.
            self._raise_if_held()
            self._stretch_from_s = None

    def _interrupt(self, *_: object) -> None:
        self._raise_if_held()

    def _raise_if_held(self) -> None:
        """Raise HeldTooLong, once, if a stretch is under way that has taken too long."""
        if self._held():
            self._stretch_from_s = None
            raise HeldTooLong

    def _held(self) -> bool:
        since_s = self._stretch_from_s
        return since_s is not None and self.lived_s() - since_s > HELD_S

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self._look = (self.lived_s(), time.monotonic(), time.process_time())
            if self._held():
                signal.pthread_kill(self._main, INTERRUPT)
            if self.lived_s() - self._alive_at_s > STANDSTILL_S:
                logger.critical("the event loop stands still; this worker ends itself")
                logging.shutdown()
                os._exit(EXIT_CODE)


class _Stretches(Generator[Any, Any, Value]):
    """A coroutine whose steps are watched, each from one await to the next."""

    def __init__(self, watchdog: Watchdog, work: Coroutine[Any, Any, Value], step: Callable[[], None]) -> None:
        self._watchdog = watchdog
        self._work = work
        self._step = step

    def __await__(self) -> Generator[Any, Any, Value]:
        return self

    def send(self, value: Any) -> Any:
        """Go on to the next await."""
        self._step()
        return self._watchdog.stretch(self._work.send, value)

    def throw(self, kind: Any, value: Any = None, _: Any = None) -> Any:
        """Go on with an exception, as a cancellation does."""
        return self._watchdog.stretch(self._work.throw, kind if value is None else value)
