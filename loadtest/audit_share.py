"""A share of an audit: some of the resources, held against a history in one snapshot; a process of its own for a share.

It is told a ``Share`` on its standard input and prints what it found, a ``Findings``, as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

import asyncpg
import msgspec

from engine.errors import StartupRefused
from loadtest.answers import Walk, check_keys, check_reads, check_real_time_order
from loadtest.findings import Findings
from loadtest.model import Row
from loadtest.record import Entry, open_history

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CHUNK = 10_000
"""Rows that are fetched at one time."""
NO_RESOURCE = 0
"""Stands for the number of a resource that a history names and the database does not have."""
UNHURRIED = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
"""A long history takes as long as it takes, and the snapshot stays meanwhile."""
LEDGER = """
    SELECT
        ledger.resource, ledger.ticket, ledger.request_id::text, ledger.kind,
        date_part('epoch', ledger.start_time), date_part('epoch', ledger.end_time), ledger.places, ledger.capacity,
        ledger.subject::text, ledger.outcome, ledger.reason, ledger.booking::text, ledger.first_ticket,
        date_part('epoch', ledger.decided_at),
        booking.id IS NOT NULL OR series.id IS NOT NULL
    FROM ledger
    LEFT JOIN booking ON booking.id = ledger.booking AND booking.resource = ledger.resource
        AND booking.resource >= $1 AND booking.resource < $2
    LEFT JOIN series ON series.id = ledger.booking AND series.resource = ledger.resource
    WHERE ledger.resource >= $1 AND ledger.resource < $2
    ORDER BY ledger.resource, ledger.ticket
"""
STANDING = """
    SELECT resource, ticket, id::text, date_part('epoch', lower(during)), date_part('epoch', upper(during)), places
    FROM booking
    WHERE live AND upper(during) > now() AND resource >= $1 AND resource < $2
    ORDER BY resource, lower(during)
"""
"""What claims the time of its resource: a seat claims none, its slot does. ``live`` is made of status and slot by
PostgreSQL; its index has the rows in this order.
"""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one share looks at.

    snapshot      of the transaction in which the whole audit reads, as ``pg_export_snapshot`` names it.
    number, of    which of how many shares: an idempotency key, which may be used on any resource, belongs to one.
    first, until  the numbers of its resources: ``first <= number < until``.
    size          bytes of the history that were there before the snapshot.
    """

    history: str
    size: int
    database_url: str
    snapshot: str
    number: int
    of: int
    first: int
    until: int


class Resource(NamedTuple):
    """What can be booked: its public name, the places that it has, and that it had at first."""

    name: str
    capacity: int
    initial: int


Claim: TypeAlias = "tuple[int, int, str, float, float, int]"
"""A booking that stands, and has not ended: resource, ticket, booking, start, end, places."""


def main() -> None:
    """Do what standard input says, and tell what was found."""
    share = msgspec.json.decode(sys.stdin.buffer.read(), type=Share)
    try:
        found = asyncio.run(check(share))
    except StartupRefused as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found))


