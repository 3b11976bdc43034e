"""A cable that looks into what it carries, to lose what a network loses: this reply, that message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from loadtest.wire import CHUNK, Wire

Swallow = Callable[["Link", bytes], bool]


class Link:
    """One client's connection with its counterpart to the server.

    asked  the last bytes that the client sent.
    """

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.asked = b""
        self.subscribed = False

    def cut(self) -> None:
        """Close both sides."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.close()


class Proxy(Wire):
    """A cable that can also have faults that depend on what it carries.

    swallow   asked about everything the server says; what it answers True to never arrives.
    delay_s   asked how long what the server says is held back.
    standing  clients keep their connections while the server is away, until ``attach_anew``.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._cut_reply_to: bytes | None = None
        self.swallow: Swallow = lambda _link, _said: False
        self.delay_s: Callable[[Link], float] = lambda _link: 0.0
        self.standing = False
        self.swallowed = 0
        self.cuts = 0
        self.links: list[Link] = []

    def cut_reply_to(self, request: bytes) -> None:
        """Cut the next connection on which these bytes were asked, once the server has answered them."""
        self._cut_reply_to = request

    async def attach_anew(self) -> None:
        """Connect the clients that kept their connections to the server that is there now."""
        for link in self.links:
            if not link.client.is_closing():
                if link.server is not None:
                    link.server.close()
                reader, link.server = await asyncio.open_connection(self._host, self._server_port)
                link.server.write(f"AUTH {self._parts.password}\r\n".encode())
                assert await reader.readline() == b"+OK\r\n"
                self._follow(link, reader)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        try:
            server, link.server = await asyncio.open_connection(self._host, self._server_port)
        except OSError:
            return
        self.links.append(link)
        both = {writer, link.server}
        self._writers |= both
        self._follow(link, server)
        try:
            await self._pass_up(link, reader)
        finally:
            self._writers -= both
            self._holed -= both
            link.cut()

    def _follow(self, link: Link, server: asyncio.StreamReader) -> None:
        """Pass on what a server says, until it or the cable ends."""
        task = asyncio.create_task(self._pass_down(link, server))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _pass_up(self, link: Link, client: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while asked := await client.read(CHUNK):
                link.asked = asked
                link.subscribed = link.subscribed or b"SUBSCRIBE" in asked
                if link.server is not None:
                    await self._deliver(asked, link.server, "there")

    async def _pass_down(self, link: Link, server: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while said := await server.read(CHUNK):
                if self._cut_reply_to is not None and self._cut_reply_to in link.asked:
                    self._cut_reply_to = None
                    self.cuts += 1
                    break
                if self.swallow(link, said):
                    self.swallowed += 1
                    continue
                if delay_s := self.delay_s(link):
                    await asyncio.sleep(delay_s)
                await self._deliver(said, link.client, "back")
        if not self.standing:
            link.cut()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """A proxy before a server, until the end."""
    proxy = Proxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
