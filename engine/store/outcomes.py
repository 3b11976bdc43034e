"""Outcomes, rebuilt from the ledger: word for word what the worker answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from engine.chain import decode_detail
from engine.commands import BookingStatus, BookingView, Clash, Outcome, Reason, SeriesDetail, Status
from engine.store import sql
from engine.store.pools import Connection

CANCELLING = frozenset({"cancel", "cancel_series", "cancel_occurrence", "cancel_slot"})
"""Kinds of commands that leave what they name cancelled."""


async def outcomes_by_ticket(
    connection: Connection, tickets: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], tuple[UUID, Outcome]]:
    """Read the outcomes of decided tickets.

    tickets  (resource, ticket).

    Returns (the request id that the ticket was decided for, its outcome); an undecided ticket is missing.
    """
    wanted = list(tickets)
    rows = await connection.fetch(
        sql("outcomes_by_ticket"), [resource for resource, _ in wanted], [ticket for _, ticket in wanted]
    )
    return {
        (row["asked_resource"], row["asked_ticket"]): (row["asked_request_id"], outcome)
        for row, outcome in await _outcomes(connection, rows)
    }


async def outcomes_by_request(
    connection: Connection, request_ids: Iterable[UUID], *, caller: str | None = None
) -> dict[UUID, Outcome]:
    """Read the outcomes of requests; one that is not decided is missing.

    caller  whose they must be; None: anyone's.
    """
    rows = await connection.fetch(sql("outcomes_by_request"), list(request_ids), caller)
    return {row["asked_request_id"]: outcome for row, outcome in await _outcomes(connection, rows)}


async def _outcomes(connection: Connection, rows: Sequence[asyncpg.Record]) -> list[tuple[asyncpg.Record, Outcome]]:
    named = {booking for row in rows if row["detail"] is None for booking in row["clashes"]}
    times: dict[UUID, asyncpg.Record] = {}
    if named:
        times = {row["id"]: row for row in await connection.fetch(sql("clash_times"), list(named))}
    return [(row, _outcome(row, times)) for row in rows]


def _outcome(row: asyncpg.Record, times: dict[UUID, asyncpg.Record]) -> Outcome:
    booking = None
    if row["outcome"] == Status.CONFIRMED and row["booking"] is not None:
        status = BookingStatus.CANCELLED if row["kind"] in CANCELLING else BookingStatus.CONFIRMED
        booking = BookingView(row["booking"], row["start_time"], row["end_time"], row["places"], status)
    detail = decode_detail(row["detail"])
    return Outcome(
        status=Status(row["outcome"]),
        kind=row["kind"],
        resource=row["resource"],
        ticket=row["ticket"],
        request_id=row["request_id"],
        joined_at=row["joined_at"],
        decided_at=row["decided_at"],
        reason=Reason(row["reason"]) if row["reason"] is not None else None,
        booking=booking,
        capacity=row["capacity"],
        clashes=_clashes(row, detail, times),
        subject=row["subject"],
        detail=detail,
        repeated=row["asked_ticket"] != row["ticket"],
        counted=row["counted"],
        counted_limit=row["counted_limit"],
    )


def _clashes(row: asyncpg.Record, detail: SeriesDetail | None, times: dict[UUID, asyncpg.Record]) -> tuple[Clash, ...]:
    """What stood in the way: its times stand with it where nobody could look them up."""
    if detail is not None:
        kept = zip(row["clashes"], detail.clashes, strict=False)
        return tuple(Clash(booking, clash.start_time, clash.end_time) for booking, clash in kept)
    return tuple(Clash(booking, times[booking]["start_time"], times[booking]["end_time"]) for booking in row["clashes"])
