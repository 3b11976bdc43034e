"""Answers that are made while they are sent, so that none of it is held as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from litestar.types import Receive, Scope, Send

from api.callers import request_tag
from api.http import REQUEST_TAG
from api.rate_fields import rate_fields

SEND_WITHIN_S = 30.0
"""A caller who takes a piece no faster is cut off."""


class StreamedAnswer:
    """An answer that is made while it is sent: an ASGI application that takes no request.

    The first piece is there already, so trouble before it is a problem as anywhere else. Trouble behind it cuts the
    connection, so nobody takes a part for the whole.
    """

    __slots__ = ("first", "headers", "rest")

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], media_type: bytes, name: str) -> None:
        self.first = first
        self.rest = rest
        self.headers = [
            (b"content-type", media_type),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it as it is made, until it ends or its reader goes."""
        headers = [*self.headers, (REQUEST_TAG, request_tag(scope).encode()), *rate_fields(scope)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        leaving = asyncio.ensure_future(receive_until_gone(receive))
        try:
            async with aclosing(self.rest) as rest:
                await send_piece(send, self.first)
                async for piece in rest:
                    if leaving.done():
                        return
                    await send_piece(send, piece)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()


async def receive_until_gone(receive: Receive) -> None:
    """Wait until the caller hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_piece(send: Send, piece: bytes) -> None:
    """Send a piece of an answer. Raises TimeoutError where its reader is too slow, which cuts the connection."""
    async with asyncio.timeout(SEND_WITHIN_S):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
