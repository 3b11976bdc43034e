"""Series without end are stored further ahead as time goes on, whoever does it, however often, however late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from engine import extension
from engine.commands import HORIZON, Book, CancelOccurrence, CancelSeries, Clash, Reason, RestoreOccurrence, Scope
from engine.extension import STEP, extend_due, extend_step
from engine.rules.recurrence import starts_between
from engine.store.series import load_series
from tests.clients import pool_of
from tests.schema.rows import add_resource
from tests.series import DAY, HOUR, WEEK, Deciding, book_series, monday, move, occurrences
from tests.support import wait_until

TWO_MONTHS_OFF = HORIZON - 60 * DAY
"""How far ahead a series is stored if nobody extended it for two months."""
CENTURY = 100 * 366 * DAY


async def neglected(room: Deciding, start: datetime, rule: str = "FREQ=DAILY", places: int = 1) -> UUID:
    """A series without end that nobody extended for a month."""
    return await room.made(book_series(rule, start, ahead=TWO_MONTHS_OFF, places=places))


async def extended(room: Deciding) -> list[int]:
    """Extend a resource's series as far as is due. Returns how many occurrences each step stored."""
    steps = []
    while (stored := await extend_step(room.connection, room.resource)) is not None:
        steps.append(stored)
    return steps


async def check_stored(room: Deciding, *series: UUID) -> None:
    """Each is stored as far as it says, far enough, and nothing twice. They hang on clocks in UTC."""
    for each in series:
        row = (await load_series(room.connection, [each]))[each]
        assert row.materialised_until is not None
        assert row.materialised_until > datetime.now(UTC) + HORIZON
        names = [occurrence["occurrence"] for occurrence in await occurrences(room.connection, each)]
        first = row.recurrence.start.replace(tzinfo=UTC)
        assert names == starts_between(row.recurrence, first, row.materialised_until)
    await room.clean()


async def test_a_series_that_is_up_to_date_is_left_alone(room: Deciding, database_url: str) -> None:
    series = await room.made(book_series("FREQ=DAILY", monday()))
    async with pool_of(database_url) as pool:
        assert await extend_due(pool) == 0
    assert (await room.series(series))["version"] == 1
    await room.clean()


async def test_after_two_months_off_all_of_it_is_made_up_for_in_steps(room: Deciding) -> None:
    series = await neglected(room, monday())
    ledger = await room.connection.fetch("SELECT * FROM ledger")
    before = len(await occurrences(room.connection, series))
    steps = await extended(room)
    assert sum(steps) == len(await occurrences(room.connection, series)) - before
    assert steps[0] == STEP.days
    assert len(steps) == 2
    await check_stored(room, series)
    row = (await occurrences(room.connection, series))[-1]
    stored = await room.series(series)
    assert (row["ticket"], row["request_id"], row["caller"]) == (1, stored["request_id"], "anonymous")
    assert row["created_at"] == stored["created_at"]
    assert stored["version"] == 1, "nothing about it changed"
    assert await room.connection.fetch("SELECT * FROM ledger") == ledger, "it decides nothing"
    assert await room.horizon() == stored["materialised_until"]


async def test_series_of_one_resource_are_stored_up_to_the_same_instant(room: Deciding) -> None:
    daily = await neglected(room, monday(9))
    weekly = await room.made(book_series("FREQ=WEEKLY", monday(12), ahead=TWO_MONTHS_OFF + 10 * DAY))
    await extended(room)
    stored = [(await room.series(series))["materialised_until"] for series in (daily, weekly)]
    assert stored[0] == stored[1]
    await check_stored(room, daily, weekly)


