"""A cable between a process and a server, which loses, delays and breaks what it is told to.

SIGSTOP of a server is no cut cable: what was sent to it waits in buffers, and arrives. Here it is gone. A cable that
is cut one way carries the other way, and tells nobody; that is what a firewall, a dead switch or a full table of
connections do, and what time-outs are for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["there", "back"]
"""To the server, or from it."""

CHUNK = 1 << 16
HOST = "127.0.0.1"


class Wire:
    """The connections to one server, through this process.

    lost, delayed, broken  pieces and connections that had a fault: who injects one sees here that it happened.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        assert self._parts.hostname is not None
        assert self._parts.port is not None
        self._host, self._server_port = self._parts.hostname, self._parts.port
        self._cut: frozenset[Direction] = frozenset()
        self._delay_s = 0.0
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._holed: set[asyncio.StreamWriter] = set()
        self.lost = 0
        self.delayed = 0
        self.broken = 0

    @property
    def port(self) -> int:
        """Where this end of the cable is."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The server's address at this end of the cable."""
        login = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{login}@{HOST}:{self.port}"))

    async def start(self) -> None:
        """Lay the cable."""
        self._server = await asyncio.start_server(self._carry, HOST, 0)

    async def stop(self) -> None:
        """Take it away, with all its connections."""
        assert self._server is not None
        self._server.close()
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def cut(self, *directions: Direction) -> None:
        """Lose what is sent that way, and close no connection."""
        self._cut = frozenset(directions)

    def slow(self, delay_s: float) -> None:
        """Hold each piece back for so many seconds, both ways."""
        self._delay_s = delay_s

    def sever(self) -> None:
        """Reset every connection, in the middle of whatever it carries."""
        for writer in list(self._writers):
            writer.transport.abort()
            self.broken += 1

    def mend(self) -> None:
        """Carry everything again. Connections that lost something are reset: a stream with a hole in it is none."""
        self._cut, self._delay_s = frozenset(), 0.0
        for writer in list(self._holed):
            writer.transport.abort()
        self._holed.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            await self._join(reader, writer)
        except asyncio.CancelledError:
            pass  # the cable is taken away; asyncio would tell of it as an error
        finally:
            self._carrying.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self._host, self._server_port)
        except OSError:
            return
        both = {writer, server_writer}
        self._writers |= both
        try:
            ways = (
                asyncio.create_task(self._pass_on(reader, server_writer, "there")),
                asyncio.create_task(self._pass_on(server_reader, writer, "back")),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._writers -= both
            self._holed -= both
            server_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._deliver(data, writer, way)

    async def _deliver(self, data: bytes, writer: asyncio.StreamWriter, way: Direction) -> None:
        """Carry a piece, late or not at all where the cable was told so."""
        if self._delay_s:
            self.delayed += 1
            await asyncio.sleep(self._delay_s)
        if way in self._cut:
            self.lost += 1
            self._holed.add(writer)
        elif writer not in self._holed:
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """Lay a cable to a server, until the end."""
    wire = Wire(url)
    await wire.start()
    try:
        yield wire
    finally:
        await wire.stop()
