"""A small history of series, with a decision of every kind, made by the engine itself."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from engine.commands import (
    HORIZON,
    Book,
    CancelOccurrence,
    CancelSeries,
    Command,
    Outcome,
    Reason,
    RestoreOccurrence,
    Scope,
    Status,
    UpdateResource,
)
from engine.extension import extend_step
from tests.schema.rows import add_resource
from tests.series import DAY, HOUR, WEEK, book_series, monday, move, occurrences
from tests.verify.history import Connection, History

BEHIND = 3 * 52 * WEEK
"""Behind what is stored of a series without end."""
MANY = 20
"""Of more occurrences than these the last goes by no number: there are more or fewer of them on some days."""
SHORT = HORIZON - 40 * DAY
"""Stored less far ahead than it should be, so that there is something to extend."""


async def write_series_history(connection: Connection) -> History:
    """Make the history that the comments tell. Series go by names, their rows by name and number of the occurrence."""
    history = History(connection)
    history.room = await add_resource(connection, capacity=1)
    history.course = await add_resource(connection, capacity=3)
    await connection.execute("UPDATE resource SET resource_id = 'room' WHERE id = $1", history.room)
    await connection.execute("UPDATE resource SET resource_id = 'course' WHERE id = $1", history.course)
    await write_room(history, monday(weeks=1))
    await write_course(history, monday(weeks=1))
    for resource in (history.room, history.course):
        while await extend_step(connection, resource) is not None:
            pass
    await name_rows(history)
    return history


async def write_room(history: History, nine: datetime) -> None:
    """A resource with one place."""
    one, three, eight = nine + 4 * HOUR, nine + 6 * HOUR, nine + 11 * HOUR
    room = history.room

    finite = await history.made("finite", room, book_series("FREQ=WEEKLY;COUNT=4", nine))  # room 1
    await decide(history, CancelOccurrence(finite, nine + WEEK, "ill"))  # room 2
    await decide(history, CancelOccurrence(finite, nine + WEEK))  # room 3: changes nothing
    await decide(history, RestoreOccurrence(finite, nine + WEEK))  # room 4
    await decide(history, RestoreOccurrence(finite, nine + WEEK))  # room 5: changes nothing
    await decide(history, move(finite, nine + 2 * WEEK, nine + 2 * WEEK + 2 * HOUR))  # room 6
    await decide(history, CancelOccurrence(finite, nine + 3 * WEEK))  # room 7

    daily = await history.made("daily", room, book_series("FREQ=DAILY", three, ahead=SHORT))  # room 8
    await decide(history, CancelOccurrence(daily, three + BEHIND))  # room 9: behind what is stored
    await decide(history, move(daily, three + BEHIND + DAY, three + BEHIND + DAY + HOUR))  # room 10: there, too
    await decide(history, RestoreOccurrence(daily, three + BEHIND + 2 * DAY))  # room 11: it stands, but is not stored
    await decide(history, CancelOccurrence(daily, three + 4 * DAY))  # room 12
    await decide(history, move(daily, three + 5 * DAY, three + 5 * DAY + HOUR))  # room 13
    following = move(daily, three + 3 * DAY, three + 3 * DAY + HOUR / 2, scope=Scope.THIS_AND_FOLLOWING)
    await history.made("later", room, following)  # room 14: but for what was cancelled or moved
    await decide(history, RestoreOccurrence(daily, three + 4 * DAY), Reason.NOT_AN_OCCURRENCE)  # room 15: it went along
    taken = Book(three + BEHIND + 9 * DAY, three + BEHIND + 9 * DAY + HOUR)
    await decide(history, taken, Reason.CONFLICT)  # room 16: by what is not stored

    whole = await history.made("whole", room, book_series("FREQ=MONTHLY;BYDAY=1SA", eight, ahead=SHORT))  # room 17
    name = (await occurrences(history.connection, whole))[0]["occurrence"]
    moved = await history.made("moved", room, move(whole, name, name + HOUR, scope=Scope.ALL))  # room 18: all of it
    await decide(history, CancelOccurrence(moved, name + HOUR))  # room 19
    await decide(history, CancelSeries(moved, "no more"))  # room 20
    await decide(history, CancelSeries(moved))  # room 21: changes nothing

    dates = book_series("FREQ=WEEKLY;COUNT=3", one, excluded=[one + WEEK], extra=[one + DAY])
    dated = await history.made("dated", room, dates)  # room 22
    await decide(history, RestoreOccurrence(dated, one + WEEK))  # room 23: an exception is taken back
    # Room 24: what "finite" holds is left out.
    await history.made("skipping", room, book_series("FREQ=WEEKLY", nine, skip=True, ahead=SHORT))
    await decide(history, book_series("FREQ=DAILY;COUNT=3", nine), Reason.CONFLICT)  # room 25
    await history.made("extras", room, book_series(None, eight, extra=[eight + DAY]))  # room 26
    await history.made("single", room, Book(eight + BEHIND, eight + BEHIND + HOUR))  # room 27


async def write_course(history: History, nine: datetime) -> None:
    """A resource with three places."""
    course, tuesday = history.course, nine + DAY
    await history.made("pairs", course, book_series("FREQ=WEEKLY", nine, places=2, ahead=SHORT))  # course 1
    await history.made("daily one", course, book_series("FREQ=DAILY", nine, ahead=SHORT + DAY))  # course 2
    await decide(history, book_series("FREQ=WEEKLY", nine), Reason.CONFLICT, resource=course)  # course 3
    await history.made("near", course, Book(tuesday, tuesday + HOUR, 2))  # course 4
    await history.made("far", course, Book(tuesday + BEHIND, tuesday + BEHIND + HOUR, 2))  # course 5
    await decide(history, UpdateResource(capacity=2), Reason.CAPACITY_BELOW_TAKEN, resource=course)  # course 6
    yearly = book_series("FREQ=YEARLY;COUNT=5", tuesday + 2 * HOUR, places=3)
    await history.made("yearly", course, yearly)  # course 7


async def decide(
    history: History, command: Command, reason: Reason | None = None, *, resource: int | None = None
) -> Outcome:
    """Let a command be decided, the room's where nothing is said, and see that it is granted, or why not."""
    outcome = await history.decide(resource or history.room, command)
    assert (outcome.status, outcome.reason) == (Status.REFUSED if reason else Status.CONFIRMED, reason), outcome
    return outcome


async def name_rows(history: History) -> None:
    """Name the rows of each series: "daily 2" is its second occurrence, "daily 2b" the second row of that."""
    for name, series in list(history.bookings.items()):
        rows = await occurrences(history.connection, series)
        names = sorted({row["occurrence"] for row in rows})
        seen = Counter[datetime]()
        for row in rows:
            at = row["occurrence"]
            number = "last" if at == names[-1] and len(names) > MANY else str(names.index(at) + 1)
            history.bookings[f"{name} {number}{' bc'[seen[at]].strip()}"] = row["id"]
            seen[at] += 1
