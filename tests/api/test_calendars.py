"""Calendars: what is written, read by another library, shows exactly what stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from icalendar import Component

from api.calendar_text import calendar_text
from api.calendar_zones import CYCLE_YEARS, time_zone
from engine.commands import BookingStatus
from engine.rules.recurrence import Recurrence, before, starts_between
from engine.rules.recurrence_rule import parse_rule
from engine.rules.wall_clock import to_local, to_utc
from engine.store.calendars import CalendarBooking, CalendarSeries, find_for_calendar
from engine.store.series import ChangedSeries, NewOccurrence, NewSeries, write_series
from tests.api.reading import Interval, end_of, events_of, expanded, named_by, read, start_of
from tests.schema.rows import MIDNIGHT, Connection, add_resource, book, cancel, hours

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LENGTH_MS = 45 * 60_000
CREATED = datetime(2036, 1, 2, 10, tzinfo=UTC)
LATER = CREATED + timedelta(days=1)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def recurrence_of(zone: str, start: str, rule: str | None, **more: tuple[datetime, ...]) -> Recurrence:
    parsed = None if rule is None else parse_rule(rule, zone=ZoneInfo(zone))
    return Recurrence(wall(start), zone, LENGTH_MS, parsed, **more)


@dataclass
class Stored:
    """A series in the database, as commands would have left it there."""

    database: Connection
    recurrence: Recurrence
    until: datetime | None
    resource: int = 0
    series: UUID = field(default_factory=uuid4)

    @property
    def length(self) -> timedelta:
        return timedelta(milliseconds=self.recurrence.length_ms)

    @property
    def starts(self) -> list[datetime]:
        return starts_between(self.recurrence, utc("2000-01-01"), self.until or FAR)

    async def write(self) -> Stored:
        self.resource = await add_resource(self.database, capacity=1)
        made = NewSeries(self.series, self.resource, self.recurrence, 1, self.until, "anonymous", 1, uuid4(), CREATED)
        rows = [NewOccurrence(uuid4(), self.series, name, name, name + self.length) for name in self.starts]
        await write_series(self.database, [made], [], [], rows)
        return self

    async def end(self, name: datetime, status: BookingStatus = BookingStatus.CANCELLED) -> UUID | None:
        """End the row that stands for an occurrence; one that has none gets one that never stood."""
        row: UUID | None = await self.database.fetchval(
            "UPDATE booking SET status = $3, ended_at = $4, cancellation_reason = 'Ill',"
            " rescheduled_to = CASE WHEN $3 = 'rescheduled' THEN id END"
            " WHERE series = $1 AND occurrence = $2 AND live RETURNING id",
            self.series,
            name,
            status.value,
            LATER,
        )
        if row is None:
            ended = NewOccurrence(
                (own := uuid4()),
                self.series,
                name,
                name,
                name + self.length,
                status=status,
                ended_at=LATER,
                created_at=LATER,
                rescheduled_to=own if status is BookingStatus.RESCHEDULED else None,
            )
            await write_series(self.database, [], [], [], [ended])
        await write_series(self.database, [], [], [self.series], [])
        return row

    async def claim(self, name: datetime, start: datetime, end: datetime) -> UUID:
        """Let an occurrence stand somewhere, by a row of its own."""
        row = NewOccurrence(uuid4(), self.series, name, start, end, ticket=2, request_id=uuid4(), created_at=LATER)
        await write_series(self.database, [], [], [self.series], [row])
        return row.booking

    async def move(self, name: datetime, start: datetime, end: datetime) -> UUID:
        await self.end(name, BookingStatus.RESCHEDULED)
        return await self.claim(name, start, end)

    async def change(
        self,
        recurrence: Recurrence,
        status: BookingStatus,
        ended_at: datetime | None,
        *,
        reason: str | None = None,
        successor: UUID | None = None,
    ) -> None:
        """Let the series become what is left of it."""
        changed = ChangedSeries(self.series, recurrence, self.until, status, ended_at, reason, successor)
        await write_series(self.database, [], [changed], [], [])

    async def found(self) -> CalendarSeries:
        found = await find_for_calendar(self.database, self.series)
        assert isinstance(found, CalendarSeries)
        return found

    async def text(self) -> bytes:
        return calendar_text(await self.found())

    async def standing(self) -> list[Interval]:
        """What is booked."""
        rows = await self.database.fetch(
            "SELECT lower(during) AS s, upper(during) AS e FROM booking WHERE series = $1 AND live ORDER BY 1",
            self.series,
        )
        return [(row["s"], row["e"]) for row in rows]


SERIES = {
    "a gap at half past two": ("Europe/Berlin", "2036-03-27T02:30", "FREQ=DAILY;COUNT=12", None),
    "weekly across summer": ("Europe/Berlin", "2036-03-04T18:00", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=40", None),
    "an end in UTC": ("America/New_York", "2036-02-17T02:30", "FREQ=WEEKLY;BYDAY=SU,MO;UNTIL=20360601T063000Z", None),
    "half an hour of summer": ("Australia/Lord_Howe", "2036-10-01T02:15", "FREQ=DAILY", utc("2036-12-01")),
    "no summer": ("Asia/Kolkata", "2036-01-25T09:00", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=13", None),
    "a gap at midnight": ("America/Santiago", "2036-08-10T00:30", "FREQ=WEEKLY;WKST=SU", utc("2037-01-01")),
    "a fast, which ends summer": ("Africa/Casablanca", "2036-10-10T02:30", "FREQ=DAILY;COUNT=60", None),
    "across the date line": ("Pacific/Chatham", "2036-09-24T02:50", "FREQ=DAILY;INTERVAL=2;COUNT=14", None),
    "in UTC": ("UTC", "2036-08-11T09:00", "FREQ=YEARLY;BYMONTH=8,9;BYMONTHDAY=11,-1;COUNT=20", None),
    "twice an hour": ("Europe/London", "2036-10-20T01:30", "FREQ=DAILY;BYDAY=SU,MO,TU;BYSETPOS=1", utc("2037-02-01")),
}  # fmt: skip


@pytest.fixture(params=[*SERIES.values()], ids=[*SERIES])
async def stored(database: Connection, request: pytest.FixtureRequest) -> Stored:
    zone, start, rule, until = request.param
    return await Stored(database, recurrence_of(zone, start, rule), until).write()


async def assert_shown(stored: Stored) -> bytes:
    """The calendar shows what is booked."""
    text = await stored.text()
    until = stored.until or FAR
    shown = expanded(text, before=until + 500 * 24 * HOUR)
    assert [interval for interval in shown if interval[0] < until] == await stored.standing()
    return text


async def test_a_series_is_shown_as_it_is_booked(stored: Stored) -> None:
    await assert_shown(stored)


async def test_a_series_is_shown_with_all_that_happened_to_it(stored: Stored) -> None:
    names = stored.starts
    await stored.end(names[1])
    await stored.move(names[2], names[2] + 3 * HOUR, names[2] + 4 * HOUR)
    await stored.end(names[3], BookingStatus.CLASHED)
    await stored.move(names[4], names[4] + 5 * HOUR, names[4] + 6 * HOUR)
    await stored.move(names[4], names[4], names[4] + HOUR / 2)
    await stored.end(names[5])
    await stored.claim(names[5], names[5], names[5] + stored.length)
    await stored.move(names[6], names[6] + 2 * HOUR, names[6] + 3 * HOUR)
    await stored.end(names[6])
    text = await assert_shown(stored)
    series, instances = events_of(text)
    assert {instance.sequence for instance in instances} == {series.sequence}


async def test_dates_beside_the_rule(database: Connection) -> None:
    """Starts that were left out from the first, one of them restored, and extra ones, one moved and one cancelled."""
    fold = utc("2036-10-26T01:15"), utc("2036-10-26T00:15")  # a quarter past two comes twice that night
    extra = (utc("2036-08-12T20:30"), utc("2036-08-20T04:00"), utc("2036-09-30T04:00"), *fold[::-1])
    excluded = (utc("2036-08-12T07:00"), utc("2036-08-13T07:00"))
    recurrence = recurrence_of(
        "Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY;COUNT=5", extra=extra, excluded=excluded
    )
    stored = await Stored(database, recurrence, None).write()
    await stored.claim(excluded[1], excluded[1], excluded[1] + stored.length)
    await stored.move(extra[1], extra[1] + HOUR, extra[1] + 3 * HOUR)
    await stored.end(extra[2])
    text = await assert_shown(stored)
    series, (moved,) = events_of(text)
    assert instants(series.exdate) == [excluded[0]]
    assert instants(series.rdate) == sorted({extra[0], extra[1], *fold})
    assert b"RDATE:20361026T011500Z" in text, "the second of two equal wall clocks can only be said in UTC"
    assert (named_by(moved), start_of(moved), end_of(moved)) == (extra[1], extra[1] + HOUR, extra[1] + 3 * HOUR)


async def test_a_series_of_dates_without_a_rule(database: Connection) -> None:
    dates = utc("2036-08-11T07:00"), utc("2036-08-20T17:00"), utc("2036-11-20T17:00")
    stored = await Stored(database, recurrence_of("Europe/Berlin", "2036-08-11T09:00", None, extra=dates), None).write()
    assert len(await stored.standing()) == 3
    await assert_shown(stored)
    await stored.end(dates[0])
    series, _ = events_of(await assert_shown(stored))
    assert (start_of(series), instants(series.rdate)) == (dates[1], [dates[2]]), "the first one that is left leads"
    for date in dates[1:]:
        await stored.end(date)
    await assert_shown(stored)


async def test_an_occurrence_that_the_end_of_the_rule_cuts_off_for_calendars(database: Connection) -> None:
    """It begins at the jump, at one o'clock in UTC; calendars move it half an hour behind the jump, and the end."""
    recurrence = recurrence_of("Europe/Berlin", "2036-03-27T02:30", "FREQ=DAILY;UNTIL=20360330T010000Z")
    stored = await Stored(database, recurrence, None).write()
    assert (await stored.standing())[-1][0] == utc("2036-03-30T01:00")
    await assert_shown(stored)


