"""The audit after a run: what callers were told, held against the ledger and the bookings.

It takes nothing from the schema's word or from the engine's rules: order, outcomes and bookings are reckoned out anew
(``loadtest.model``). What the database alone shows, the chain of hashes among it, is ``firstcome verify``'s.
Resources do not depend on each other, so a long history is shared out among processes, all of which read the rows in
one snapshot (``loadtest.audit_share``). docs/benchmarks.md says how long a million take.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec

from engine.embedded.server import Lifeline
from engine.errors import StartupRefused
from engine.tasks import end_tasks
from loadtest.apart import begin, last_words
from loadtest.audit_share import (
    NO_RESOURCE,
    UNHURRIED,
    Connection,
    Share,
    check,
    connected,
    refused_in_a_sentence,
)
from loadtest.findings import Findings, Report
from loadtest.record import open_history

SHARE_BYTES = 1 << 25
"""A history of less than twice as much is checked by this process alone: another needs a third of a second to start."""
SHARES_AT_MOST = 8
AFTER_ALL = (1 << 63) - 1
"""More than any resource's number."""
REPLICA_WITHIN_S = 30.0
REPLICA_POLL_S = 0.1
REPLICA_LOOKS = 4
CONTENT = """
    SELECT
        (SELECT count(*)::text || ':' || coalesce(sum(hash_record_extended(ledger, 0)), 0) FROM ledger) AS ledger,
        (SELECT count(*)::text || ':' || coalesce(sum(hash_record_extended(booking, 0)), 0) FROM booking) AS booking
"""
"""What two copies of a table have in common: the number of rows, and the sum of their hashes."""
TICKETS = "SELECT resource, count(*) FROM ledger GROUP BY resource ORDER BY resource"
WRITTEN = "SELECT pg_current_wal_lsn()::text"
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"


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
    size = _size(history)  # before the snapshot: whatever was answered by then has its row in it
    async with (
        refused_in_a_sentence(),
        connected(database_url) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
        _comparing(database_url, replica_url, findings),
    ):
        await connection.execute(UNHURRIED)
        for found in await check_each(await _share_out(connection, history, size, database_url)):
            findings.add(found)
    if findings.beyond:
        findings.notes.append(
            f"{findings.beyond:,} resources have commands that the model does not know, series among them: from there "
            "on they are not replayed here, but by firstcome verify"
        )
    _note_alarms(alarms, findings)
    checks = findings.checks()
    return Report(
        clean=not any(check.broken for check in checks),
        operations=findings.requests,
        unknown=findings.unknown,
        tickets=findings.tickets,
        seconds=time.monotonic() - began,
        checks=checks,
        violations=findings.violations,
        notes=findings.notes,
    )


def _size(history: Path) -> int:
    """How many bytes a history has. Raises StartupRefused where it is none."""
    with open_history(history):
        return history.stat().st_size


async def _share_out(connection: Connection, history: Path, size: int, database_url: str) -> list[Share]:
    """Divide an audit among as many processes as the history is worth, all in this transaction's snapshot."""
    at_most = min(SHARES_AT_MOST, os.cpu_count() or 1, size // SHARE_BYTES)
    snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
    borders = [NO_RESOURCE, *(await _borders(connection, at_most) if at_most > 1 else ()), AFTER_ALL]
    return [
        Share(
            history=str(history),
            size=size,
            database_url=database_url,
            snapshot=snapshot,
            number=number,
            of=len(borders) - 1,
            first=first,
            until=until,
        )
        for number, (first, until) in enumerate(pairwise(borders))
    ]


async def _borders(connection: Connection, shares: int) -> Sequence[int]:
    """The resources with which another share begins, so that each has about as many tickets."""
    tickets = await connection.fetch(TICKETS)
    wanted, before = sum(number for _, number in tickets) / shares, 0
    borders: list[int] = []
    for resource, number in tickets:
        if before + number / 2 > wanted * (len(borders) + 1):
            borders.append(resource)
        before += number
    return borders


async def check_each(shares: Sequence[Share]) -> list[Findings]:
    """Check every share, each in a process of its own where there are several. Raises StartupRefused as ``audit``."""
    if len(shares) == 1:
        return [await check(shares[0])]
    lifeline = Lifeline()
    try:
        return await asyncio.gather(*(asyncio.to_thread(_check_apart, share, lifeline) for share in shares))
    finally:
        lifeline.close()


def _check_apart(share: Share, lifeline: Lifeline) -> Findings:
    process = begin("loadtest.audit_share", share, lifeline)
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    if process.wait() != 0:
        raise StartupRefused(f"The audit failed: {last_words(said)}")
    return msgspec.json.decode(said, type=Findings)


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

    That says something only while nothing is written: where they differ and something was, they are compared again, as
    a server writes now and then for itself; and where that goes on, it is noted.
    """
    async with connected(database_url) as connection, connected(replica_url) as replica:
        for _ in range(REPLICA_LOOKS):
            written = await connection.fetchval(WRITTEN)
            deadline = time.monotonic() + REPLICA_WITHIN_S
            while not await replica.fetchval(REPLAYED, written):
                if time.monotonic() > deadline:
                    findings.broken("replica", "", f"it has not caught up within {REPLICA_WITHIN_S:.0f} s")
                    return
                await asyncio.sleep(REPLICA_POLL_S)
            here, there = await asyncio.gather(*(_content(server) for server in (connection, replica)))
            differing = [table for table, content in here.items() if there[table] != content]
            if not differing or await connection.fetchval(WRITTEN) == written:
                break
        else:
            findings.notes.append("the replica could not be compared with the primary, as it is being written to")
            return
    findings.looked_at("replica", sum(int(content.partition(":")[0]) for content in here.values()))
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
