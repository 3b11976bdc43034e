"""People who book under load: so many that nobody has many bookings ahead, each signed in with an access token."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from engine.accounts.tokens import Tokens, new_token_key, read_key
from engine.config import Config
from engine.identifiers import uuid7
from loadtest.history import Connection

NUMBER = 10_000
"""A minute of load gives each of them a handful of bookings, as many as people have."""
LEFT = timedelta(days=1)
EMPTY = Config(database_url="")


def signed_in() -> dict[str, str]:
    """Settings of an installation that knows its callers: everything is on that costs anything.

    The limits are such that nobody meets them. All of the load comes from one address, whose rate is the highest.
    """
    return {
        "AUTH_MODE": "required",
        "FIRSTCOME_TOKEN_KEY": new_token_key(),
        "FIRSTCOME_MAX_ACTIVE_BOOKINGS": "1000",
        "FIRSTCOME_RATE_LIMITS": "on",
        "FIRSTCOME_BOOKING_ADDRESS_RATE": "100000/1s",
    }


async def store_people(connection: Connection) -> list[tuple[UUID, UUID]]:
    """Store people who have logged in. Returns their ids and sessions."""
    now: datetime = await connection.fetchval("SELECT date_trunc('second', now())")
    people = [(uuid7(), uuid7()) for _ in range(NUMBER)]
    await connection.copy_records_to_table(
        "person",
        records=[
            (person, f"caller-{number}@example.com", f"caller-{number}@example.com", "Caller", "UTC", ["guest"])
            for number, (person, _) in enumerate(people)
        ],
        columns=("id", "email", "email_key", "name", "time_zone", "roles"),
    )
    await connection.copy_records_to_table(
        "session",
        records=[(session, person, now, now + LEFT) for person, session in people],
        columns=("id", "person", "created_at", "expires_at"),
    )
    return people


def tokens_of(key: str) -> Tokens:
    """What makes the access tokens of an installation with that key."""
    return Tokens(read_key(key), issuer=EMPTY.token_issuer, audience=EMPTY.token_audience)


def write_tokens(file: Path, people: list[tuple[UUID, UUID]], key: str, now: datetime) -> None:
    """Write an access token of each of them, a line each.

    now  from when they are good, for a quarter of an hour.
    """
    tokens = tokens_of(key)
    file.write_text("".join(f"{tokens.issue(person, session, now=now)}\n" for person, session in people))
