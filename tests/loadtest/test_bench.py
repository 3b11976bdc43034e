"""``firstcome bench``, end to end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

import asyncpg
import msgspec
import psutil  # type: ignore[import-untyped]
import pytest
import redis

from engine.embedded import Stack
from engine.errors import StartupRefused
from loadtest import bench
from loadtest.bench import Result, measure
from loadtest.generators import find_generator
from loadtest.ground import Ground
from loadtest.noop import BARE
from loadtest.scenarios import Course, Plan, Target
from tests.cli.running import ROOT, environment, left_behind
from tests.conftest import execute
from tests.support import wait_until_blocking

WITHIN_S = 300.0
"""A bound, not a promise: it takes half a minute where nothing else runs."""
SMALL = Plan(frozenset({"one"}), connections=(4,), rounds=1, seconds=1, warm_s=1, rooms=20)
ON_THE_QUEUE = ("many", "one", "class")
SERIES = ("series-single", "series-52", "series-weekly", "series-daily")
AVAILABILITY = ("free-singles", "free-series", "free-week", "free-years")


def hush(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def quick() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "bench", "--quick", "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


@pytest.fixture(scope="module")
def found(quick: subprocess.CompletedProcess[str]) -> Result:
    assert quick.returncode == 0, quick.stderr + quick.stdout
    return msgspec.json.decode(quick.stdout, type=Result)


def test_standard_output_is_one_document_and_the_rest_tells_how_far_it_is(
    quick: subprocess.CompletedProcess[str], found: Result
) -> None:
    assert len(quick.stdout.splitlines()) == 1
    steps = len(found.measurements)
    told = [line for line in quick.stderr.splitlines() if line.startswith("[")]
    assert [line.split("]")[0] for line in told] == [f"[{number}/{steps}" for number in range(1, steps + 1)]


def test_everything_is_measured_side_by_side(found: Result) -> None:
    everywhere = ("noop", "lean", *ON_THE_QUEUE, "signed", "direct-many", "direct-one")
    expected = {*product(everywhere, (1, 16)), ("stored-little", 16), ("stored-much", 16)}
    expected |= {("figures-quiet", 16), ("figures-asked", 16)}
    expected |= {*product((*SERIES, *AVAILABILITY), (1,)), ("series-52", 16)}
    assert {(line.target, line.connections) for line in found.lines} == expected
    assert "not measured" not in {goal.verdict for goal in found.goals}
    assert found.backlog is not None
    assert found.backlog.many_ms > 0


def test_every_answer_was_right_and_the_audit_finds_nothing(found: Result) -> None:
    assert found.wrong == []
    for one in found.measurements:
        expected = {"200"} if one.target in AVAILABILITY else {"201"}
        assert set(one.statuses) <= ({"201", "409"} if one.target == "class" else expected)
        assert one.answers > 0
    installations = ["queue", "signed", "series", "direct", "stored_little", "stored_much", "figures"]
    assert [audit.installation for audit in found.audits] == installations
    for audit in found.audits:
        assert audit.clean
        assert audit.tickets >= audit.stands >= audit.booked > 0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processor seconds are read from /proc")
def test_what_each_part_costs_is_told(found: Result) -> None:
    servers = {"PostgreSQL", "replica", "Redis"}
    for one in found.measurements:
        expected = {"API", "generator"}
        if one.target not in ("noop", "lean"):
            expected |= servers if one.target.startswith("direct") else servers | {"workers"}
        assert set(one.cpu_s) == expected
        assert one.cpu_s["API"] > 0
        assert one.memory_mb["API"] > 10
    assert all(one.memory_mb["workers"] > 10 for one in found.measurements if one.target in ON_THE_QUEUE)


def test_what_it_was_measured_on_is_told(found: Result) -> None:
    assert found.machine.servers == "embedded"
    durable = "fsync on, synchronous_commit on, replicas that stream: 1, append-only file on"
    assert found.machine.durability == durable
    assert found.generator.startswith(find_generator().name)


def databases(url: str) -> set[str]:
    async def ask() -> set[str]:
        connection = await asyncpg.connect(url)
        try:
            return {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_servers_of_others_are_left_as_they_were(servers_of_others: str, redis_url: str) -> None:
    before = databases(servers_of_others)
    found = measure(SMALL, generator="auto", data=None, say=hush)
    assert found.code(strict=False) == 0, found.text()
    assert found.machine.servers == "named by DATABASE_URL"
    assert set(found.measurements[-1].cpu_s) <= {"API", "workers", "generator"}
    assert databases(servers_of_others) == before
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_a_redis_that_somebody_uses_is_refused_and_kept(servers_of_others: str, redis_url: str) -> None:
    before = databases(servers_of_others)
    with redis.Redis.from_url(redis_url) as client:
        client.set("somebody's", "value")
        with pytest.raises(StartupRefused, match="REDIS_URL"):
            measure(SMALL, generator="auto", data=None, say=hush)
        assert client.get("somebody's") == b"value"
    assert databases(servers_of_others) == before


@pytest.mark.usefixtures("servers_of_others")
def test_a_booking_that_is_gone_fails_the_run(stack: Stack) -> None:
    def damage(sentence: str) -> None:
        if sentence == "Auditing queue.":
            database = stack.primary.database_url(f"bench_queue_{os.getpid()}")
            asyncio.run(execute(database, "DELETE FROM booking WHERE id = (SELECT id FROM booking LIMIT 1)"))

    found = measure(SMALL, generator="auto", data=None, say=damage)
    assert found.code(strict=False) == 1
    (audit,) = found.audits
    assert not audit.clean
    assert any(violation.startswith("ledger_is_in_bookings") for violation in audit.violations)


@pytest.mark.usefixtures("servers_of_others")
def test_a_yes_of_which_nothing_is_known_fails_the_run(stack: Stack) -> None:
    def forget(sentence: str) -> None:
        if sentence == "Auditing queue.":
            database = stack.primary.database_url(f"bench_queue_{os.getpid()}")
            everything = "TRUNCATE booking, idempotency; ALTER TABLE ledger DISABLE TRIGGER ALL; TRUNCATE ledger;"
            fences = "UPDATE resource SET last_ticket = 0, last_row_hash = decode(repeat('00', 32), 'hex')"
            asyncio.run(execute(database, everything + fences))

    found = measure(SMALL, generator="auto", data=None, say=forget)
    (audit,) = found.audits
    assert audit.clean, "rows that are all gone contradict nothing"
    assert found.code(strict=False) == 1
    (why,) = found.wrong
    assert why == f"queue: {audit.booked} were told that they have a booking, and 0 have one"


@contextmanager
def course(plan: Plan = SMALL) -> Iterator[tuple[Course, Target]]:
    """A course, and the no-op as its target."""
    with Ground(None) as ground:
        noop = ground.start_noop()
        yield Course(plan, ground, find_generator(), hush), Target("noop", "many", noop.url(lean=True), noop, (4,))


@pytest.mark.usefixtures("servers_of_others")
def test_an_unexpected_status_makes_the_run_invalid() -> None:
    with course() as (running, noop):
        right = running.measure(noop, 4, 1)
        assert (right.wrong, running.wrong) == ([], [])
        nowhere = Target("noop", "many", noop.url + "/nowhere", noop.site, (4,))
        lost = running.measure(nowhere, 4, 1)
    assert set(lost.statuses) == {"404"}
    assert lost.wrong == [f"unexpected answers: {lost.answers} of 404"]
    assert f"noop at 4 connections, round 1: {lost.wrong[0]}" in running.wrong
    assert any("warming up: unexpected answers" in why for why in running.wrong)


@pytest.mark.usefixtures("servers_of_others")
def test_a_process_that_dies_makes_the_run_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    with course(replace(SMALL, warm_s=0)) as (running, noop):  # it dies after the load that is measured
        (program,) = noop.site.programs

        def settle() -> None:
            os.kill(program.pid, signal.SIGKILL)
            wait_until_blocking(lambda: not program.alive)

        monkeypatch.setattr(noop.site, "settle", settle)
        found = running.measure(noop, 4, 1)
    assert found.wrong == ["a process has died: bench"]
    assert running.wrong == ["noop at 4 connections, round 1: a process has died: bench"]


HEARS_CTRL_C = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("cli.main", run_name="__main__")
"""
"""The command, in a process that hears SIGINT: a shell starts what runs in the background deaf to it, and so would
we be, and what we start."""


