"""What a recurrence rule may say, and how its text is read (RFC 5545, 3.3.10). Pure.

A rule comes from strangers: it is split, and each part is read by a reader of its own that knows its bounds. What no
reader takes is refused by name. The text itself is never matched and never handed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from engine.rules.wall_clock import to_utc

MAX_TEXT = 1_000
"""Characters of a rule, its prefix included."""
MAX_INTERVAL = 1_000
MAX_COUNT = 1_000
"""Occurrences of a finite series."""
MAX_WEEKDAY_NUMBER = 53
"""The highest n in BYDAY=nMO: a year has no more of one weekday."""
MAX_PART = 60
"""Characters of a refused part that are quoted."""
RULES = 1_024
"""How many stored rules, and how many texts of rules, are kept: some 2 KB each."""
STRANGERS_RULES = 256
"""How many of those that were sent are kept: each is read two or three times on its way."""

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""Monday is 0, as ``date.weekday`` has it."""
PREFIX = "RRULE:"


class Frequency(StrEnum):
    """The periods that a rule may count in. RFC 5545 knows finer ones, which nobody books."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class RuleFault(StrEnum):
    """What is wrong with a recurrence."""

    INVALID_RRULE = "invalid_rrule"
    """It cannot be read, or it asks for what never comes."""
    RRULE_TOO_EXPENSIVE = "rrule_too_expensive"
    """Too many days would have to be looked at to find its occurrences."""
    RRULE_TOO_LONG = "rrule_too_long"
    """It is finite, but has too many occurrences or ends too late."""
    UNSUPPORTED_RSCALE = "unsupported_rscale"
    """It counts in another calendar than the Gregorian (RFC 7529)."""
    SERIES_OVERLAPS_ITSELF = "series_overlaps_itself"
    """Two of its occurrences share an instant."""
    NO_OCCURRENCES = "no_occurrences"
    """Nothing is left of it."""


class RuleError(Exception):
    """A recurrence that is refused.

    part    what is to blame, quoted: printable, MAX_PART characters at most.
    detail  a sentence for whoever sent it.
    """

    def __init__(self, code: RuleFault, part: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.part = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in part)
        self.part = self.part[:MAX_PART]
        self.detail = detail


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """A checked rule. Lists are ascending and name nothing twice.

    interval         1 to MAX_INTERVAL periods from one to the next.
    by_day           pairs (n, weekday): the n-th of the period, from its end where n < 0, each one where it is 0.
                     n is 0 but for MONTHLY and YEARLY.
    by_month_day     1 to 31, or -31 to -1 from the month's end; never with WEEKLY.
    by_set_position  1 to 366, or -366 to -1 from the end: which of the days of a period count. Beside another list.
    week_start       the weekday on which a week begins.
    count            1 to MAX_COUNT occurrences, those before the first included never; None: as many as come.
    until            UTC: no occurrence starts behind it. Never beside a count.
    """

    frequency: Frequency
    interval: int = 1
    by_day: tuple[tuple[int, int], ...] = ()
    by_month: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_set_position: tuple[int, ...] = ()
    week_start: int = 0
    count: int | None = None
    until: datetime | None = None

    @property
    def infinite(self) -> bool:
        """Whether it never ends."""
        return self.count is None and self.until is None

    @property
    def text(self) -> str:
        """The rule as RFC 5545 writes it: upper case, parts in a fixed order, defaults left out."""
        return _text_of(self)

    def implied_by(self, start: date) -> Rule:
        """The same rule with all that the series' first day implies written into it.

        Source: RFC 5545, 3.3.10: what a rule leaves open is taken from DTSTART. The table: a rule that names neither
        weekdays nor days of the month means those of the start.
        """
        if self.by_day or self.by_month_day or self.frequency is Frequency.DAILY:
            return self
        if self.frequency is Frequency.WEEKLY:
            return msgspec.structs.replace(self, by_day=((0, start.weekday()),))
        months = self.by_month
        if self.frequency is Frequency.YEARLY and not months:
            months = (start.month,)
        return msgspec.structs.replace(self, by_month=months, by_month_day=(start.day,))


@lru_cache(maxsize=RULES)
def _text_of(rule: Rule) -> str:
    parts = [
        ("FREQ", rule.frequency.value),
        ("INTERVAL", "" if rule.interval == 1 else str(rule.interval)),
        ("BYMONTH", _listed(rule.by_month)),
        ("BYMONTHDAY", _listed(rule.by_month_day)),
        ("BYDAY", ",".join(f"{number or ''}{WEEKDAYS[weekday]}" for number, weekday in rule.by_day)),
        ("BYSETPOS", _listed(rule.by_set_position)),
        ("WKST", WEEKDAYS[rule.week_start] if rule.week_start else ""),
        ("COUNT", "" if rule.count is None else str(rule.count)),
        ("UNTIL", "" if rule.until is None else utc_text(rule.until)),
    ]
    return ";".join(f"{name}={value}" for name, value in parts if value)


@lru_cache(maxsize=STRANGERS_RULES)
def parse_rule(text: str, *, zone: ZoneInfo) -> Rule:
    """Read a stranger's rule.

    text  with or without ``RRULE:``, in upper or lower case, MAX_TEXT characters at most.
    zone  the rule's wall clock: an UNTIL without ``Z`` is a time there, and one without a time means the whole day.

    Raises RuleError, which quotes the part that is to blame.
    Source: RFC 5545, 3.3.10; RFC 7529 for RSCALE and SKIP.
    """
    if len(text) > MAX_TEXT:
        raise _invalid(text, f"A rule has at most {MAX_TEXT:,} characters.")
    return _read(text, zone)


@lru_cache(maxsize=RULES)
def rule_of(text: str) -> Rule:
    """The rule of which ``Rule.text`` is the text: what was stored is read again, however long it became."""
    return _read(text, ZoneInfo("UTC"))


def utc_text(instant: datetime) -> str:
    """An instant as RFC 5545 writes it in UTC, to the second: ``20260810T090000Z``."""
    at = instant.astimezone(UTC)
    return f"{at.year:04}{at.month:02}{at.day:02}T{at.hour:02}{at.minute:02}{at.second:02}Z"


def _read(text: str, zone: ZoneInfo) -> Rule:
    parts = _split(text)
    _check_scale(parts)
    if "FREQ" not in parts:
        raise _invalid(text, "A rule says FREQ=DAILY, WEEKLY, MONTHLY or YEARLY.")
    said = {field: read(parts[name]) for name, (field, read) in _READERS.items() if name in parts}
    if "UNTIL" in parts:
        said["until"] = _until(parts["UNTIL"], zone)
    rule = Rule(**said)
    _check_together(rule, parts)
    return rule


def _split(text: str) -> dict[str, str]:
    """The parts by name, each as it was written. None comes twice, none is unknown."""
    body = text[len(PREFIX) :] if text[: len(PREFIX)].upper() == PREFIX else text
    parts: dict[str, str] = {}
    for part in body.split(";"):
        name, _, value = part.partition("=")
        if not (part.isascii() and part.isprintable()):
            raise _invalid(part, "A rule is written in plain printable characters.")
        if not value:
            raise _invalid(part, "A rule is a list of NAME=VALUE, with a semicolon between two.")
        if name.upper() not in _KNOWN:
            raise _invalid(part, f"Of the parts of RFC 5545 a rule may have: {', '.join(_KNOWN)}.")
        if name.upper() in parts:
            raise _invalid(part, "A rule says each part once.")
        parts[name.upper()] = part
    return parts


def _check_scale(parts: Mapping[str, str]) -> None:
    """Refuse calendars and ways of skipping that are not the plain ones (RFC 7529)."""
    for name, plain in (("RSCALE", "GREGORIAN"), ("SKIP", "OMIT")):
        if name in parts and _value(parts[name]) != plain:
            raise RuleError(RuleFault.UNSUPPORTED_RSCALE, parts[name], f"{name} can only be {plain}.")


def _check_together(rule: Rule, parts: Mapping[str, str]) -> None:
    """Refuse parts that RFC 5545 does not allow beside each other."""
    if rule.count is not None and rule.until is not None:
        raise _invalid(f"{parts['COUNT']};{parts['UNTIL']}", "A rule ends by COUNT or by UNTIL, not by both.")
    if rule.frequency is Frequency.WEEKLY and rule.by_month_day:
        raise _invalid(parts["BYMONTHDAY"], "A weekly rule has no days of the month.")
    periods_of_weeks = rule.frequency in (Frequency.MONTHLY, Frequency.YEARLY)
    if not periods_of_weeks and any(number for number, _ in rule.by_day):
        raise _invalid(parts["BYDAY"], "Only a monthly or yearly rule can number its weekdays.")
    if rule.by_set_position and not (rule.by_day or rule.by_month or rule.by_month_day):
        raise _invalid(parts["BYSETPOS"], "BYSETPOS chooses among the days of another BY part, and there is none.")


def _frequency(part: str) -> Frequency:
    try:
        return Frequency(_value(part))
    except ValueError:
        raise _invalid(part, "FREQ is DAILY, WEEKLY, MONTHLY or YEARLY.") from None


def _interval(part: str) -> int:
    return _number(part, _value(part), lowest=1, highest=MAX_INTERVAL)


def _count(part: str) -> int:
    value = _value(part)
    if value.isdigit() and int(value) > MAX_COUNT:
        raise RuleError(RuleFault.RRULE_TOO_LONG, part, f"A finite series has at most {MAX_COUNT:,} occurrences.")
    return _number(part, value, lowest=1, highest=MAX_COUNT)


def _numbers(*, highest: int, signed: bool) -> Callable[[str], tuple[int, ...]]:
    """A reader of lists: 1 to ``highest``, and the same below zero where they are signed."""

    def read(part: str) -> tuple[int, ...]:
        lowest = -highest if signed else 1
        values = _value(part).split(",")
        return tuple(sorted({_number(part, value, lowest=lowest, highest=highest) for value in values}))

    return read


def _number(part: str, value: str, *, lowest: int, highest: int) -> int:
    """A whole number other than 0. A sign is allowed where numbers below 0 are."""
    pattern = r"[+-]?[0-9]{1,9}" if lowest < 0 else r"[0-9]{1,9}"
    if not re.fullmatch(pattern, value) or not lowest <= int(value) <= highest or int(value) == 0:
        below = f"{lowest} to -1, or " if lowest < 0 else ""
        raise _invalid(part, f"{_name(part)} takes whole numbers, {below}1 to {highest:,}.")
    return int(value)


def _weekdays(part: str) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({_numbered_weekday(part, value) for value in _value(part).split(",")}))


def _numbered_weekday(part: str, value: str) -> tuple[int, int]:
    number, weekday = value[:-2], value[-2:]
    if weekday not in WEEKDAYS:
        raise _invalid(part, f"BYDAY takes {', '.join(WEEKDAYS)}, and with a number before them.")
    counted = _number(part, number, lowest=-MAX_WEEKDAY_NUMBER, highest=MAX_WEEKDAY_NUMBER) if number else 0
    return counted, WEEKDAYS.index(weekday)


def _week_start(part: str) -> int:
    if _value(part) not in WEEKDAYS:
        raise _invalid(part, f"WKST is one of {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(_value(part))


def _until(part: str, zone: ZoneInfo) -> datetime:
    """The last instant at which an occurrence may start, in UTC."""
    value = _value(part)
    refused = _invalid(part, "UNTIL is a date, 20261231, or a time, 20261231T225959 or 20261231T225959Z.")
    if not re.fullmatch(r"[0-9]{8}(T[0-9]{6}Z?)?", value):
        raise refused
    try:
        if len(value) == len("20261231"):
            return _end_of_day(datetime.strptime(value, "%Y%m%d"), zone)  # noqa: DTZ007  # a wall clock has no zone
        said = datetime.strptime(value[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  # as above
        return said.replace(tzinfo=UTC) if value.endswith("Z") else to_utc(said, zone)
    except (ValueError, OverflowError):  # no day or time of the calendar, or too near to its ends
        raise refused from None


def _end_of_day(midnight: datetime, zone: ZoneInfo) -> datetime:
    """The last second of a day: one before the next day begins, as 23:59:59 itself may not exist (Nuuk in March)."""
    return to_utc(midnight + timedelta(days=1), zone) - timedelta(seconds=1)


def _name(part: str) -> str:
    return part.partition("=")[0].upper()


def _value(part: str) -> str:
    return part.partition("=")[2].upper()


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(str(number) for number in numbers)


def _invalid(part: str, detail: str) -> RuleError:
    return RuleError(RuleFault.INVALID_RRULE, part, detail)


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", _interval),
    "BYMONTH": ("by_month", _numbers(highest=12, signed=False)),
    "BYMONTHDAY": ("by_month_day", _numbers(highest=31, signed=True)),
    "BYDAY": ("by_day", _weekdays),
    "BYSETPOS": ("by_set_position", _numbers(highest=366, signed=True)),
    "WKST": ("week_start", _week_start),
    "COUNT": ("count", _count),
}
"""For each part its field and its reader."""
_KNOWN = (*_READERS, "UNTIL", "RSCALE", "SKIP")
