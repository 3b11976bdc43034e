"""Which recurring bookings are checked on the event loop, and which in a thread."""

from __future__ import annotations

import json

import pytest

from api.bodies import NEW_BOOKING
from api.recurrence import SHORT, is_short
from tests.api.steps import hours

DATES = [f"2037-01-{day:02}T09:00:00Z" for day in range(1, 29)]


def short(**wish: object) -> bool:
    body = json.dumps({"resource_id": "room", **hours(0), **wish}).encode()
    return is_short(NEW_BOOKING.decode(body), "Europe/Berlin")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;COUNT=5", True),
        (f"FREQ=DAILY;COUNT={SHORT}", True),
        (f"FREQ=DAILY;COUNT={SHORT + 1}", False),
        ("FREQ=WEEKLY;INTERVAL=9;BYDAY=MO,FR;WKST=SU;COUNT=12", True),
        ("FREQ=WEEKLY", False),
        ("FREQ=DAILY;UNTIL=20360820T000000Z", False),
        ("FREQ=MONTHLY;COUNT=2", False),
        ("FREQ=YEARLY;COUNT=2", False),
        ("FREQ=DAILY;BYMONTH=1;COUNT=2", False),
        ("FREQ=DAILY;BYMONTHDAY=13;COUNT=2", False),
        ("FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=2;COUNT=2", False),
    ],
)
def test_only_a_few_days_or_weeks_that_follow_each_other_are_short(rule: str, *, expected: bool) -> None:
    assert short(recurrence_rule=rule) is expected


def test_dates_count_as_occurrences() -> None:
    assert short(rdates=DATES)
    assert short(recurrence_rule="FREQ=WEEKLY;COUNT=2", rdates=DATES[:14], exdates=DATES[14:])
    assert not short(recurrence_rule="FREQ=WEEKLY;COUNT=3", rdates=DATES[:14], exdates=DATES[14:])
