"""Everything with one command, as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from engine.embedded import Stack
from engine.embedded.folder import open_folder
from engine.signing import read_signing_key
from tests.cli.running import ROOT, Up, firstcome, left_behind, up
from tests.support import wait_until_blocking


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One ``up`` for the tests that leave it as it was: ready, with all its processes."""
    with up("--data", tmp_path_factory.mktemp("up") / "data", "--apis", "2") as one:
        yield one


def book(address: str, room: str) -> httpx.Response:
    """Book one hour of a room that is made if it must be; a second booking of it is a conflict."""
    with httpx.Client(base_url=address + "/api/v1", trust_env=False, timeout=30) as client:
        client.post("/resources", json={"name": "A room", "resource_id": room})
        times = {"start_time": "2099-08-10T09:00:00Z", "end_time": "2099-08-10T10:00:00Z"}
        return client.post("/bookings", json={"resource_id": room, **times})


def test_it_says_where_everything_is_and_books(running: Up) -> None:
    assert running.said[-1] == f"ready {running.address}"
    assert f"pages {running.address}/docs" in running.said
    assert book(running.address, "room").status_code == 201
    assert book(running.address, "room").status_code == 409


def test_it_makes_a_key_and_signs_with_it(running: Up) -> None:
    data = next(Path(line.removeprefix("data ")) for line in running.said if line.startswith("data "))
    assert (data / "ledger-key.pem").stat().st_mode & 0o777 == 0o600
    (key,) = running.get("/api/v1/keys").json()["keys"]
    assert key["kid"] == read_signing_key(data / "ledger-key.pem").public.key_id
    assert firstcome("ledger", "export", "none", "--data", data).stderr == "firstcome: There is no resource none.\n"


def test_every_line_of_the_log_is_json(running: Up) -> None:
    def begun() -> list[str]:
        lines = [json.loads(line) for line in running.logged]
        assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
        return sorted(line["message"] for line in lines if line["message"].endswith(" begins"))

    wait_until_blocking(lambda: begun() == 2 * ["api begins"] + 2 * ["worker begins"])


def test_a_worker_that_dies_is_started_again(running: Up) -> None:
    dead = running.processes("worker")[0]
    dead.kill()

    def two_others() -> bool:
        workers = running.processes("worker")
        return len(workers) == 2 and dead not in workers

    wait_until_blocking(two_others)
    assert book(running.address, "after a worker's death").status_code == 201


def test_an_api_that_dies_is_started_again_and_no_connection_is_refused(running: Up) -> None:
    for dead in running.processes("api"):
        dead.kill()
    assert running.get("/api/v1/health/live").status_code == 200
    wait_until_blocking(lambda: len(running.processes("api")) == 2)


def test_a_server_that_dies_is_started_again_on_its_port(running: Up) -> None:
    primary = next(child for child in running.processes() if child.cmdline()[-1].endswith("/primary"))
    primary.kill()
    wait_until_blocking(lambda: running.get("/api/v1/health/ready").status_code == 200, within_s=30)
    assert book(running.address, "after a crash").status_code == 201


def test_every_process_is_replaced_and_every_request_is_answered(running: Up) -> None:
    """A client that keeps its connection sees it close after an answer, never instead of one."""
    before = {child.pid for command in ("api", "worker") for child in running.processes(command)}

    def replaced() -> bool:
        now = {child.pid for command in ("api", "worker") for child in running.processes(command)}
        return len(now) == len(before) and not now & before

    running.process.send_signal(signal.SIGHUP)
    with httpx.Client(base_url=running.address, trust_env=False, timeout=30) as client:
        answers = []

        def asked() -> bool:
            answers.append(client.get("/api/v1/health/live").status_code)
            return replaced()

        wait_until_blocking(asked, within_s=60)
    assert set(answers) == {200}
    wait_until_blocking(lambda: running.get("/api/v1/health/ready").status_code == 200)


def test_other_commands_find_the_database_of_a_running_up(running: Up) -> None:
    data = next(line.removeprefix("data ") for line in running.said if line.startswith("data "))
    status = firstcome("migrate", "status", "--data", data, "--json")
    assert status.returncode == 0, status.stderr
    assert all(item["applied_at"] for item in json.loads(status.stdout)["migrations"])


