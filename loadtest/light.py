"""The light generator: HTTP/1.1 on asyncio and uvloop, with a tenth of locust's processor time.

    python -m loadtest.light < ORDER

It makes every kind of load, and the two that locust cannot make: a launch, in which arrivals do not wait for
answers, and crowds that send at one instant. Each caller has a connection of his own, opened beforehand, as a
browser has that shows the page before the door opens.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from engine.collector import settle_collector
from loadtest.behaviour import (
    BOOK,
    BOOKINGS,
    FIRST,
    HOUR,
    LENGTH,
    Ask,
    Caller,
    Habits,
    Heard,
    Times,
    booking_body,
    entry_of,
)
from loadtest.order import ANSWER_WITHIN_S, TOLD_EVERY_S, Order, Progress, Second, Sent, callers_at, crowd_label, tell
from loadtest.record import Entry, Head, Recorder

CONNECT_AT_ONCE = 100
CONNECT_WITHIN_S = 30.0
LOOK_S = 0.05
"""How often it is looked whether callers have to come or go."""
TICK_S = 0.001
"""Arrivals of a launch are sent when they are due, looked at so often."""
LIVE = "/api/v1/health/live"
WARM_CALLERS = 16
WARM_S = 1.0
"""Before a launch or a crowd: other resources are booked, as a system that is about to be launched on is not new."""

Taken = Callable[[bytes | None, float], None]
"""Takes an answer as it came, None where there is none, and the instant."""


class Channel(asyncio.Protocol):
    """One connection, on which one request is under way at a time."""

    __slots__ = ("_answer", "_buffer", "_taken", "_transport")

    def __init__(self) -> None:
        self._buffer = b""
        self._taken: Taken | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by birth

    @property
    def open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, taken: Taken) -> None:
        """Send a request; ``taken`` is called with its answer."""
        assert self._taken is None, "one request at a time"
        self._taken = taken
        if self._transport is None or self._transport.is_closing():
            self._end(None)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Look whether the answer is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        if is_whole(self._buffer):
            answer, self._buffer = self._buffer, b""
            self._end(answer)

    def connection_lost(self, _: Exception | None) -> None:
        """Nothing will come any more."""
        self._end(None)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _end(self, answer: bytes | None) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            taken(answer, time.monotonic())


def is_whole(answer: bytes) -> bool:
    """Whether header and body are there. Every answer of the API says how long it is."""
    head = answer.find(b"\r\n\r\n")
    return head >= 0 and len(answer) >= head + 4 + int(_field(answer[:head].lower(), b"content-length") or 0)


def heard_of(answer: bytes) -> Heard:
    """Take an answer apart."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lower = head.lower()
    return Heard(
        status=int(head[9:12]),
        body=body,
        seen=_field(lower, b"firstcome-seen"),
        request_id=_field(lower, b"x-request-id"),
        replayed=b"\r\nidempotency-replayed:" in lower,
    )


def _field(head: bytes, name: bytes) -> str | None:
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip().decode("latin-1") if found else None


class Post:
    """Writes requests as bytes, and carries them."""

    def __init__(self, order: Order) -> None:
        self._order = order
        more = "".join(f"{name}: {value}\r\n" for name, value in order.headers.items())
        self._common = f"host: {order.host}:{order.port}\r\n{more}"

    def request(self, ask: Ask) -> bytes:
        """The bytes of a request."""
        body = ask.body or b""
        own = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
        length = f"content-length: {len(body)}\r\n" if body else ""
        return f"{ask.method} {ask.path} HTTP/1.1\r\n{self._common}{own}{length}\r\n".encode() + body

    async def connect(self) -> Channel:
        """Open a connection. One that cannot be opened answers nothing."""
        channel = Channel()
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await loop.create_connection(lambda: channel, self._order.host, self._order.port)
        return channel

    async def connect_all(self, number: int) -> list[Channel]:
        """Open many, a hundred at a time."""
        channels: list[Channel] = []
        while len(channels) < number:
            some = min(CONNECT_AT_ONCE, number - len(channels))
            channels += await asyncio.gather(*(self.connect() for _ in range(some)))
        return channels

    async def exchange(self, channel: Channel, ask: Ask) -> tuple[Heard | None, float, float]:
        """Send a request and wait for the answer. Returns it with the instants of both."""
        done: asyncio.Future[tuple[bytes | None, float]] = asyncio.get_running_loop().create_future()

        def taken(answer: bytes | None, at: float) -> None:
            if not done.done():
                done.set_result((answer, at))

        request, sent = self.request(ask), time.monotonic()
        channel.send(request, taken)
        try:
            answer, at = await asyncio.wait_for(done, ANSWER_WITHIN_S)
        except TimeoutError:
            channel.close()
            return None, sent, time.monotonic()
        return (None if answer is None else heard_of(answer)), sent, at


