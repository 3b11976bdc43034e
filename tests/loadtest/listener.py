"""An HTTP server that writes down what it is asked for."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import ClassVar

HANG_UP = 0
"""Instead of a status: the connection is closed without an answer."""

Wish = tuple[str, datetime, datetime, str]
"""Resource, start, end, and the rule, which is empty for a single booking."""


class Listener:
    """What was asked for, and how it was answered."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self.wishes: list[Wish] = []
        self.asked: list[str] = []
        self.bearers: list[str | None] = []
        self.answered: Counter[str] = Counter()
        self.url = ""
        self._statuses = cycle(statuses)
        self._lock = threading.Lock()

    def answer(self, body: bytes, bearer: str | None) -> int:
        """Write down a wish, and who has it. Returns the status of its answer."""
        wish = json.loads(body)
        start, end = (datetime.fromisoformat(wish[name]) for name in ("start_time", "end_time"))
        with self._lock:
            self.wishes.append((wish["resource_id"], start, end, wish.get("recurrence_rule", "")))
            self.bearers.append(bearer)
            return self._status()

    def show(self, path: str) -> int:
        """Write down what is asked for. Returns the status of its answer."""
        with self._lock:
            self.asked.append(path)
            return self._status()

    def _status(self) -> int:
        status = next(self._statuses)
        self.answered[str(status)] += 1
        return status


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    listener: ClassVar[Listener]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._answer(self.listener.answer(body, self.headers["authorization"]))

    def do_GET(self) -> None:
        self._answer(self.listener.show(self.path))

    def _answer(self, status: int) -> None:
        if status == HANG_UP:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """It does not wait for connections that a generator keeps, nor mind those that it cuts off."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Whoever was cut off at the end of a load reads no answer."""


@contextmanager
def listening(*statuses: int) -> Iterator[Listener]:
    """Listen, and answer with these statuses in rotation."""
    listener = Listener(statuses)
    handler = type("Handler", (Handler,), {"listener": listener})
    with Server(("127.0.0.1", 0), handler) as server:
        listener.url = f"http://127.0.0.1:{server.server_port}/book"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield listener
        finally:
            server.shutdown()
            serving.join()
