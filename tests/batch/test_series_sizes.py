"""Single bookings and series in one stream: the ledger is the same in batches of any size, and the audit is clean.

A few plans, the same each time, are tried with all other tests. To look for more, with other plans each time, denser
ones and many of them: ``pytest tests/batch/test_series_sizes.py --hypothesis-profile=thorough``, and a
``--hypothesis-seed`` where they are to be seen again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch import decide_batch
from engine.chain import decode_detail
from engine.commands import (
    Book,
    Cancel,
    CancelOccurrence,
    CancelSeries,
    Command,
    Entry,
    Outcome,
    Request,
    Reschedule,
    RestoreOccurrence,
    Scope,
    SeriesDetail,
    Status,
    UpdateResource,
)
from engine.identifiers import uuid7
from engine.rules.recurrence import Recurrence, starts_between
from engine.store.outcomes import outcomes_by_ticket
from engine.verify import verify
from tests.batch.batches import EVERY_TIME, SIZES, heads
from tests.batch.conftest import PROFILE
from tests.schema.rows import Connection, add_resource
from tests.series import DAY, HOUR, book_series, monday, move, over_the_queue

CAPACITIES = (1, 3)
FAR = 3 * 364 * DAY
"""Behind what is stored: the days there are as full as those near."""
RULES = ("FREQ=DAILY;COUNT=3", "FREQ=DAILY;INTERVAL=2", "FREQ=DAILY;INTERVAL=2", "FREQ=DAILY;INTERVAL=3", None)
KINDS = (
    *("book", "book", "book", "book_series", "book_series", "book_series", "book_series"),
    *("cancel", "reschedule", "update_resource", "cancel_series"),
    *("cancel_occurrence", "cancel_occurrence", "restore_occurrence", "move", "move", "move"),
)


EMPTY = """
SET session_replication_role = replica;
TRUNCATE resource, series, booking, ledger, idempotency CASCADE;
SET session_replication_role = origin;
"""
"""So that the audit looks at one plan at a time. The ledger lets nobody do that, but for whom there are no triggers."""


@dataclass(frozen=True)
class Wish:
    """A command of the stream, before ids are known.

    day, hour  when it starts, counted from the first Monday; the third number says whether it is far ahead.
    subject    which of the bookings or series that are known is named.
    name       which of its occurrences.
    """

    kind: str
    day: int
    hour: int
    far: bool
    length: int
    places: int
    rule: str | None
    skip: bool
    subject: int
    name: int
    scope: Scope
    key: str | None


wishes = st.builds(
    Wish,
    kind=st.sampled_from(KINDS),
    day=st.integers(0, 3),
    hour=st.integers(0, 2),
    far=st.booleans(),
    length=st.integers(1, 4),
    places=st.sampled_from([1, 1, 2]),
    rule=st.sampled_from(RULES),
    skip=st.booleans(),
    subject=st.integers(0, 20),
    name=st.integers(0, 5),
    scope=st.sampled_from(list(Scope)),
    key=st.sampled_from([*[None] * 8, "a"]),
)
BEFORE = Wish("book_series", 0, 1, False, 2, 1, "FREQ=DAILY", False, 0, 0, Scope.THIS, None)
"""Stands before anything else comes, so that there always is a series without end to meet."""
THOROUGH = settings.get_current_profile_name() == PROFILE
EXAMPLES, COMMANDS, PHASES = (100, 25, 6) if THOROUGH else (8, 10, 5)
phases = st.lists(
    st.lists(st.tuples(st.integers(0, 1), wishes), min_size=3, max_size=COMMANDS), min_size=3, max_size=PHASES
)
"""Commands of a phase name what earlier phases made: nobody knows an id before its commit."""


@dataclass
class Side:
    """One resource, as one size of batches makes it.

    ids  what stands for the ids of bookings and series, which differ from run to run.
    """

    resource: int
    ticket: int = 0
    bookings: list[UUID] = field(default_factory=list)
    series: list[tuple[UUID, Recurrence]] = field(default_factory=list)
    ids: dict[UUID, tuple[Any, ...]] = field(default_factory=dict)


@settings(EVERY_TIME, max_examples=EXAMPLES, derandomize=not THOROUGH)
@given(plan=phases)
async def test_batches_of_1_7_and_256_decide_series_alike(
    database: Connection, plan: list[list[tuple[int, Wish]]]
) -> None:
    await database.execute(EMPTY)
    first = monday()
    before = [(number, replace(BEFORE, places=capacity - number)) for number, capacity in enumerate(CAPACITIES)]
    made = [await write(database, [before, *plan], first, size) for size in SIZES]
    assert made[0] == made[1] == made[2]
    report = await verify(database)
    assert report.violations == [], report.text()


async def write(
    database: Connection, plan: list[list[tuple[int, Wish]]], first: datetime, size: int
) -> list[tuple[list[Any], list[Any]]]:
    """Let the engine decide a plan in batches of a size. Returns the ledger and the rows of each resource."""
    sides = [Side(await add_resource(database, capacity=capacity)) for capacity in CAPACITIES]
    for phase in plan:
        waiting: dict[int, list[Entry]] = {side.resource: [] for side in sides}
        known = [replace(side, bookings=[*side.bookings], series=[*side.series]) for side in sides]
        for number, wish in phase:
            sides[number].ticket += 1
            command = over_the_queue(command_of(wish, known[number], first))
            key = wish.key and f"{wish.key} {number}"
            body = msgspec.msgpack.encode((wish.kind, wish.day, wish.hour, wish.rule))
            request = Request(uuid7(), sides[number].resource, f"caller {sides[0].resource}", key, body, command)
            waiting[request.resource].append(Entry(sides[number].ticket, first, request))
        await decide(database, sides, waiting, size)
    return [(await read_ledger(database, side), await read_rows(database, side)) for side in sides]


def command_of(wish: Wish, side: Side, first: datetime) -> Command:
    """What a wish means, given what is known by now; a booking where there is nothing to name."""
    start = first + wish.day * DAY + wish.hour * HOUR + (FAR if wish.far else timedelta(0))
    end = start + wish.length * HOUR / 2
    if wish.kind == "book_series":
        extra = [start + 2 * DAY, start + 5 * DAY] if wish.rule is None else []
        return book_series(wish.rule, start, end - start, extra=extra, places=wish.places, skip=wish.skip)
    if wish.kind == "update_resource":
        return UpdateResource(capacity=wish.places + 1)
    if wish.kind in {"cancel", "reschedule"} and side.bookings:
        booking = side.bookings[wish.subject % len(side.bookings)]
        return Cancel(booking) if wish.kind == "cancel" else Reschedule(booking, start, end)
    if wish.kind == "book" or not side.series:
        return Book(start, end, wish.places)
    series, recurrence = side.series[wish.subject % len(side.series)]
    return change_of(wish, series, name_of(wish, recurrence), start, end - start)


def change_of(wish: Wish, series: UUID, name: datetime, start: datetime, length: timedelta) -> Command:
    """A command about a series."""
    match wish.kind:
        case "cancel_occurrence":
            return CancelOccurrence(series, name)
        case "restore_occurrence":
            return RestoreOccurrence(series, name)
        case "move":
            near = name if wish.scope is not Scope.THIS else start
            return move(series, name, near + (wish.hour - 1) * HOUR, length, scope=wish.scope)
        case _:
            return CancelSeries(series)


def name_of(wish: Wish, recurrence: Recurrence) -> datetime:
    """One of the first occurrences of a series, or of those far ahead; at times one that there is not."""
    after = recurrence.start.replace(tzinfo=monday().tzinfo) + (FAR if wish.far else timedelta(0))
    names = starts_between(recurrence, after, after + 20 * DAY)
    return names[wish.name] if wish.name < len(names) else after + wish.name * HOUR


async def decide(database: Connection, sides: list[Side], waiting: dict[int, list[Entry]], size: int) -> None:
    """Decide what waits, so many commands at a time, and learn what was made."""
    by_resource = {side.resource: side for side in sides}
    while any(waiting.values()):
        async with database.transaction():
            decided = await decide_batch(database, heads(waiting, size))
        assert decided.answers
        for resource, pairs in decided.answers.items():
            del waiting[resource][: len(pairs)]
            kept = await outcomes_by_ticket(database, [(resource, entry.ticket) for entry, _ in pairs])
            for entry, outcome in pairs:
                assert kept[resource, entry.ticket] == (entry.request.request_id, outcome)
                learn(by_resource[resource], outcome)


def learn(side: Side, outcome: Outcome) -> None:
    """Remember the ids that an outcome gave out."""
    if outcome.status is not Status.CONFIRMED or outcome.repeated or outcome.booking is None:
        return
    recurrence = outcome.detail.recurrence if outcome.detail is not None else None
    if outcome.kind in {"book", "reschedule"}:
        side.bookings.append(outcome.booking.booking)
    elif outcome.kind in {"book_series", "move_occurrence"} and recurrence is not None:
        side.series.append((outcome.booking.booking, recurrence))


async def read_rows(database: Connection, side: Side) -> list[Any]:
    """The bookings of a resource, without ids."""
    rows = await database.fetch("SELECT * FROM booking WHERE resource = $1", side.resource)
    names = await ids(database, side)
    return sorted(
        [
            (*names[row["id"]], row["during"], row["places"], row["status"], row["version"], row["ended_at"] is None)
            for row in rows
        ],
        key=repr,
    )


async def read_ledger(database: Connection, side: Side) -> list[Any]:
    """The ledger of a resource, without ids and instants of decision."""
    names = await ids(database, side)
    columns = ("ticket", "kind", "outcome", "reason", "start_time", "end_time", "places", "capacity", "first_ticket")
    rows = await database.fetch("SELECT * FROM ledger WHERE resource = $1 ORDER BY ticket", side.resource)
    return [
        (
            *(row[column] for column in columns),
            *(names.get(row[column]) for column in ("subject", "booking")),
            [names[clash] for clash in row["clashes"]],
            detail_of(decode_detail(row["detail"]), names),
        )
        for row in rows
    ]


def detail_of(detail: SeriesDetail | None, names: dict[UUID, tuple[Any, ...]]) -> Any:
    """What an outcome says beyond its row, without ids; up to where a moved series is stored depends on the clock."""
    if detail is None:
        return None
    clashes = [(clash.wanted_start, names[clash.booking], clash.start_time, clash.end_time) for clash in detail.clashes]
    return msgspec.structs.replace(detail, clashes=(), materialised_until=None), clashes


async def ids(database: Connection, side: Side) -> dict[UUID, tuple[Any, ...]]:
    """Names of bookings and series that are the same in every run: by the tickets that made and ended them."""
    if not side.ids:
        for row in await database.fetch("SELECT id, ticket FROM series WHERE resource = $1", side.resource):
            side.ids[row["id"]] = (row["ticket"], "series")
        for row in await database.fetch("SELECT * FROM booking WHERE resource = $1", side.resource):
            side.ids[row["id"]] = (row["ticket"], side.ids.get(row["series"]), row["occurrence"])
    return side.ids