async def check(share: Share) -> Findings:
    """Check a share. Raises StartupRefused where the history cannot be read or the database does not answer."""
    findings = Findings()
    async with (
        refused_in_a_sentence(),
        connected(share.database_url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{share.snapshot}'")
        await connection.execute(UNHURRIED)
        await connection.execute("SET LOCAL work_mem = '256MB'; SET LOCAL jit = off")
        resources = {
            row["id"]: Resource(row["resource_id"], row["capacity"], row["initial_capacity"])
            for row in await connection.fetch("SELECT id, resource_id, capacity, initial_capacity FROM resource")
        }
        with _without_collector():
            whole, grouped = _requests(share, resources, findings)
            await _walk(connection, share, resources, grouped, findings, whole=whole)
            await _sweep(connection, share, resources, findings)
    return findings


@asynccontextmanager
async def refused_in_a_sentence() -> AsyncIterator[None]:
    """Raise StartupRefused for whatever the database or the way to it does."""
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupRefused(f"The database does not answer: {error}.") from error


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection for a while."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing here makes cycles, and walking a million entries again and again would take most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _requests(
    share: Share, resources: Mapping[int, Resource], findings: Findings
) -> tuple[bool, dict[str, list[Entry]]]:
    """Read the history, keep what is of the share, and check what that shows alone.

    Returns whether nobody else asked for anything, and the requests of each resource of the share.
    """
    numbers = {resource.name: number for number, resource in resources.items()}
    grouped: dict[str, list[Entry]] = defaultdict(list)
    keyed: list[Entry] = []
    with open_history(Path(share.history), share.size) as (head, entries):
        for entry in entries:
            if share.first <= numbers.get(entry.resource, NO_RESOURCE) < share.until:
                grouped[entry.resource].append(entry)
            if entry.key is not None and crc32(entry.key.encode()) % share.of == share.number:
                keyed.append(entry)
    check_keys(keyed, findings)
    for each in grouped.values():
        findings.requests += len(each)
        findings.unknown += sum(1 for entry in each if entry.status in (0, 202, 503))
        check_reads(each, findings)
        check_real_time_order(each, findings)
    return head.whole, grouped


async def _walk(
    connection: Connection,
    share: Share,
    resources: Mapping[int, Resource],
    grouped: Mapping[str, list[Entry]],
    findings: Findings,
    *,
    whole: bool,
) -> None:
    """Take every resource's rows in ticket order."""
    unread = set(grouped)
    walk = Walk("", 1, (), findings, whole=False)
    async for number, begins, rows in _groups(connection, LEDGER, share):
        if begins:
            walk.end()
            name, _, initial = resources[number]
            unread.discard(name)
            walk = Walk(name, initial, grouped.get(name, ()), findings, whole=whole)
        for row in rows:
            walk.take(Row._make(row))
    walk.end()
    for name in unread:  # they have no row at all
        Walk(name, 1, grouped[name], findings, whole=whole).end()


async def _sweep(connection: Connection, share: Share, resources: Mapping[int, Resource], findings: Findings) -> None:
    """No overlap and no excess, of what stands from now on: one sweep over the starts of each resource.

    What is past is held against the capacity of its time by the replay.
    """
    sweep = Sweep(Resource("", 1, 1), findings)
    async for number, begins, rows in _groups(connection, STANDING, share):
        if begins:
            sweep.end()
            sweep = Sweep(resources[number], findings)
        for row in rows:
            sweep.take(row)
    sweep.end()


class Sweep:
    """One resource's claims in order of start: those that have not ended where the next begins."""

    def __init__(self, resource: Resource, findings: Findings) -> None:
        self._resource = resource
        self._findings = findings
        self._standing: list[tuple[float, int, str, int]] = []
        self._taken = self._claims = 0
        self._rule = "no_overlap" if resource.capacity == 1 else "no_excess"

    def take(self, claim: Claim) -> None:
        """The next claim."""
        _, ticket, booking, start, end, places = claim
        while self._standing and self._standing[0][0] <= start:
            self._taken -= heappop(self._standing)[3]
        self._claims += 1
        self._taken += places
        heappush(self._standing, (end, ticket, booking, places))
        if self._taken > self._resource.capacity:
            self._findings.broken(
                self._rule,
                self._resource.name,
                f"{self._taken} of {self._resource.capacity} places are taken at one instant",
                tickets=[one[1] for one in self._standing],
                bookings=[one[2] for one in self._standing],
            )

    def end(self) -> None:
        """There are no more."""
        self._findings.looked_at(self._rule, self._claims)


async def _groups(
    connection: Connection, statement: str, share: Share
) -> AsyncIterator[tuple[int, bool, Iterator[Any]]]:
    """Rows whose first column is their resource, a resource at a time, or as much of it as was fetched at one time.

    Yields the resource, whether it is a new one, and its rows, which are to be read before the next.
    """
    cursor, before = await connection.cursor(statement, share.first, share.until), None
    while rows := await cursor.fetch(CHUNK):
        for number, group in groupby(rows, itemgetter(0)):
            yield number, number != before, group
            before = number
