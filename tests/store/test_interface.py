"""What the interface reads and writes without a queue: resources, bookings, ledger, keys."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from engine.commands import BookingStatus
from engine.store.bookings import Home, booking_homes, find_booking
from engine.store.idempotency import find_keys, keep_answer
from engine.store.ledger import find_wish, list_ledger
from engine.store.resources import (
    Resource,
    create_resource,
    find_resource,
    list_resources,
    resource_homes,
    resource_names,
)
from tests.schema.rows import MIDNIGHT, Connection, add_resource, book, cancel, hours
from tests.support import wait_until

LEDGER_ROW = """
INSERT INTO ledger (resource, ticket, request_id, kind, start_time, end_time, places, subject, outcome, reason,
    joined_at, decided_at, row_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'refused', 'conflict', now(), now(), decode(repeat('ab', 32), 'hex'))
"""


async def make(connection: Connection, resource_id: str, *, capacity: int = 1) -> Resource | None:
    return await create_resource(
        connection, resource_id=resource_id, name="Room", time_zone="Europe/Berlin", capacity=capacity
    )


async def refuse(
    connection: Connection,
    resource: int,
    ticket: int,
    *,
    kind: str = "book",
    places: int | None = 1,
    subject: UUID | None = None,
) -> None:
    """Write a refusal from eight to nine into the ledger."""
    span = hours(8, 9)
    await connection.execute(LEDGER_ROW, resource, ticket, uuid4(), kind, span.lower, span.upper, places, subject)


async def test_a_resource_is_made_once_and_found_by_either_name(database: Connection) -> None:
    made = await make(database, "room-1", capacity=4)
    assert made is not None
    assert (made.resource_id, made.capacity, made.version, made.last_ticket) == ("room-1", 4, 1, 0)
    assert await make(database, "room-1") is None
    assert await find_resource(database, "room-1") == made
    other = await make(database, "room-2")
    assert other is not None
    numbers = {"room-1": made.resource, "room-2": other.resource}
    homes = await resource_homes(database, ["room-1", "room-2", "room-3"])
    assert {name: home.resource for name, home in homes.items()} == numbers
    assert {home.kind for home in homes.values()} == {"resource"}
    names = await resource_names(database, [made.resource, other.resource, other.resource + 1])
    assert names == {made.resource: "room-1", other.resource: "room-2"}
    assert await find_resource(database, "ROOM-1") is None


async def test_two_who_make_the_same_resource_at_once_make_one(database: Connection, database_url: str) -> None:
    other = await asyncpg.connect(database_url)
    try:
        async with database.transaction():
            assert await make(database, "room-1") is not None
            waiting = asyncio.create_task(make(other, "room-1"))
            await wait_until(lambda: database.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        assert await waiting is None
    finally:
        await other.close()


async def test_resources_are_listed_after_a_number(database: Connection) -> None:
    made = [await make(database, f"room-{number}") for number in range(4)]
    assert made[1] is not None
    assert await list_resources(database, after=0, limit=10) == made
    assert await list_resources(database, after=made[1].resource, limit=1) == [made[2]]
    assert await list_resources(database, after=2**62, limit=10) == []


async def test_a_booking_is_found_as_it_stands(database: Connection) -> None:
    room = await add_resource(database, capacity=3)
    booking = await book(database, room, hours(8, 9), places=2)
    found = await find_booking(database, booking)
    assert found is not None
    assert (found.resource, found.places, found.status) == (room, 2, BookingStatus.CONFIRMED)
    assert {room: found.resource_id} == await resource_names(database, [room])
    assert (found.start_time, found.end_time) == (MIDNIGHT + timedelta(hours=8), MIDNIGHT + timedelta(hours=9))
    assert (found.ended_at, found.cancellation_reason, found.rescheduled_to) == (None, None, None)
    await cancel(database, booking)
    ended = await find_booking(database, booking)
    assert ended is not None
    assert (ended.status, ended.ended_at is not None) == (BookingStatus.CANCELLED, True)
    assert await booking_homes(database, [booking, uuid4()]) == {booking: Home(room, "anonymous")}
    assert await find_booking(database, uuid4()) is None


async def test_a_ledger_is_read_in_order_after_a_ticket(database: Connection) -> None:
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    for ticket in (3, 1, 2_000_000):
        await refuse(database, room, ticket)
    await refuse(database, other, 2)
    assert [entry.ticket for entry in await list_ledger(database, room, after=0, limit=10)] == [1, 3, 2_000_000]
    (entry,) = await list_ledger(database, room, after=1, limit=1)
    assert (entry.ticket, entry.kind, entry.outcome, entry.reason) == (3, "book", "refused", "conflict")
    assert entry.row_hash == b"\xab" * 32
    assert await list_ledger(database, room, after=2_000_000, limit=10) == []


async def test_the_places_that_a_move_wished_for_are_those_of_its_booking(database: Connection) -> None:
    room = await add_resource(database, capacity=5)
    booking = await book(database, room, hours(20, 21), places=4)
    await refuse(database, room, 1, places=2)
    await refuse(database, room, 2, kind="reschedule", places=None, subject=booking)
    wishes = [await find_wish(database, room, ticket) for ticket in (1, 2)]
    assert [wish.places for wish in wishes if wish is not None] == [2, 4]
    assert all(wish is not None and wish.start_time == hours(8, 9).lower for wish in wishes)
    assert await find_wish(database, room, 3) is None


async def test_a_key_is_kept_once_for_each_caller(database: Connection) -> None:
    request_id = uuid4()

    async def keep(caller: str, answer: str = "1") -> bool:
        return await keep_answer(
            database, caller=caller, key="k", body_hash=b"h" * 16, request_id=request_id, answer=answer
        )

    assert await keep("ann")
    assert not await keep("ann", "2")
    assert await keep("bob", "2")
    found = await find_keys(database, [("ann", "k"), ("ann", "other"), ("bob", "k")])
    assert set(found) == {("ann", "k"), ("bob", "k")}
    kept = found["ann", "k"]
    assert (kept.body_hash, kept.request_id, kept.answer) == (b"h" * 16, request_id, "1")
    assert (kept.resource, kept.ticket) == (None, None)
    assert found["bob", "k"].answer == "2"