class Crowd:
    """Callers who come and go, each with a connection of his own; the next request follows the answer to the last."""

    def __init__(self, order: Order, habits: Habits, times: Times, write: Callable[[Entry], None]) -> None:
        self._post = Post(order)
        self._habits = habits
        self._times = times
        self._write = write
        self._numbers = count()
        self._present: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def become(self, number: int) -> None:
        """Have so many callers from now on. Who leaves hears his last answer first."""
        while len(self._present) < number:
            leave = asyncio.Event()
            task = asyncio.create_task(self._ask(Caller(self._habits, self._times, number=next(self._numbers)), leave))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._present.append(leave)
        while len(self._present) > number:
            self._present.pop().set()

    async def leave(self) -> None:
        """Send everybody home. Raises what went wrong with any of them."""
        self.become(0)
        await asyncio.gather(*self._tasks)

    async def _ask(self, caller: Caller, leave: asyncio.Event) -> None:
        channel = await self._post.connect()
        while not leave.is_set():
            ask = caller.next()
            heard, sent, answered = await self._post.exchange(channel, ask)
            self._write(caller.hear(ask, heard, sent=sent, answered=answered))
            if heard is None:
                channel = await self._post.connect()
            with suppress(TimeoutError):
                await asyncio.wait_for(leave.wait(), caller.think_s())
        channel.close()


async def make_load(order: Order, recorder: Recorder) -> Sent:
    """Do what the order says."""
    if order.kind == "callers":
        return await _measured(lambda: _callers(order, recorder))
    if order.first == 0:
        await _warm(order, recorder)
    if order.kind == "launch":
        return await _launch(order, recorder)
    return await _measured(lambda: _together(order, recorder))


async def _measured(load: Callable[[], Awaitable[None]]) -> Sent:
    began, spent_s = time.monotonic(), time.process_time()
    await load()
    seconds = time.monotonic() - began
    return Sent(began=began, seconds=seconds, busy=(time.process_time() - spent_s) / seconds)


async def _callers(order: Order, recorder: Recorder) -> None:
    assert order.habits is not None, "callers have habits"
    began = time.monotonic()
    second = Second(began)

    def write(entry: Entry) -> None:
        recorder.write(entry)
        second.hear(entry)

    crowd = Crowd(order, order.habits, Times(order.prefix, order.rooms), write)
    tell_at = TOLD_EVERY_S
    while (number := callers_at(order.shape, at_s := time.monotonic() - began)) is not None:
        crowd.become(number)
        if at_s >= tell_at:
            second.tell(time.monotonic(), number)
            tell_at += TOLD_EVERY_S
        await asyncio.sleep(LOOK_S)
    await crowd.leave()


async def _warm(order: Order, recorder: Recorder) -> None:
    """Have every part of the way been gone before it matters."""
    habits = Habits(weights={BOOK: 1}, fresh=1, think_s=(0, 0))
    crowd = Crowd(order, habits, Times(order.prefix, order.rooms), recorder.write)
    crowd.become(WARM_CALLERS)
    await asyncio.sleep(WARM_S)
    await crowd.leave()


