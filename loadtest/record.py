"""A history: what callers asked for, when, and what they were told. JSON lines, the first of them a head.

It is what the audit holds against the ledger, so it is written by those who ask, from what they see, and says
nothing that they cannot know. A request that was never answered has no status: it may or may not have happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, BinaryIO, Self

import msgspec

from engine.errors import StartupRefused

FORMAT = 1
CHUNK_BYTES = 1 << 20
"""Lines are written, and read, so many bytes of them at a time."""
Identifier = Annotated[str, msgspec.Meta(min_length=36, max_length=36)]
"""The text of an UUID. It is compared as a text: a million are not taken apart."""
CONFIRMED, QUEUED = "confirmed", "queued"


class Head(msgspec.Struct, kw_only=True):
    """The first line.

    history  the format's number.
    whole    nobody else asked for anything on these resources.
    began    by the wall clock.
    """

    history: int = FORMAT
    profile: str
    began: datetime
    whole: bool


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One request.

    operation  ``book``, ``series``, ``cancel``, ``move``, ``availability``.
    sent, answered  seconds of the machine's monotonic clock; a request without an answer has only the first.
    status     of HTTP; 0 where there was no answer.
    outcome    ``confirmed``, ``queued``, or the code of the problem.
    ticket     as the answer told it.
    request_id, booking  as the answer told it: the text of an UUID; None where it did not.
    body_hash  of what was sent (method, path and body).
    replayed   the answer says that it is that of an earlier request with the same key.
    seen       ticket of the version that a reader brought with him.
    own_free   a time that the reader had booked by then was shown as free.
    label      which part of the profile it belongs to.
    """

    operation: str
    caller: str
    resource: str
    sent: float
    answered: float | None = None
    key: str | None = None
    status: int = 0
    outcome: str | None = None
    ticket: int | None = None
    request_id: Identifier | None = None
    booking: Identifier | None = None
    body_hash: str | None = None
    replayed: bool = False
    seen: int | None = None
    own_free: bool = False
    label: str | None = None

    @property
    def definite(self) -> bool:
        """Whether a decision was told: with a ticket, and not only that it waits."""
        return self.ticket is not None and self.status not in (0, 202)

    @property
    def took_ms(self) -> float | None:
        """How long the answer took; None where there was none."""
        return None if self.answered is None else (self.answered - self.sent) * 1000


class Recorder:
    """Writes a history; a context manager."""

    def __init__(self, file: Path, head: Head) -> None:
        self._encoder = msgspec.json.Encoder()
        self._file = file.open("wb")
        self._lines = bytearray(self._encoder.encode(head) + b"\n")
        self.written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.write(self._lines)
        self._file.close()

    def write(self, entry: Entry) -> None:
        """Add a request."""
        self._lines += self._encoder.encode(entry)
        self._lines += b"\n"
        self.written += 1
        if len(self._lines) > CHUNK_BYTES:
            self._file.write(self._lines)
            self._lines.clear()


def read_history(file: Path) -> tuple[Head, list[Entry]]:
    """Read a history as a whole. Raises StartupRefused where it is none."""
    with open_history(file) as (head, entries):
        return head, list(entries)


@contextmanager
def open_history(file: Path, size: int | None = None) -> Iterator[tuple[Head, Iterator[Entry]]]:
    """Open a history: its head, and its requests, which are read as they are asked for.

    size  bytes that were there when it counted: no line that begins behind them is read; None: all are.

    Raises StartupRefused where it is none, also while it is read.
    """
    try:
        with file.open("rb") as opened:
            head = msgspec.json.decode(opened.readline(), type=Head)
            if head.history != FORMAT:
                raise StartupRefused(f"{file} is a history of format {head.history}; this release reads {FORMAT}.")
            yield head, _entries(opened, file.stat().st_size if size is None else size)
    except OSError as error:
        raise StartupRefused(f"{file} cannot be read: {error.strerror}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StartupRefused(f"{file} is not a history: {error}.") from None


def _entries(lines: BinaryIO, size: int) -> Iterator[Entry]:
    decoder = msgspec.json.Decoder(Entry)
    while chunk := lines.read(min(CHUNK_BYTES, max(0, size - lines.tell()))):
        yield from decoder.decode_lines(chunk if chunk.endswith(b"\n") else chunk + lines.readline())


def write_history(file: Path, head: Head, entries: Iterable[Entry]) -> None:
    """Write a whole history."""
    with Recorder(file, head) as recorder:
        for entry in entries:
            recorder.write(entry)
