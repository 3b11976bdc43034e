"""A TCP proxy of our own, to lose what a network loses: replies, messages, connections, servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

CHUNK = 1 << 16
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


class Proxy:
    """Passes bytes on between clients and one server, unless told otherwise.

    swallow   asked about everything the server says; what it answers True to never arrives.
    delay_s   asked how long what the server says is held back.
    standing  clients keep their connections while the server is away, until ``attach_anew``.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        self._parts = parts
        self._host, self._port = parts.hostname, parts.port
        self._cut_reply_to: bytes | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.swallow: Swallow = lambda _link, _said: False
        self.delay_s: Callable[[Link], float] = lambda _link: 0.0
        self.standing = False
        self.swallowed = 0
        self.cuts = 0
        self.links: list[Link] = []

    @property
    def url(self) -> str:
        """The server's address, through the proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        who = f":{self._parts.password}@" if self._parts.password else ""
        return urlunsplit(self._parts._replace(netloc=f"{who}127.0.0.1:{port}"))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for link in self.links:
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_reply_to(self, request: bytes) -> None:
        """Cut the next connection on which these bytes were asked, once the server has answered them."""
        self._cut_reply_to = request

    async def attach_anew(self) -> None:
        """Connect the clients that kept their connections to the server that is there now."""
        for link in self.links:
            if not link.client.is_closing():
                if link.server is not None:
                    link.server.close()
                reader, link.server = await asyncio.open_connection(self._host, self._port)
                link.server.write(f"AUTH {self._parts.password}\r\n".encode())
                assert await reader.readline() == b"+OK\r\n"
                self._spawn(self._pass_down(link, reader))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        try:
            server, link.server = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        self.links.append(link)
        self._spawn(self._pass_up(link, reader))
        self._spawn(self._pass_down(link, server))

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_up(self, link: Link, client: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while asked := await client.read(CHUNK):
                link.asked = asked
                link.subscribed = link.subscribed or b"SUBSCRIBE" in asked
                if link.server is not None:
                    link.server.write(asked)
                    await link.server.drain()
        link.cut()

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
                link.client.write(said)
                await link.client.drain()
        if not self.standing:
            link.cut()


@asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[Proxy]:
    """A proxy before a server, until the end."""
    proxy = Proxy(upstream)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
