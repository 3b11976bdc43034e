"""What a single row may hold, and the ledger, which nobody changes."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest

from tests.schema.rows import MIDNIGHT, Connection, add_resource, add_series, book, cancel, hours, name_occurrence

DAY = "2030-01-01 {}:00+00"
NINE, TEN = DAY.format("09"), DAY.format("10")


@pytest.mark.parametrize("capacity", [1, 2])
@pytest.mark.parametrize(
    "during",
    [
        "empty",
        f"[{NINE},{TEN}]",
        f"({NINE},{TEN})",
        f"({NINE},{TEN}]",
        f"[{NINE},)",
        f"(,{TEN})",
        "(,)",
        f"[{NINE},infinity)",
        f"[-infinity,{TEN})",
    ],
)
async def test_an_interval_is_half_open_finite_and_not_empty(database: Connection, capacity: int, during: str) -> None:
    booking = await book(database, await add_resource(database, capacity=capacity), hours(9, 10))
    change = "UPDATE booking SET during = $2::text::tstzrange WHERE id = $1"
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(change, booking, during)
    assert refused.value.constraint_name == "booking_during_bounds"
    await database.execute(change, booking, f"[{NINE},{TEN})")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("places = 0", "booking_places_range"),
        ("status = 'held', ended_at = now()", "booking_status"),
        ("status = 'clashed', ended_at = now()", "booking_status"),
        ("series = gen_random_uuid()", "booking_occurrence"),
        ("occurrence = now()", "booking_occurrence"),
        ("ended_at = now()", "booking_ended_at"),
        ("status = 'cancelled'", "booking_ended_at"),
        ("status = 'rescheduled', ended_at = now()", "booking_rescheduled_to"),
        ("rescheduled_to = id", "booking_rescheduled_to"),
        ("ticket = 0", "booking_ticket_range"),
        ("version = 0", "booking_version_range"),
        ("cancellation_reason = repeat('x', 2001)", "booking_cancellation_reason_length"),
    ],
)
async def test_a_booking_refuses(database: Connection, change: str, constraint: str) -> None:
    await book(database, await add_resource(database, capacity=2), hours(9, 10))
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(f"UPDATE booking SET {change}")
    assert refused.value.constraint_name == constraint


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("length_ms = 0", "series_length_range"),
        ("length_ms = 366::bigint * 86400000 + 1", "series_length_range"),
        ("rule = ''", "series_rule_length"),
        ("rule = repeat('x', 2001)", "series_rule_length"),
        ("rule = NULL", "series_something"),
        ("extra = array_fill(now(), ARRAY[1001])", "series_extra_count"),
        ("excluded = array_fill(now(), ARRAY[4001])", "series_excluded_count"),
        ("places = 0", "series_places_range"),
        ("status = 'clashed', ended_at = now()", "series_status"),
        ("ended_at = now()", "series_ended_at"),
        ("status = 'cancelled'", "series_ended_at"),
        ("status = 'rescheduled', ended_at = now()", "series_rescheduled_to"),
        ("ticket = 0", "series_ticket_range"),
        ("version = 0", "series_version_range"),
        ("cancellation_reason = repeat('x', 2001)", "series_cancellation_reason_length"),
    ],
)
async def test_a_series_refuses(database: Connection, change: str, constraint: str) -> None:
    await add_series(database, await add_resource(database, capacity=2))
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(f"UPDATE series SET {change}")
    assert refused.value.constraint_name == constraint


async def test_a_series_may_consist_of_extra_starts_alone(database: Connection) -> None:
    await add_series(database, await add_resource(database, capacity=1))
    assert await database.execute("UPDATE series SET rule = NULL, extra = ARRAY[now()]") == "UPDATE 1"


async def test_a_series_goes_on_in_a_series_that_exists(database: Connection) -> None:
    """Looked at when the transaction ends: the two may be written in any order."""
    await add_series(database, await add_resource(database, capacity=1))
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await database.execute("UPDATE series SET rescheduled_to = gen_random_uuid()")
    assert refused.value.constraint_name == "series_rescheduled_to_fkey"


async def test_an_occurrence_is_of_a_series_of_its_own_resource(database: Connection) -> None:
    room, other = [await add_resource(database, capacity=1) for _ in range(2)]
    booking = await book(database, room, hours(9, 10))
    for series in (uuid4(), await add_series(database, other)):
        with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
            await name_occurrence(database, booking, series, MIDNIGHT)
        assert refused.value.constraint_name == "booking_series_fkey"
    await name_occurrence(database, booking, await add_series(database, room), MIDNIGHT)


async def test_nobody_holds_one_occurrence_twice(database: Connection) -> None:
    room = await add_resource(database, capacity=3)
    series, other = [await add_series(database, room) for _ in range(2)]
    first, second = [await book(database, room, hours(*times)) for times in ((9, 10), (12, 13))]
    await name_occurrence(database, first, series, MIDNIGHT)
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await name_occurrence(database, second, series, MIDNIGHT)
    assert refused.value.constraint_name == "booking_one_claim_of_occurrence"
    await name_occurrence(database, second, other, MIDNIGHT)
    await cancel(database, first)
    await name_occurrence(database, second, series, MIDNIGHT)


async def test_an_occurrence_that_clashed_claims_nothing(database: Connection) -> None:
    room = await add_resource(database, capacity=1)
    booking = await book(database, room, hours(9, 10))
    await name_occurrence(database, booking, await add_series(database, room), MIDNIGHT)
    await database.execute("UPDATE booking SET status = 'clashed', ended_at = now() WHERE id = $1", booking)
    await book(database, room, hours(9, 10))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("capacity = 0", "resource_capacity_range"),
        ("capacity = 1000001", "resource_capacity_range"),
        ("resource_id = ''", "resource_resource_id_length"),
        ("resource_id = repeat('x', 256)", "resource_resource_id_length"),
        ("name = ''", "resource_name_length"),
        ("name = repeat('x', 256)", "resource_name_length"),
        ("last_ticket = -1", "resource_last_ticket_range"),
        ("last_row_hash = '\\x00'", "resource_last_row_hash_length"),
        ("version = 0", "resource_version_range"),
    ],
)
async def test_a_resource_refuses(database: Connection, change: str, constraint: str) -> None:
    await add_resource(database, capacity=2)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(f"UPDATE resource SET {change}")
    assert refused.value.constraint_name == constraint


async def test_a_resource_begins_with_no_ticket_and_a_hash_of_zeroes(database: Connection) -> None:
    number = await add_resource(database, capacity=1)
    row = await database.fetchrow("SELECT last_ticket, last_row_hash, version FROM resource WHERE id = $1", number)
    assert row is not None
    assert tuple(row) == (0, bytes(32), 1)


async def test_an_installation_has_one_row_and_one_of_two_modes(database: Connection) -> None:
    await database.execute("INSERT INTO installation (booking_mode) VALUES ('queue')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute("INSERT INTO installation DEFAULT VALUES")
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("INSERT INTO installation (singleton) VALUES (false)")
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute("UPDATE installation SET booking_mode = 'both'")


INSERT = (
    "INSERT INTO ledger (resource, ticket, request_id, kind, outcome, joined_at, decided_at, row_hash)"
    " VALUES (1, 1, gen_random_uuid(), 'book', 'refused', now(), now(), decode(repeat('ab', 32), 'hex'))"
)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET outcome = 'confirmed'",
        "DELETE FROM ledger",
        "TRUNCATE ledger",
        f"{INSERT} ON CONFLICT (resource, ticket) DO UPDATE SET reason = 'conflict'",
        "MERGE INTO ledger USING (VALUES (1)) AS other (n) ON true WHEN MATCHED THEN DELETE",
    ],
)
async def test_the_ledger_only_grows(database: Connection, statement: str) -> None:
    await database.execute(INSERT)
    before = await database.fetch("SELECT * FROM ledger")
    with pytest.raises(asyncpg.RestrictViolationError) as refused:
        await database.execute(statement)
    assert refused.value.constraint_name == "ledger_append_only"
    assert await database.fetch("SELECT * FROM ledger") == before


async def test_a_ticket_is_decided_once(database: Connection) -> None:
    await database.execute(INSERT)
    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await database.execute(INSERT)
    assert refused.value.constraint_name == "ledger_pkey"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        (("'refused'", "'lost'"), "ledger_outcome"),
        (("'refused'", "'repeated'"), "ledger_first_ticket"),
        (("(1, 1,", "(1, 0,"), "ledger_ticket_range"),
        (("32), 'hex'", "31), 'hex'"), "ledger_row_hash_length"),
    ],
)
async def test_a_ledger_row_refuses(database: Connection, change: tuple[str, str], constraint: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await database.execute(INSERT.replace(*change))
    assert refused.value.constraint_name == constraint
