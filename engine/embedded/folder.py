"""The data folder: whose it is, who uses it, and whether there is room."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path

from engine.errors import StartupRefused

LAYOUT = "firstcome 1\n"
"""Content of the file ``layout``: what made the folder, and the version of its arrangement."""
ROOM_BYTES = 200_000_000
LOCK_WITHIN_S = 20.0
"""How long the servers of an owner that was killed may take to end."""


def open_folder(data: Path, *, room_bytes: int = ROOM_BYTES) -> int:
    """Make or find the data folder, and lock it.

    room_bytes  what the disk must have left.

    Returns the descriptor that holds the lock; it is passed on to the servers, so that nobody starts
    a second pair beside servers that are still ending.
    Raises StartupRefused when the folder is another program's, in use, or on a disk that is full.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (data / "layout").exists() and any(entry.name != "lock" for entry in data.iterdir()):
            raise StartupRefused(f"{data} is not empty and was not made by firstcome: choose another data folder.")
        lock = _lock(data)
    except OSError as error:
        raise StartupRefused(f"{data} cannot be used as the data folder: {error.strerror}.") from None
    try:
        _check(data, room_bytes)
    except BaseException:
        os.close(lock)
        raise
    return lock


def password(data: Path) -> str:
    """The servers' password: made once, kept in a file that only its owner reads."""
    file = data / "password"
    if not file.exists():
        making = data / "password.making"
        making.touch(mode=0o600)
        making.write_text(secrets.token_hex(16))
        making.replace(file)
    return file.read_text()


def token_key(data: Path) -> Path:
    """The file with the key that signs access tokens: made once, for its owner only."""
    file = data / "token-key.pem"
    if not file.exists():
        from engine.accounts.tokens import new_token_key  # noqa: PLC0415  # most commands need no cryptography

        making = data / "token-key.making"
        making.touch(mode=0o600)
        making.write_text(new_token_key())
        making.replace(file)
    return file


def _check(data: Path, room_bytes: int) -> None:
    layout = data / "layout"
    if layout.exists() and layout.read_text() != LAYOUT:
        raise StartupRefused(f"{data} was made by another version of firstcome: choose another data folder.")
    free_bytes = shutil.disk_usage(data).free
    if free_bytes < room_bytes:
        raise StartupRefused(
            f"The disk of {data} is full: {free_bytes // 1_000_000} MB are free "
            f"and {room_bytes // 1_000_000} MB are needed."
        )
    layout.write_text(LAYOUT)


def _lock(data: Path) -> int:
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_WITHIN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 20, 0).decode().strip()
            if _lives(owner) or time.monotonic() > deadline:
                os.close(lock)
                raise StartupRefused(f"{data} is in use by process {owner or 'unknown'}.") from None
            time.sleep(0.05)
            continue
        os.truncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        return lock


def _lives(process: str) -> bool:
    if not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
