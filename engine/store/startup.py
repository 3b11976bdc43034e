"""What is said when a database does not serve: one sentence, in which no part of its password can stand.

A password with an unescaped ``?``, ``#``, ``/`` or ``@`` makes every reader of the URL cut it in other places, so
that parts of the password pass for a host, a port or a name. A URL that may be such a one is not told at all, and
neither are the words with which the driver refuses a URL: they quote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from engine.errors import StartupRefused

_HOST = r"(?:\[[^\]@/?#]*\]|[^\[\]:,@/?#]*)(?::\d{1,5})?"
_PLAIN = re.compile(
    rf"postgres(?:ql)?://(?P<user>[^@/?#\[\]]*@)?(?P<hosts>{_HOST}(?:,{_HOST})*)(?P<name>/[^@?#]*)?(?:\?(?P<options>[^#]*))?"
)
LAST_PORT = 65_535
OTHER_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)


def check_readable(url: str, name: str) -> None:
    """Raise StartupRefused where a URL is not plain enough to tell its parts apart.

    name  the variable that holds it.
    """
    if _place(url) is None:
        raise StartupRefused(
            f"{name} cannot be read: it must be postgresql://user:password@host:port/name, "
            "with ?, #, /, @, [, ] and % of a password as %3F, %23, %2F, %40, %5B, %5D and %25."
        )


@contextmanager
def told_in_a_sentence(url: str, name: str = "DATABASE_URL") -> Iterator[None]:
    """Turn what the database, the network or the driver says into StartupRefused.

    name  the variable that holds the URL.
    """
    check_readable(url, name)
    try:
        yield
    except OTHER_SCHEMA:
        raise not_migrated(url) from None
    except (OSError, asyncpg.PostgresError) as error:
        raise _not_serving(url, _words(error)) from None
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, UnicodeError) as error:
        raise _not_serving(url, type(error).__name__) from None


def not_migrated(url: str) -> StartupRefused:
    """What is said of a database whose schema is none of ours, or an older release's."""
    return StartupRefused(f"The database at {_place(url)} is not migrated: run firstcome migrate up.")


def _not_serving(url: str, words: str) -> StartupRefused:
    return StartupRefused(f"The database at {_place(url)} does not serve: {words}.")


def _words(error: BaseException) -> str:
    words = " ".join(str(error).split()).rstrip(".")
    if not words:
        return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return words


def _place(url: str) -> str | None:
    """Host, port and name; None where they cannot be told from a password for certain."""
    found = _PLAIN.fullmatch(url)
    if found is None:
        return None
    hosts, options = found["hosts"], found["options"] or ""
    if found["user"] is None and hosts and "@" in options:
        return None
    ports = [port for _, port in re.findall(r"(^|&)port=([^&]*)", options)]
    ports += re.findall(r":(\d+)(?=,|$)", hosts)
    if not all(port.isdecimal() and int(port) <= LAST_PORT for port in ports):
        return None
    return hosts + (found["name"] or "") or "this machine"
