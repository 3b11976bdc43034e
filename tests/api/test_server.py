"""The interface on the server that it runs on: what only the wire shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.http import LARGEST_BODY
from tests.processes import Processes

CHUNKED = (
    b"POST /api/v1/bookings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
)


@dataclass
class Reply:
    """An answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A server, spoken to byte by byte."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._host, self._port = parts.hostname, parts.port

    async def ask(self, *parts: bytes) -> Reply:
        """Send the parts one after the other; read one answer, and until the server closes."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            for part in parts:
                writer.write(part)
                try:
                    await writer.drain()
                except ConnectionError:  # it need not read what it has refused
                    break
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            length = 0 if parts[0].startswith(b"HEAD") else int(headers.get("content-length", 0))
            return Reply(int(first.split(" ")[1]), headers, await reader.readexactly(length))
        finally:
            writer.close()

    async def request(self, method: str, path: str, body: bytes = b"", *headers: str) -> Reply:
        lines = [f"{method} {path} HTTP/1.1", "Host: firstcome", f"Content-Length: {len(body)}", *headers]
        if body:
            lines.append("Content-Type: application/json")
        return await self.ask("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


@pytest.fixture
async def wire(processes: Processes) -> AsyncIterator[Wire]:
    """An API process in direct mode with a room."""
    api = await processes.api(BOOKING_MODE="direct")
    wire = Wire(api.address)
    made = await wire.request("POST", "/api/v1/resources", b'{"resource_id": "a/b", "name": "Room"}')
    assert made.status == 201
    yield wire
    assert not api.records("request failed"), "nothing that a caller sends is a bug of ours"
    assert not api.ended


def chunks(count: int, size: int) -> Iterator[bytes]:
    """A chunked body of JSON that never ends."""
    for _ in range(count):
        yield b"%x\r\n%s\r\n" % (size, b" " * size)


async def test_a_body_without_a_length_is_refused_where_it_gets_too_large(wire: Wire) -> None:
    reply = await wire.ask(CHUNKED, *chunks(LARGEST_BODY // 65_536 + 2, 65_536))
    assert (reply.status, reply.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(wire: Wire) -> None:
    head = b"POST /api/v1/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n"
    for length in (LARGEST_BODY + 1, 10**15):
        reply = await wire.ask(head % length)
        assert (reply.status, reply.json()["code"]) == (413, "body_too_large")


async def test_a_body_in_pieces_is_put_together(wire: Wire) -> None:
    body = json.dumps(
        {"resource_id": "a/b", "start_time": "2036-08-11T09:00:00Z", "end_time": "2036-08-11T10:00:00Z"}
    ).encode()
    pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:10], body[10:11], body[11:])]
    reply = await wire.ask(CHUNKED, *pieces, b"0\r\n\r\n")
    assert (reply.status, reply.json()["resource_id"]) == (201, "a/b")
    assert reply.headers["firstcome-seen"] == "a/b:1"


async def test_a_caller_who_hangs_up_in_the_middle_of_a_body_leaves_nothing(wire: Wire, processes: Processes) -> None:
    reader, writer = await asyncio.open_connection(wire._host, wire._port)
    writer.write(b"POST /api/v1/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    await writer.drain()
    writer.close()
    assert await reader.read() == b""
    assert (await wire.request("GET", "/api/v1/resources/a%2Fb/ledger")).json()["items"] == []
    del processes


@pytest.mark.parametrize(
    "path",
    ["/api/v1/resources/a%2Fb", "/api/v1/resources/a%2fb", "/api/v1/resources/%61%2F%62", "//api/v1/resources/a%2Fb/"],
)
async def test_a_slash_in_a_name_is_part_of_the_name(wire: Wire, path: str) -> None:
    assert (await wire.request("GET", path)).json()["resource_id"] == "a/b"


async def test_odd_paths_and_headers_are_refused(wire: Wire) -> None:
    for path in (
        "/api/v1/resources/a/b",
        "/api/v1/resources/%2F",
        "/api/v1/resources/%ED%B0%AF",
        "/api/v1/resources/%00",
        "/api/v1/resources/%",
        "/api/v1/resources/%zz",
        "/api/v1/resources/" + "x" * 5_000,
        "/%2e%2e/%2e%2e/etc/passwd",
    ):
        reply = await wire.request("GET", path)
        assert reply.status == 404, path
        assert reply.json()["status"] == 404
    for headers in (
        ["Idempotency-Key: a", "X-Idempotency-Key: b"],
        ["Idempotency-Key: \xe4"],
        ["If-Match: \xff"],
    ):
        reply = await wire.request("PATCH", "/api/v1/resources/a%2Fb", b'{"name": "x"}', *headers)
        assert reply.status == 400, headers
    for path in ("/api/v1/resources/\xff\xfe", "/api/v1/resources?cursor=\xff"):
        assert (await wire.request("GET", path)).status == 400, "the server itself refuses what is not ASCII"
    assert (await wire.request("GET", "/api/v1/resources", b"", "Prefer: \xff", "X-Request-Id: \xff")).status == 200


async def test_head_is_answered_as_get_without_the_body(wire: Wire) -> None:
    got = await wire.request("GET", "/api/v1/resources/a%2Fb")
    head = await wire.request("HEAD", "/api/v1/resources/a%2Fb")
    assert (head.status, head.headers["etag"]) == (200, got.headers["etag"])
    assert head.headers["content-length"] == str(len(got.body))
    assert (await wire.request("HEAD", "/nowhere")).status == 404


async def test_options_names_the_methods(wire: Wire) -> None:
    reply = await wire.request("OPTIONS", "/api/v1/bookings")
    assert reply.status == 204
    assert {"GET", "POST", "OPTIONS"} == set(reply.headers["allow"].replace(" ", "").split(","))
    assert reply.headers["x-request-id"]


async def test_what_is_not_modified_says_nothing_of_a_body(wire: Wire) -> None:
    reply = await wire.request("GET", "/api/v1/resources/a%2Fb", b"", 'If-None-Match: W/"1"')
    assert (reply.status, reply.headers["etag"]) == (304, '"1"')
    assert "content-type" not in reply.headers
