"""``dev.py``: what it does before there is an environment. The environment itself is made by whoever runs this."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.cli.running import ROOT


@pytest.fixture
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dev_py(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "dev.py", *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_every_command() -> None:
    told = dev_py("--help")
    assert told.returncode == 0
    for command in ("run", "test", "check", "lock"):
        assert f"python3 dev.py {command} " in told.stdout


@pytest.mark.parametrize("wrong", [[], ["build"], ["check", "everything"], ["lock", "everything"]])
def test_wrong_use_exits_2(wrong: list[str]) -> None:
    told = dev_py(*wrong)
    assert told.returncode == 2
    assert told.stderr.startswith("usage: dev.py")


def test_a_damaged_wheel_of_pip_is_not_installed(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hashlib.sha256(dev.PIP_WHEEL.read_bytes()).hexdigest() == dev.PIP_SHA256
    damaged = tmp_path / dev.PIP_WHEEL.name
    damaged.write_bytes(dev.PIP_WHEEL.read_bytes()[:-1])
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "PIP_WHEEL", damaged)
    with pytest.raises(dev.Refused, match="check the checkout out again"):
        dev.make_venv()
    assert not (tmp_path / ".venv").exists()


def test_an_environment_depends_on_the_lock_the_interpreter_and_the_place(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dev.stamp()
    assert dev.stamp() == first
    assert len(first.splitlines()) == 2
    assert str(ROOT) in first
    (tmp_path / "requirements.lock").write_text("another==1\n")
    monkeypatch.setattr(dev, "LOCK", tmp_path / "requirements.lock")
    assert dev.stamp().splitlines()[0] == first.splitlines()[0]
    assert dev.stamp().splitlines()[1] != first.splitlines()[1]


def test_two_that_make_an_environment_do_so_one_after_the_other(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second says that it waits, and goes on when the first is done."""
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    waiting = "import runpy, sys; from pathlib import Path; dev = runpy.run_path(sys.argv[1], run_name='dev')\n"
    waiting += "dev['alone'].__wrapped__.__globals__['ROOT'] = Path(sys.argv[2])\n"
    waiting += "with dev['alone'](): print('alone', flush=True)"
    with dev.alone():
        second = subprocess.Popen(
            [sys.executable, "-c", waiting, ROOT / "dev.py", tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert second.stdout is not None
        assert second.stdout.readline().startswith("Waiting for another dev.py")
        assert second.poll() is None
    with second:
        assert second.stdout.readline() == "alone\n"
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


def test_what_failed_is_told_with_its_last_words(dev: ModuleType) -> None:
    with pytest.raises(dev.Refused, match=r"it failed:\nno room"):
        dev.succeed([sys.executable, "-c", "print('no room'); raise SystemExit(3)"], "it failed")


def test_progress_counts_packages(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    hear = dev.progress(2)
    hear("Collecting anyio==4.16.0 (from -r requirements.lock (line 1))\n")
    hear("  Downloading anyio-4.16.0-py3-none-any.whl (1 kB)\n")
    hear("Processing /somewhere/arq-0.28.0-py3-none-any.whl (from -r requirements.lock (line 2))\n")
    assert capsys.readouterr().out == "[1/2] anyio==4.16.0\n[2/2] arq-0.28.0-py3-none-any.whl\n"


def test_progress_stays_on_one_line_of_a_terminal(
    dev: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    hear = dev.progress(1)
    for columns in (20, 40):
        monkeypatch.setenv("COLUMNS", str(columns))
        hear("Collecting a-package-with-a-long-name==1.0 (from -r requirements.lock (line 1))\n")
        hear("Installing collected packages: a-package-with-a-long-name\n")
    shown = capsys.readouterr().out.replace("\n", "").split("\r")[1:]
    assert [len(line) for line in shown] == [19, 19, 39, 39]
    assert shown[0] == "[1/1] a-package-wit"
    assert shown[2] == "[2/1] a-package-with-a-long-name==1.0  "
    assert shown[3].rstrip() == "Unpacking."
