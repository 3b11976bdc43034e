"""The audit after a run: what callers were told, held against the ledger and the bookings.

It takes nothing from the schema's word or from the engine's rules: order, outcomes and bookings are reckoned out anew
(``loadtest.model``). What the database alone shows, the chain of hashes among it, is ``firstcome verify``'s.
The rows are read in one snapshot. It sorts, looks up, and sweeps once: docs/benchmarks.md says how long a million take.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from engine.errors import StartupRefused
from engine.tasks import end_tasks
from loadtest.answers import Walk, by_resource, check_keys, check_reads, check_real_time_order
from loadtest.findings import Findings, Report
from loadtest.model import Row
from loadtest.record import Entry, read_history

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CHUNK = 10_000
"""Rows that are fetched at one time."""
REPLICA_WITHIN_S = 30.0
REPLICA_POLL_S = 0.1
LEDGER = """
    SELECT
        ledger.resource, ledger.ticket, ledger.request_id, ledger.kind,
        date_part('epoch', ledger.start_time), date_part('epoch', ledger.end_time), ledger.places, ledger.capacity,
        ledger.subject, ledger.outcome, ledger.reason, ledger.booking, ledger.first_ticket,
        date_part('epoch', ledger.decided_at),
        booking.id IS NOT NULL OR series.id IS NOT NULL
    FROM ledger
    LEFT JOIN booking ON booking.id = ledger.booking
    LEFT JOIN series ON series.id = ledger.booking
    ORDER BY ledger.resource, ledger.ticket
"""
STANDING = """
    SELECT resource, ticket, id, date_part('epoch', lower(during)), date_part('epoch', upper(during)), places
    FROM booking
    WHERE status = 'confirmed' AND upper(during) > now() AND coalesce(slot = id, true)
    ORDER BY resource, lower(during)
"""
"""What claims the time of its resource: a seat claims none, its slot does."""
TWICE = """
    SELECT resource, array_agg(ticket ORDER BY ticket) AS tickets
    FROM ledger WHERE outcome <> 'repeated'
    GROUP BY request_id, resource HAVING count(*) > 1
"""
CONTENT = """
    SELECT
        (SELECT count(*)::text || ':' || coalesce(sum(hash_record_extended(ledger, 0)), 0) FROM ledger) AS ledger,
        (SELECT count(*)::text || ':' || coalesce(sum(hash_record_extended(booking, 0)), 0) FROM booking) AS booking
"""
"""What two copies of a table have in common: the number of rows, and the sum of their hashes."""
WRITTEN = "SELECT pg_current_wal_lsn()::text"
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"


class Resource(NamedTuple):
    """What can be booked: its public name, the places that it has, and that it had at first."""

    name: str
    capacity: int
    initial: int


Claim: TypeAlias = "tuple[int, int, UUID, float, float, int]"
"""A booking that stands, and has not ended: resource, ticket, booking, start, end, places."""


async def audit(
    history: Path, database_url: str, *, replica_url: str | None = None, alarms: Sequence[str] | None = None
) -> Report:
    """Hold a history against the database that its requests were made on.

    replica_url  is compared with the primary, once it has caught up; None: it is not.
    alarms       what processes logged as critical; None: nobody knows.

    Raises StartupRefused where the history cannot be read or the database does not answer.
    """
    began = time.monotonic()
    findings = Findings()
    with _without_collector():
        head, entries = read_history(history)
        check_keys(entries, findings)
        check_reads(entries, findings)
        grouped = by_resource(entries)
        for each in grouped.values():
            check_real_time_order(each, findings)
        async with _connected(database_url) as connection, _comparing(database_url, replica_url, findings):
            tickets = await _check_rows(connection, grouped, findings, whole=head.whole)
    _note_alarms(alarms, findings)
    checks = findings.checks()
    return Report(
        clean=not any(check.broken for check in checks),
        operations=len(entries),
        unknown=sum(1 for entry in entries if entry.status in (0, 202, 503)),
        tickets=tickets,
        seconds=time.monotonic() - began,
        checks=checks,
        violations=findings.violations,
        notes=findings.notes,
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Nothing here makes cycles, and walking a million entries again and again would take most of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    """A connection for a while. Raises StartupRefused in a sentence."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartupRefused(f"The database does not answer: {error}.") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _check_rows(
    connection: Connection, grouped: Mapping[str, list[Entry]], findings: Findings, *, whole: bool
) -> int:
    """Everything that needs the database. Returns how many tickets there are."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '256MB'; SET LOCAL jit = off")
        resources = {
            row["id"]: Resource(row["resource_id"], row["capacity"], row["initial_capacity"])
            for row in await connection.fetch("SELECT id, resource_id, capacity, initial_capacity FROM resource")
        }
        tickets = await _walk(connection, resources, grouped, findings, whole=whole)
        await _sweep(connection, resources, findings)
        findings.looked_at("one_decision", tickets)
        for row in await connection.fetch(TWICE):
            name = resources[row["resource"]].name
            findings.broken("one_decision", name, "one request has several decisions", tickets=row["tickets"])
    return tickets


async def _walk(
    connection: Connection,
    resources: Mapping[int, Resource],
    grouped: Mapping[str, list[Entry]],
    findings: Findings,
    *,
    whole: bool,
) -> int:
    """Take every resource's rows in ticket order. Returns how many there are."""
    unread, tickets, beyond = set(grouped), 0, 0
    walk = Walk("", 1, (), findings, whole=False)
    async for number, begins, rows in _groups(connection, LEDGER):
        if begins:
            walk.end()
            beyond += walk.beyond
            name, _, initial = resources[number]
            unread.discard(name)
            walk = Walk(name, initial, grouped.get(name, ()), findings, whole=whole)
        for row in rows:
            walk.take(Row._make(row))
            tickets += 1
    walk.end()
    for name in unread:  # they have no row at all
        Walk(name, 1, grouped[name], findings, whole=whole).end()
    if beyond := beyond + walk.beyond:
        findings.notes.append(
            f"{beyond:,} resources have commands that the model does not know, series among them: from there on they "
            "are not replayed here, but by firstcome verify"
        )
    return tickets


