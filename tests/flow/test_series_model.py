"""A year of single bookings and series at random: what eight callers at once are told is what one after another gets.

Each caller sends a stream of commands drawn from a seed, and names what any of them was told of by then. Afterwards
the ledger is read in ticket order, and a model (``tests.flow.series_model``) is asked the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest

from engine.rules.recurrence import name_of
from tests.clients import clean, ledger
from tests.flow.series_model import DAY, Ask, Model
from tests.processes import Processes
from tests.schema.rows import Connection
from tests.series import HOUR, monday

CALLERS = 8
COMMANDS = 60
"""That each caller sends."""
YEAR = 364 * DAY
CAPACITIES = {"room": 1, "course": 3}
RULES = {DAY: "DAILY", 2 * DAY: "DAILY;INTERVAL=2", 7 * DAY: "WEEKLY", 14 * DAY: "WEEKLY;INTERVAL=2"}
KINDS = (
    *(["book"] * 4 + ["book_series"] * 8 + ["cancel", "reschedule", "reschedule", "cancel_series", "cancel_series"]),
    *(["cancel_occurrence"] * 3 + ["restore_occurrence"] * 4 + ["move_occurrence"] * 8),
)
SCOPES = ("this", "this", "this_and_following", "all")
WEEKS_AHEAD = (0, 0, 0, 1, 1, 14, 36)
"""Most of it happens near each other, so that it meets."""


@dataclass
class Known:
    """What the callers were told of a resource: bookings, and series by their first occurrence and their step."""

    bookings: list[UUID] = field(default_factory=list)
    series: list[tuple[UUID, int, int]] = field(default_factory=list)


@dataclass
class Year:
    """What is asked, by resource and ticket.

    first  the Monday from which hours are counted.
    """

    first: datetime
    known: dict[str, Known]
    asked: dict[tuple[str, int], Ask] = field(default_factory=dict)

    def at(self, hours: int) -> datetime:
        """The instant that so many hours are."""
        return self.first + hours * HOUR

    def hours(self, instant: datetime | str) -> int:
        """How many hours an instant is."""
        at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        return (at - self.first) // timedelta(hours=1)


def draw(lots: Random, known: Known) -> Ask:
    """Any command; one that makes something where there is nothing to change."""
    kind = lots.choice(KINDS)
    start = lots.choice(WEEKS_AHEAD) * 7 * DAY + lots.randrange(7) * DAY + lots.randrange(6, 20)
    new = Ask(kind, start, start + lots.choice([1, 1, 2]), lots.choice([1, 1, 1, 2, 4]))
    if kind in {"cancel", "reschedule"} and known.bookings:
        return replace(new, named=lots.choice(known.bookings))
    if kind == "book_series":
        return replace(new, step=lots.choice(list(RULES)), count=lots.choice([None, 3, 8]), skip=lots.random() < 0.4)
    if kind in {"book", "cancel", "reschedule"} or not known.series:
        return replace(new, kind="book")
    named, begins, step = lots.choice(known.series)
    name = begins + lots.choice([0, 0, 1, 2, 3, 5, 8]) * step
    if kind == "move_occurrence":
        begin = name + lots.choice([-2, -1, 1, 2, 3, DAY])
        new = replace(new, start=begin, end=begin + new.end - new.start, scope=lots.choice(SCOPES), step=step)
    return replace(new, named=named, name=name)


async def send(client: httpx.AsyncClient, resource: str, year: Year, ask: Ask) -> httpx.Response:
    """Ask over HTTP."""
    times = {"start_time": year.at(ask.start).isoformat(), "end_time": year.at(ask.end).isoformat()}
    occurrence = f"/bookings/{ask.named}/occurrences/{name_of(year.at(ask.name))}"
    match ask.kind:
        case "book" | "book_series":
            body: dict[str, Any] = {"resource_id": resource, "places": ask.places, **times}
            if ask.kind == "book_series":
                rule = f"RRULE:FREQ={RULES[ask.step]}" + (f";COUNT={ask.count}" if ask.count else "")
                body |= {"recurrence_rule": rule, "on_conflict": "skip" if ask.skip else "fail"}
            return await client.post("/bookings", json=body)
        case "cancel" | "cancel_series":
            return await client.delete(f"/bookings/{ask.named}")
        case "reschedule":
            return await client.put(f"/bookings/{ask.named}/reschedule", json=times)
        case "cancel_occurrence":
            return await client.delete(occurrence)
        case "restore_occurrence":
            return await client.post(f"{occurrence}/restore")
        case _:
            return await client.put(occurrence, json={**times, "scope": ask.scope})


async def call(client: httpx.AsyncClient, year: Year, lots: Random) -> None:
    """Send a stream of commands, one after another, and learn from the answers."""
    for _ in range(COMMANDS):
        resource = lots.choice(list(CAPACITIES))
        known = year.known[resource]
        ask = draw(lots, known)
        answer = await send(client, resource, year, ask)
        assert answer.status_code in {200, 201, 404, 409}, f"{ask} {answer.text}"
        seen = answer.headers["firstcome-seen"].split(":")
        year.asked[seen[0], int(seen[1])] = ask
        if answer.is_error:
            continue
        body = answer.json()
        if ask.kind in {"book", "reschedule"}:
            known.bookings.append(UUID(body["booking_id"]))
        elif ask.kind == "book_series" or (ask.kind == "move_occurrence" and ask.scope != "this"):
            known.series.append((UUID(body["booking_id"]), year.hours(body["start_time"]), ask.step))


@pytest.mark.parametrize("seed", [3])
async def test_a_year_at_random_by_eight_callers_is_what_one_after_another_gets(
    processes: Processes, database: Connection, database_url: str, seed: int
) -> None:
    *_, api = await asyncio.gather(processes.worker(), processes.worker(), processes.api())
    year = Year(monday(0), {resource: Known() for resource in CAPACITIES})
    async with api.client() as client:
        for resource, capacity in CAPACITIES.items():
            body = {"resource_id": resource, "name": resource, "capacity": capacity, "time_zone": "UTC"}
            assert (await client.post("/resources", json=body)).status_code == 201
        await asyncio.gather(*(call(client, year, Random(seed * CALLERS + caller)) for caller in range(CALLERS)))
    seen: Counter[tuple[str, str, str | None]] = Counter()
    for resource, capacity in CAPACITIES.items():
        number = await database.fetchval("SELECT id FROM resource WHERE resource_id = $1", resource)
        model = Model(capacity)
        for row in await ledger(database, number):
            ask = year.asked[resource, row["ticket"]]
            expected = model.decide(ask, row["booking"] if row["outcome"] == "confirmed" else None)
            decided = row["outcome"], row["reason"]
            assert decided == expected, f"seed {seed}, {resource}, ticket {row['ticket']}: {ask}"
            seen[(ask.kind, *decided)] += 1
        assert await standing(database, number, year) == model.claims(before=YEAR), f"seed {seed}, {resource}"
    assert sum(seen.values()) == CALLERS * COMMANDS, f"seed {seed}: the ledger has a row for each"
    assert {kind for kind, outcome, _ in seen if outcome == "confirmed"} == set(KINDS), f"seed {seed}: {seen}"
    await clean(database_url)


async def standing(database: Connection, resource: int, year: Year) -> list[tuple[UUID, int, int, int]]:
    """What stands in the year: whose it is, start, end, places."""
    rows = await database.fetch(
        "SELECT coalesce(series, id) AS made, lower(during) AS start_time, upper(during) AS end_time, places"
        " FROM booking WHERE resource = $1 AND live AND lower(during) < $2",
        resource,
        year.at(YEAR),
    )
    return sorted(
        (row["made"], year.hours(row["start_time"]), year.hours(row["end_time"]), row["places"]) for row in rows
    )
