"""Calendars read as their receivers read them, by another library than the one that writes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile

from ical.calendar import Calendar
from ical.calendar_stream import IcsCalendarStream
from ical.event import Event
from ical.types import RecurrenceId

Interval = tuple[datetime, datetime]


def read(text: bytes) -> Calendar:
    """Read a calendar. What it holds is checked on the way."""
    return IcsCalendarStream.calendar_from_ics(text.decode("utf-8"))


def events_of(text: bytes) -> tuple[Event, list[Event]]:
    """The event of a series, and its occurrences that stand by themselves."""
    events = read(text).events
    (series,) = [event for event in events if event.recurrence_id is None]
    assert {event.uid for event in events} == {series.uid}
    return series, [event for event in events if event.recurrence_id is not None]


def expanded(text: bytes, *, before: datetime) -> list[Interval]:
    """When the occurrences of a series take place, those that start by their rule before an instant, in order.

    Each occurrence that stands by itself must take the place of one that the rule gives: a calendar that does not
    know it, because it was added later, would show the other.
    """
    series, instances = events_of(text)
    length = end_of(series) - start_of(series)
    found = {start: (start, start + length) for start in takewhile(lambda start: start < before, _starts(series))}
    for instance in instances:
        named = named_by(instance)
        assert named in found, f"no occurrence is called {named}"
        found[named] = start_of(instance), end_of(instance)
    return sorted(found.values())


def start_of(event: Event) -> datetime:
    assert isinstance(event.dtstart, datetime)
    return event.dtstart.astimezone(UTC)


def end_of(event: Event) -> datetime:
    assert isinstance(event.dtend, datetime)
    return event.dtend.astimezone(UTC)


def named_by(instance: Event) -> datetime:
    """The instant that RECURRENCE-ID says."""
    assert instance.recurrence_id is not None
    said = RecurrenceId.to_value(instance.recurrence_id)
    assert isinstance(said, datetime)
    return said.replace(tzinfo=said.tzinfo or instance.recurrence_id.tzinfo).astimezone(UTC)


def _starts(series: Event) -> Iterator[datetime]:
    """The starts, in order. DTSTART is the first of them (RFC 5545, 3.8.5.3), which the library leaves to the rule."""
    if series.rrule is None and series.dtstart not in series.exdate:
        yield start_of(series)
    for start in series.as_rrule() or ():
        assert isinstance(start, datetime)
        yield start.astimezone(UTC)
