"""A caller over HTTP/1.1 that costs little: one connection, one request at a time, and every way to fail told apart.

httptools reads the answers, as it does in uvicorn. A general client spends more on one request than the server does,
and hides what broke a connection; here whoever asks learns whether an answer came, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

CHUNK = 1 << 16


class NoAnswer(Exception):
    """The connection could not be made, or broke, or nothing came in time: the request may have been served."""


class Reply(msgspec.Struct, frozen=True):
    """An answer: its status, its headers by lower-case name, its body."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        """The body, read."""
        return msgspec.json.decode(self.content)


class Caller:
    """One connection to one server, opened when it is first used and again when it was closed."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        self._host, self._port = parts.hostname, parts.port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        within_s: float = 30.0,
    ) -> Reply:
        """Send a request and wait for its answer. Raises NoAnswer."""
        try:
            async with asyncio.timeout(within_s):
                return await self._ask(self._encode(method, path, body, headers or {}))
        except (OSError, TimeoutError, EOFError, httptools.HttpParserError) as error:
            self.close()
            raise NoAnswer(repr(error)) from error
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _ask(self, request: bytes) -> Reply:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        reading = _Reading()
        parser = httptools.HttpResponseParser(reading)
        self._writer.write(request)
        while not reading.complete:
            said = await self._reader.read(CHUNK)
            if not said:
                raise EOFError("the connection was closed")
            parser.feed_data(said)
        if not parser.should_keep_alive():
            self.close()
        return Reply(parser.get_status_code(), reading.headers, bytes(reading.content))

    def _encode(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> bytes:
        content = b"" if body is None else msgspec.json.encode(body)
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}:{self._port}", f"content-length: {len(content)}"]
        if body is not None:
            lines.append("content-type: application/json")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + content


class _Reading:
    """What the parser found so far. The names are httptools'."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.content = bytearray()
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        self.content += part

    def on_message_complete(self) -> None:
        """Note that the answer is whole."""
        self.complete = True
