"""Doing a damage, and holding what the audit says against what it must say."""

from __future__ import annotations

from engine.verify import verify
from tests.verify.damages import Damage
from tests.verify.history import History, unprotect


async def check_damage(history: History, damage: Damage) -> None:
    """Damage a history: all of the findings must be there, and no other."""
    database = history.connection
    await unprotect(database)
    places = {name: f"'{booking}'" for name, booking in history.bookings.items()}
    places |= {"room": str(history.room), "course": str(history.course)}
    done = await database.execute(damage.statement.format_map(places))
    assert int(done.rpartition(" ")[2]) >= 1, "the damage was not done"

    report = await verify(database)
    names = {booking: name for name, booking in history.bookings.items()}
    found = {
        (v.rule, v.resource_id, tuple(v.tickets), tuple(names.get(booking, "planted") for booking in v.bookings))
        for v in report.violations
    }
    expected = {
        (rule, resource.format(course=history.course), tickets, bookings)
        for rule, resource, tickets, bookings in damage.found
    }
    assert found == expected, f"said besides: {found - expected}, not said: {expected - found}"
    assert not report.clean
    assert {check.rule for check in report.checks if check.broken} == {named[0] for named in damage.found}
    assert sum(check.broken for check in report.checks) == len(damage.found)
