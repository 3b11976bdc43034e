"""Slots, seats, people and the audit: what the schema refuses by itself, whatever the code above it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg
import pytest

from migrations.runner import down, up
from tests.connections import connected, held_up
from tests.schema.rows import Connection, Span, add_resource, book, cancel, hours
from tests.seats import add_calendar, add_home, add_person, erase_person, row_of

SEAT = """
INSERT INTO booking (id, resource, exclusive, during, places, status, ended_at, caller, ticket, request_id, created_at,
    slot)
SELECT gen_random_uuid(), slot.resource, resource.exclusive, slot.during, 1, $3,
    CASE WHEN $3 <> 'confirmed' THEN now() END, caller, 1, gen_random_uuid(), now(), slot.id
FROM slot
JOIN resource ON resource.id = slot.resource
CROSS JOIN unnest($2::text[]) AS caller
WHERE slot.id = ANY ($1::uuid[])
"""
"""For each slot a seat of each caller, in one statement."""


async def add_slot(connection: Connection, resource: int, during: Span, *, seats: int = 1, claims: bool = True) -> UUID:
    """Write a slot, and the claim of its time."""
    slot = uuid4()
    await connection.execute(
        "INSERT INTO slot (id, resource, kind, host, during, capacity, initial_capacity, created_at)"
        " VALUES ($1, $2, 'slot', 'host', $3, $4, $4, now())",
        slot,
        resource,
        during,
        seats,
    )
    if claims:
        await connection.execute(
            "INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id,"
            " created_at, slot) SELECT $1, id, exclusive, $3, 1, 'confirmed', 'host', 1, $1, now(), $1"
            " FROM resource WHERE id = $2",
            slot,
            resource,
            during,
        )
    return slot


async def add_seats(connection: Connection, slots: Sequence[UUID], *callers: str, status: str = "confirmed") -> None:
    """Write a seat of each slot for each caller."""
    await connection.execute(SEAT, slots, callers, status)


async def taken(connection: Connection, *slots: UUID) -> list[int]:
    """What slots count as taken, after holding each against its seats."""
    counts = []
    for slot in slots:
        count = await connection.fetchval("SELECT taken FROM slot WHERE id = $1", slot)
        assert count == await connection.fetchval(
            "SELECT count(*) FROM booking WHERE slot = $1 AND slot <> id AND status = 'confirmed'", slot
        )
        counts.append(count)
    return counts


async def refused(database: Connection, constraint: str, statement: str, *arguments: object) -> None:
    """Run a statement that a constraint must refuse."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as error:
        await database.execute(statement, *arguments)
    assert error.value.constraint_name == constraint


# ---------------------------------------------------------------------------- seats


async def test_a_seat_too_many_is_refused_whether_it_comes_alone_or_with_others(database: Connection) -> None:
    calendar = await add_calendar(database, "host")
    slot = await add_slot(database, calendar, hours(9, 10), seats=2)
    await refused(database, "slot_taken_range", SEAT, [slot], ["a", "b", "c"], "confirmed")
    assert await taken(database, slot) == [0]
    await add_seats(database, [slot], "a", "b")
    await refused(database, "slot_taken_range", SEAT, [slot], ["c"], "confirmed")
    await add_seats(database, [slot], "c", status="cancelled")
    await refused(
        database, "slot_taken_range", "UPDATE booking SET status = 'confirmed', ended_at = NULL WHERE caller = 'c'"
    )
    assert await taken(database, slot) == [2]


async def test_seats_cannot_be_taken_away_from_under_those_who_have_them(database: Connection) -> None:
    calendar = await add_calendar(database, "host")
    slot = await add_slot(database, calendar, hours(9, 10), seats=3)
    await add_seats(database, [slot], "a", "b")
    await refused(database, "slot_taken_range", "UPDATE slot SET capacity = 1")
    await refused(database, "slot_cancelled_free", "UPDATE slot SET status = 'cancelled', ended_at = now()")
    await database.execute("UPDATE slot SET capacity = 2")
    await database.execute("UPDATE booking SET status = 'cancelled', ended_at = now() WHERE slot <> id")
    await database.execute("UPDATE slot SET status = 'cancelled', ended_at = now()")
    await refused(database, "slot_cancelled_free", SEAT, [slot], ["a"], "confirmed")


