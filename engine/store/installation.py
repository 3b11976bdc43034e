"""What kind of installation this database is, and whether the server keeps what it promises."""

from __future__ import annotations

from engine.errors import StartupRefused
from engine.store import sql
from engine.store.pools import Connection

REQUIRED = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_write", "remote_apply"),
}
WHY = {
    "fsync": "a crash of the machine could take back confirmed bookings",
    "full_page_writes": "a crash of the machine could damage the database",
    "synchronous_commit": "a crash could take back bookings whose confirmation was sent",
}


async def check_settings(connection: Connection) -> None:
    """Raises StartupRefused where a setting of the server breaks a guarantee."""
    for name, allowed in REQUIRED.items():
        value = await connection.fetchval("SELECT current_setting($1)", name)
        if value not in allowed:
            raise StartupRefused(f"PostgreSQL runs with {name}={value}; it must be {allowed[0]}: {WHY[name]}.")
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise StartupRefused("DATABASE_URL names a server in recovery; it must name the primary.")


async def check_mode(connection: Connection, mode: str) -> None:
    """Make ``mode`` the installation's if it has none yet.

    Raises StartupRefused where it runs in another: two modes at once would give tickets twice.
    """
    standing = await connection.fetchval(sql("installation_mode"), mode)
    if standing != mode:
        raise StartupRefused(
            f"BOOKING_MODE is {mode!r}, but this installation runs in mode {standing!r}; all its processes must."
        )


async def mark_production(connection: Connection) -> None:
    """Note that people rely on this installation, for good: what only a demo may do is refused on it from now on."""
    await connection.execute(sql("mark_production"))


async def is_production(connection: Connection) -> bool:
    """Whether a process in production ever started on this installation."""
    return bool(await connection.fetchval(sql("is_production")))
