"""What holds the event loop too long is interrupted where it hangs, or told afterwards; the process goes on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from worker.timing import HELD_S, LOOK_EVERY_S
from worker.watchdog import INTERRUPT, HeldTooLong, Watchdog

FAR_TOO_LONG_S = 3 * HELD_S
SOON_S = HELD_S + 10 * LOOK_EVERY_S


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog()
    watchdog.start()
    yield watchdog
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {INTERRUPT})
    watchdog.stop()


def sleep() -> None:
    time.sleep(FAR_TOO_LONG_S)


def work() -> None:
    ends = time.monotonic() + FAR_TOO_LONG_S
    while time.monotonic() < ends:
        pass


def work_deaf() -> None:
    """As a library does that looks at no signal."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {INTERRUPT})
    work()


async def hold_after_an_await(hold: Callable[[], None]) -> None:
    await asyncio.sleep(0)
    hold()
    await asyncio.sleep(0)
    raise AssertionError("it went on")


@pytest.mark.parametrize("hold", [sleep, work])
async def test_a_batch_that_holds_the_loop_is_interrupted_where_it_hangs(
    watchdog: Watchdog, hold: Callable[[], None]
) -> None:
    began = time.monotonic()
    with pytest.raises(HeldTooLong) as caught:
        await watchdog.bounded(hold_after_an_await(hold))
    assert HELD_S < time.monotonic() - began < SOON_S
    assert hold.__name__ in [frame.name for frame in caught.traceback], "the trace names the culprit"


async def test_a_batch_that_cannot_be_interrupted_is_told_afterwards(watchdog: Watchdog) -> None:
    with pytest.raises(HeldTooLong):
        await watchdog.bounded(hold_after_an_await(work_deaf))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {INTERRUPT})
    await asyncio.sleep(0)  # an interruption that comes late hits nobody


async def test_a_gap_in_which_nobody_could_look_counts_if_the_processor_worked() -> None:
    """Who does not let go of the interpreter lets no watchdog run: here is none that does."""
    with pytest.raises(HeldTooLong):
        await Watchdog().bounded(hold_after_an_await(work))


async def test_a_gap_in_which_nobody_could_look_and_nothing_worked_was_a_freeze() -> None:
    with pytest.raises(AssertionError, match="it went on"):
        await Watchdog().bounded(hold_after_an_await(sleep))


async def test_whoever_holds_the_loop_outside_a_batch_is_not_interrupted(watchdog: Watchdog) -> None:
    async def batch() -> str:
        await asyncio.sleep(HELD_S)
        return "decided"

    batches = [asyncio.create_task(watchdog.bounded(batch())) for _ in range(2)]
    await asyncio.sleep(0)
    time.sleep(HELD_S + 4 * LOOK_EVERY_S)  # noqa: ASYNC251  # it is this that is tried
    assert await asyncio.gather(*batches) == ["decided", "decided"]


async def test_many_short_stretches_may_take_long_together(watchdog: Watchdog) -> None:
    async def batch() -> int:
        for _ in range(6):
            time.sleep(HELD_S / 4)  # noqa: ASYNC251  # it is this that is tried
            await asyncio.sleep(0)
        return 6

    assert await watchdog.bounded(batch()) == 6


async def test_what_a_batch_raises_and_its_cancellation_pass_through(watchdog: Watchdog) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("its own")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(ValueError, match="its own"):
        await watchdog.bounded(fail())
    cancelled = asyncio.Event()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(watchdog.bounded(wait()), LOOK_EVERY_S)
    assert cancelled.is_set()