async def test_nobody_has_two_seats_of_one_slot_but_whoever_is_unknown_may(database: Connection) -> None:
    calendar = await add_calendar(database, "host")
    one, other = [await add_slot(database, calendar, hours(start, start + 1), seats=9) for start in (9, 10)]
    await add_seats(database, [one, other], "a")
    await refused(database, "booking_one_seat", SEAT, [one], ["a"], "confirmed")
    await refused(database, "booking_one_seat", SEAT, [other], ["b", "b"], "confirmed")
    await add_seats(database, [one], "a", "a", status="cancelled")
    await add_seats(database, [one], "anonymous", "anonymous", "anonymous")
    assert await taken(database, one, other) == [4, 1]


async def test_the_count_is_kept_by_whatever_writes_seats(database: Connection) -> None:
    calendar = await add_calendar(database, "host")
    slots = [await add_slot(database, calendar, hours(start, start + 1), seats=9) for start in range(4)]
    await add_seats(database, slots, *"abcde")
    await add_seats(database, slots, "f", status="cancelled")
    assert await taken(database, *slots) == [5] * 4
    await database.execute("UPDATE booking SET status = 'cancelled', ended_at = now() WHERE caller IN ('a', 'b')")
    assert await taken(database, *slots) == [3] * 4
    await database.execute(
        "UPDATE booking SET status = CASE WHEN status = 'confirmed' THEN 'cancelled' ELSE 'confirmed' END,"
        " ended_at = CASE WHEN status = 'confirmed' THEN now() END WHERE slot = ANY ($1) AND slot <> id",
        slots[:2],
    )
    assert await taken(database, *slots) == [3, 3, 3, 3], "of six each those who had none have one now"
    moved = "UPDATE booking SET slot = $2 WHERE slot = $1 AND slot <> id AND status = 'confirmed' AND caller = 'c'"
    await database.execute(moved, slots[2], slots[0])
    assert await taken(database, *slots) == [4, 3, 2, 3], "a seat that changes its slot is counted where it is"
    await database.execute("UPDATE booking SET version = version + 1, cancellation_reason = 'x'")
    assert await taken(database, *slots) == [4, 3, 2, 3], "nothing changed that counts"


@pytest.mark.parametrize("gives_up", [True, False])
async def test_two_callers_one_seat_the_second_waits_for_the_first(
    database: Connection, rival: Connection, observer: Connection, gives_up: bool
) -> None:
    calendar = await add_calendar(database, "host")
    slot = await add_slot(database, calendar, hours(9, 10))
    transaction = database.transaction()
    await transaction.start()
    await add_seats(database, [slot], "a")
    second = await held_up(add_seats(rival, [slot], "b"), rival, observer)
    if gives_up:
        await transaction.rollback()
        await second
    else:
        await transaction.commit()
        with pytest.raises(asyncpg.CheckViolationError):
            await second
    assert await taken(database, slot) == [1]


async def test_a_seat_cannot_slip_into_a_slot_that_is_being_taken_back(
    database: Connection, rival: Connection, observer: Connection
) -> None:
    calendar = await add_calendar(database, "host")
    slot = await add_slot(database, calendar, hours(9, 10))
    async with database.transaction():
        await database.execute("UPDATE slot SET status = 'cancelled', ended_at = now()")
        seat = await held_up(add_seats(rival, [slot], "a"), rival, observer)
    with pytest.raises(asyncpg.CheckViolationError) as error:
        await seat
    assert error.value.constraint_name == "slot_cancelled_free"


async def test_writers_at_once_lose_no_count(database: Connection, rival: Connection, observer: Connection) -> None:
    home = await add_home(database, kind="event", owner="host")
    slot = await add_slot(database, home, hours(9, 10), seats=60, claims=False)

    async def write(connection: Connection, first: int) -> None:
        for number in range(first, first + 20):
            await add_seats(connection, [slot], f"caller {number}")
            if number % 4 == 0:
                await connection.execute(
                    "UPDATE booking SET status = 'cancelled', ended_at = now() WHERE caller = $1", f"caller {number}"
                )

    await asyncio.gather(*(write(connection, 100 * at) for at, connection in enumerate((database, rival, observer))))
    assert await taken(database, slot) == [45]


# ---------------------------------------------------------------------------- time


async def test_a_slots_time_and_other_claims_of_the_calendar_never_overlap(database: Connection) -> None:
    calendar = await add_calendar(database, "host")
    slot = await add_slot(database, calendar, hours(9, 10))
    with pytest.raises(asyncpg.ExclusionViolationError):
        await book(database, calendar, hours(9.5, 10.5))
    with pytest.raises(asyncpg.ExclusionViolationError):
        await add_slot(database, calendar, hours(8.5, 9.5))
    await book(database, calendar, hours(10, 11))
    await database.execute("UPDATE booking SET status = 'cancelled', ended_at = now() WHERE id = $1", slot)
    await book(database, calendar, hours(9, 10))


