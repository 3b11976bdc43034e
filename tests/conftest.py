"""Real servers for the tests: one stack for the run, a fresh database and a fresh Redis for each test; what runs there.

What only some folders use is imported by the fixture that makes it: a run of the rules alone does not load the API.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from engine.embedded import Stack, Valkey, start
from engine.embedded.binaries import redis_server
from tests.connections import connected
from tests.schema.rows import Connection
from tests.support import wait_until

if TYPE_CHECKING:
    import httpx

    from api.app import Api
    from engine.config import Config
    from tests.processes import Processes

TEMPLATE = "migrated"
REDIS_NUMBERS = 63
"""Logical databases that tests use in rotation; number 0 is left alone."""


def temporary_folder() -> Path:
    """A short path, as nobody looks into it after the run."""
    return Path(tempfile.mkdtemp(prefix="firstcome-"))


async def migrate(database_url: str) -> None:
    """Bring a database to the present schema."""
    from migrations.runner import up  # noqa: PLC0415  # a run that needs no schema must not need migrations

    await up(database_url)


async def execute(database_url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    async with connected(database_url) as connection:
        await connection.execute(statement)


@asynccontextmanager
async def copied(server_url: str, template: str) -> AsyncIterator[str]:
    """A database of the test's own.

    server_url  any database of the server on which it is made.
    template    the database of that server from which it is copied; nobody is connected to that one.

    Yields the address of the copy.
    """
    name = f"test_{secrets.token_hex(6)}"
    await execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The servers of this run: primary, streaming replica, Valkey. Not to be killed; see ``own_stack``."""
    stack = start(temporary_folder(), ephemeral=True)
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def template(stack: Stack) -> str:
    """Name of a migrated, empty database, from which the others are copied."""
    asyncio.run(execute(stack.database_url, f"CREATE DATABASE {TEMPLATE}"))
    asyncio.run(migrate(stack.primary.database_url(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
async def database_url(stack: Stack, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own, on the primary."""
    async with copied(stack.database_url, template) as url:
        yield url


@pytest.fixture
async def empty_url(stack: Stack) -> AsyncIterator[str]:
    """A database with nothing in it."""
    async with copied(stack.database_url, "template0") as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the test's database on the primary."""
    async with connected(database_url) as connection:
        yield connection


@pytest.fixture
async def rival(database_url: str) -> AsyncIterator[Connection]:
    """A second connection, which wants what ``database`` wants."""
    async with connected(database_url) as connection:
        yield connection


@pytest.fixture
async def observer(database_url: str) -> AsyncIterator[Connection]:
    """A third connection, which sees who of the two waits for the other."""
    async with connected(database_url) as connection:
        yield connection


@pytest.fixture
async def replica_url(stack: Stack, database_url: str) -> str:
    """The test's database on the replica, where it has arrived."""
    url = stack.replica.database_url(database_url.rpartition("/")[2])

    async def connects() -> bool:
        try:
            connection = await asyncpg.connect(url)
        except (asyncpg.PostgresError, OSError):
            return False
        await connection.close()
        return True

    await wait_until(connects)
    return url


@pytest.fixture(scope="session")
def redis_numbers() -> Iterator[int]:
    """Numbers of logical databases, in rotation."""
    return (1 + turn % REDIS_NUMBERS for turn in count())


@pytest.fixture
def redis_url(stack: Stack, redis_numbers: Iterator[int]) -> Iterator[str]:
    """An empty logical database of the run's Valkey. Channels are not divided by it: keys are."""
    url = stack.valkey.database_url(next(redis_numbers))
    with SyncRedis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the test's Redis."""
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey of the test's own, which it may kill, stop, empty and start again on the same port."""
    with tempfile.TemporaryDirectory(prefix="firstcome-") as folder:
        data = Path(folder)
        server = Valkey(data / "valkey", program=redis_server(), password=secrets.token_hex(8), log=data / "valkey.log")
        server.start()
        yield server
        if server.alive:
            server.kill()


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A stack of the test's own, migrated, whose servers it may kill and restart."""
    stack = start(temporary_folder(), ephemeral=True)
    try:
        asyncio.run(migrate(stack.database_url))
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def processes(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Processes]:
    """Workers and API processes in queue mode, ended at the test's end."""
    from tests.processes import started  # noqa: PLC0415  # see above

    yield from started(tmp_path, database_url=database_url, redis_url=redis_url)


@pytest.fixture
def own_processes(tmp_path: Path, database_url: str, valkey: Valkey) -> Iterator[Processes]:
    """The same on the test's own Redis."""
    from tests.processes import started  # noqa: PLC0415  # see above

    yield from started(tmp_path, database_url=database_url, redis_url=valkey.url)


@pytest.fixture(scope="session")
def token_key() -> str:
    """A key that signs access tokens, in PEM."""
    from engine.accounts.tokens import new_token_key  # noqa: PLC0415  # see above

    return new_token_key()


@pytest.fixture
async def app(config: Config) -> AsyncIterator[Api]:
    """The application in this process, set as the folder's ``config`` says."""
    from api.app import create_app  # noqa: PLC0415  # see above
    from tests.application import running  # noqa: PLC0415

    made = create_app(config)
    async with running(made):
        yield made


@pytest.fixture
async def client(app: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at this machine. Every answer is held against the description of the interface."""
    from tests.application import client_of  # noqa: PLC0415  # see above

    async with client_of(app) as made:
        yield made
