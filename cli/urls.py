"""Where the servers of a running ``firstcome up`` are: a file in its data folder, for its own user only."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

FILE = "environment"
"""Lines of NAME=value, as a shell reads them too."""


def write_urls(data: Path, urls: Mapping[str, str]) -> None:
    """Say where the servers are."""
    file = data / FILE
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in urls.items()))


def read_urls(data: Path) -> dict[str, str]:
    """Where the servers are; empty when none run on this folder."""
    if not _in_use(data):
        return {}
    try:
        lines = (data / FILE).read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def owner(data: Path) -> int | None:
    """The process that uses the folder; None where there is none, or where only its servers are still ending."""
    if not _in_use(data):
        return None
    try:
        process = int((data / "lock").read_text())
        os.kill(process, 0)
    except PermissionError:
        return process
    except (OSError, ValueError):
        return None
    return process


def _in_use(data: Path) -> bool:
    try:
        with (data / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
