"""A server that is away, locked, foreign or empty: what is said, and that no part of a password is."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from urllib.parse import quote

import asyncpg
import pytest

from engine.embedded import Stack
from engine.errors import StartupRefused, Unavailable
from engine.store.pools import open_pool
from engine.store.reading import open_within
from engine.store.startup import check_readable, told_in_a_sentence
from tests.cli.running import firstcome
from tests.support import wait_until

NOWHERE = "postgresql://someone:secret@127.0.0.1:1/x"
SECRET = "s3cr3t"
COMMANDS = (("api", "--port", "0"), ("worker",), ("verify",), ("migrate", "status"))


@pytest.fixture
async def empty_url(stack: Stack) -> AsyncIterator[str]:
    """A database without our tables."""
    connection = await asyncpg.connect(stack.database_url)
    await connection.execute("CREATE DATABASE empty")
    yield stack.primary.database_url("empty")
    await connection.execute("DROP DATABASE empty WITH (FORCE)")
    await connection.close()


def refusal(*command: str, database_url: str, redis_url: str = "redis://127.0.0.1:1") -> str:
    """The one sentence with which a command is refused."""
    told = firstcome(*command, more={"DATABASE_URL": database_url, "REDIS_URL": redis_url})
    assert told.returncode == 2, told.stderr
    assert told.stdout == ""
    assert told.stderr.startswith("firstcome: "), told.stderr
    assert told.stderr.count("\n") == 1, told.stderr
    return told.stderr.removeprefix("firstcome: ").removesuffix("\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_that_cannot_be_reached_is_named_without_its_password(command: tuple[str, ...]) -> None:
    said = refusal(*command, database_url=NOWHERE)
    assert said.startswith("The database at 127.0.0.1:1/x does not serve: [Errno 111] ")
    assert "secret" not in said


@pytest.mark.parametrize("command", COMMANDS[:2], ids=" ".join)
def test_the_words_of_a_database_that_refuses_us_are_told(command: tuple[str, ...], stack: Stack) -> None:
    missing = refusal(*command, database_url=stack.primary.database_url("missing"))
    assert missing.endswith('/missing does not serve: database "missing" does not exist.')
    password = stack.database_url.split(":")[2].partition("@")[0]
    locked = refusal(*command, database_url=stack.database_url.replace(password, SECRET))
    assert locked.endswith('does not serve: password authentication failed for user "firstcome".')
    assert SECRET not in locked


@pytest.mark.parametrize("command", COMMANDS[:3], ids=" ".join)
def test_a_database_without_our_tables_is_to_be_migrated(command: tuple[str, ...], empty_url: str) -> None:
    said = refusal(*command, database_url=empty_url)
    assert said.endswith("/empty is not migrated: run firstcome migrate up.")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [(COMMANDS[0], f"redis://:{SECRET}?{SECRET}@127.0.0.1:1"), (COMMANDS[1], f"{SECRET}@127.0.0.1")],
    ids=["api", "worker"],
)
def test_a_redis_url_that_cannot_be_read_is_not_told(command: tuple[str, ...], wrong: str, database_url: str) -> None:
    said = refusal(*command, database_url=database_url, redis_url=wrong)
    assert said.startswith("REDIS_URL cannot be read: it must be redis://")
    assert SECRET not in said


@pytest.mark.parametrize("unescaped", "?#/@:[]% ")
async def test_no_part_of_a_password_is_told_however_the_url_may_be_cut(unescaped: str) -> None:
    halves = ("1234", "s3cr3t")
    for password in (*map(unescaped.join, (halves, halves[::-1])), *(unescaped + half for half in halves)):
        for rest in ("127.0.0.1:1/x", "127.0.0.1:1,[::1]:1/x?target_session_attrs=primary", "127.0.0.1:1/x?user=a@b"):
            with pytest.raises(StartupRefused) as caught:
                await open_pool(f"postgresql://u:{password}@{rest}", size=1, name="test")
            assert not any(half in str(caught.value) for half in halves), caught.value


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"postgresql://u:{quote('p?#/@%', safe='')}@h:5433/x", "h:5433/x"),
        ("postgres://h/x?sslmode=require", "h/x"),
        ("postgresql://u@[::1]:5432/x", "[::1]:5432/x"),
        ("postgresql://u:p@one:1,two:2/x?target_session_attrs=primary", "one:1,two:2/x"),
        ("postgresql:///x?host=/run/postgresql&port=5433&user=a@b", "/x"),
        ("postgresql://", "this machine"),
    ],
)
def test_a_url_that_can_be_read_is_told_by_its_place(url: str, place: str) -> None:
    with pytest.raises(StartupRefused) as caught, told_in_a_sentence(url):
        raise ConnectionRefusedError(111, "no")
    assert str(caught.value) == f"The database at {place} does not serve: [Errno 111] no."


@pytest.mark.parametrize(
    "url", ["", "h/x", "mysql://h/x", "postgresql://h:99999/x", "postgresql://h:p/x", "postgresql:///x?port=p"]
)
def test_a_url_that_no_driver_understands_is_refused(url: str) -> None:
    with pytest.raises(StartupRefused, match="REPLICA_URL cannot be read"):
        check_readable(url, "REPLICA_URL")


async def test_a_replica_that_is_away_is_trouble_and_no_refusal() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/x does not serve"):
        await open_within(NOWHERE, size=1, name="test", within_s=5)


async def test_a_database_that_is_starting_up_is_waited_for(own_stack: Stack) -> None:
    """A standby that takes no readers answers as a server in recovery does, until it is promoted."""
    replica = own_stack.replica
    replica.stop()
    replica.settings["hot_standby"] = "off"
    starting = threading.Thread(target=replica.start)
    starting.start()

    async def is_refused() -> bool:
        try:
            await (await asyncpg.connect(replica.url)).close()
        except asyncpg.CannotConnectNowError:
            return True
        except OSError:
            return False
        raise AssertionError("it takes connections")

    await wait_until(is_refused)
    refused_before = refusals_logged(replica.process.log.read_text())
    opening = asyncio.create_task(open_pool(replica.url, size=1, name="test"))
    await wait_until(lambda: refusals_logged(replica.process.log.read_text()) > refused_before)
    assert not opening.done()
    (replica.data / "promote").touch()
    os.kill(replica.pid, signal.SIGUSR1)
    pool = await opening
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()
    await asyncio.to_thread(starting.join)


def refusals_logged(log: str) -> int:
    """How often a server said that it takes no connections yet."""
    return log.count("FATAL:  the database system is ")