async def test_seats_stand_at_the_slots_time_without_claiming_it(database: Connection) -> None:
    calendar = await add_calendar(database, "host")
    slot = await add_slot(database, calendar, hours(9, 10), seats=3)
    await add_seats(database, [slot], "a", "b", "c")
    rows = await database.fetch("SELECT live, exclusive FROM booking WHERE slot <> id")
    assert [tuple(row) for row in rows] == [(False, True)] * 3
    home = await add_home(database, kind="event", owner="host")
    event = await add_slot(database, home, hours(9, 10), seats=3, claims=False)
    await add_seats(database, [event], "a", "b", "c")
    await book(database, home, hours(9, 10))


async def test_a_seat_is_one_place_of_no_series_and_of_a_slot_of_its_resource(database: Connection) -> None:
    calendar, elsewhere = await add_calendar(database, "host"), await add_resource(database, capacity=9)
    slot = await add_slot(database, calendar, hours(9, 10), seats=9)
    booking = await book(database, elsewhere, hours(9, 10))
    naming = "UPDATE booking SET slot = $2 WHERE id = $1"
    await refused(database, "booking_slot_fkey", naming, booking, slot)
    await refused(database, "booking_slot_fkey", naming, booking, uuid4())
    await add_seats(database, [slot], "a")
    await refused(database, "booking_slot_places", "UPDATE booking SET places = 2 WHERE slot <> id")


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("slot_kind", "kind = 'party', name = 'x'"),
        ("slot_name", "name = 'x'"),
        ("slot_name", "kind = 'event'"),
        ("slot_name_length", "kind = 'event', name = ''"),
        ("slot_during_bounds", "during = 'empty'"),
        ("slot_during_bounds", "during = '[2030-01-01, 2030-01-02]'"),
        ("slot_during_bounds", "during = '[2030-01-01,)'"),
        ("slot_during_bounds", "during = '[2030-01-01, infinity)'"),
        ("slot_capacity_range", "capacity = 0"),
        ("slot_capacity_range", "capacity = 1000001"),
        ("slot_taken_range", "taken = -1"),
        ("slot_taken_range", "taken = 2"),
        ("slot_status", "status = 'gone', ended_at = now()"),
        ("slot_ended_at", "status = 'cancelled'"),
        ("slot_ended_at", "ended_at = now()"),
        ("slot_version_range", "version = 0"),
        ("slot_rule_fkey", "rule = id"),
    ],
)
async def test_a_slot_is_what_it_can_be(database: Connection, constraint: str, change: str) -> None:
    calendar = await add_calendar(database, "host")
    await add_slot(database, calendar, hours(9, 10), claims=False)
    await refused(database, constraint, f"UPDATE slot SET {change}")


# ---------------------------------------------------------------------------- people


async def test_an_owner_has_one_calendar_which_is_somebodys_and_has_one_place(database: Connection) -> None:
    await add_calendar(database, "host")
    with pytest.raises(asyncpg.UniqueViolationError) as error:
        await add_calendar(database, "host")
    assert error.value.constraint_name == "resource_one_calendar"
    await add_calendar(database, "another")
    for kind in ("resource", "resource", "event", "event"):
        await add_home(database, kind=kind, owner="host")
    with pytest.raises(asyncpg.CheckViolationError) as check:
        await add_home(database, kind="calendar", owner=None)
    assert check.value.constraint_name == "resource_calendar_owner"
    await refused(database, "resource_calendar_owner", "UPDATE resource SET capacity = 2 WHERE kind = 'calendar'")
    await refused(database, "resource_kind", "UPDATE resource SET kind = 'room' WHERE kind = 'event'")


async def test_who_is_erased_keeps_an_id_and_nothing_that_names_them(database: Connection) -> None:
    person = await add_person(database)
    await refused(database, "person_erased", "UPDATE person SET erased_at = now()")
    await erase_person(database, person)
    for change in ("email = 'a@b.c', email_key = 'a@b.c'", "name = 'A'", "password_hash = 'x'", "erased_at = NULL"):
        await refused(database, "person_erased", f"UPDATE person SET {change}")


async def test_an_address_belongs_to_one_person_and_there_is_no_person_without(database: Connection) -> None:
    person = await add_person(database)
    other = await add_person(database)
    same = "UPDATE person SET email_key = (SELECT email_key FROM person WHERE id = $1::uuid) WHERE id = $2::uuid"
    await refused(database, "person_email_key_key", same, person, other)
    await refused(database, "person_email_key", "UPDATE person SET email_key = NULL")
    for roles in ("{}", "{guest,king}"):
        await refused(database, "person_roles", "UPDATE person SET roles = $1::text::text[]", roles)


