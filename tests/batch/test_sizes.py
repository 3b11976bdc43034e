"""The ledger is the same whatever the size of a batch, and the same as one command at a time would make it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch import decide_batch
from engine.commands import Book, Cancel, Command, Entry, Request, Reschedule, UpdateResource
from engine.identifiers import uuid7
from engine.verify import verify
from tests.batch.batches import EVERY_TIME, SIZES, heads
from tests.batch.model import TO, Answer, Model, Wish
from tests.clients import NINE
from tests.schema.rows import Connection, add_resource

CAPACITIES = (1, 3)
STEP = timedelta(minutes=30)
PAST = -400_000
JOINED_AT = datetime.fromisoformat("2026-08-10T00:00:00+00:00")

starts = st.sampled_from([*range(9), *range(9), PAST])
lengths = st.integers(1, 6)
keys = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(["a", "b", "c"]))
versions = st.sampled_from([None, None, None, 1, 2])


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    kind = draw(st.sampled_from(["book"] * 5 + ["cancel", "reschedule", "reschedule", "update_resource"]))
    start = draw(starts)
    wish = Wish(kind, start, start + draw(lengths), key=draw(keys), withdrawn=draw(st.integers(0, 19)) == 0)
    if kind == "book":
        return replace(wish, places=draw(st.sampled_from([1, 1, 1, 2, 4])))
    if kind == "update_resource":
        return replace(wish, capacity=draw(st.sampled_from([None, 1, 2, 3, 5])), version=draw(versions))
    return replace(wish, subject=draw(st.integers(0, 30)), version=draw(versions))


phases = st.lists(st.lists(st.tuples(st.integers(0, 1), wishes()), min_size=1, max_size=14), min_size=1, max_size=4)
"""Commands of a phase name bookings that earlier phases made: nobody knows an id before its commit."""


@dataclass(frozen=True)
class Known:
    """A ledger row, with tickets for ids and steps for times."""

    kind: str
    answer: Answer
    asked: tuple[Any, ...]


@settings(EVERY_TIME, max_examples=60)
@given(plan=phases)
async def test_batches_of_1_7_and_256_make_the_ledger_that_the_model_makes(
    database: Connection, plan: list[list[tuple[int, Wish]]]
) -> None:
    models, stream, expected = imagine(plan)
    made = [await write(database, stream, size) for size in SIZES]
    for number, model in enumerate(models):
        answers = [known.answer for known in made[0].ledgers[number]]
        assert answers == expected[number]
        assert made[0].bookings[number] == {
            booking.ticket: (booking.start, booking.end, booking.places, booking.status, booking.version)
            for booking in model.made.values()
        }
        assert made[0].capacities[number] == model.capacity
    assert made[0] == made[1] == made[2]
    report = await verify(database)
    assert report.violations == []


def imagine(plan: list[list[tuple[int, Wish]]]) -> tuple[list[Model], list[list[tuple[int, Wish]]], list[list[Answer]]]:
    """Let the model decide. Returns it, the stream with its subjects resolved, and the answers."""
    models = [Model(capacity) for capacity in CAPACITIES]
    stream: list[list[tuple[int, Wish]]] = []
    expected: list[list[Answer]] = [[], []]
    for phase in plan:
        known = [list(model.made) for model in models]
        named = []
        for number, wish in phase:
            there = known[number]
            if wish.kind in {"cancel", "reschedule"} and not there:
                wish = replace(wish, kind="book")  # noqa: PLW2901  # there is nothing to name yet
            elif wish.kind in {"cancel", "reschedule"}:
                wish = replace(wish, subject=there[wish.subject % len(there)])  # noqa: PLW2901
            key = wish.key and f"{wish.key} {number}"
            wish = replace(wish, key=key)  # noqa: PLW2901
            named.append((number, wish))
            expected[number].append(models[number].decide(wish))
        stream.append(named)
    return models, stream, expected


@dataclass
class Written:
    """What a stream made of the database."""

    ledgers: list[list[Known]]
    bookings: list[dict[int, tuple[int, int, int, str, int]]]
    capacities: list[int]


async def write(database: Connection, stream: list[list[tuple[int, Wish]]], size: int) -> Written:
    """Let the engine decide the stream in batches of a size."""
    resources = [await add_resource(database, capacity=capacity) for capacity in CAPACITIES]
    caller = f"caller {resources[0]}"
    made: list[dict[int, UUID]] = [{}, {}]
    tickets = [0, 0]
    for phase in stream:
        waiting: dict[int, list[Entry]] = {resource: [] for resource in resources}
        for number, wish in phase:
            tickets[number] += 1
            resource = resources[number]
            waiting[resource].append(entry(resource, tickets[number], wish, caller, made[number]))
        while any(waiting.values()):
            async with database.transaction():
                decided = await decide_batch(database, heads(waiting, size))
            assert decided.answers
            for resource, pairs in decided.answers.items():
                del waiting[resource][: len(pairs)]
                for item, outcome in pairs:
                    if outcome.booking is not None and not outcome.repeated:
                        made[resources.index(resource)].setdefault(item.ticket, outcome.booking.booking)
    return await read(database, resources)


def entry(resource: int, ticket: int, wish: Wish, caller: str, made: dict[int, UUID]) -> Entry:
    """A command of the stream as a turn finds it."""
    times = NINE + wish.start * STEP, NINE + wish.end * STEP
    command: Command
    match wish.kind:
        case "book":
            command = Book(*times, wish.places)
        case "cancel":
            command = Cancel(made[wish.subject], None, wish.version)
        case "reschedule":
            command = Reschedule(made[wish.subject], *times, wish.version)
        case _:
            command = UpdateResource(None, wish.capacity, wish.version)
    request = Request(uuid7(), resource, caller, wish.key, msgspec.msgpack.encode(wish.body), command)
    return Entry(ticket, JOINED_AT, request, withdrawn=wish.withdrawn)


async def read(database: Connection, resources: list[int]) -> Written:
    """Read what stands, with tickets for ids and steps for times."""
    written = Written([], [], [])
    for resource in resources:
        rows = await database.fetch(
            "SELECT *, lower(during) AS starts, upper(during) AS ends FROM booking WHERE resource = $1", resource
        )
        ticket_of = {row["id"]: row["ticket"] for row in rows}
        written.bookings.append(
            {
                row["ticket"]: (step(row["starts"]), step(row["ends"]), row["places"], row["status"], row["version"])
                for row in rows
            }
        )
        written.ledgers.append(
            [
                known(row, ticket_of)
                for row in await database.fetch("SELECT * FROM ledger WHERE resource = $1 ORDER BY ticket", resource)
            ]
        )
        written.capacities.append(await database.fetchval("SELECT capacity FROM resource WHERE id = $1", resource))
    return written


def known(row: Any, ticket_of: dict[UUID, int]) -> Known:
    answer = Answer(
        row["outcome"],
        row["reason"],
        None if row["booking"] is None else ticket_of[row["booking"]],
        tuple(ticket_of[clash] for clash in row["clashes"]),
        row["first_ticket"],
    )
    asked = (
        step(row["start_time"]),
        step(row["end_time"]),
        row["places"],
        row["capacity"],
        None if row["subject"] is None else ticket_of[row["subject"]],
    )
    return Known(row["kind"], answer, asked)


def step(instant: datetime | None) -> int:
    """A time as the model counts it; -1 where there is none."""
    return -1 if instant is None else round((instant - NINE) / STEP)


def test_the_model_sees_every_step_in_which_bookings_lie() -> None:
    assert TO >= 8 + 6