@contextmanager
def under_load(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A benchmark in the middle of a load, and the ids of all its processes."""
    options = ["--data", str(data), "--scenario", "one", "--connections", "4", "--rounds", "1", "--seconds", "60"]
    with subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "bench", *options],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        try:
            inside = psutil.Process(running.pid)

            def measures() -> bool:
                assert running.poll() is None
                return any(is_generator(one) for one in inside.children())

            wait_until_blocking(measures, WITHIN_S)
            yield running, [one.pid for one in inside.children(recursive=True)]
        finally:
            running.kill()


def is_generator(process: psutil.Process) -> bool:
    """Whether it sends load to the first target, by when everything has been started."""
    with suppress(psutil.Error):
        return any(word.endswith(BARE) for word in process.cmdline())
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_is_left_when_it_is_ended_in_the_middle_of_a_load(tmp_path: Path, number: signal.Signals) -> None:
    with under_load(tmp_path) as (running, pids):
        assert len(pids) > 10, "servers and their processes, API, workers, no-op, generator"
        running.send_signal(number)
        code = running.wait(WITHIN_S)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    wait_until_blocking(lambda: not left_behind(tmp_path, pids), WITHIN_S)
    wait_until_blocking(lambda: not list(tmp_path.iterdir()), WITHIN_S)


@pytest.mark.parametrize(
    "wrong",
    [["--seconds", "0"], ["--seconds", "1.5"], ["--rounds", "21"], ["--connections", "1,x"], ["--scenario", "two"]],
)
def test_wrong_use_exits_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match="none cannot be used"):
        measure(SMALL, generator="auto", data=tmp_path / "none", say=hush)
