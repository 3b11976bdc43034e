"""Each row of the ledger is counted once, whoever folds and whatever is decided meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg

from api.app import Api
from api.parts import Parts
from engine.analytics import Analyst, Figures, Question
from engine.folding import fold_due, fold_step
from engine.reader import Reader
from engine.store import decisions
from engine.store import pools as store
from engine.store.pools import Pool
from engine.store.verify import findings
from tests.people.company import HOUR, MONDAY, Company, Person, outcome_of, times
from tests.schema.rows import Connection, add_resource

ROOMS, GUESTS = 6, 24
NOTE = """
INSERT INTO ledger (resource, ticket, request_id, kind, outcome, joined_at, decided_at, row_hash)
VALUES ($1, 1, gen_random_uuid(), 'book', 'confirmed', $2, $2, decode(repeat('00', 32), 'hex'))
"""


def lately() -> Question:
    """Yesterday to tomorrow, so that a midnight that passes meanwhile changes nothing."""
    today = datetime.now(UTC).date()
    return Question(today - timedelta(days=1), today + timedelta(days=1))


async def test_what_is_being_decided_is_not_passed_by(database_url: str, pool: Pool, database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    deciding = await asyncpg.connect(database_url)
    try:
        async with deciding.transaction():
            _, now = await decisions.lock(deciding, [resource], wait=True)
            await fold_due(pool)  # the instant that it notes is behind now
            assert not await fold_step(pool)
            assert await database.fetchval("SELECT next_until > $1 AND folded_until < $1 FROM fold", now)
            await deciding.execute(NOTE, resource, now)
        await fold_step(pool)
        assert await database.fetchval("SELECT folded_until > $1 FROM fold", now)
        assert await database.fetchval("SELECT sum(attempts) FROM attempt_total") == 1
    finally:
        await deciding.close()


async def test_figures_add_up_while_bookings_and_folds_go_on(
    app: Api, company: Company, pool: Pool, reader: Reader
) -> None:
    parts: Parts = app.state["parts"]
    primary, seen, deciding = Analyst(reader), list[Figures](), True
    hosts = [await company.host() for _ in range(ROOMS)]
    for number, host in enumerate(hosts):
        body = {"resource_id": f"room-{number}", "name": "Room", "time_zone": "UTC"}
        assert (await host.post("/resources", body)).status_code == 201

    async def fold_meanwhile() -> None:
        while deciding:
            await fold_due(pool)

    async def ask_meanwhile() -> None:
        while deciding:
            seen.append((await primary.ask(lately())).value)

    async def book(number: int, guest: Person) -> list[str]:
        told = []
        for room in range(ROOMS):
            body = {"resource_id": f"room-{room}"} | times(MONDAY + timedelta(days=number % 8))
            answer = await guest.post("/bookings", body)
            told.append(outcome_of(answer))
            if told[-1] == "201" and room % 3 == 0:
                assert (await guest.delete(f"/bookings/{answer.json()['booking_id']}")).status_code == 200
        return told

    meanwhile = [asyncio.create_task(work()) for work in (fold_meanwhile, fold_meanwhile, ask_meanwhile)]
    booking = [book(number, guest) for number, guest in enumerate(await company.guests(GUESTS))]
    outcomes = Counter(word for told in await asyncio.gather(*booking) for word in told)
    deciding = False
    await asyncio.gather(*meanwhile)
    await fold_due(pool)
    seen.append((await primary.ask(lately())).value)
    assert outcomes["201"] + outcomes["conflict"] + outcomes["max_active_bookings"] == ROOMS * GUESTS
    last = seen[-1]
    assert (last.attempts, last.bookings, last.conflicts) == (ROOMS * GUESTS, outcomes["201"], outcomes["conflict"])
    assert all(one.attempts == one.bookings + sum(one.refusals.values()) for one in seen)
    assert [one.attempts for one in seen] == sorted(one.attempts for one in seen)
    cancelled = await company.connection.fetchval("SELECT count(*) FROM booking WHERE status = 'cancelled'")
    assert last.cancelled == cancelled > 0
    assert {host.host for host in last.hosts} == {str(host.id) for host in hosts}
    assert sum(host.bookings for host in last.hosts) == last.bookings
    assert await company.connection.fetchval("SELECT sum(attempts) FROM attempt_count") > 0, "some of it was folded"
    assert parts.config.replica_url is not None


async def test_the_audit_holds_the_counts_against_the_ledger(company: Company, pool: Pool) -> None:
    host, guest = await company.host(), await company.person()
    slots = [(await host.publish(MONDAY + number * timedelta(days=1)))["slot_id"] for number in range(2)]
    booking = await guest.booked(slot_id=slots[0])
    assert outcome_of(await guest.book(slot_id=slots[1])) == "max_bookings_with_host"
    assert (await guest.delete(f"/bookings/{booking}")).status_code == 200
    await fold_due(pool)  # notes
    await fold_due(pool)  # and folds
    async with pool.acquire() as connection:
        assert await figures_broken(connection) == []
        damages = [
            ("UPDATE attempt_count SET attempts = 2 WHERE result = 'booked'", "attempt_count has 2 times booked"),
            ("DELETE FROM attempt_month WHERE result = 'booked'", "attempt_month has 0 times booked"),
            ("UPDATE attempt_total SET result = 'failed' WHERE result = 'booked'", "attempt_total has 1 times failed"),
            ("DELETE FROM attempt_total WHERE result = 'cancelled'", "attempt_total has 0 times cancelled"),
        ]
        for damage, told in damages:
            undone = connection.transaction()
            await undone.start()
            await connection.execute(damage)
            assert any(detail.startswith(told) for detail in await figures_broken(connection)), told
            await undone.rollback()


async def test_a_part_of_a_divided_series_never_counts_as_cancelled_whatever_comes_of_the_first(
    company: Company, pool: Pool
) -> None:
    """The booking that was made lives on in the first part, which is cancelled after it was moved itself."""
    host, guest = await company.host(), await company.person()
    assert (await host.post("/resources", {"resource_id": "room", "name": "Room"})).status_code == 201
    rule = {"resource_id": "room", "recurrence_rule": "FREQ=WEEKLY;COUNT=3"}
    first = (await guest.post("/bookings", times(MONDAY) | rule)).json()["booking_id"]
    week = timedelta(weeks=1)
    later = f"/bookings/{first}/occurrences/{MONDAY + week:%Y%m%dT%H%M%SZ}"
    divided = await guest.put(later, times(MONDAY + week + HOUR) | {"scope": "this_and_following"})
    assert (await guest.delete(f"/bookings/{divided.json()['booking_id']}")).status_code == 200
    await fold_due(pool)  # notes
    await fold_due(pool)  # and folds
    moved = await guest.put(
        f"/bookings/{first}/occurrences/{MONDAY:%Y%m%dT%H%M%SZ}", times(MONDAY + 2 * HOUR) | {"scope": "all"}
    )
    assert moved.status_code == 200, moved.text
    async with pool.acquire() as connection:
        assert await figures_broken(connection) == []
    assert (await guest.delete(f"/bookings/{moved.json()['booking_id']}")).status_code == 200
    for _ in range(2):
        await fold_due(pool)
    async with pool.acquire() as connection:
        assert await figures_broken(connection) == []
        cancelled = "SELECT sum(attempts) FROM attempt_total WHERE result = 'cancelled'"
        assert await connection.fetchval(cancelled) == 1


async def figures_broken(connection: store.Connection) -> list[str]:
    """What the rule finds, on a connection that may be in a transaction."""
    return [finding.detail for finding in await findings(connection, "verify_figures", 10)]
