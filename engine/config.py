"""Every setting, in one typed table, read from the environment once.

A variable that begins with ``FIRSTCOME_`` and is not in the table, and a value that does not fit,
stop the start with a sentence that names the variable: a misspelt bound must not pass in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from engine.accounts.addresses import read_networks
from engine.errors import StartupRefused
from engine.rules.rate import Rate, read_rate

PREFIX = "FIRSTCOME_"
UNPREFIXED = frozenset({"database_url", "replica_url", "redis_url", "booking_mode", "auth_mode"})
"""Settings whose names others fixed, so they carry no prefix."""

Milliseconds = Annotated[int, Meta(ge=1, le=3_600_000)]


class Config(Struct, frozen=True, kw_only=True):
    """The settings of a process. Units stand last in a name."""

    database_url: str
    """The primary: every write, and every read that decides."""
    replica_url: str | None = None
    """A streaming replica for availability; without one the primary answers."""
    redis_url: str | None = None
    """Redis or Valkey with an append-only file. Needed in queue mode, unused in direct mode."""
    booking_mode: Literal["queue", "direct"] = "queue"
    """Property of the installation: a process of the other mode refuses to start."""
    auth_mode: Literal["required", "open", "trusted-header"] = "required"
    """Who is let in. ``required``: whoever signs in. ``open``: everyone, as the caller ``anonymous``; refused in
    production. ``trusted-header``: also whom a trusted proxy names in ``X-User-Id``."""
    token_key_file: str | None = None
    """A file with the private key that signs access tokens: PEM, on the curve P-256 or RSA of at least 2,048 bits.
    ``firstcome up`` makes its own."""
    token_key: str | None = None
    """The same key itself, where a file is not at hand; its line breaks may be written as ``\\n``."""
    token_issuer: str = "firstcome"  # noqa: S105  # no secret
    """Who made an access token (``iss``): another name for each installation."""
    token_audience: str = "firstcome"  # noqa: S105  # no secret
    """For whom it is (``aud``)."""
    trusted_proxies: str | None = None
    """Addresses or networks of proxies, with commas between: only theirs are ``X-Forwarded-For`` and ``X-User-Id``."""
    environment: Literal["development", "production"] = "development"
    """``production`` refuses to start with what only a developer may want: open callers, failpoints."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged; at ``debug`` every decision is."""
    log_format: Literal["json", "text"] = "json"
    """``json``: an object a line, for machines. ``text``: for people; ``firstcome up`` takes it on a terminal."""
    wait_s: Annotated[float, Meta(ge=0, le=30)] = 10.0
    """How long a request waits for its outcome unless it says otherwise."""
    queue_limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    """Commands that may wait for one resource."""
    batch_limit: Annotated[int, Meta(ge=1, le=4_096)] = 256
    """Commands that one transaction decides at most."""
    turns_per_worker: Annotated[int, Meta(ge=1, le=16)] = 2
    """Turns that run at one time in one worker process, each on its own database connection."""
    replica_lag_bound_ms: Milliseconds = 1_000
    """Further behind than this, the replica is passed over and the primary answers."""
    read_pool_size: Annotated[int, Meta(ge=1, le=100)] = 8
    """Connections of one API process to the replica, and to the primary."""
    direct_pool_size: Annotated[int, Meta(ge=1, le=200)] = 16
    """Connections on which one API process decides in direct mode."""
    rate_limits: Literal["on", "off"] | None = None
    """Whether calls are counted and too many of them answered 429. Left out: ``off`` with ``AUTH_MODE=open``, else
    ``on``. A rate is written ``120/60s``: 120 calls at once, won back evenly in 60 seconds; or ``off``."""
    booking_rate: Rate = Rate(120, 60)
    """Commands, and whatever else changes something, of one person."""
    booking_address_rate: Rate = Rate(3_000, 60)
    """The same of one address (of IPv6: a /64)."""
    read_rate: Rate = Rate(1_200, 60)
    """Reads of one person."""
    read_address_rate: Rate = Rate(12_000, 60)
    """Reads of one address."""
    login_rate: Rate = Rate(10, 600)
    """Attempts to log in to one account, whether there is one or not."""
    login_address_rate: Rate = Rate(300, 300)
    """Attempts to log in, and to make accounts, of one address."""
    max_active_bookings: Annotated[int, Meta(ge=0, le=1_000)] = 5
    """How many bookings a person may have ahead, a series counting as one; 0: any number."""
    max_bookings_with_host: Annotated[int, Meta(ge=0, le=1_000)] = 1
    """How many of them may be slots of one host; 0: any number."""
    cancel_notice_minutes: Annotated[int, Meta(ge=0, le=525_600)] = 60
    """A guest can give a seat back until so long before it begins, and not at that very instant; 0: until it begins."""
    idempotency_hours: Annotated[int, Meta(ge=24, le=8_760)] = 48
    """How long an idempotency key is remembered."""
    ledger_key_file: str | None = None
    """The Ed25519 key (PEM, PKCS #8) that signs receipts and exports of ledgers; without one nothing is signed, which
    production refuses. ``firstcome up`` makes its own."""
    failpoints: str | None = None
    """Deaths on demand, for tests (engine/failpoints.py); refused in production."""


def variable(name: str) -> str:
    """The environment variable that sets a field of Config."""
    return name.upper() if name in UNPREFIXED else PREFIX + name.upper()


def read_config(environment: Mapping[str, str]) -> Config:
    """Read the settings.

    Raises StartupRefused naming the variable that is unknown, missing or wrong.
    """
    known = {variable(item.name): item for item in msgspec.structs.fields(Config)}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise StartupRefused(f"{name} is not a setting; the settings are {', '.join(sorted(known))}.")
    values: dict[str, object] = {}
    for name, item in known.items():
        text = environment.get(name)
        if text is None or (text == "" and not item.required):
            if item.required:
                raise StartupRefused(f"{name} is not set.")
            continue
        try:
            is_rate = item.type is Rate
            values[item.name] = read_rate(text) if is_rate else msgspec.convert(text, item.type, strict=False)
        except ValueError as error:  # msgspec's own is one, too
            raise StartupRefused(f"{name} is {text!r}: {str(error).lower()}.") from None
    config = Config(**values)  # type: ignore[arg-type]  # each value was converted to its field's type above
    _check_together(config)
    return config


def _check_together(config: Config) -> None:
    if config.booking_mode == "queue" and config.redis_url is None:
        raise StartupRefused("REDIS_URL is not set; BOOKING_MODE=queue needs it.")
    if config.environment == "production" and config.failpoints is not None:
        raise StartupRefused("FIRSTCOME_FAILPOINTS is set and FIRSTCOME_ENVIRONMENT is 'production'.")
    if config.environment == "production" and config.auth_mode == "open":
        raise StartupRefused(
            "AUTH_MODE is 'open' and FIRSTCOME_ENVIRONMENT is 'production': in production every caller must be known."
        )
    _check_proxies(config)


def _check_proxies(config: Config) -> None:
    try:
        networks = read_networks(config.trusted_proxies or "")
    except ValueError as error:
        raise StartupRefused(f"FIRSTCOME_TRUSTED_PROXIES cannot be read: {error}.") from None
    if config.auth_mode == "trusted-header" and not networks:
        raise StartupRefused(
            "AUTH_MODE is 'trusted-header' and FIRSTCOME_TRUSTED_PROXIES is not set: it must say whose header counts."
        )
