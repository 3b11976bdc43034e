"""What the defences look at, counted in rows and calls: the hot statements must not pay for more."""

from __future__ import annotations

import pytest

from tests.schema.rows import Connection, add_resource, book, book_all, cancel, hours, set_capacity

LAUNCH = 5_000


async def calls(connection: Connection, function: str) -> int:
    """How often this session called a function lately; it needs ``track_functions``."""
    statement = "SELECT coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE funcname = $1"
    return int(await connection.fetchval(statement, function))


async def reads(connection: Connection) -> tuple[int, int]:
    """Rows of booking that this session read lately: in sequence, and through an index."""
    row = await connection.fetchrow(
        "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'booking'"
    )
    assert row is not None
    return row["seq_tup_read"], row["idx_tup_fetch"]


async def test_an_exclusive_booking_does_not_pay_for_the_count_of_places(database: Connection) -> None:
    await database.execute("SET track_functions = 'all'")
    room, course = await add_resource(database, capacity=1), await add_resource(database, capacity=2)
    async with database.transaction():
        await book(database, room, hours(9, 10))
        assert await calls(database, "booking_refuse_excess") == 0
        await book(database, course, hours(9, 10))
        assert await calls(database, "booking_refuse_excess") == 1


@pytest.mark.parametrize(
    ("change", "counted"),
    [("last_ticket = last_ticket + 1", 0), ("capacity = capacity + 1", 0), ("capacity = capacity - 1", 1)],
)
async def test_a_resource_is_counted_only_where_its_capacity_falls(
    database: Connection, change: str, counted: int
) -> None:
    await database.execute("SET track_functions = 'all'")
    await add_resource(database, capacity=5)
    async with database.transaction():
        await database.execute(f"UPDATE resource SET {change}")
        assert await calls(database, "booking_refuse_excess") == counted


async def test_giving_places_back_is_not_counted(database: Connection) -> None:
    await database.execute("SET track_functions = 'all'")
    booking = await book(database, await add_resource(database, capacity=2), hours(9, 10))
    async with database.transaction():
        before = await calls(database, "booking_refuse_excess")
        await cancel(database, booking)
        assert await calls(database, "booking_refuse_excess") == before


@pytest.mark.parametrize("capacity", [1, 2])
async def test_a_resource_that_changes_its_kind_reads_its_own_bookings_only(
    database: Connection, capacity: int
) -> None:
    """The foreign key takes along what was cancelled, too."""
    await database.execute("SET enable_seqscan = off")  # as every session that decides
    launch = await add_resource(database, capacity=LAUNCH)
    await book_all(database, [(launch, hours(9, 10), 1)] * LAUNCH)
    changing = await add_resource(database, capacity=capacity)
    await book_all(database, [(changing, hours(at, at + 1), 1) for at in range(10)])
    await book_all(database, [(changing, hours(9, 10), 1)] * 10, status="cancelled")
    async with database.transaction():
        before = await reads(database)
        await set_capacity(database, changing, 3 - capacity)
        after = await reads(database)
    sequential, indexed = (late - early for early, late in zip(before, after, strict=True))
    assert sequential == 0
    assert 20 <= indexed <= 60


@pytest.mark.parametrize("statistics", ["none", "of few bookings", "of one launch"])
async def test_a_batch_over_many_classes_reads_only_their_own_bookings(database: Connection, statistics: str) -> None:
    """Misled by statistics, a planner reads all bookings, or all of them again for every class."""
    await book(database, await add_resource(database, capacity=2), hours(9, 10))
    if statistics == "of few bookings":
        await database.execute("ANALYZE booking")
        await book(database, await add_resource(database, capacity=2), hours(9, 10))
    launch = await add_resource(database, capacity=LAUNCH)
    await book_all(database, [(launch, hours(9, 10), 1)] * LAUNCH)
    if statistics == "of one launch":
        await database.execute("ANALYZE booking")
    classes = [await add_resource(database, capacity=2) for _ in range(64)]
    async with database.transaction():
        before = await reads(database)
        await book_all(database, [(course, hours(9, 10), 1) for course in classes])
        after = await reads(database)
    sequential, indexed = (late - early for early, late in zip(before, after, strict=True))
    assert sequential == 0
    assert len(classes) <= indexed <= 2 * len(classes)
