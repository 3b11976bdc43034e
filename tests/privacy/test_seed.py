"""``firstcome seed``: a demo, made once, and not where people rely on what is there."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx

from cli.demo import CAST, CLASS, GUESTS, HOSTS
from cli.seed import ACCOUNTS
from engine.config import Config
from engine.opening import open_intake
from tests.accounts.people import log_in
from tests.cli.running import firstcome
from tests.clients import clean, pool_of
from tests.privacy.test_erasure import counted
from tests.schema.rows import Connection

COUNTS = ("person", "resource", "booking", "series", "slot", "slot_rule", "ledger")


async def test_a_demo_is_made_once(
    client: httpx.AsyncClient, database: Connection, database_url: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database_url, "BOOKING_MODE": "direct"}
    first = firstcome("seed", "--data", tmp_path, more=settings)
    assert first.returncode == 0, first.stderr
    made = await counted(database)
    assert made["person"] == len(CAST)
    assert made["slot_rule"] == len(HOSTS)
    assert made["series"] == 1
    seats = await database.fetchval("SELECT count(*) FROM booking WHERE slot <> id AND status = 'confirmed'")
    assert seats == len(GUESTS) * (len(HOSTS) + 1), "a slot of every host, and the event"
    joined = "SELECT count(*) FROM booking JOIN resource ON resource.id = booking.resource WHERE resource_id = $1"
    assert await database.fetchval(joined, CLASS) == len(GUESTS)
    await clean(database_url)

    file = tmp_path / ACCOUNTS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for email, password in json.loads(file.read_text()).items():
        assert password in first.stdout
        assert (await log_in(client, email, password)).status_code == 200

    second = firstcome("seed", "--data", tmp_path, more=settings)
    assert (second.returncode, second.stdout.splitlines()[0]) == (0, "everything is there already"), second.stderr
    again = await counted(database)
    assert {table: again[table] for table in COUNTS} == {table: made[table] for table in COUNTS}

    elsewhere = firstcome("seed", "--data", tmp_path / "other", more=settings)
    assert (elsewhere.returncode, "another password" in elsewhere.stderr) == (2, True), elsewhere.stderr


def test_it_says_in_a_sentence_why_it_cannot_begin(database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": "redis://[::1"}
    told = firstcome("seed", "--data", tmp_path, more=settings)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1), told.stderr


async def test_it_refuses_where_people_rely_on_what_is_there(
    database: Connection, database_url: str, tmp_path: Path
) -> None:
    config = Config(database_url=database_url, booking_mode="direct", environment="production")
    async with pool_of(database_url) as pool:
        await open_intake(config, pool)
    told = firstcome("seed", "--data", tmp_path, more={"DATABASE_URL": database_url, "BOOKING_MODE": "direct"})
    assert (told.returncode, "marked as production" in told.stderr) == (2, True), told.stderr
    assert await database.fetchval("SELECT count(*) FROM person") == 0
    assert told.stdout == ""