async def _launch(order: Order, recorder: Recorder) -> Sent:
    """Everybody asks for the same time of a class, one after the other at an even pace, and nobody waits."""
    post = Post(order)
    ask = launch_ask(order.prefix)
    request = post.request(ask)
    channels = await post.connect_all(order.arrivals)
    await _greet(post, channels)
    answers = Answers(order.arrivals)
    began, spent_s = time.monotonic(), time.process_time()
    sent = await _send_when_due(channels, request, answers, rate=order.rate)
    await answers.all_there()
    seconds = time.monotonic() - began
    busy = (time.process_time() - spent_s) / seconds
    for channel in channels:
        channel.close()
    for at, (answer, answered) in zip(sent, answers.taken, strict=True):
        heard = None if answer is None else heard_of(answer)
        recorder.write(entry_of(ask, heard, sent=at, answered=answered))
    return Sent(began=began, seconds=seconds, busy=busy)


async def _greet(post: Post, channels: Sequence[Channel]) -> None:
    """Have every connection been answered once: until then the kernel holds it, and the API has not taken it."""
    ask = Ask("greet", "GET", LIVE, "")
    for at in range(0, len(channels), CONNECT_AT_ONCE):
        await asyncio.gather(*(post.exchange(channel, ask) for channel in channels[at : at + CONNECT_AT_ONCE]))


class Answers:
    """What came back, by the number of the arrival."""

    def __init__(self, number: int) -> None:
        self.taken: list[tuple[bytes | None, float]] = [(None, 0.0)] * number
        self.count = 0
        self._all = asyncio.Event()

    def take(self, number: int) -> Taken:
        """What takes the answer to an arrival."""

        def taken(answer: bytes | None, at: float) -> None:
            self.taken[number] = answer, at
            self.count += 1
            if self.count == len(self.taken):
                self._all.set()

        return taken

    async def all_there(self) -> None:
        """Wait for the last one, within reason."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all.wait(), ANSWER_WITHIN_S)


async def _send_when_due(channels: Sequence[Channel], request: bytes, answers: Answers, *, rate: float) -> list[float]:
    """Send each arrival at its instant, or as soon after it as we can. Returns when each was sent."""
    began, number = time.monotonic(), 0
    sent: list[float] = []
    second = TOLD_EVERY_S / 4
    while number < len(channels):
        due = min(len(channels), int((time.monotonic() - began) * rate) + 1)
        for arrival in range(number, due):
            sent.append(time.monotonic())
            channels[arrival].send(request, answers.take(arrival))
        number = due
        if (at_s := time.monotonic() - began) > second:
            tell(Progress(at_s=at_s, callers=number, answers=answers.count, errors=0, p95_ms=0))
            second += TOLD_EVERY_S / 4
        await asyncio.sleep(TICK_S)
    return sent


async def _together(order: Order, recorder: Recorder) -> None:
    """Crowds of each size, one after the other, each at another time, which one of them can have."""
    post = Post(order)
    hours = count(order.first)
    for size in order.crowds:
        channels = await post.connect_all(size)
        for _ in range(order.repeats):
            ask = crowd_ask(order.prefix, next(hours), label=crowd_label(size, order.label))
            answers = await asyncio.gather(*(post.exchange(channel, ask) for channel in channels))
            for heard, sent, answered in answers:
                recorder.write(entry_of(ask, heard, sent=sent, answered=answered))
        for channel in channels:
            channel.close()


def launch_ask(prefix: str) -> Ask:
    """What everybody asks for in a launch."""
    resource = f"{prefix}-class"
    return Ask(BOOK, "POST", BOOKINGS, resource, booking_body(resource, FIRST, LENGTH), label="launch")


def crowd_ask(prefix: str, hour: int, *, label: str) -> Ask:
    """What a crowd asks for: a time of one room, another one for each crowd."""
    resource = f"{prefix}-crowd"
    return Ask(BOOK, "POST", BOOKINGS, resource, booking_body(resource, FIRST + hour * HOUR, LENGTH), label=label)


def main() -> None:
    """Make the load that the order on standard input asks for."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    settle_collector()
    head = Head(profile=order.profile, began=datetime.now(UTC), whole=order.whole)
    with Recorder(Path(order.history), head) as recorder:
        tell(uvloop.run(make_load(order, recorder)))


if __name__ == "__main__":
    main()