async def test_the_audit_is_append_only_but_for_what_an_erasure_empties(database: Connection) -> None:
    await database.execute(
        "INSERT INTO audit (actor, action, subject, outcome, tag, address, detail)"
        " VALUES ('a', 'log_in', 's', 'done', 't', '192.0.2.1', 'd'), ('a', 'log_in', NULL, 'done', NULL, NULL, NULL)"
    )
    changes = {
        *("id = DEFAULT", "at = at + interval '1 s'", "actor = 'b'", "action = 'x'", "subject = 'b'", "tag = 'b'"),
        *(
            "outcome = 'refused'",
            "subject = NULL",
            "address = '192.0.2.2'",
            "detail = 'e'",
            "actor = 'b', detail = NULL",
        ),
        "address = NULL",  # with the detail, or not at all
    }
    for change in changes:
        await refused(database, "audit_append_only", f"UPDATE audit SET {change} WHERE id = 1")
    await refused(database, "audit_append_only", "UPDATE audit SET address = 'x' WHERE id = 2")
    await refused(database, "audit_append_only", "DELETE FROM audit")
    await refused(database, "audit_append_only", "TRUNCATE audit")
    await database.execute("UPDATE audit SET address = NULL, detail = NULL")
    row = await row_of(database, "SELECT actor, action, subject, outcome, tag, address, detail FROM audit WHERE id = 1")
    assert row == ("a", "log_in", "s", "done", "t", None, None)


# ---------------------------------------------------------------------------- the migration


async def test_the_migration_goes_back_and_forth_with_data_in_it(empty_url: str) -> None:
    await up(empty_url)
    async with connected(empty_url) as connection:
        await write_data(connection)
        names = await down_to_people(empty_url)
        assert await statuses(connection) == {"plain": ("confirmed", True), "ended": ("cancelled", False)}
        assert await connection.fetchval("SELECT count(*) FROM ledger") == 1, "a ledger stays whole"
        with pytest.raises(asyncpg.ExclusionViolationError):
            await book(connection, await connection.fetchval("SELECT min(id) FROM resource"), hours(14, 15))
        assert await up(empty_url) == names[::-1]
        assert await statuses(connection) == {"plain": ("confirmed", True), "ended": ("cancelled", False)}
        assert await connection.fetchval("SELECT bool_and(kind = 'resource' AND owner IS NULL) FROM resource")


async def write_data(connection: Connection) -> None:
    """A calendar with bookings, a slot and seats; an event; somebody; and a ledger row that counted a limit."""
    person = await add_person(connection)
    calendar = await add_calendar(connection, person)
    slot = await add_slot(connection, calendar, hours(9, 10), seats=3)
    await add_seats(connection, [slot], "a", person)
    plain, ended = await book(connection, calendar, hours(14, 15)), await book(connection, calendar, hours(16, 17))
    await cancel(connection, ended)
    await connection.execute("UPDATE booking SET caller = 'plain' WHERE id = $1", plain)
    await connection.execute("UPDATE booking SET caller = 'ended' WHERE id = $1", ended)
    home = await add_home(connection, kind="event", owner=person)
    event = await add_slot(connection, home, hours(9, 10), seats=3, claims=False)
    await add_seats(connection, [event], person)
    await connection.execute(
        "INSERT INTO ledger (resource, ticket, request_id, kind, outcome, joined_at, decided_at, row_hash, caller,"
        " counted, counted_limit) VALUES ($1, 1, gen_random_uuid(), 'book_seat', 'withdrawn', now(), now(),"
        " decode(repeat('00', 32), 'hex'), $2, 1, 5)",
        calendar,
        person,
    )
    await connection.execute("INSERT INTO audit (actor, action, outcome) VALUES ($1, 'log_in', 'done')", person)


async def down_to_people(database_url: str) -> list[str]:
    """Take back the migration, and those that came after it. Returns them, the last one first."""
    names: list[str] = []
    while "0004_people" not in names:
        names += await down(database_url)
    return names


async def statuses(connection: Connection) -> dict[str, tuple[str, bool]]:
    """What became of each booking, and whether it claims its time."""
    rows = await connection.fetch("SELECT caller, status, live FROM booking")
    return {row["caller"]: (row["status"], row["live"]) for row in rows}
