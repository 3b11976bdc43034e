"""Series through the whole engine: in ticket order, one yes for one time, and no transaction larger than it may be."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.batch import WEIGHT_LIMIT
from engine.commands import HORIZON, CancelOccurrence, CancelSeries, Command, Reason, Status
from engine.direct import DirectIntake
from engine.queue import scripts
from tests.clients import (
    NINE,
    add_resources,
    clean,
    decide_all,
    decided,
    drained,
    hour,
    ledger,
    open_intake,
    request,
    statuses,
    waiting_tickets,
    winners,
)
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource
from tests.series import DAY, WEEK, book_series, monday, occurrences
from tests.support import wait_until
from tests.turns import enqueue, turning

CALLERS = 20
LONG = 1_000
"""Occurrences of the longest finite series."""


async def test_twenty_callers_for_one_series_without_end_one_is_confirmed(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    await processes.worker()
    room = await add_resource(database, capacity=1)
    command = book_series("FREQ=WEEKLY", monday())
    async with open_intake(redis_url, database_url) as intake:
        outcomes = await decide_all(intake, [request(room, command) for _ in range(CALLERS)])
    assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: CALLERS - 1}
    first = min(outcomes, key=lambda outcome: outcome.ticket)
    assert first.booking is not None, "first come must be first served"
    stored = {row["id"] for row in await occurrences(database, first.booking.booking)}
    for outcome in outcomes:
        if outcome is not first:
            assert outcome.detail is not None
            assert outcome.reason is Reason.CONFLICT
            assert {clash.booking for clash in outcome.detail.clashes} <= stored
    await clean(database_url)


async def test_twenty_series_without_end_that_meet_some_year_one_is_confirmed(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    """None of them meets another within what is stored: all fall on one day first in some hundred weeks or more."""
    await processes.worker()
    room = await add_resource(database, capacity=1)
    meeting = monday(9, weeks=20 * 23)
    commands = [
        book_series(f"FREQ=WEEKLY;INTERVAL={weeks}", meeting - weeks * WEEK * ((meeting - monday()) // (weeks * WEEK)))
        for weeks in (61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157)
    ]
    assert len({command.first for command in commands}) == CALLERS
    async with open_intake(redis_url, database_url) as intake:
        outcomes = await decide_all(intake, [request(room, command) for command in commands])
    assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: CALLERS - 1}
    assert min(outcomes, key=lambda outcome: outcome.ticket).status is Status.CONFIRMED
    behind = datetime.now(UTC) + HORIZON
    for outcome in outcomes:
        if outcome.reason is not None:
            assert outcome.detail is not None
            assert all(clash.wanted_start > behind for clash in outcome.detail.clashes)
    await clean(database_url)


async def test_series_and_single_bookings_are_decided_in_ticket_order(
    database: Connection, database_url: str, redis_url: str
) -> None:
    """Each of them takes what a later one wants: any other order would have other winners."""
    room = await add_resource(database, capacity=1)
    weekly = book_series("FREQ=WEEKLY;COUNT=3", NINE)
    skipping = book_series("FREQ=WEEKLY;COUNT=3", NINE, skip=True)
    commands: list[Command] = [hour(7 * 24), weekly, hour(0), skipping, weekly, hour(0)]
    async with turning(redis_url, database_url) as worker:
        await enqueue(worker.redis, [request(room, command) for command in commands])
        await worker.serve_all()
    assert [(row.ticket, row.outcome) for row in await winners(database, room)] == [
        (1, "confirmed"),
        (2, "refused"),
        (3, "confirmed"),
        (4, "confirmed"),
        (5, "refused"),
        (6, "refused"),
    ]
    await clean(database_url)


async def test_more_occurrences_than_one_transaction_decides_wait_for_the_next_and_nobody_is_suspect(
    database: Connection, database_url: str, redis_url: str
) -> None:
    """Six series of a thousand are taken at once; there is room for four."""
    rooms = await add_resources(database, 6)
    command = book_series(f"FREQ=DAILY;COUNT={LONG}", NINE)
    async with turning(redis_url, database_url) as worker:
        attempts: list[int] = []

        async def attempted() -> None:
            attempts.append(1)

        worker.redis.before["attempt"] = attempted
        await enqueue(worker.redis, [request(room, command) for room in rooms])
        taken = await scripts.take(worker.redis, "one", limit=256)
        assert len(taken) == len(rooms)
        await worker.serve("one", taken)
        done = [room for room in rooms if await ledger(database, room)]
        assert len(done) == WEIGHT_LIMIT // LONG
        assert [await waiting_tickets(worker.redis, room) for room in rooms if room not in done] == [[1], [1]]
        again = await scripts.take(worker.redis, "one", limit=256)
        assert {(item.resource, item.tries) for item in again} == {(room, 0) for room in rooms if room not in done}
        await worker.serve("one", again)
        await scripts.end_turn(worker.redis, "one", slice_over=False)
        await drained(worker.redis, rooms)
    assert attempts == []
    assert [[row.outcome for row in await winners(database, room)] for room in rooms] == [["confirmed"]] * len(rooms)
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == LONG * len(rooms)
    await clean(database_url)


async def test_a_worker_extends_what_nobody_extended(
    processes: Processes, database: Connection, database_url: str, redis_url: str
) -> None:
    room = await add_resource(database, capacity=1)
    async with turning(redis_url, database_url) as turns:
        await enqueue(turns.redis, [request(room, book_series("FREQ=DAILY", monday(), ahead=HORIZON - 60 * DAY))])
        await turns.serve_all()
    late = datetime.now(UTC) + HORIZON
    await processes.worker()

    async def extended() -> bool:
        return bool(await database.fetchval("SELECT materialised_until > $1 FROM series", late))

    await wait_until(extended)
    await clean(database_url)


async def test_direct_mode_decides_series_by_the_same_rules(database: Connection, database_url: str) -> None:
    room = await add_resource(database, capacity=1)
    start = monday()
    intake = DirectIntake(database_url, pool_size=4, idempotency_hours=48)
    await intake.start()
    try:
        command = book_series("FREQ=WEEKLY", start)
        outcomes = await decide_all(intake, [request(room, command) for _ in range(4)])
        assert statuses(outcomes) == {Status.CONFIRMED: 1, Status.REFUSED: 3}
        (made,) = [outcome.booking.booking for outcome in outcomes if outcome.booking is not None]
        far = start + 3 * 52 * WEEK
        cancelled = decided(await intake.decide(request(room, CancelOccurrence(made, far)), wait_s=5))
        assert cancelled.status is Status.CONFIRMED
        ended = decided(await intake.decide(request(room, CancelSeries(made)), wait_s=5))
        assert ended.status is Status.CONFIRMED
    finally:
        await intake.stop()
    await clean(database_url)
