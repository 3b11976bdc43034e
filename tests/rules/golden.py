"""Golden data of the recurrence tests, as readable files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
NINE = time(9)


@dataclass(frozen=True)
class Change:
    """Three daily occurrences around a change of the clock."""

    zone: str
    start: datetime
    instants: list[datetime] = field(hash=False)

    def __str__(self) -> str:
        return f"{self.zone} {self.start:%Y-%m-%dT%H:%M}"


@dataclass
class Expansion:
    """A rule and the first days that it gives.

    goes_on  whether there are more behind them.
    """

    zone: str
    first: date
    rule: str
    days: list[date] = field(default_factory=list)
    goes_on: bool = False

    def __str__(self) -> str:
        return f"{self.rule} from {self.first}"

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, NINE)


@cache
def clock_changes() -> list[Change]:
    """The days of daylight_saving.txt."""
    return [
        Change(zone, datetime.fromisoformat(start), [datetime.fromisoformat(instant) for instant in instants])
        for zone, start, *instants in map(str.split, _lines("daylight_saving.txt"))
    ]


@cache
def expansions() -> list[Expansion]:
    """The rules of expansions.txt."""
    zone, found = "UTC", []
    for line in _lines("expansions.txt"):
        head, *rest = line.split()
        if head == "zone":
            (zone,) = rest
        elif rest and rest[0].startswith("FREQ"):
            found.append(Expansion(zone, date.fromisoformat(head), rest[0]))
        else:
            found[-1].days += [date.fromisoformat(day) for day in line.split() if day != "..."]
            found[-1].goes_on = line.endswith("...")
    return found


def _lines(name: str) -> Iterator[str]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return (line for line in text.splitlines() if line and not line.startswith("#"))
