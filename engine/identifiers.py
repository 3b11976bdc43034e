"""Time-ordered identifiers: UUID version 7 (RFC 9562, section 5.7), made here because PostgreSQL 15 has none."""

from __future__ import annotations

import os
import time
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_RANDOM_A = (1 << 12) - 1
_RANDOM_B = (1 << 62) - 1


def uuid7() -> UUID:
    """Make an identifier: 48 bits of milliseconds, 74 bits of randomness.

    Its time helps indexes only; no rule reads it, because it is this process's clock.
    """
    random = int.from_bytes(os.urandom(10), "big")
    milliseconds = time.time_ns() // 1_000_000
    return UUID(
        int=(milliseconds << 80) | _VERSION_7 | ((random >> 62 & _RANDOM_A) << 64) | _VARIANT | (random & _RANDOM_B)
    )
