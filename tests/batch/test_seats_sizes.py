"""Slots, seats, limits and plain bookings: the ledger is the same whatever the size of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chain import decode_detail
from engine.commands import (
    Book,
    BookSeat,
    Cancel,
    CancelSlot,
    ChangeEvent,
    Command,
    Limits,
    Request,
    Reschedule,
    SeriesDetail,
)
from tests.batch.batches import EVERY_TIME, SIZES, heads
from tests.schema.rows import Connection
from tests.seats import Deciding, add_calendar, add_event, add_people, ask, at, decide, publish

LIMITS = Limits(active=2, with_host=1)
GUESTS = 3
"""Those of the calendar, and those of the event: a limit over both would apply in the order of commits."""


@dataclass(frozen=True)
class Wish:
    """A command of the stream.

    home     0: the host's calendar; 1: the event.
    who      0: the host; else a guest.
    subject  which of the bookings or slots that earlier phases made.
    """

    kind: str
    home: int
    who: int
    subject: int
    start: int
    number: int


kinds = st.sampled_from(
    ["seat"] * 6 + ["cancel"] * 3 + ["book"] * 2 + ["publish"] * 2 + ["move", "cancel slot", "change"]
)
wishes = st.builds(
    Wish, kinds, st.integers(0, 1), st.integers(0, GUESTS), st.integers(0, 20), st.integers(0, 40), st.integers(1, 3)
)
phases = st.lists(st.lists(wishes, min_size=9, max_size=16), min_size=3, max_size=4)
"""Commands of a phase name what earlier phases made: nobody knows an id before its commit."""


@dataclass
class Names:
    """What goes by which name, whatever ids it has: a booking by its ticket, a slot by its ticket and start."""

    of: dict[UUID, tuple[object, ...]] = field(default_factory=dict)

    def learn(self, rows: Sequence[asyncpg.Record]) -> None:
        self.of |= {row["id"]: (row["resource"], row["ticket"], row["start_time"]) for row in rows}

    def name(self, value: object, homes: Sequence[int]) -> object:
        """Say an id, or a structure with ids in it, in names."""
        if isinstance(value, UUID):
            resource, *rest = self.of[value]
            return (homes.index(resource), *rest)
        return [self.name(item, homes) for item in value] if isinstance(value, list) else value


@settings(EVERY_TIME, max_examples=15)
@given(plan=phases)
async def test_batches_of_1_7_and_256_decide_alike_about_seats_and_limits(
    database: Connection, plan: list[list[Wish]]
) -> None:
    # The host publishes first, so that there is something to wish for.
    opening = [Wish("publish", 0, 0, 0, start, number) for start, number in ((0, 1), (2, 2), (4, 6))]
    written = [await write(database, [opening, *plan], size) for size in SIZES]
    assert written[0] == written[1] == written[2]
    await Deciding(database).clean()


@dataclass
class Homes:
    """The calendar of a host and an event, with those who come to each."""

    numbers: list[int]
    event: UUID
    host: str
    guests: list[list[str]]


async def write(database: Connection, stream: list[list[Wish]], size: int) -> list[list[tuple[object, ...]]]:
    """Let the engine decide the stream in batches of a size. Returns all that it wrote, in names instead of ids."""
    host, *guests = await add_people(database, 1 + 2 * GUESTS)
    calendar = await add_calendar(database, host)
    event = await add_event(database, host, 2)
    homes = Homes([calendar, event.resource], event.event, host, [guests[:GUESTS], guests[GUESTS:]])
    deciding = Deciding(database)
    for phase in stream:
        known = [await made(database, home) for home in homes.numbers]
        requests = [request_of(wish, homes, known[wish.home]) for wish in phase]
        waiting = deciding.queue([request for request in requests if request is not None])
        while any(waiting.values()):
            for resource, pairs in (await decide(database, heads(waiting, size))).answers.items():
                del waiting[resource][: len(pairs)]
    return await read(database, homes)


async def made(database: Connection, resource: int) -> list[asyncpg.Record]:
    """The bookings of a resource, claims of slots among them, in an order that no id has a part in."""
    return await database.fetch(
        "SELECT id, resource, ticket, lower(during) AS start_time, slot, coalesce(slot = id, false) AS claims"
        " FROM booking WHERE resource = $1 ORDER BY ticket, during",
        resource,
    )


def request_of(wish: Wish, homes: Homes, known: Sequence[asyncpg.Record]) -> Request | None:
    """A wish as a request; None where there is nothing yet that it could name."""
    command = command_of(wish, homes, known)
    if command is None:
        return None
    caller = (
        homes.host
        if wish.who == 0 or wish.kind in {"publish", "cancel slot"}
        else homes.guests[wish.home][wish.who - 1]
    )
    return ask(homes.numbers[wish.home], command, caller=caller, limits=LIMITS)


def command_of(wish: Wish, homes: Homes, known: Sequence[asyncpg.Record]) -> Command | None:
    claims = [row["id"] for row in known if row["claims"]]
    seats = [row["id"] for row in known if not row["claims"] and row["slot"] is not None]
    bookings = [row["id"] for row in known if row["slot"] is None]
    times = at(wish.start / 2), at((wish.start + wish.number) / 2)
    match wish.kind:
        case "publish" if wish.home == 0:
            starts = [float(wish.start + step) for step in range(wish.number)]
            return publish(*starts, seats=1 + wish.number % 3, skip=wish.subject % 2 == 1)
        case "seat":
            slot = named(claims, wish) if wish.home == 0 else homes.event
            return None if slot is None else BookSeat(slot)
        case "cancel slot" if wish.home == 0:
            slot = named(claims, wish)
            return None if slot is None else CancelSlot(slot)
        case "change" if wish.home == 1:
            return ChangeEvent(homes.event, None, wish.number, None if wish.subject % 3 else 1 + wish.subject % 5)
        case "cancel":
            booking = named([*seats, *bookings], wish)
            return None if booking is None else Cancel(booking)
        case "move":
            booking = named(bookings, wish)
            return None if booking is None else Reschedule(booking, *times)
        case _:
            return Book(*times)


def named(there: Sequence[UUID], wish: Wish) -> UUID | None:
    return there[wish.subject % len(there)] if there else None


async def read(database: Connection, homes: Homes) -> list[list[tuple[object, ...]]]:
    """Read what was written: ledgers, bookings and slots, with names for ids, and people by their numbers."""
    names = Names({homes.event: (homes.numbers[1], 0, None)})
    for resource in homes.numbers:
        names.learn(await made(database, resource))
    people = [homes.host, *homes.guests[0], *homes.guests[1]]

    def told(row: asyncpg.Record) -> tuple[object, ...]:
        return tuple(
            people.index(value) if value in people else names.name(value, homes.numbers) for value in row.values()
        )

    written = []
    for resource in homes.numbers:
        ledger = await database.fetch(
            "SELECT ticket, kind, start_time, end_time, places, capacity, subject, outcome, reason, booking, clashes,"
            " counted, counted_limit, caller FROM ledger WHERE resource = $1 ORDER BY ticket",
            resource,
        )
        details = await database.fetch("SELECT detail FROM ledger WHERE resource = $1 ORDER BY ticket", resource)
        bookings = await database.fetch(
            "SELECT id, during, status, caller, version, slot, rescheduled_to, live FROM booking WHERE resource = $1"
            " ORDER BY ticket, during",
            resource,
        )
        slots = await database.fetch(
            "SELECT id, during, capacity, taken, status, version FROM slot WHERE resource = $1 ORDER BY during, id",
            resource,
        )
        written += [[told(row) for row in rows] for rows in (ledger, bookings)]
        written.append(sorted((told(row) for row in slots), key=repr))
        written.append([detail_of(decode_detail(row["detail"]), names, homes) for row in details])
    return written


def detail_of(detail: SeriesDetail | None, names: Names, homes: Homes) -> tuple[object, ...]:
    if detail is None:
        return ()
    clashes = [(clash.wanted_start, names.name(clash.booking, homes.numbers)) for clash in detail.clashes]
    return (detail.occurrences, detail.clashing, clashes, detail.skipped)
