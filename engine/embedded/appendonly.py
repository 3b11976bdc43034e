"""What a power cut leaves at the end of an append-only file, and what is done about it before the server starts.

ext4 makes a file longer within its last block before the disk has what was written there. Where another file is
flushed and then the power fails, the end of this one reads as zeros, which nobody ever wrote. A server refuses that,
whatever ``aof-load-truncated`` says, as that is for a command that was cut short (valkey-io/valkey#1148,
redis/redis#5177; Redis 8.4 has a setting for it, which is off). The zeros were never flushed: all that was, and so
all that was promised, lies before them. And no command ends in a zero, so that cutting them off takes nothing.

What is left may end in the middle of a command, or of a transaction. The server cuts that off by itself; where a
newer file follows, because the power failed in the middle of a rewriting, it refuses once, and not the next time.

Zeros with other bytes behind them are no such end. They are left as they are, and the server refuses them.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import BinaryIO

FILES = "appendonlydir/*.incr.aof"
"""Those that are appended to, below the server's folder. The others are flushed before they get their names."""
READ_BYTES = 65_536

logger = logging.getLogger(__name__)


def cut_zeros_off(data: Path) -> None:
    """Let no append-only file in a server's folder end in zeros. The server must not run."""
    for path in data.glob(FILES):
        with path.open("r+b") as file:
            size, written = file.seek(0, os.SEEK_END), end_of_writing(file)
            if written < size:
                file.truncate(written)
                logger.warning(
                    "zeros at the end of the append-only file were cut off, as a power cut leaves them",
                    extra={"file": str(path), "zeros": size - written, "bytes": written},
                )


def end_of_writing(file: BinaryIO) -> int:
    """Where the zeros begin in which a file ends: its size where there are none."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(end - READ_BYTES, 0)
        file.seek(start)
        if written := len(file.read(end - start).rstrip(b"\0")):
            return start + written
        end = start
    return 0
