"""A resource with one place: live bookings never overlap, whoever writes them."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.schema.rows import ROW, Connection, Span, add_resource, book, book_all, cancel, hours, set_capacity


@pytest.mark.parametrize(
    "wanted",
    [hours(9, 10), hours(8, 9.5), hours(9.5, 11), hours(8, 11), hours(9.25, 9.75)],
    ids=["the same", "over its start", "over its end", "around it", "within it"],
)
async def test_an_overlapping_booking_is_refused(database: Connection, wanted: Span) -> None:
    room = await add_resource(database, capacity=1)
    await book(database, room, hours(9, 10))
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await book(database, room, wanted)
    assert refused.value.constraint_name == "booking_no_overlap"


async def test_back_to_back_bookings_stand_side_by_side(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    await book_all(database, [(room, hours(9, 10), 1), (room, hours(8, 9), 1), (room, hours(10, 11), 1)])
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == 3


async def test_two_rooms_may_be_taken_at_one_time(database: Connection) -> None:
    for _ in range(2):
        await book(database, await add_resource(database, capacity=1), hours(9, 10))
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == 2


async def test_overlap_within_one_statement_is_refused(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await book_all(database, [(room, hours(9, 11), 1), (room, hours(10, 12), 1)])


async def test_moving_a_booking_onto_another_is_refused(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    await book(database, room, hours(9, 10))
    other = await book(database, room, hours(10, 11))
    with pytest.raises(asyncpg.ExclusionViolationError):
        await database.execute("UPDATE booking SET during = $2 WHERE id = $1", other, hours(9.5, 10.5))


async def test_a_cancelled_booking_frees_its_time_and_cannot_come_back_over_another(
    database: Connection,
) -> None:
    room = await add_resource(database, capacity=1)
    first = await book(database, room, hours(9, 10))
    await cancel(database, first)
    await book(database, room, hours(9, 10))
    with pytest.raises(asyncpg.ExclusionViolationError):
        await database.execute("UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE id = $1", first)


async def test_a_rescheduled_booking_frees_its_time(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    first = await book(database, room, hours(9, 10))
    async with database.transaction():
        successor = uuid4()
        await reschedule(database, first, successor)
        await database.execute(ROW, successor, room, True, hours(9.5, 10.5))
    assert await database.fetchval("SELECT array_agg(id) FROM booking WHERE live") == [successor]


async def test_a_successor_that_was_never_made_is_refused_at_commit(database: Connection) -> None:
    first = await book(database, await add_resource(database, capacity=1), hours(9, 10))
    transaction = database.transaction()
    await transaction.start()
    await reschedule(database, first, uuid4())
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await transaction.commit()
    assert await database.fetchval("SELECT status FROM booking") == "confirmed"


async def test_an_exclusive_booking_has_one_place(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await book(database, room, hours(9, 10), places=2)
    assert refused.value.constraint_name == "booking_exclusive_places"


@pytest.mark.parametrize("capacity", [1, 2])
async def test_a_booking_cannot_call_its_resource_what_it_is_not(database: Connection, capacity: int) -> None:
    resource = await add_resource(database, capacity=capacity)
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await database.execute(ROW, uuid4(), resource, capacity != 1, hours(9, 10))
    assert refused.value.constraint_name == "booking_resource_fkey"


async def test_a_room_that_became_a_class_and_filled_up_cannot_become_a_room_again(
    database: Connection,
) -> None:
    room = await add_resource(database, capacity=1)
    await book(database, room, hours(9, 10))
    await set_capacity(database, room, 2)
    second = await book(database, room, hours(9.5, 10.5))
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await set_capacity(database, room, 1)
    assert refused.value.constraint_name == "booking_no_overlap"
    await cancel(database, second)
    await set_capacity(database, room, 1)
    assert await database.fetchval("SELECT every(exclusive) FROM booking")
    with pytest.raises(asyncpg.ExclusionViolationError):
        await book(database, room, hours(9.5, 10.5))


async def test_a_cancelled_group_does_not_keep_a_class_from_becoming_a_room(database: Connection) -> None:
    resource = await add_resource(database, capacity=3)
    await cancel(database, await book(database, resource, hours(9, 10), places=3))
    await set_capacity(database, resource, 1)
    assert await database.fetchval("SELECT exclusive FROM resource WHERE id = $1", resource)


async def reschedule(database: Connection, booking: UUID, successor: UUID) -> None:
    await database.execute(
        "UPDATE booking SET status = 'rescheduled', ended_at = now(), rescheduled_to = $2 WHERE id = $1",
        booking,
        successor,
    )