async def test_every_resource_is_extended(room: Deciding, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found a few at a time, none is passed over."""
    monkeypatch.setattr(extension, "RESOURCES_AT_ONCE", 2)
    rooms = [Deciding(room.connection, await add_resource(room.connection, capacity=1)) for _ in range(5)]
    series = [await neglected(each, monday(), "FREQ=WEEKLY") for each in rooms]
    await room.connection.execute("UPDATE series SET status = 'cancelled', ended_at = now() WHERE id = $1", series[2])
    async with pool_of(database_url) as pool:
        assert await extend_due(pool) > 0
        assert await extend_due(pool) == 0
    until = [(await room.series(each))["materialised_until"] for each in series]
    late = datetime.now(UTC) + HORIZON
    assert [each > late for each in until] == [True, True, False, True, True]


async def test_trouble_with_one_resource_is_told_and_holds_up_no_other(
    room: Deciding, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = Deciding(room.connection, await add_resource(room.connection, capacity=1))
    for each in (room, other):
        await neglected(each, monday())
    await room.connection.execute("UPDATE series SET time_zone = 'Nowhere' WHERE resource = $1", room.resource)
    async with pool_of(database_url) as pool:
        assert await extend_due(pool) > 0
    rows = await room.connection.fetch("SELECT resource FROM series WHERE materialised_until > now() + $1", HORIZON)
    assert [row["resource"] for row in rows] == [other.resource]
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert (told.getMessage(), told.__dict__["resource"]) == ("series were not extended", room.resource)
    assert "Nowhere" in told.__dict__["error"]


async def test_two_that_extend_at_once_store_everything_once(room: Deciding, database_url: str) -> None:
    series = await neglected(room, monday())
    before = len(await occurrences(room.connection, series))
    async with pool_of(database_url) as one, pool_of(database_url) as other:
        stored = await asyncio.gather(extend_due(one), extend_due(other))
    assert sum(stored) == len(await occurrences(room.connection, series)) - before
    await check_stored(room, series)


async def test_what_is_decided_while_it_stands_still_between_two_steps_holds(room: Deciding, database_url: str) -> None:
    """It is frozen, somebody else extends, occurrences are cancelled and moved, and then it goes on."""
    start = monday()
    series = await neglected(room, start)
    until = (await room.series(series))["materialised_until"]
    frozen = await asyncpg.connect(database_url)
    assert await extend_step(frozen, room.resource)
    async with pool_of(database_url) as pool:
        last = start + ((until - start) // DAY + 50) * DAY
        await room.yes(CancelOccurrence(series, last))
        assert await extend_due(pool) > 0
        await room.yes(CancelOccurrence(series, last - DAY))
    assert await extend_step(frozen, room.resource) is None
    await frozen.close()
    await check_stored(room, series)


async def test_a_step_waits_for_a_decision_and_finds_what_it_left(room: Deciding, database_url: str) -> None:
    """The decision holds the resource's row while the step arrives; it cancels the series."""
    series = await neglected(room, monday())
    stored = len(await occurrences(room.connection, series))
    holder, extending = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("SELECT FROM resource WHERE id = $1 FOR NO KEY UPDATE", room.resource)
    step = asyncio.create_task(extend_step(extending, room.resource))

    async def waits() -> bool:
        return bool(await room.connection.fetchval("SELECT true FROM pg_locks WHERE NOT granted"))

    await wait_until(waits)
    deciding = Deciding(holder, room.resource, room.ticket)
    await deciding.yes(CancelSeries(series))
    await transaction.commit()
    assert await step is None
    assert len(await occurrences(room.connection, series)) == stored
    await holder.close()
    await extending.close()
    await room.clean()


async def test_what_was_changed_before_it_gets_there_stays_so(room: Deciding) -> None:
    start = monday()
    series = await neglected(room, start)
    until = (await room.series(series))["materialised_until"]
    cancelled = start + ((until - start) // DAY + 10) * DAY
    moved, restored = cancelled + DAY, cancelled + 2 * DAY
    await room.yes(CancelOccurrence(series, cancelled))
    await room.yes(move(series, moved, moved + 3 * HOUR))
    await room.yes(CancelOccurrence(series, restored))
    await room.yes(RestoreOccurrence(series, restored))
    single = await room.made(Book(cancelled, cancelled + HOUR))
    await extended(room)
    rows = [row for row in await occurrences(room.connection, series) if cancelled <= row["occurrence"] <= restored]
    assert [(row["occurrence"], row["status"]) for row in rows] == [
        (cancelled, "cancelled"),
        (moved, "rescheduled"),
        (moved, "confirmed"),
        (restored, "cancelled"),
        (restored, "confirmed"),
    ]
    refused = await room.no(Book(cancelled, cancelled + HOUR), Reason.CONFLICT)
    assert refused.clashes == (Clash(single, cancelled, cancelled + HOUR),)
    await room.clean()


async def test_the_rest_of_a_parted_series_is_stored_to_its_end(room: Deciding) -> None:
    start = monday()
    series = await neglected(room, start)
    until = (await room.series(series))["materialised_until"]
    pivot = start + ((until - start) // DAY + 10) * DAY
    await room.yes(CancelOccurrence(series, pivot - DAY))
    await room.yes(move(series, pivot, pivot + HOUR, scope=Scope.THIS_AND_FOLLOWING))
    assert (await room.series(series))["materialised_until"] == until
    await extended(room)
    assert (await room.series(series))["materialised_until"] is None
    assert (await occurrences(room.connection, series))[-1]["occurrence"] == pivot - DAY
    await room.clean()


async def test_what_is_past_by_now_is_stored_as_well(room: Deciding) -> None:
    """Nobody extended it for years: what happened meanwhile happened."""
    series = await neglected(room, monday(), "FREQ=WEEKLY")
    await room.connection.execute("DELETE FROM booking WHERE occurrence > $1", monday())
    shift = 8 * 52 * WEEK
    await room.connection.execute(
        "UPDATE series SET wall_clock = wall_clock - $1::interval, materialised_until = $2",
        shift,
        monday(0) - shift + DAY,
    )
    await room.connection.execute(
        "UPDATE booking SET during = tstzrange(lower(during) - $1::interval, upper(during) - $1::interval),"
        " occurrence = occurrence - $1",
        shift,
    )
    assert sum(await extended(room)) > 8 * 52
    rows = await occurrences(room.connection, series)
    assert {row["status"] for row in rows} == {"confirmed"}
    assert rows[0]["occurrence"] == monday() - shift
    assert rows[-1]["occurrence"] > datetime.now(UTC) + HORIZON


@pytest.mark.parametrize("apart", [False, True])
async def test_where_series_meet_after_a_century_the_later_ticket_loses_that_time(
    room: Deciding, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, apart: bool
) -> None:
    """Every 99th year from the first, every 98th from the next: they meet once, behind all that was compared.

    apart  what is stored of the older one ends a little later, so that they are not extended in one step; and the
           later one's occurrence begins before that end.
    """
    start = datetime(datetime.now(UTC).year + 1, 6, 1, 9, tzinfo=UTC)
    older = await room.made(book_series("FREQ=YEARLY;INTERVAL=99", start))
    later = await room.made(book_series("FREQ=YEARLY;INTERVAL=98", start.replace(year=start.year + 1) - HOUR / 2))
    meeting = start.replace(year=start.year + 99)
    stored = (meeting - HOUR / 8, meeting - HOUR / 4 - STEP) if apart else (meeting - 10 * DAY, meeting - 10 * DAY)
    await advance(room, [(older, stored[0]), (later, stored[1])])
    monkeypatch.setattr(extension, "HORIZON", CENTURY)
    monkeypatch.setattr(extension, "REACH", CENTURY + WEEK)
    with caplog.at_level(logging.WARNING):
        await extended(room)
    statuses = {
        row["series"]: (row["status"], row["ticket"])
        for row in await room.connection.fetch("SELECT * FROM booking WHERE lower(during) > $1", meeting - DAY)
    }
    assert statuses == {older: ("confirmed", 1), later: ("clashed", 2)}
    assert [record.series for record in caplog.records] == [str(later)]  # type: ignore[attr-defined]
    await room.clean()
    refused = await room.no(RestoreOccurrence(later, meeting - HOUR / 2), Reason.CONFLICT)
    assert [clash.start_time for clash in refused.clashes] == [meeting]
    await room.yes(CancelOccurrence(older, meeting))
    await room.yes(RestoreOccurrence(later, meeting - HOUR / 2))
    await room.clean()


async def advance(room: Deciding, stored: Sequence[tuple[UUID, datetime]]) -> None:
    """Say by hand that series are stored so far: nothing of them lies in between."""
    for series, until in stored:
        await room.connection.execute("UPDATE series SET materialised_until = $2 WHERE id = $1", series, until)
    await room.connection.execute(
        "UPDATE resource SET series_horizon = (SELECT min(materialised_until) FROM series) WHERE id = $1",
        room.resource,
    )
