"""The data folder: whose it is, and who uses it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.embedded.binaries import postgresql_folder, redis_server
from engine.embedded.folder import open_folder, password
from engine.errors import StartupRefused


def test_a_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    os.close(open_folder(tmp_path / "a" / "data"))
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700


def test_the_password_is_made_once_and_readable_for_its_owner_only(tmp_path: Path) -> None:
    first = password(tmp_path)
    assert len(first) == 32
    assert password(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_a_folder_of_a_later_release_is_refused(tmp_path: Path) -> None:
    os.close(open_folder(tmp_path / "data"))
    (tmp_path / "data" / "layout").write_text("firstcome 2\n")
    with pytest.raises(StartupRefused, match="another version of firstcome"):
        open_folder(tmp_path / "data")


def test_a_disk_without_room_is_refused_and_the_folder_is_let_go(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match="is full"):
        open_folder(tmp_path / "data", room_bytes=10**18)
    os.close(open_folder(tmp_path / "data"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupRefused, match="cannot be used as the data folder"):
        open_folder(tmp_path / "file" / "data")


def test_who_comes_while_servers_are_ending_waits_for_them(tmp_path: Path) -> None:
    """The owner is gone, and something of it still holds the lock: until it lets go, and no longer."""
    data = tmp_path / "data"
    owner = "import os, subprocess, sys; from pathlib import Path; from engine.embedded.folder import open_folder\n"
    owner += "lock = open_folder(Path(sys.argv[1]))\n"
    owner += "subprocess.Popen(['sh', '-c', 'read line'], pass_fds=[lock], stdout=subprocess.DEVNULL)"
    waiting = "import os, sys; from pathlib import Path; from engine.embedded.folder import open_folder\n"
    waiting += "print('asked', flush=True); open_folder(Path(sys.argv[1])); print('has it', flush=True)"
    root = Path(__file__).parents[2]
    ending = subprocess.Popen([sys.executable, "-c", owner, data], cwd=root, stdin=subprocess.PIPE)
    assert ending.wait(10) == 0
    with subprocess.Popen([sys.executable, "-c", waiting, data], cwd=root, stdout=subprocess.PIPE) as next_owner:
        assert next_owner.stdout is not None
        assert next_owner.stdout.readline() == b"asked\n"
        assert next_owner.poll() is None
        assert ending.stdin is not None
        ending.stdin.close()
        assert next_owner.stdout.readline() == b"has it\n"


def test_programs_that_are_named_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("initdb", "postgres", "redis-server"):
        (tmp_path / name).touch(mode=0o700)
    monkeypatch.setenv("POSTGRESQL_BIN", str(tmp_path))
    monkeypatch.setenv("REDIS_SERVER", str(tmp_path / "redis-server"))
    assert postgresql_folder() == tmp_path
    assert redis_server() == tmp_path / "redis-server"


def test_programs_that_are_named_and_are_none_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTGRESQL_BIN", str(tmp_path))
    monkeypatch.setenv("REDIS_SERVER", str(tmp_path))
    with pytest.raises(StartupRefused, match="POSTGRESQL_BIN"):
        postgresql_folder()
    with pytest.raises(StartupRefused, match="REDIS_SERVER"):
        redis_server()
