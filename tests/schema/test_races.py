"""Two connections, one place: each side is held where it matters, none sleeps."""

from __future__ import annotations

import asyncpg
import pytest

from tests.connections import held_up
from tests.schema.rows import Connection, add_resource, book, book_all, hours, set_capacity


@pytest.mark.parametrize("capacity", [1, 2])
async def test_two_callers_one_place_the_first_to_commit_has_it(
    database: Connection, rival: Connection, observer: Connection, capacity: int
) -> None:
    resource = await add_resource(database, capacity=capacity)
    for _ in range(capacity - 1):
        await book(database, resource, hours(9, 10))
    async with database.transaction():
        await book(database, resource, hours(9, 10))
        second = await held_up(book(rival, resource, hours(9.5, 10.5)), rival, observer)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await second
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == capacity


@pytest.mark.parametrize("capacity", [1, 2])
async def test_two_callers_one_place_the_second_has_it_when_the_first_gives_up(
    database: Connection, rival: Connection, observer: Connection, capacity: int
) -> None:
    resource = await add_resource(database, capacity=capacity)
    for _ in range(capacity - 1):
        await book(database, resource, hours(9, 10))
    transaction = database.transaction()
    await transaction.start()
    await book(database, resource, hours(9, 10))
    second = await held_up(book(rival, resource, hours(9, 10)), rival, observer)
    await transaction.rollback()
    await second
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == capacity


async def test_capacity_cannot_fall_under_a_booking_that_is_being_made(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    course = await add_resource(database, capacity=3)
    async with database.transaction():
        await book(database, course, hours(9, 10), places=3)
        lowering = await held_up(set_capacity(rival, course, 2), rival, observer)
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await lowering
    assert refused.value.constraint_name == "booking_within_capacity"


async def test_a_booking_cannot_slip_in_while_capacity_falls(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    course = await add_resource(database, capacity=3)
    async with database.transaction():
        await set_capacity(database, course, 2)
        booking = await held_up(book(rival, course, hours(9, 10), places=3), rival, observer)
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await booking
    assert refused.value.constraint_name == "booking_within_capacity"


async def test_a_booking_cannot_slip_in_while_a_class_becomes_a_room(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    course = await add_resource(database, capacity=2)
    await book(database, course, hours(9, 10))
    async with database.transaction():
        await set_capacity(database, course, 1)
        booking = await held_up(book(rival, course, hours(9, 10)), rival, observer)
    with pytest.raises((asyncpg.ExclusionViolationError, asyncpg.ForeignKeyViolationError)):
        await booking
    assert await database.fetchval("SELECT count(*) FROM booking WHERE live") == 1


async def test_resources_are_locked_in_the_order_of_their_numbers(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    """Who waits for the lower number holds nothing of the higher one: so two statements cannot deadlock."""
    lower, higher = [await add_resource(database, capacity=2) for _ in range(2)]
    async with database.transaction():
        await database.execute("SELECT FROM resource WHERE id = $1 FOR NO KEY UPDATE", lower)
        claims = [(higher, hours(9, 10), 1), (lower, hours(9, 10), 1)]
        both = await held_up(book_all(rival, claims), rival, observer)
        await observer.execute("SELECT FROM resource WHERE id = $1 FOR NO KEY UPDATE NOWAIT", higher)
    await both
