"""Callers made by locust: FastHttpUser, and a shape that says how many there are.

    python -m loadtest.locust_callers < ORDER

What they ask for is ``loadtest.behaviour``'s; this only carries it. A process of its own, as importing locust
replaces Python's sockets by gevent's.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import gevent  # type: ignore[import-untyped]  # it brings no types
import msgspec
from locust import FastHttpUser, LoadTestShape, task
from locust.env import Environment

from engine.collector import settle_collector
from loadtest.behaviour import Ask, Caller, Heard, Times
from loadtest.order import ANSWER_WITHIN_S, TOLD_EVERY_S, Order, Second, Sent, callers_at, tell
from loadtest.record import Entry, Head, Recorder

SPAWN_RATE = 1_000
"""Callers that may come within a second; how many there are is the shape's to say."""
STOP_WITHIN_S = 35


class Booker(FastHttpUser):
    """One caller on a connection of his own: the next request follows the answer to the last one, and a pause."""

    abstract = True
    connection_timeout = network_timeout = ANSWER_WITHIN_S
    max_retries = 0
    order: ClassVar[Order]
    times: ClassVar[Times]
    recorder: ClassVar[Recorder]
    second: ClassVar[Second]
    numbers: ClassVar[count[int]]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        assert self.order.habits is not None, "callers have habits"
        self._caller = Caller(self.order.habits, self.times, number=next(self.numbers))

    def wait_time(self) -> float:
        """How long it pauses."""
        return self._caller.think_s()

    @task
    def ask(self) -> None:
        """Ask for the next thing."""
        ask = self._caller.next()
        sent = time.monotonic()
        heard = self._exchange(ask)
        self._write(self._caller.hear(ask, heard, sent=sent, answered=time.monotonic()))

    def _exchange(self, ask: Ask) -> Heard | None:
        headers = {**self.order.headers, **ask.headers}
        body: Any = ask.body  # bytes are taken, too, whatever the annotation says
        with self.client.request(
            ask.method, ask.path, data=body, headers=headers, catch_response=True, allow_redirects=False
        ) as response:
            if not response.status_code:
                return None
            response.success()  # what an answer has to be is judged from the history
            said = response.headers
            return Heard(
                status=response.status_code,
                body=response.content or b"",
                seen=said.get("firstcome-seen"),
                request_id=said.get("x-request-id"),
                replayed="idempotency-replayed" in said,
            )

    def _write(self, entry: Entry) -> None:
        self.recorder.write(entry)
        self.second.hear(entry)


class Shape(LoadTestShape):
    """How many callers there are, as the order says."""

    order: ClassVar[Order]

    def tick(self) -> tuple[int, float] | None:
        """Callers, and how many may come in a second; None when it is over."""
        number = callers_at(self.order.shape, self.get_run_time())  # type: ignore[no-untyped-call]
        return None if number is None else (number, SPAWN_RATE)


def main() -> None:
    """Make the load that the order on standard input asks for."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    settle_collector()
    head = Head(profile=order.profile, began=datetime.now(UTC), whole=order.whole)
    with Recorder(Path(order.history), head) as recorder:
        tell(_run(order, recorder))


def _run(order: Order, recorder: Recorder) -> Sent:
    began, spent_s = time.monotonic(), time.process_time()
    second = Second(began)
    more: dict[str, Any] = {
        "abstract": False,
        "host": f"http://{order.host}:{order.port}",
        "order": order,
        "times": Times(order.prefix, order.rooms),
        "recorder": recorder,
        "second": second,
        "numbers": count(),
    }
    Shape.order = order
    shape = Shape()  # type: ignore[no-untyped-call]
    environment = Environment(
        user_classes=[type("Booked", (Booker,), more)], shape_class=shape, stop_timeout=STOP_WITHIN_S
    )
    runner = environment.create_local_runner()
    telling = gevent.spawn(_tell, second, runner)
    runner.start_shape()
    assert runner.shape_greenlet is not None, "the shape was started"
    runner.shape_greenlet.join()
    seconds, spent_s = time.monotonic() - began, time.process_time() - spent_s
    runner.quit()
    telling.kill()
    return Sent(began=began, seconds=seconds, busy=spent_s / seconds)


def _tell(second: Second, runner: Any) -> None:
    while True:
        gevent.sleep(TOLD_EVERY_S)
        second.tell(time.monotonic(), runner.user_count)


if __name__ == "__main__":
    main()
