"""The application in this process, over a real database, deciding in direct mode."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from api.app import Api, create_app
from api.openapi import describe
from engine.config import Config
from tests.processes import Processes, started


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


@pytest.fixture
def config(database_url: str) -> Config:
    return Config(database_url=database_url, booking_mode="direct", direct_pool_size=4, read_pool_size=4)


@pytest.fixture
async def app(config: Config) -> AsyncIterator[Api]:
    made = create_app(config)
    async with running(made):
        yield made


@pytest.fixture
async def client(app: Api) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose every answer is held against the description of the interface."""
    operations = [
        (method.upper(), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operation["responses"])
        for path, described in describe(app.routes)["paths"].items()
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
                media_types = list(described.get("content", {})) or [None]
                assert answer.headers.get("content-type") in media_types
                if media_types == ["application/problem+json"]:
                    examples = described["content"]["application/problem+json"]["examples"]
                    assert answer.json()["code"] in examples, f"{method} {path}: {answer.json()['code']}"

    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    hooks = {"response": [assert_described]}
    async with httpx.AsyncClient(transport=transport, base_url="http://firstcome", event_hooks=hooks) as made:
        yield made


@pytest.fixture
def processes(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Processes]:
    """Workers and API processes in queue mode, ended at the test's end."""
    yield from started(tmp_path, database_url=database_url, redis_url=redis_url)
