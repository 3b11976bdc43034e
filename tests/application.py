"""The application in this process, and clients that hold its answers against its own description."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from api.app import Api
from api.openapi import describe


@asynccontextmanager
async def running(app: Api) -> AsyncIterator[None]:
    """Start and stop an application in a task of its own: a fixture is set up in one task and ended in another."""
    started, ending = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await ending.wait()

    living = asyncio.create_task(live())
    starting = asyncio.create_task(started.wait())
    await asyncio.wait({living, starting}, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        starting.cancel()
        living.result()
    yield
    ending.set()
    await living


@asynccontextmanager
async def client_of(app: Api, address: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """A client whose every answer is held against the description of the interface.

    address  from which it comes.
    """
    # where several paths fit, the one that says more of itself is meant
    operations = [
        (method.upper(), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operation["responses"])
        for path, described in sorted(describe(app.routes)["paths"].items(), key=_vagueness)
        for method, operation in described.items()
    ]

    async def assert_described(answer: httpx.Response) -> None:
        asked = answer.request
        path = asked.url.raw_path.decode().partition("?")[0]
        assert answer.headers["x-request-id"]
        for method, pattern, responses in operations:
            if method == asked.method and pattern.fullmatch(path):
                described = responses.get(str(answer.status_code))
                assert described, f"{method} {path} answers {answer.status_code}, which is not described"
                await answer.aread()
                media_types = list(described.get("content", {})) or [""]
                assert answer.headers.get("content-type", "").partition(";")[0] in media_types
                if media_types == ["application/problem+json"]:
                    examples = described["content"]["application/problem+json"]["examples"]
                    assert answer.json()["code"] in examples, f"{method} {path}: {answer.json()['code']}"
                break

    transport = httpx.ASGITransport(app, raise_app_exceptions=True, client=(address, 50_000))
    hooks = {"response": [assert_described]}
    async with httpx.AsyncClient(transport=transport, base_url="http://firstcome", event_hooks=hooks) as made:
        yield made


def _vagueness(item: tuple[str, object]) -> tuple[int, int]:
    """How many parts of a path are left open, then how little of it is said."""
    return item[0].count("{"), -len(item[0])
