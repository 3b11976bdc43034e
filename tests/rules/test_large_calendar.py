"""The calendar of a whole ledger says what the one of a batch says, however much is in it."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import UUID

from engine.rules.calendar import Block, Calendar
from engine.rules.large_calendar import RUN, LargeCalendar
from tests.clients import NINE

LENGTHS = (timedelta(milliseconds=1), timedelta(minutes=30), timedelta(hours=1), timedelta(days=3), timedelta(days=366))


def told(calendar: Calendar, start: timedelta, length: timedelta) -> list[tuple[object, ...]]:
    """What a calendar says of a time."""

    def of(block: Block) -> tuple[object, ...]:
        return block.start_time, block.end_time, block.places, tuple(block.bookings)

    return [of(block) for block in calendar.overlapping(NINE + start, NINE + start + length)]


def test_it_agrees_with_the_calendar_of_a_batch_while_claims_come_and_go() -> None:
    chance, large, plain = random.Random(7), LargeCalendar(), Calendar()
    standing: list[tuple[timedelta, timedelta, int, int]] = []
    most = 0
    for ticket in range(1, 8 * RUN):
        if standing and chance.random() < (0.2 if ticket < 5 * RUN else 0.8):
            start, length, places, of = standing.pop(chance.randrange(len(standing)))
            for calendar in (large, plain):
                calendar.remove(NINE + start, NINE + start + length, places=places, ticket=of, booking=UUID(int=of))
        else:
            start, length = timedelta(minutes=30 * chance.randrange(6 * RUN)), chance.choice(LENGTHS)
            standing.append((start, length, ticket % 3 + 1, ticket))
            for calendar in (large, plain):
                calendar.add(
                    NINE + start, NINE + start + length, places=ticket % 3 + 1, ticket=ticket, booking=UUID(int=ticket)
                )
        most = max(most, len(large))
        if ticket % 50 == 0:
            wanted = timedelta(minutes=chance.randrange(180 * RUN)), chance.choice(LENGTHS)
            assert told(large, *wanted) == told(plain, *wanted)
    assert most > 2 * RUN
    for start, length, places, of in standing:
        large.remove(NINE + start, NINE + start + length, places=places, ticket=of, booking=UUID(int=of))
    assert len(large) == 0
    assert told(large, timedelta(0), timedelta(days=366)) == []


def test_claims_of_one_interval_stand_together() -> None:
    calendar = LargeCalendar()
    for ticket in (2, 1):
        calendar.add(NINE, NINE + LENGTHS[1], places=2, ticket=ticket, booking=UUID(int=ticket))
    block = calendar.block(NINE, NINE + LENGTHS[1])
    assert block is not None
    assert (block.places, [ticket for ticket, _ in block.bookings]) == (4, [1, 2])
    assert calendar.block(NINE, NINE + LENGTHS[2]) is None


def test_the_beginning_of_time_can_be_asked_for() -> None:
    calendar = LargeCalendar()
    early = NINE.replace(year=1)
    calendar.add(early, early + LENGTHS[4], places=1, ticket=1, booking=UUID(int=1))
    assert [block.places for block in calendar.overlapping(early, early + LENGTHS[0])] == [1]
