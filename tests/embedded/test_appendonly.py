"""A server starts on what a power cut leaves of its append-only file, and has all that was flushed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import redis

from engine.embedded import Valkey
from engine.embedded.appendonly import READ_BYTES
from engine.errors import StartupRefused

SET = b"*3\r\n$3\r\nSET\r\n$4\r\nlate\r\n$1\r\n1\r\n"
MULTI = b"*1\r\n$5\r\nMULTI\r\n"
LONG = b"1" * (READ_BYTES + 5)
FIRST, SECOND = (f"appendonly.aof.{number}.incr.aof" for number in (1, 2))


def stopped_with(valkey: Valkey, value: bytes) -> Path:
    """Let a server write one key and end. Returns the folder of its append-only files."""
    with redis.Redis.from_url(valkey.url) as client:
        client.set("flushed", value)
    valkey.stop()
    return valkey.data / "appendonlydir"


def values(valkey: Valkey) -> tuple[object, object]:
    """What a server knows of what was flushed, and of what came late."""
    with redis.Redis.from_url(valkey.url) as client:
        return client.get("flushed"), client.get("late")


@pytest.mark.parametrize("left", [b"", SET[:20], MULTI + SET], ids=["commands", "half a command", "half a transaction"])
@pytest.mark.parametrize("zeros", [1, READ_BYTES, 2 * READ_BYTES + 7])
def test_zeros_at_the_end_are_cut_off_with_what_is_unfinished_before_them(
    valkey: Valkey, caplog: pytest.LogCaptureFixture, *, left: bytes, zeros: int
) -> None:
    file = stopped_with(valkey, LONG) / FIRST
    flushed = file.read_bytes()
    file.write_bytes(flushed + left + bytes(zeros))
    with caplog.at_level(logging.WARNING):
        valkey.start()
    assert values(valkey) == (LONG, None)
    assert file.read_bytes() == flushed
    (record,) = caplog.records
    assert vars(record)["file"] == str(file)
    assert (vars(record)["zeros"], vars(record)["bytes"]) == (zeros, len(flushed + left))


def test_zeros_that_were_written_are_kept(valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    stopped_with(valkey, bytes(2 * READ_BYTES))
    valkey.start()
    assert values(valkey) == (bytes(2 * READ_BYTES), None)
    assert caplog.records == []


def test_a_file_of_nothing_but_zeros_is_as_if_nothing_was_written(valkey: Valkey) -> None:
    file = stopped_with(valkey, b"1") / FIRST
    file.write_bytes(bytes(READ_BYTES + 1))
    valkey.start()
    assert values(valkey) == (None, None)


def test_a_server_refuses_zeros_in_the_middle_and_nothing_is_taken_from_its_file(valkey: Valkey) -> None:
    file = stopped_with(valkey, b"1") / FIRST
    damaged = file.read_bytes() + bytes(4_096) + SET
    file.write_bytes(damaged)
    with pytest.raises(StartupRefused, match="Bad file format"):
        valkey.start()
    assert file.read_bytes() == damaged


@pytest.mark.parametrize("left", [bytes(9), SET[:20], SET[:20] + bytes(9)], ids=["zeros", "half", "half and zeros"])
def test_a_power_cut_in_a_rewriting_leaves_two_such_files_and_the_server_starts(valkey: Valkey, left: bytes) -> None:
    """Of the older one the end was not flushed yet, of the newer one it may have been."""
    folder = stopped_with(valkey, b"1")
    with (folder / FIRST).open("ab") as older, (folder / "appendonly.aof.manifest").open("a") as manifest:
        older.write(left)
        manifest.write(f"file {SECOND} seq 2 type i\n")
    (folder / SECOND).write_bytes(SET + bytes(9))
    valkey.start()
    assert values(valkey) == (b"1", b"1")
