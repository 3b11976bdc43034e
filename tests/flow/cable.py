"""A network cable that a test can cut: what is sent into it is lost, and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Cable:
    """Connections to one server, through this process."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._cut = {"there": False, "back": False}
        self._writers: set[asyncio.StreamWriter] = set()
        self._stranded: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """The server's address at this end of the cable."""
        assert self._parts.hostname is not None
        login = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{login}@127.0.0.1:{self.port}"))

    def cut(self, *directions: str) -> None:
        """Lose what is sent ``there``, ``back``, or both ways. No connection is closed."""
        for direction in directions:
            self._cut[direction] = True

    def strand(self) -> None:
        """Lose what is sent on the connections that there are, as a gateway that forgot them; carry new ones."""
        self._stranded |= self._writers

    def mend(self) -> None:
        """Carry again. Connections that lost something are reset, as their peers would do."""
        self._cut = dict.fromkeys(self._cut, False)
        for writer in self._writers:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until an end closes it."""
        server_reader, server_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        both = {writer, server_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                self._pass_on(reader, server_writer, "there"), self._pass_on(server_reader, writer, "back")
            )
        finally:
            self._writers -= both

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        try:
            while data := await reader.read(65_536):
                if not self._cut[direction] and writer not in self._stranded:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass  # one end is gone; so will be the other
        finally:
            writer.close()


@asynccontextmanager
async def cable_to(url: str) -> AsyncIterator[Cable]:
    """Lay a cable to a server."""
    cable = Cable(url)
    server = await asyncio.start_server(cable.carry, "127.0.0.1", 0)
    cable.port = server.sockets[0].getsockname()[1]
    try:
        yield cable
    finally:
        cable.mend()
        server.close()
        await server.wait_closed()
