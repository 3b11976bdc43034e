"""How often somebody may call: rates, the buckets in which calls count, and what is left in one.

A bucket of ``120/60s`` holds 120 calls and wins one back every half second. It is one number, its debt: how long it
would take to be full again. The arithmetic is that of ``engine/queue/lua/rate.lua``, which counts for all processes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from engine.errors import OverRate

MOST_CALLS = 100_000
"""Calls in a rate: with more of them in a second, a call would take less than ten ticks of Redis's clock."""
LONGEST_WINDOW_S = 3_600
"""The window of a rate: nothing about anybody is remembered for longer."""
SECOND_US = 1_000_000
IPV6_NETWORK_BITS = 64
_WRITTEN = re.compile(r"([0-9]{1,6})/([0-9]{1,4})s", re.ASCII)


@dataclass(slots=True, frozen=True)
class Rate:
    """So many calls, won back evenly in so many seconds. No calls at all stand for no limit."""

    quota: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.quota}/{self.window_s}s" if self.quota else "off"

    @property
    def interval_us(self) -> int:
        """How long it takes to win one call back."""
        return self.window_s * SECOND_US // self.quota

    @property
    def span_us(self) -> int:
        """The debt of a bucket that is empty."""
        return self.quota * self.interval_us


OFF = Rate(0, 1)


def read_rate(text: str) -> Rate:
    """Read ``120/60s`` or ``off``.

    Raises ValueError with what a rate must be.
    """
    if text in {"off", "0"}:
        return OFF
    found = _WRITTEN.fullmatch(text)
    rate = Rate(int(found[1]), int(found[2])) if found else OFF
    if not (0 < rate.quota <= MOST_CALLS and 0 < rate.window_s <= LONGEST_WINDOW_S):
        raise ValueError(f"expected calls/seconds, 1 to {MOST_CALLS} in 1 to {LONGEST_WINDOW_S}, as in 120/60s, or off")
    return rate


class Bucket(NamedTuple):
    """Where calls of somebody count.

    policy  what is counted and for whom: ``bookings`` of a person, ``bookings-address`` …
    who     a person's id, a network, or the hash of an account: at most 200 characters of ASCII.
    """

    policy: str
    rate: Rate
    who: str

    @property
    def name(self) -> str:
        """What tells it from all others."""
        return f"{self.policy}:{self.who}"


class Level(NamedTuple):
    """What is left in a bucket.

    remaining  calls that may be made now.
    next_s     whole seconds until there is one more of them, at least 1.
    """

    policy: str
    rate: Rate
    remaining: int
    next_s: int


class Verdict(NamedTuple):
    """Whether a call was counted, in all of its buckets or in none, and what is left in them."""

    counted: bool
    levels: tuple[Level, ...]


def over_rate(levels: Sequence[Level]) -> OverRate:
    """Make the error of a call that was not counted: it waits for the last of those buckets that have no room.

    levels  what is left; in one of them nothing.
    """
    level = max((level for level in levels if level.remaining == 0), key=lambda level: level.next_s)
    return OverRate(level.policy, quota=level.rate.quota, window_s=level.rate.window_s, retry_after_s=level.next_s)


def debt_after(rate: Rate, debt_us: int) -> int | None:
    """The debt of a bucket after one more call. None: it has no room for it."""
    after = debt_us + rate.interval_us
    return after if after <= rate.span_us else None


def level_of(bucket: Bucket, debt_us: int) -> Level:
    """Say what is left in a bucket with that debt."""
    rate = bucket.rate
    used = -(-debt_us // rate.interval_us)
    next_us = debt_us - max(used - 1, 0) * rate.interval_us
    return Level(bucket.policy, rate, rate.quota - used, max(1, -(-next_us // SECOND_US)))


@lru_cache(maxsize=4_096)
def network_of(address: str) -> str | None:
    """Whom an address stands for: itself, or the /64 of an IPv6 address, which one customer has whole.

    Returns None for what is no address, such as a path.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        kept = int(found) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS
        return f"{IPv6Address(kept)}/{IPV6_NETWORK_BITS}"
    return str(found)
