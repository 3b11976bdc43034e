"""Bookings and series as iCalendar (RFC 5545). Pure.

An export is a copy of what stands, not an invitation: it has no METHOD, and DTSTAMP is when what it says became true
(3.8.7.2), so the same state gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from icalendar import Calendar, Event, vRecur

from api.calendar_dates import Dates, dates_of, name_in_calendars
from api.calendar_zones import time_zone
from engine.commands import BookingStatus
from engine.store.calendars import CalendarBooking, CalendarSeries

PRODUCT = "-//firstcome//firstcome//EN"
SECOND = timedelta(seconds=1)
LAST_SECOND = datetime.max.replace(microsecond=0, tzinfo=UTC)
KEPT_CONTROLS = "\n\t"
"""Control characters that a text may have (RFC 5545, 3.1)."""


def calendar_text(found: CalendarBooking | CalendarSeries) -> bytes:
    """Write a booking or a series as a calendar of its own: UTF-8, lines folded at 75 bytes and ended by CRLF."""
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODUCT)
    calendar.add("CALSCALE", "GREGORIAN")
    if isinstance(found, CalendarBooking):
        calendar.add_component(_single(found))
    else:
        _add_series(calendar, found, dates_of(found))
    text: bytes = calendar.to_ical()
    return text


def _single(booking: CalendarBooking) -> Event:
    """A booking, in UTC. An occurrence is the instance of its series that it is in the series' own calendar."""
    stands = booking.status is BookingStatus.CONFIRMED
    parent = booking.parent
    event = _event(booking, booking.booking if parent is None else parent.series, stands=stands)
    if parent is not None:
        named = name_in_calendars(parent.occurrence, start=parent.wall_clock, time_zone=parent.time_zone)
        event.add("RECURRENCE-ID", _whole_second(named))
    else:
        _relate(event, booking.rescheduled_from, booking.rescheduled_to)
    _add_times(event, booking.start_time, booking.end_time)
    return event


def _add_series(calendar: Calendar, series: CalendarSeries, dates: Dates) -> None:
    stands = series.stands or series.status is BookingStatus.CONFIRMED
    event = _event(series, series.series, stands=stands)
    _relate(event, series.rescheduled_from, series.rescheduled_to)
    _add_times(event, dates.first, dates.end)
    if dates.rule is not None:
        event.add("RRULE", vRecur.from_ical(dates.rule.text))
    _add_dates(event, "RDATE", dates.added)
    _add_dates(event, "EXDATE", dates.left_out)
    calendar.add_component(event)
    for each in dates.elsewhere:
        instance = _event(series, series.series, stands=stands)
        instance.add("RECURRENCE-ID", _whole_second(each.named))
        _add_times(instance, each.start_time, each.end_time)
        calendar.add_component(instance)
    for name in sorted(calendar.get_missing_tzids()):
        zone = time_zone(name, first=dates.first.astimezone(UTC), last=dates.reach)
        calendar.subcomponents.insert(0, zone)


def _event(found: CalendarBooking | CalendarSeries, named: UUID, *, stands: bool) -> Event:
    """An event with all but its times."""
    event = Event()
    event.add("UID", _uid(named))
    event.add("DTSTAMP", found.changed_at)
    event.add("CREATED", found.created_at)
    event.add("LAST-MODIFIED", found.changed_at)
    event.add("SEQUENCE", found.version - 1)
    event.add("SUMMARY", _plain(found.resource_name))
    event.add("STATUS", "CONFIRMED" if stands else "CANCELLED")
    if found.cancellation_reason is not None:
        event.add("COMMENT", _plain(found.cancellation_reason))
    return event


def _relate(event: Event, *others: UUID | None) -> None:
    """Name what it was moved from and went over to."""
    for other in others:
        if other is not None:
            event.add("RELATED-TO", _uid(other), parameters={"RELTYPE": "SIBLING"})


def _add_times(event: Event, start: datetime, end: datetime) -> None:
    """Add start and end. A calendar knows whole seconds: what is shown holds what is booked."""
    event.add("DTSTART", _whole_second(start))
    later = SECOND if end.microsecond and end < LAST_SECOND else timedelta()
    event.add("DTEND", _whole_second(end) + later)


def _add_dates(event: Event, name: str, dates: Sequence[datetime]) -> None:
    """Add dates, those on the wall clock and those in UTC apart: a line has one zone."""
    for in_utc in (False, True):
        alike = [_whole_second(each) for each in dates if (each.tzinfo is UTC) is in_utc]
        if alike:
            event.add(name, alike)


def _whole_second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def _uid(named: UUID) -> str:
    """What it is called in every calendar, for ever."""
    return f"{named}@firstcome"


def _plain(text: str) -> str:
    """A text without the characters that iCalendar has no way to write."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(each for each in lines if each in KEPT_CONTROLS or (each >= " " and each != "\x7f"))