async def test_an_endless_series_that_is_not_stored_yet_keeps_its_clock_for_a_year(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-03-27T02:30", "FREQ=DAILY")
    stored = await Stored(database, recurrence, CREATED).write()
    year = utc("2037-04-20")
    starts = [start for start, _ in expanded(await stored.text(), before=FAR) if start < year]
    assert starts == starts_between(recurrence, CREATED, year)


async def test_what_is_left_of_a_series_that_goes_on_in_another(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=WEEKLY;COUNT=10")
    stored, other = [await Stored(database, recurrence, None).write() for _ in range(2)]
    names = stored.starts
    await stored.move(names[8], names[8] + HOUR, names[8] + 2 * HOUR)
    for name in {*names[5:]} - {names[8]}:
        await stored.end(name, BookingStatus.RESCHEDULED)
    await stored.change(before(recurrence, names[5]), BookingStatus.CONFIRMED, None, successor=other.series)
    text = await assert_shown(stored)
    series, (moved,) = events_of(text)
    assert len(await stored.standing()) == 6
    assert series.rrule is not None
    assert series.rrule.until is not None
    assert named_by(moved) == names[8]
    assert f"RELATED-TO;RELTYPE=SIBLING:{other.series}@firstcome\r\n".encode() in unfolded(text)


async def test_what_has_begun_of_a_cancelled_series_stays(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY")
    stored = await Stored(database, recurrence, utc("2036-10-01")).write()
    names = stored.starts
    await stored.move(names[9], names[2] + HOUR, names[2] + 2 * HOUR)
    for name in {*names[4:]} - {names[9]}:
        await stored.end(name)
    await stored.change(recurrence, BookingStatus.CANCELLED, names[3] + HOUR / 2, reason="No longer needed")
    series, _ = events_of(await assert_shown(stored))
    assert (series.status, series.comment, series.exdate) == ("CONFIRMED", ["No longer needed"], [])
    assert len(await stored.standing()) == 5


async def test_a_counted_series_that_was_over_when_it_was_cancelled(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY;COUNT=5")
    stored = await Stored(database, recurrence, None).write()
    await stored.change(recurrence, BookingStatus.CANCELLED, utc("2037-08-11"))
    series, _ = events_of(await assert_shown(stored))
    assert series.rrule is not None
    assert series.rrule.count == 5


async def test_a_series_of_which_nothing_stands_is_cancelled(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY;COUNT=5")
    stored = await Stored(database, recurrence, None).write()
    for name in stored.starts:
        await stored.end(name)
    await stored.change(recurrence, BookingStatus.CANCELLED, LATER)
    text = await stored.text()
    assert read(text).events[0].status == "CANCELLED"
    assert [start for start, _ in expanded(text, before=FAR)] == stored.starts, "so that it is found and struck out"


async def test_one_occurrence_is_left_of_a_series_that_moved_as_a_whole(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY;COUNT=5")
    stored = await Stored(database, recurrence, None).write()
    names = stored.starts
    await stored.move(names[2], names[2] + HOUR, names[2] + 2 * HOUR)
    for name in {*names} - {names[2]}:
        await stored.end(name, BookingStatus.RESCHEDULED)
    other = await Stored(database, recurrence, None).write()
    await stored.change(recurrence, BookingStatus.RESCHEDULED, LATER, successor=other.series)
    assert len(await stored.standing()) == 1
    series, _ = events_of(await assert_shown(stored))
    assert (series.rrule, series.rdate, series.exdate) == (None, [], [])


async def test_an_occurrence_far_behind_what_is_stored(database: Connection) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY")
    stored = await Stored(database, recurrence, utc("2036-10-01")).write()
    far = utc("4036-07-01T07:00")
    await stored.end(far)
    await stored.move(far + 24 * HOUR, far + 25 * HOUR, far + 26 * HOUR)
    series, (moved,) = events_of(await stored.text())
    assert instants(series.exdate) == [far]
    assert named_by(moved) == far + 24 * HOUR


async def test_of_too_many_exceptions_the_latest_are_told(
    database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.calendars.MAX_DEVIATIONS", 2)
    stored = await Stored(database, recurrence_of("UTC", "2036-08-11T09:00", "FREQ=DAILY;COUNT=5"), None).write()
    for name in stored.starts[1:4]:
        await stored.end(name)
    series, _ = events_of(await stored.text())
    assert instants(series.exdate) == stored.starts[2:4]


RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;BYMONTH=1,12;BYDAY=MO,SU;COUNT=7",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;WKST=SU;UNTIL=20391231T225959Z",
    "FREQ=MONTHLY;BYDAY=-1FR,2MO",
    "FREQ=MONTHLY;BYMONTHDAY=-1,1,15",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,1;COUNT=1000",
    "FREQ=YEARLY;INTERVAL=1000;BYMONTH=11;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=TU",
    "FREQ=YEARLY;BYDAY=20MO,-53SU",
]


@pytest.mark.parametrize("rule", RULES)
async def test_a_rule_comes_back_as_it_went(database: Connection, rule: str) -> None:
    recurrence = recurrence_of("Europe/Berlin", "2036-08-11T09:00", rule)
    stored = Stored(database, recurrence, CREATED)
    stored.resource = await add_resource(database, capacity=1)
    made = NewSeries(stored.series, stored.resource, recurrence, 1, CREATED, "anonymous", 1, uuid4(), CREATED)
    await write_series(database, [made], [], [], [])
    (line,) = re.findall(rb"RRULE:(.*?)\r\n", unfolded(await stored.text()).split(b"END:VTIMEZONE")[1])
    assert parse_rule(line.decode(), zone=ZoneInfo("UTC")) == recurrence.rule
    assert read(await stored.text()).events[0].rrule is not None


async def test_a_calendar_is_the_same_until_something_happens(database: Connection) -> None:
    stored = await Stored(
        database, recurrence_of("Europe/Berlin", "2036-08-11T09:00", "FREQ=DAILY"), CREATED + 400 * 24 * HOUR
    ).write()
    text = await stored.text()
    assert await stored.text() == text
    series, _ = events_of(text)
    assert (series.uid, series.sequence, series.dtstamp, series.created) == (
        f"{stored.series}@firstcome",
        0,
        CREATED,
        CREATED,
    )
    assert series.last_modified == CREATED
    await stored.end(stored.starts[1])
    series, _ = events_of(await stored.text())
    assert (series.uid, series.sequence, series.dtstamp) == (f"{stored.series}@firstcome", 1, LATER)


async def test_a_booking_is_in_utc(database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    booking = await book(database, resource, hours(9, 10.5))
    text = await text_of(database, booking)
    (event,) = read(text).events
    assert (start_of(event), end_of(event)) == (hours(9, 10.5).lower, hours(9, 10.5).upper)
    assert (event.uid, event.sequence, event.status, event.summary) == (f"{booking}@firstcome", 0, "CONFIRMED", "Room")
    assert b"VTIMEZONE" not in text
    assert b"TZID" not in text
    await cancel(database, booking)
    await database.execute("UPDATE booking SET ended_at = created_at + interval '1 hour'")
    (event,) = read(await text_of(database, booking)).events
    assert event.status == "CANCELLED"
    assert event.created is not None
    assert event.dtstamp == event.last_modified == event.created + HOUR


async def test_what_is_shown_of_parts_of_a_second_holds_what_is_booked(database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    during = hours(9, 9 + 0.0004 / 3.6)
    booking = await book(database, resource, during)
    (event,) = read(await text_of(database, booking)).events
    assert (start_of(event), end_of(event)) == (during.lower, MIDNIGHT + 9 * HOUR + timedelta(seconds=1))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
async def test_a_calendar_reaches_to_the_end_of_time(database: Connection, zone: str) -> None:
    end = utc("9999-12-31T23:59:59.999")
    recurrence = recurrence_of(zone, "2036-08-11T09:00", "FREQ=DAILY", excluded=(utc("9999-12-31T19:00"),))
    stored = await Stored(database, recurrence, utc("2036-09-01")).write()
    name = to_utc(wall("9998-12-30T09:00"), ZoneInfo(zone))
    moved = await stored.move(name, end - HOUR, end)
    last = await stored.move(utc("9999-12-31T19:00"), end - 3 * HOUR, end - 2 * HOUR)
    _, (instance,) = events_of(await stored.text())
    assert (named_by(instance), end_of(instance)) == (name, end.replace(microsecond=0))
    for occurrence in (moved, last):
        (event,) = read(await text_of(database, occurrence)).events
        assert start_of(event).year == 9999


async def test_texts_come_back_as_they_were_written(database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    booking = await book(database, resource, hours(9, 10))
    name = 'Saal "Süd"; 1, 2: \\n'
    reason = "Two\r\nlines; and, a \\ back\tslash\x07\x1b " + "ä€😀" * 30 + "\nEND:VCALENDAR\rBEGIN:VEVENT"
    await database.execute("UPDATE resource SET name = $2 WHERE id = $1", resource, name)
    await database.execute(
        "UPDATE booking SET status = 'cancelled', ended_at = now(), cancellation_reason = $2 WHERE id = $1",
        booking,
        reason,
    )
    text = await text_of(database, booking)
    (event,) = read(text).events
    assert event.summary == name
    assert event.comment == ["Two\nlines; and, a \\ back\tslash " + "ä€😀" * 30 + "\nEND:VCALENDAR\nBEGIN:VEVENT"]
    lines = text.split(b"\r\n")
    assert lines[-1] == b""
    assert max(map(len, lines)) <= 75
    assert b"\n" not in text.replace(b"\r\n", b"")
    assert all(line.decode() for line in lines[:-1]), "no character is cut in two"


async def test_a_moved_booking_and_its_successor_name_each_other(database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    old, new = await book(database, resource, hours(9, 10)), await book(database, resource, hours(11, 12))
    await database.execute(
        "UPDATE booking SET status = 'rescheduled', ended_at = now(), rescheduled_to = $2 WHERE id = $1", old, new
    )
    await database.execute("UPDATE booking SET rescheduled_from = $2 WHERE id = $1", new, old)
    for booking, other, status in ((old, new, "CANCELLED"), (new, old, "CONFIRMED")):
        text = await text_of(database, booking)
        assert f"RELATED-TO;RELTYPE=SIBLING:{other}@firstcome\r\n".encode() in unfolded(text)
        assert read(text).events[0].status == status


async def test_an_occurrence_is_the_same_instance_in_its_own_calendar(database: Connection) -> None:
    """Also the one that calendars know by another instant, because its wall clock does not exist."""
    recurrence = recurrence_of("Europe/Berlin", "2036-03-29T02:30", "FREQ=DAILY;COUNT=3")
    stored = await Stored(database, recurrence, None).write()
    for name, said in zip(stored.starts, ("2036-03-29T01:30", "2036-03-30T01:30", "2036-03-31T00:30"), strict=True):
        booking = await stored.move(name, name + HOUR, name + 2 * HOUR)
        (event,) = read(await text_of(database, booking)).events
        _, instances = events_of(await stored.text())
        (same,) = [instance for instance in instances if named_by(instance) == utc(said)]
        assert (event.uid, named_by(event)) == (same.uid, utc(said))
        assert (start_of(event), end_of(event)) == (start_of(same), end_of(same))
        assert event.sequence == same.sequence


ZONES = (
    "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Santiago", "America/Nuuk", "America/St_Johns",
    "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kolkata", "Asia/Jerusalem", "Africa/Cairo", "Africa/Casablanca",
    "Asia/Gaza", "Pacific/Kiritimati",
)  # fmt: skip


@pytest.mark.parametrize("first", [utc("2019-01-15T07:00"), utc("2036-08-11T07:00")])
@pytest.mark.parametrize("zone", ZONES)
def test_a_zone_is_told_as_it_is(zone: str, first: datetime) -> None:
    """At each instant that is told the offset changes as it is told, and on no other day it does."""
    last, known = utc("2037-02-01T09:00"), ZoneInfo(zone)
    changes = told_changes(time_zone(zone, first=first, last=last), until=utc("2100-01-01"))
    for at, (offset_from, offset) in changes.items():
        assert to_local(at, known) - at.replace(tzinfo=None) == offset
        assert to_local(at - SECOND, known) - (at - SECOND).replace(tzinfo=None) == offset_from
    at, instants_told = first, sorted(changes)
    while at.year <= last.year + CYCLE_YEARS:
        since = instants_told[bisect_right(instants_told, at) - 1]
        assert changes[since][1] == to_local(at, known) - at.replace(tzinfo=None), at
        at += 24 * HOUR


def told_changes(zone: Component, *, until: datetime) -> dict[datetime, tuple[timedelta, timedelta]]:
    """By the instants of a VTIMEZONE, the offsets before and from then on (RFC 5545, 3.6.5)."""
    calendar = b"BEGIN:VCALENDAR\r\nPRODID:test\r\nVERSION:2.0\r\n%sEND:VCALENDAR\r\n" % zone.to_ical()
    (told,) = read(calendar).timezones
    found = {}
    for observance in (*told.standard, *told.daylight):
        first = observance.start_datetime
        yearly = observance.rrule.as_rrule(first) if observance.rrule else ()
        for local in (first, *observance.rdate, *takewhile(until.replace(tzinfo=None).__gt__, yearly)):
            assert isinstance(local, datetime)
            at = local.replace(tzinfo=UTC) - observance.tz_offset_from.offset
            found[at] = observance.tz_offset_from.offset, observance.tz_offset_to.offset
    return found


def test_a_change_that_follows_no_rule_is_told_by_date() -> None:
    text = time_zone("Africa/Casablanca", first=utc("2036-08-11T07:00"), last=utc("2036-09-11T07:00")).to_ical()
    assert b"RRULE" not in text
    assert b"RDATE" in text


def test_a_change_that_follows_a_rule_is_told_by_it() -> None:
    text = time_zone("Europe/Berlin", first=utc("2036-08-11T07:00"), last=utc("2036-09-11T07:00")).to_ical()
    assert re.findall(rb"DTSTART:(.*?)\r\nRRULE:(.*?)\r\n", text) == [
        (b"20360330T020000", b"FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"),
        (b"20361026T030000", b"FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10"),
    ]
    assert b"RDATE" not in text


def instants(dates: Sequence[object]) -> list[datetime]:
    return sorted(date.astimezone(UTC) for date in dates if isinstance(date, datetime))


def unfolded(text: bytes) -> bytes:
    return text.replace(b"\r\n ", b"")


async def text_of(database: Connection, booking: UUID) -> bytes:
    found = await find_for_calendar(database, booking)
    assert isinstance(found, CalendarBooking)
    return calendar_text(found)
