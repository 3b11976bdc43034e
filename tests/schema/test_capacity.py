"""A resource with several places: never more taken than there are, whoever writes them."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import UUID

import asyncpg
import pytest

from tests.schema.rows import Connection, Span, add_resource, book, book_all, cancel, hours, set_capacity

EXCEEDED = "booking_within_capacity"


async def test_a_class_takes_as_many_as_it_has_places(database: Connection) -> None:
    course = await add_resource(database, capacity=3)
    for _ in range(3):
        await book(database, course, hours(9, 10))
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await book(database, course, hours(9, 10))
    assert refused.value.constraint_name == EXCEEDED
    assert refused.value.table_name == "booking"
    await book(database, course, hours(10, 11))


@pytest.mark.parametrize(("places", "fits"), [(3, True), (4, False)])
async def test_more_places_than_the_capacity_are_refused(database: Connection, places: int, *, fits: bool) -> None:
    course = await add_resource(database, capacity=3)
    assert await accepted(book_all(database, [(course, hours(9, 10), places)])) is fits


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (hours(9, 10), True),  # one stands
        (hours(10, 11), False),  # both stand
        (hours(11, 12), True),  # the other stands
        (hours(9.5, 10), True),
        (hours(9.5, 10.01), False),
        (hours(8, 13), False),  # the peak is inside, and neither at its start nor at its end
        (hours(11, 14), True),
    ],
)
async def test_places_are_counted_instant_by_instant(database: Connection, wanted: Span, *, fits: bool) -> None:
    course = await add_resource(database, capacity=2)
    await book_all(database, [(course, hours(9, 11), 1), (course, hours(10, 12), 1)])
    assert await accepted(book_all(database, [(course, wanted, 1)])) is fits


@pytest.mark.parametrize("order", [1, -1])
async def test_who_comes_as_another_leaves_does_not_count_with_them(database: Connection, order: int) -> None:
    course = await add_resource(database, capacity=2)
    for standing in [hours(9, 10), hours(10, 11)][::order]:
        await book(database, course, standing)
    assert await accepted(book_all(database, [(course, hours(9, 11), 1)]))


async def test_one_statement_is_counted_with_all_its_rows(database: Connection) -> None:
    course = await add_resource(database, capacity=256)
    await book_all(database, [(course, hours(9, 10), 1)] * 256)
    other = await add_resource(database, capacity=255)
    assert not await accepted(book_all(database, [(other, hours(9, 10), 1)] * 256))


async def test_one_full_class_among_many_refuses_the_statement(database: Connection) -> None:
    courses = [await add_resource(database, capacity=2) for _ in range(5)]
    await book(database, courses[3], hours(9, 10), places=2)
    claims = [(course, hours(9, 10), 1) for course in courses]
    assert not await accepted(book_all(database, claims))
    assert await accepted(book_all(database, [claim for claim in claims if claim[0] != courses[3]]))


@pytest.mark.parametrize("status", ["cancelled", "rescheduled"])
async def test_what_is_no_longer_live_does_not_count(database: Connection, status: str) -> None:
    course = await add_resource(database, capacity=2)
    first = await book(database, course, hours(9, 10), places=2)
    successor = await book(database, course, hours(12, 13)) if status == "rescheduled" else None
    await database.execute(
        "UPDATE booking SET status = $2, ended_at = now(), rescheduled_to = $3 WHERE id = $1",
        first,
        status,
        successor,
    )
    assert await accepted(book_all(database, [(course, hours(9, 10), 2)]))


async def test_a_cancelled_booking_may_be_written_over_a_full_class(database: Connection) -> None:
    course = await add_resource(database, capacity=2)
    await book(database, course, hours(9, 10), places=2)
    await book(database, course, hours(9, 10), places=2, status="cancelled")
    assert not await accepted(book_all(database, [(course, hours(9, 10), 1)]))


@pytest.mark.parametrize(
    "change",
    [
        "during = (SELECT during FROM booking WHERE places = 2)",
        "places = 3",
        "(resource, during) = (SELECT resource, during FROM booking WHERE places = 2)",
    ],
    ids=["moved", "grown", "given to another class"],
)
async def test_an_update_that_exceeds_is_refused(database: Connection, change: str) -> None:
    full, other = [await add_resource(database, capacity=2) for _ in range(2)]
    await book(database, full, hours(9, 10), places=2)
    booking = await book(database, other if "resource" in change else full, hours(11, 12))
    assert not await accepted(database.execute(f"UPDATE booking SET {change} WHERE id = $1", booking))


async def test_a_cancelled_booking_cannot_come_back_into_a_full_class(database: Connection) -> None:
    course = await add_resource(database, capacity=2)
    first = await book(database, course, hours(9, 10))
    await cancel(database, first)
    await book(database, course, hours(9, 10), places=2)
    assert not await accepted(revive(database, first))


@pytest.mark.parametrize(("capacity", "fits"), [(4, True), (3, True), (2, False), (1, False)])
async def test_capacity_never_falls_below_what_is_taken(database: Connection, capacity: int, *, fits: bool) -> None:
    course = await add_resource(database, capacity=5)
    await book_all(database, [(course, hours(9, 11), 1), (course, hours(10, 12), 1), (course, hours(10.5, 13), 1)])
    assert await accepted(set_capacity(database, course, capacity)) is fits
    kept = await database.fetchval("SELECT capacity FROM resource WHERE id = $1", course)
    assert kept == (capacity if fits else 5)


async def test_capacity_may_fall_where_only_cancelled_bookings_exceed_it(database: Connection) -> None:
    course = await add_resource(database, capacity=5)
    await cancel(database, await book(database, course, hours(9, 10), places=5))
    await set_capacity(database, course, 2)
    assert not await accepted(book_all(database, [(course, hours(9, 10), 3)]))


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_places_are_not_counted_from_an_old_snapshot(database: Connection, isolation: str) -> None:
    """Under these levels a statement that waited for the lock would not see what it waited for."""
    course = await add_resource(database, capacity=2)
    with pytest.raises(asyncpg.InvalidTransactionStateError):
        async with database.transaction(isolation=isolation):  # type: ignore[arg-type]  # parametrized
            await book(database, course, hours(9, 10))


async def accepted(writing: Awaitable[object]) -> bool:
    """Whether a statement passed. A refusal by anything but the two defences is an error."""
    try:
        await writing
    except asyncpg.ExclusionViolationError as refused:
        if refused.constraint_name not in {EXCEEDED, "booking_no_overlap"}:
            raise
        return False
    return True


async def revive(database: Connection, booking: UUID) -> None:
    await database.execute("UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE id = $1", booking)
