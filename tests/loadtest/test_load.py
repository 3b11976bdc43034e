"""``firstcome load``, end to end, on the run's servers; and what it is asked for in the small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]
import pytest

from cli.main import main
from engine.errors import StartupRefused
from loadtest import load, profiles
from loadtest.drive import Name, drive
from loadtest.ground import HOST
from loadtest.load import Result
from loadtest.order import Order
from loadtest.record import read_history
from loadtest.site import site_at
from tests.cli.running import ROOT, environment, left_behind
from tests.loadtest.test_bench import HEARS_CTRL_C, databases
from tests.support import wait_until_blocking

WITHIN_S = 120.0


def run_profile(profile: str, out: Path, *options: str) -> tuple[Result, int, str]:
    """Run a profile as its users do. Returns what it found, its exit code, and what it told meanwhile."""
    servers = {name: os.environ[name] for name in ("DATABASE_URL", "REPLICA_URL", "REDIS_URL")}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "load", profile, "--out", str(out), "--json", *options],
        cwd=ROOT,
        env=environment(**servers),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.stdout, done.stderr
    return msgspec.json.decode(done.stdout, type=Result), done.returncode, done.stderr


def verdicts(result: Result) -> dict[str, str]:
    return {goal.name: goal.verdict for goal in result.goals}


class Reader(HTMLParser):
    """Reads a page, and notes whatever it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.charts += tag == "svg"
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]
        if tag not in ("meta", "line", "polyline", "polygon"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_launch_is_decided_audited_and_reported(servers_of_others: str, tmp_path: Path) -> None:
    before = databases(servers_of_others)
    result, code, told = run_profile("launch", tmp_path, "--arrivals", "300")
    assert result.launch is not None
    assert (result.launch.arrivals, result.launch.decided, result.launch.confirmed) == (300, 300, 15)
    assert 0 < result.launch.first_100_ms <= result.launch.ledger_s * 1000
    assert result.scale == 0.03
    assert result.audit.clean, result.audit.text()
    met = verdicts(result)
    assert {met[name] for name in ("decided", "confirmed", "violations of order")} == {"met"}
    assert code == (0 if set(met.values()) == {"met"} else 1)
    assert "300 arrivals for 15 places." in told.splitlines()
    _, entries = read_history(tmp_path / load.HISTORY)
    assert sum(entry.label == "launch" for entry in entries) == 300
    assert json.loads((tmp_path / load.REPORT).read_text())["launch"]["confirmed"] == 15
    page = Reader()
    page.feed((tmp_path / load.PAGE).read_text())
    assert (page.open, page.fetched) == ([], [])
    assert page.charts >= 3
    assert databases(servers_of_others) == before, "what was made on servers of others is gone"


@pytest.mark.usefixtures("servers_of_others")
def test_crowds_have_exactly_one_yes_without_and_with_the_clock_jobs(tmp_path: Path) -> None:
    result, _, _ = run_profile("concurrency", tmp_path, "--repeats", "2")
    assert [crowd.name for crowd in result.crowds] == [
        *map(str, profiles.CROWDS),
        *(f"{size} with jobs" for size in profiles.CROWDS),
    ]
    assert {(crowd.crowds, crowd.one) for crowd in result.crowds} == {(2, 2)}
    assert all(0 < crowd.average_ms <= crowd.slowest_ms for crowd in result.crowds)
    met = verdicts(result)
    assert met["crowds with exactly one yes"] == met["errors"] == "met"
    assert {"slowest answer of 30", "slowest answer of 30 with jobs"} <= set(met)
    assert result.audit.clean, result.audit.text()


@pytest.mark.usefixtures("servers_of_others")
def test_a_spike_made_by_locust_is_judged_audited_and_reported(tmp_path: Path) -> None:
    result, code, told = run_profile("spike", tmp_path, "--seconds", "2", "--generator", "locust")
    assert result.generator == "locust"
    asked = {goal.name: goal.bound for goal in result.goals}
    assert asked == {"errors": 0, "requests": 2_000, "p95": 300, "p99": 600, "violations of order": 0}
    by_name = {one.name: one for one in result.operations}
    assert set(by_name) == {"availability", "book", "series", "all"}
    assert by_name["series"].outcomes.keys() <= {"confirmed", "unavailable"}
    assert by_name["all"].requests == sum(one.requests for name, one in by_name.items() if name != "all")
    assert result.audit.clean, result.audit.text()
    assert code == (0 if set(verdicts(result).values()) == {"met"} else 1)
    assert [line for line in told.splitlines() if " callers " in line], "it tells how far it is"
    assert any(moment.rate for moment in result.moments)


def test_ctrl_c_in_the_middle_of_a_load_leaves_nothing(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    options = ["load", "--seconds", "60", "--folder", str(data), "--out", str(out), "--generator", "light"]
    with subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "load", *options],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        try:
            assert any(" callers " in line for line in running.stderr)
            pids = [one.pid for one in psutil.Process(running.pid).children(recursive=True)]
            running.send_signal(signal.SIGINT)
            running.stderr.read()
            code = running.wait(WITHIN_S)
        finally:
            running.kill()
    assert code == 130
    assert len(pids) > 8, "servers and their processes, API, workers, generator"
    wait_until_blocking(lambda: not left_behind(data, pids), WITHIN_S)
    wait_until_blocking(lambda: not list(data.iterdir()), WITHIN_S)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:80", "http://192.0.2.1:80", "http://example.org", "127.0.0.1:80", "http://[::1", "http:"]
)
def test_only_this_machine_is_loaded(url: str) -> None:
    with pytest.raises(StartupRefused, match="an address of this machine alone"):
        site_at(url, "", {})


def test_an_installation_of_this_machine_is_taken() -> None:
    assert (site_at("http://localhost:8000", "", {}).host, site_at("http://[::1]:8000", "", {}).host) == (HOST, "::1")


@pytest.mark.parametrize("generator", ["locust", "light"])
def test_a_generator_that_fails_says_why(tmp_path: Path, generator: Name) -> None:
    order = Order(
        kind="callers",
        host=HOST,
        port=1,
        history=str(tmp_path / "nowhere" / "history"),
        profile="load",
        prefix="load",
        whole=True,
        rooms=1,
    )
    with pytest.raises(StartupRefused, match=rf"The generator {generator} failed: .*No such file or directory"):
        drive(order, generator, seconds=1, say=lambda _: None)


@pytest.mark.parametrize(
    "wrong",
    [
        ["nothing"],
        ["spike", "--seconds", "0"],
        ["spike", "--seconds", "100000"],
        ["launch", "--arrivals", "1000000"],
        ["launch", "--generator", "locust"],
        ["concurrency", "--repeats", "0"],
        ["load", "--header", "nothing"],
        ["staged", "--minutes", "61"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["load", *wrong])
    assert refused.value.code == 2