def test_sigterm_ends_all_and_data_survive(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for times, status in ((1, 201), (2, 409)):
        with up("--data", data) as one:
            family = [child.pid for child in psutil.Process(one.process.pid).children(recursive=True)]
            assert book(one.address, "room").status_code == status
            assert one.end(signal.SIGTERM if times == 1 else signal.SIGINT) == 0
            assert one.said[-1] == f"stopped; the data are in {data}"
        wait_until_blocking(lambda: not left_behind(data, family))  # noqa: B023


@pytest.mark.parametrize("keep", ["--data", "--ephemeral"])
def test_nothing_is_left_when_it_is_killed(tmp_path: Path, keep: str) -> None:
    with up(*(("--data", tmp_path / "data") if keep == "--data" else ("--ephemeral",))) as one:
        data = Path(next(line.removeprefix("data ") for line in one.said if line.startswith("data ")))
        family = [child.pid for child in psutil.Process(one.process.pid).children(recursive=True)]
        assert len(family) > 6
        assert one.end(signal.SIGKILL) == -signal.SIGKILL
        assert not any("Traceback" in line for line in one.logged)
        wait_until_blocking(lambda: not left_behind(data, family), within_s=30)
    if keep == "--ephemeral":
        wait_until_blocking(lambda: not data.exists())
    else:
        with up("--data", data) as again:
            assert book(again.address, "room").status_code == 201


def test_a_start_right_after_a_kill_waits_for_the_servers_of_the_killed(tmp_path: Path) -> None:
    with up("--data", tmp_path / "data") as one:
        one.end(signal.SIGKILL)
        with up("--data", tmp_path / "data") as again:
            assert again.get("/api/v1/health/ready").status_code == 200


def test_servers_that_are_named_are_used_and_left_alone(
    stack: Stack, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    named = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with up("--data", tmp_path / "data", more=named) as one:
        assert book(one.address, "room").status_code == 201
        assert {child.name() for child in one.processes()} <= {"python", "python3", Path(sys.executable).name}
        assert one.end() == 0
        assert one.said[-1] == "stopped"
    assert not (tmp_path / "data").exists()
    assert stack.primary.alive


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = firstcome("up", "--port", str(port), "--data", tmp_path / "data")
    assert refused.returncode == 2
    assert refused.stderr == f"firstcome: Port {port} is taken: stop what listens there, or choose another --port.\n"
    assert not (tmp_path / "data").exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("Dear Sir")
    refused = firstcome("up", "--port", "0", "--data", tmp_path)
    assert refused.returncode == 2
    assert "is not empty and was not made by firstcome" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["letters.txt"]


def test_a_folder_of_another_major_version_is_refused(tmp_path: Path) -> None:
    os.close(open_folder(tmp_path / "data"))
    for name in ("primary", "replica"):
        (tmp_path / "data" / name).mkdir()
        (tmp_path / "data" / name / "PG_VERSION").write_text("14\n")
    refused = firstcome("up", "--port", "0", "--data", tmp_path / "data")
    assert refused.returncode == 2
    assert "was made by PostgreSQL 14" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_who_starts_it_twice_hears_of_the_folder_and_not_of_the_port(running: Up) -> None:
    data = next(line.removeprefix("data ") for line in running.said if line.startswith("data "))
    refused = firstcome("up", "--port", running.address.rpartition(":")[2], "--data", data)
    assert refused.returncode == 2
    assert refused.stderr == f"firstcome: {data} is in use by process {running.process.pid}.\n"


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root mounts a small disk")
def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    inside = (
        f"mount -t tmpfs -o size=50m none {tmp_path} && exec {sys.executable} -m cli.main up --data {tmp_path}/data"
    )
    refused = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{inside} --port 0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2, refused.stderr
    assert "is full: 52 MB are free and 200 MB are needed" in refused.stderr


def test_a_setting_that_does_not_exist_is_refused_before_anything_starts(tmp_path: Path) -> None:
    refused = firstcome("up", "--data", tmp_path / "data", more={"FIRSTCOME_BATCH": "7"})
    assert refused.returncode == 2
    assert "FIRSTCOME_BATCH is not a setting" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_process_that_refuses_its_start_ends_up(database_url: str, tmp_path: Path) -> None:
    named = {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    refused = firstcome("up", "--port", "0", "--data", tmp_path / "data", more=named)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "Redis" in refused.stderr


def test_a_missing_program_is_refused(tmp_path: Path) -> None:
    refused = firstcome("up", "--port", "0", "--data", tmp_path / "data", more={"POSTGRESQL_BIN": str(tmp_path)})
    assert refused.returncode == 2
    assert f"POSTGRESQL_BIN is {str(tmp_path)!r}, a folder without initdb and postgres" in refused.stderr
