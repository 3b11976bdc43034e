"""Which failures are the database's and which are the command's.

Lost connections, deadlocks, shutdowns, full disks and locks that are held pass: the same batch is tried
again. A constraint that fires means that the rules above it were wrong. Anything else failed because of
the command itself. SQLSTATE: PostgreSQL manual, appendix A.
"""

from __future__ import annotations

import asyncpg

PASSING_CLASSES = ("08", "40", "53", "57", "58")
LOCK_NOT_AVAILABLE = "55P03"
IDLE_TOO_LONG = "25P03"
"""The server ended a session that stood idle inside its transaction: this process was frozen meanwhile, or something
beside the batch held its event loop. A batch that held it by itself never comes to ask (worker/watchdog.py)."""
QUERY_CANCELED = "57014"
"""A statement that ran into its time-out: of class 57, and yet it may be the command that is too slow."""
GONE_CLASSES = ("08", "58")
GONE = ("57P01", "57P02", "57P03")
"""The server ends, crashed, or is starting up."""

CONNECTION = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises where there is no connection, or none any more: the last of them where a connection is
used in the instant after the server ended it."""


def passes(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is tried again."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return (state[:2] in PASSING_CLASSES and state != QUERY_CANCELED) or state in (
            LOCK_NOT_AVAILABLE,
            IDLE_TOO_LONG,
        )
    return isinstance(error, CONNECTION)


def unanswered(error: BaseException) -> bool:
    """Whether the server could not answer a read now: gone, too busy or too slow. Anything else is a bug."""
    return passes(error) or (isinstance(error, asyncpg.PostgresError) and error.sqlstate == QUERY_CANCELED)


def unreachable(error: BaseException) -> bool:
    """Whether the connection or the server behind it is gone, and not just one question without an answer.

    A time-out alone does not say that: the question may have been the slow part.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in GONE_CLASSES or state in GONE
    return isinstance(error, CONNECTION) and not isinstance(error, TimeoutError)


def backstop_fired(error: BaseException) -> bool:
    """Whether the schema refused what the rules had granted."""
    return isinstance(error, asyncpg.ExclusionViolationError | asyncpg.UniqueViolationError)


def is_stale_plan(error: BaseException) -> bool:
    """Whether the schema changed under a prepared statement: the very same call succeeds the next time."""
    return isinstance(error, asyncpg.InvalidCachedStatementError)
