"""uvicorn, set up for this API: it says when it has started, and it stops without losing a request."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from cli.listening import BACKLOG
from engine.collector import settle_collector
from engine.errors import StartupRefused

GRACE_S = 10
"""How long requests under way may take when the process is told to stop."""
LINGER_S = 1.0
"""How long idle connections are kept then, so that a request on its way to one of them is still answered."""
KEEP_ALIVE_S = 75
ACCEPTS_AT_ONCE = 32
"""Connections that a busy process takes from the kernel in one round of its loop: uvloop takes one from each
listening socket, and in a launch thousands knock in one second."""
ENDING = (signal.SIGTERM, signal.SIGINT)


def serve(app: Any, listener: socket.socket, *, started: Callable[[], None]) -> None:
    """Serve an ASGI application until SIGTERM or SIGINT.

    listener  a listening socket; other processes may accept from it too.
    started   called when requests are taken.

    Raises StartupRefused when the application's start-up does.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    server = Server(config, started)
    logging.getLogger("uvicorn.error").addFilter(server.has_its_word)
    for number in ENDING:  # before uvicorn listens to them, and when it raises them again after a graceful stop
        signal.signal(number, server.handle_exit)
    try:
        # A copy takes its mode from the original and sets it on the socket that all processes share: a blocking one
        # would stop the loop of whichever process knocks in vain.
        listener.setblocking(False)
        server.run([listener, *(listener.dup() for _ in range(ACCEPTS_AT_ONCE - 1))])
    except SystemExit:
        if server.refused is None:
            raise
        raise server.refused from None


class Server(uvicorn.Server):
    """uvicorn's server, with a start that can be refused and a stop that lets go of nobody."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self.refused: StartupRefused | None = None
        self._started = started

    def has_its_word(self, _: logging.LogRecord) -> bool:
        """Whether uvicorn may say something: not that a start failed when the refusal says why."""
        return self.refused is None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen."""
        app = self.config.loaded_app
        # Only the start goes through the wrapper: connections read the attribute when they are made.
        self.config.loaded_app = self._watched(app)
        try:
            await super().startup(sockets)
        finally:
            self.config.loaded_app = app
        settle_collector()
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, tell clients that connections close, linger, then stop as uvicorn does."""
        for server in self.servers:
            server.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        loop = asyncio.get_running_loop()
        linger_until = loop.time() + LINGER_S
        while self.server_state.connections and loop.time() < linger_until:  # noqa: ASYNC110  # uvicorn has no event
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _watched(self, app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            async def send_without_traceback(event: Any) -> None:
                why = sys.exc_info()[1]
                while isinstance(why, BaseExceptionGroup) and len(why.exceptions) == 1:
                    why = why.exceptions[0]
                # the application reports from where it handles what stopped it
                if event["type"] == "lifespan.startup.failed" and isinstance(why, StartupRefused):
                    self.refused = why
                    event = {**event, "message": ""}
                await send(event)

            await app(scope, receive, send_without_traceback)

        return watched
