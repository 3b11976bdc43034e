"""What an answer says about rates: the fields ``RateLimit-Policy`` and ``RateLimit``.

Source: draft-ietf-httpapi-ratelimit-headers-10, "RateLimit header fields for HTTP". Both are lists of quoted names
with parameters (RFC 9651): ``q`` calls in ``w`` seconds are allowed; ``r`` of them are left, and ``t`` seconds from
now there is one more. A bucket fills evenly, so there is no instant at which all of it comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from engine.intake import Count
from engine.rules.rate import Level, Rate

POLICY_FIELD = b"ratelimit-policy"
LEVEL_FIELD = b"ratelimit"


def note_count(scope: Mapping[str, Any], count: Count) -> None:
    """Have the answer say what is left once the call was counted."""
    scope["state"]["count"] = count


def rate_fields(scope: Mapping[str, Any]) -> Sequence[tuple[bytes, bytes]]:
    """The fields of the answer to a call; none where it was not counted."""
    count: Count | None = scope["state"].get("count")
    if count is None or not count.levels:
        return ()
    policies = _policies(tuple((level.policy, level.rate) for level in count.levels))
    return (POLICY_FIELD, policies), (LEVEL_FIELD, ", ".join(map(_level, count.levels)).encode())


def _level(level: Level) -> str:
    return f'"{level.policy}";r={level.remaining};t={level.next_s}'


@lru_cache(maxsize=64)
def _policies(rates: tuple[tuple[str, Rate], ...]) -> bytes:
    return ", ".join(f'"{policy}";q={rate.quota};w={rate.window_s}' for policy, rate in rates).encode()
