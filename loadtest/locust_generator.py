"""The load of ``book.lua``, made by locust: for machines without wrk.

    python locust_generator.py URL CONNECTIONS SECONDS KIND FIRST RESOURCES LIMIT PREFIX RULE BEARERS

It prints the same line of JSON. Everything runs in one process, as one core is all that is granted.
It imports nothing of ours, so that it can be run by its path, as ``book.lua`` is.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent.event  # type: ignore[import-untyped]  # it brings no types
from locust import FastHttpUser, constant, task
from locust.env import Environment
from locust.exception import StopUser

BEGINNING = datetime(2060, 1, 1, tzinfo=UTC)
SERIES_BEGINNING = BEGINNING + timedelta(days=366)
STEP = 7919
ANSWER_WITHIN_S = 30.0
HEADERS = {"content-type": "application/json"}


class Wishes:
    """What is asked for: the slots of ``book.lua``, each used once."""

    def __init__(self, kind: str, first: int, rooms: tuple[int, str], *, rule: str, bearers: str) -> None:
        self._kind, self._first = kind, first
        self._resources, self._prefix = rooms
        self._beginning = SERIES_BEGINNING if rule else BEGINNING
        self._repeated = {"recurrence_rule": rule} if rule else {}
        self._slots = count(first)
        self._bearers = Path(bearers).read_text().split() if bearers else []
        self.sent = 0

    def next(self) -> tuple[str | None, dict[str, str]]:
        """The next body, None where the address is only asked for, and the headers that go with it."""
        slot = next(self._slots)
        self.sent += 1
        if self._kind == "read":
            return None, HEADERS
        headers = HEADERS
        if self._bearers:
            headers = {**HEADERS, "authorization": f"Bearer {self._bearers[slot % len(self._bearers)]}"}
        resource_id, minute = self._place(slot)
        start, end = (self._beginning + timedelta(minutes=minute + more) for more in (0, 1))
        times = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        return json.dumps({"resource_id": resource_id, **times, **self._repeated}), headers

    def _place(self, slot: int) -> tuple[str, int]:
        if self._kind == "many":
            return f"{self._prefix}-{slot * STEP % self._resources:05d}", slot // self._resources
        return ("room-one", slot) if self._kind == "one" else ("class", self._first)


class Booker(FastHttpUser):
    """One connection: the next request when the answer to the last one is there."""

    wait_time = constant(0)
    connection_timeout = network_timeout = ANSWER_WITHIN_S
    wishes: ClassVar[Wishes]
    answers: ClassVar[Answers]
    path: ClassVar[str]

    @task
    def book(self) -> None:
        """Book the next slot, or ask for the address."""
        if self.answers.full.is_set():
            raise StopUser
        body, headers = self.wishes.next()
        method = "GET" if body is None else "POST"
        with self.client.request(method, self.path, data=body, headers=headers, catch_response=True) as response:
            if response.status_code:
                response.success()  # what an answer has to be is judged from the count of its status


class Answers:
    """What came back until ``full`` is set; nothing more is sent then."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.full = gevent.event.Event()
        self.statuses: Counter[str] = Counter()
        self.took_ms: list[float] = []
        self.errors = 0

    def hear(self, *, response_time: float, response: Any, exception: Exception | None, **_: Any) -> None:
        """Count one answer, or the want of it."""
        if self.full.is_set():
            return
        status = getattr(response, "status_code", 0)
        if exception is not None or not status:
            self.errors += 1
            return
        self.statuses[str(status)] += 1
        self.took_ms.append(response_time)
        if len(self.took_ms) == self._limit:
            self.full.set()


def main(arguments: list[str]) -> None:
    """Make the load, and tell what came of it."""
    address, connections, seconds, kind, first, resources, limit, prefix, rule, bearers = arguments
    url = urlsplit(address)
    Booker.host = f"{url.scheme}://{url.netloc}"
    Booker.path = url._replace(scheme="", netloc="").geturl()
    Booker.wishes = Wishes(kind, int(first), (int(resources), prefix), rule=rule, bearers=bearers)
    Booker.answers = answers = Answers(int(limit))
    environment = Environment(user_classes=[Booker])
    environment.events.request.add_listener(answers.hear)  # type: ignore[no-untyped-call]
    runner = environment.create_local_runner()
    began, spent_s = time.perf_counter(), time.process_time()
    runner.start(int(connections), spawn_rate=int(connections))
    answers.full.wait(float(seconds))
    took_s, spent_s = time.perf_counter() - began, time.process_time() - spent_s
    answers.full.set()
    runner.quit()
    cuts = quantiles(answers.took_ms, n=100) if len(answers.took_ms) > 1 else [*answers.took_ms, 0.0] * 99
    told = {
        "seconds": took_s,
        "sent": Booker.wishes.sent,
        "statuses": answers.statuses,
        "errors": answers.errors,
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
        "longest_ms": max(answers.took_ms, default=0.0),
        "busy": spent_s / took_s,  # its start, which takes a second, is no part of the load
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
