"""Time zones for calendars (VTIMEZONE): when the offset of a zone changes, as far as a series needs it. Pure.

A change that comes back every year on the same weekday of the same month is written as a rule, as the zone's own rule
goes on, too; any other one as a date.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

from engine.rules.recurrence_rule import WEEKDAYS
from engine.rules.zone_days import EPOCH, changes_between

CYCLE_YEARS = 28
"""So many years are told behind the last start that is known of a series. After them dates fall on the same weekdays
again: what held for all of them is a rule."""
WEEK = 7


class Kind(NamedTuple):
    """Changes that are alike."""

    offset_from: timedelta
    offset: timedelta
    name: str
    daylight: bool


class Change(NamedTuple):
    """A change of the offset.

    local  when it comes, on a clock that is not changed (RFC 5545, 3.6.5).
    """

    local: datetime
    kind: Kind


def time_zone(name: str, *, first: datetime, last: datetime) -> Timezone:
    """Describe a zone from one instant on to CYCLE_YEARS after another, and on where its changes follow a rule."""
    component = Timezone()
    component.add("TZID", name)
    by_kind: dict[Kind, list[datetime]] = {}
    for change in _changes(ZoneInfo(name), first, datetime(last.year + CYCLE_YEARS + 1, 1, 1, tzinfo=UTC)):
        by_kind.setdefault(change.kind, []).append(change.local)
    for kind, all_of_kind in by_kind.items():
        yearly = _yearly(all_of_kind, last.year + CYCLE_YEARS)
        if single := all_of_kind[: len(all_of_kind) - len(yearly)]:
            component.add_component(_observance(kind, single))
        if yearly:
            component.add_component(_observance(kind, yearly[:1], rule=_rule(yearly)))
    return component


def _changes(zone: ZoneInfo, first: datetime, behind: datetime) -> Iterator[Change]:
    """The changes before ``behind``, from the last one that still counts at ``first``."""
    known = changes_between(zone.key, first.toordinal(), behind.toordinal())
    found = [(EPOCH + timedelta(seconds=instant), timedelta(seconds=offset)) for instant, offset in known]
    offsets = [found[0][1], *(offset for _, offset in found)]
    counts = max(index for index, (instant, _) in enumerate(found) if instant <= first)
    for (instant, offset), offset_from in list(zip(found, offsets, strict=False))[counts:]:
        if instant < behind:
            shown = instant.astimezone(zone)
            kind = Kind(offset_from, offset, shown.tzname() or "", bool(shown.dst()))
            yield Change((instant + offset_from).replace(tzinfo=None), kind)


def _yearly(changes: list[datetime], last_year: int) -> list[datetime]:
    """The last changes, where they came back each year, on one weekday within the same seven days of a month.

    Returns none of them where that ended before ``last_year``, or did not last for a whole cycle of weekdays.
    """
    found: list[datetime] = []
    for change in reversed(changes):
        days = [change.day, *(later.day for later in found)]
        if _place_in_year(change) != (last_year - len(found), *_place_in_year(changes[-1])[1:]):
            break
        if max(days) - min(days) >= WEEK:
            break
        found.insert(0, change)
    return found if len(found) >= CYCLE_YEARS else []


def _place_in_year(change: datetime) -> tuple[int, int, int, time]:
    return change.year, change.month, change.weekday(), change.time()


def _rule(yearly: list[datetime]) -> vRecur:
    """The rule of changes that come back every year."""
    weekday = WEEKDAYS[yearly[0].weekday()]
    rule = vRecur({"FREQ": "YEARLY", "BYMONTH": yearly[0].month, "BYDAY": weekday})
    if common := set.intersection(*(_places_in_month(change) for change in yearly)):
        rule["BYDAY"] = f"{min(common)}{weekday}"
    else:
        days = [change.day for change in yearly]
        rule["BYMONTHDAY"] = list(range(min(days), max(days) + 1))
    return rule


def _places_in_month(change: datetime) -> set[int]:
    """Which of its weekday in the month it is: counted from the start, and -1 where it is the last."""
    last = (change + timedelta(days=WEEK)).month != change.month
    return {(change.day - 1) // WEEK + 1, *([-1] if last else [])}


def _observance(
    kind: Kind, changes: list[datetime], *, rule: vRecur | None = None
) -> TimezoneStandard | TimezoneDaylight:
    """Describe changes of one kind.

    rule  by which the first of them comes back.
    """
    component = TimezoneDaylight() if kind.daylight else TimezoneStandard()
    component.add("DTSTART", changes[0])
    component.add("TZOFFSETFROM", kind.offset_from)
    component.add("TZOFFSETTO", kind.offset)
    component.add("TZNAME", kind.name)
    if rule is not None:
        component.add("RRULE", rule)
    elif len(changes) > 1:
        component.add("RDATE", changes[1:])
    return component
