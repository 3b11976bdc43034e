"""The API inside this process, asked as over HTTP: the same routes, checks and queues, without a port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from api.app import ROOT, Api, create_app
from engine.config import Config
from engine.errors import StartupRefused

Message = MutableMapping[str, Any]


@dataclass(slots=True, frozen=True)
class Reply:
    """What was answered."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str | None:
        """The code of the problem that it is, or None."""
        return self.body.get("code") if self.status >= 400 else None


@asynccontextmanager
async def inside(config: Config) -> AsyncIterator[Inside]:
    """An API with these settings. Raises StartupRefused, its own or that of whoever asks it, as it is."""
    app = create_app(config)
    try:
        async with app.lifespan():
            yield Inside(app)
    except BaseExceptionGroup as group:  # the framework runs it in a group of tasks
        if (refused := group.subgroup(StartupRefused)) is None:
            raise
        raise _first(refused) from None


def _first(error: BaseException) -> BaseException:
    """The first error in a group of groups."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class Inside:
    """Asks an API that has started."""

    def __init__(self, app: Api) -> None:
        self._app = app

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        key: str | None = None,
        **query: str,
    ) -> Reply:
        """Send a request.

        path   behind ROOT.
        token  whose request it is; None: nobody's.
        key    the idempotency key, or None.
        """
        headers = [(b"host", b"inside")]
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        if token is not None:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        call = _Call(b"" if body is None else json.dumps(body).encode())
        await self._app(_scope(method, ROOT + path, headers, query), call.receive, call.send)
        return call.reply()


class _Call:
    """One request, and what is sent for it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._status = 0
        self._said = bytearray()

    async def receive(self) -> Message:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        self._status = message.get("status", self._status)
        self._said += message.get("body", b"")

    def reply(self) -> Reply:
        return Reply(self._status, json.loads(bytes(self._said)) if self._said else {})


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]], query: dict[str, str]) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(query).encode(),
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("inside", 80),
        "extensions": {},
        "state": {},
    }