async def _sweep(connection: Connection, resources: Mapping[int, Resource], findings: Findings) -> None:
    """No overlap and no excess, of what stands from now on: one sweep over the starts of each resource.

    What is past is held against the capacity of its time by the replay.
    """
    sweep = Sweep(Resource("", 1, 1), findings)
    async for number, begins, rows in _groups(connection, STANDING):
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
        self._standing: list[tuple[float, int, UUID, int]] = []
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


async def _groups(connection: Connection, statement: str) -> AsyncIterator[tuple[int, bool, Iterator[Any]]]:
    """Rows whose first column is their resource, a resource at a time, or as much of it as was fetched at one time.

    Yields the resource, whether it is a new one, and its rows, which are to be read before the next.
    """
    cursor, before = await connection.cursor(statement), None
    while rows := await cursor.fetch(CHUNK):
        for number, group in groupby(rows, itemgetter(0)):
            yield number, number != before, group
            before = number


@asynccontextmanager
async def _comparing(database_url: str, replica_url: str | None, findings: Findings) -> AsyncIterator[None]:
    """Compare the replica with the primary, if there is one: both reckon while the rows are walked through here."""
    if replica_url is None:
        yield
        return
    comparing = asyncio.create_task(_check_replica(database_url, replica_url, findings))
    try:
        yield
        await comparing
    finally:
        await end_tasks([comparing])


async def _check_replica(database_url: str, replica_url: str, findings: Findings) -> None:
    """Compare the replica, once it has what the primary had, with the primary.

    That says something only while nothing is written: where they differ and something was, it is noted.
    """
    async with _connected(database_url) as connection, _connected(replica_url) as replica:
        written = await connection.fetchval(WRITTEN)
        deadline = time.monotonic() + REPLICA_WITHIN_S
        while not await replica.fetchval(REPLAYED, written):
            if time.monotonic() > deadline:
                findings.broken("replica", "", f"it has not caught up within {REPLICA_WITHIN_S:.0f} s")
                return
            await asyncio.sleep(REPLICA_POLL_S)
        here, there = await asyncio.gather(*(_content(server) for server in (connection, replica)))
        findings.looked_at("replica", sum(int(content.partition(":")[0]) for content in here.values()))
        differing = [table for table, content in here.items() if there[table] != content]
        if differing and await connection.fetchval(WRITTEN) != written:
            findings.notes.append("the replica could not be compared with the primary, as it is being written to")
            return
    for table in differing:
        findings.broken("replica", "", f"its table {table} differs from the primary's")


async def _content(connection: Connection) -> dict[str, str]:
    return dict(await connection.fetchrow(CONTENT) or {})


def _note_alarms(alarms: Sequence[str] | None, findings: Findings) -> None:
    if alarms is None:
        findings.notes.append("whether a constraint fired is in the logs of the processes, at level critical")
        return
    findings.looked_at("backstop", 1)
    for line in alarms:
        findings.broken("backstop", "", line)
