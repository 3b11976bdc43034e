"""The matrix: every route, and who may do what it does.

Who may call an operation at all (anonymous, guest, host, operator, a key with its scope) is said by the operation
(``Operation.access``, ``Operation.scope``) and is the same everywhere. What is left is whose thing it is: that is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from api.access import GUEST, HOST, OPERATOR, Access
from api.openapi import Operation
from tests.accounts.people import PASSWORD
from tests.api.steps import hours
from tests.matrix.world import GUEST_EMAIL, WEEKLY, another_user

PEOPLE = frozenset({"guest", "other_guest", "host", "other_host", "operator"})
KEYS = frozenset({"key", "key_without", "operators_key"})
"""The key of whose thing it is, with the scope; with every other scope; an operator's, not made for others' things."""
CALLERS = frozenset({"anonymous"}) | PEOPLE | KEYS
ROLES = {
    "guest": {GUEST},
    "other_guest": {GUEST},
    "host": {GUEST, HOST},
    "other_host": {GUEST, HOST},
    "operator": {OPERATOR},
    "operators_key": {OPERATOR},
}


@dataclass(frozen=True)
class Whose:
    """Who may do it, and who may see the thing and not do it. To all others it is not there."""

    does: frozenset[str]
    sees: frozenset[str] = frozenset()


EVERYONE = CALLERS
ANYONES = Whose(EVERYONE)
PARTYS = Whose(frozenset({"guest", "host", "operator"}))
"""A booking, read or cancelled: whose it is, whose the resource is or who offers the seat, operators."""
MOVERS = Whose(frozenset({"guest", "operator"}), sees=frozenset({"host"}))
"""A booking that is changed: whose it is, and operators."""
OWN = Whose(frozenset({"guest", "operator"}))
"""What nobody else knows of: requests, people."""
OFFERERS = Whose(frozenset({"host", "operator"}), sees=EVERYONE)
"""What is offered to everyone and changed by who offers it."""
RULERS = Whose(frozenset({"host", "operator"}))
"""The rules by which a host publishes slots."""
NOBODYS = Whose(frozenset(), sees=EVERYONE)
HIDDEN = Whose(frozenset())


@dataclass(frozen=True)
class Row:
    """A route, and whose the thing is that it is about.

    thing    its kind: the maker of it in World. "": it is about none.
    unknown  the code where there is no such thing, and where the caller must not know that there is.
    owner    whose it is.
    body     the body, from the thing's id.
    query    the query, from the thing's id.
    but      who is answered with another code.
    last     whoever does it does nothing after it: it is done by somebody new.
    """

    route: str
    whose: Whose = ANYONES
    thing: str = ""
    unknown: str = ""
    owner: str = "guest"
    body: Callable[[str], Any] | None = None
    query: Callable[[str], str] | None = None
    but: dict[str, str] = field(default_factory=dict)
    last: bool = False


def expected(row: Row, operation: Operation, caller: str, *, missing: bool) -> str | None:
    """The code of the problem that somebody is answered with, or None: it is done."""
    if operation.access is not Access.PUBLIC:
        if caller == "anonymous":
            return "sign_in_required"
        if caller in KEYS and (operation.scope is None or caller == "key_without"):
            return "scope_missing"
        roles = ROLES[row.owner if caller in {"key", "key_without"} else caller]
        needed = {Access.HOST: {HOST, OPERATOR}, Access.OPERATOR: {OPERATOR}}.get(operation.access, roles)
        if not needed & roles:
            return "role_required"
    if missing:
        return row.unknown
    who = row.owner if caller == "key" else caller
    if who in row.but:
        return row.but[who]
    if who in row.whose.does:
        return None
    return "not_yours" if who in row.whose.sees else row.unknown


_numbers = count()


def _times(_: str) -> dict[str, str]:
    """An hour that no other request names."""
    return hours(10_000 + 2 * next(_numbers))


def _booking(resource_id: str) -> dict[str, str]:
    return {"resource_id": resource_id, **_times("")}


_AUTUMN = "start_date=2036-08-01&end_date=2036-09-30"
_BOOKINGS = "/bookings/{booking_id}"
_OCCURRENCES = "/bookings/{booking_id}/occurrences"

ROWS = [
    # resources
    Row("GET /resources"),
    Row("POST /resources", owner="host", body=lambda _: {"name": "Room"}),
    Row("GET /resources/{resource_id}", ANYONES, "resource", "resource_unknown", "host"),
    Row("GET /resources/{resource_id}", ANYONES, "calendar", "resource_unknown", "host"),
    Row("GET /resources/{resource_id}", HIDDEN, "event_resource", "resource_unknown", "host"),
    Row("GET /resources/{resource_id}/ledger", ANYONES, "resource", "resource_unknown", "host"),
    Row("PATCH /resources/{resource_id}", OFFERERS, "resource", "resource_unknown", "host", lambda _: {"name": "Hall"}),
    Row("PATCH /resources/{resource_id}", NOBODYS, "calendar", "resource_unknown", "host", lambda _: {"name": "Hall"}),
    Row(
        "PATCH /resources/{resource_id}",
        HIDDEN,
        "event_resource",
        "resource_unknown",
        "host",
        lambda _: {"capacity": 1},
    ),
    Row(
        "GET /availability",
        ANYONES,
        "resource",
        "resource_unknown",
        query=lambda resource_id: f"resource_id={resource_id}&start_date=2036-08-11&end_date=2036-08-12",
    ),
    Row(
        "POST /recurrence/preview",
        ANYONES,
        "resource",
        "resource_unknown",
        body=lambda resource_id: _booking(resource_id) | {"recurrence_rule": WEEKLY},
    ),
    # bookings
    Row("GET /bookings"),
    Row("POST /bookings", ANYONES, "resource", "resource_unknown", body=_booking),
    Row(
        "POST /bookings",
        Whose(frozenset({"host"}), sees=EVERYONE),
        "calendar",
        "resource_unknown",
        "host",
        _booking,
    ),
    Row("POST /bookings", HIDDEN, "event_resource", "resource_unknown", body=_booking),
    Row(
        "POST /bookings",
        ANYONES,
        "slot",
        "slot_unknown",
        body=lambda slot_id: {"slot_id": slot_id},
        but={"host": "own_slot"},
    ),
    Row("POST /bookings", ANYONES, "event", "event_unknown", body=lambda event_id: {"event_id": event_id}),
    Row("POST /bookings/reserve", ANYONES, "event", "event_unknown", body=lambda event_id: {"event_id": event_id}),
    *(
        Row(route, PARTYS, thing, "booking_unknown")
        for route in (f"GET {_BOOKINGS}", f"GET {_BOOKINGS}.ics", f"GET {_BOOKINGS}/timeline")
        for thing in ("booking", "series", "seat")
    ),
    *(
        Row(route, PARTYS, thing, "booking_unknown")
        for route in (f"DELETE {_BOOKINGS}", f"POST {_BOOKINGS}/cancel")
        for thing in ("booking", "series", "seat")
    ),
    Row(f"PUT {_BOOKINGS}/reschedule", MOVERS, "booking", "booking_unknown", body=_times),
    Row(f"GET {_OCCURRENCES}", PARTYS, "series", "booking_unknown", query=lambda _: _AUTUMN),
    Row(f"DELETE {_OCCURRENCES}/{{start}}", PARTYS, "series", "booking_unknown"),
    Row(f"PUT {_OCCURRENCES}/{{start}}", MOVERS, "series", "booking_unknown", body=_times),
    Row(f"POST {_OCCURRENCES}/{{start}}/restore", MOVERS, "series", "booking_unknown"),
    # requests
    Row("GET /requests/{request_id}", OWN, "request", "request_unknown"),
    Row("GET /requests/{request_id}/receipt", OWN, "request", "request_unknown"),
    Row("DELETE /requests/{request_id}", OWN, "request", "request_unknown"),
    # slots and events
    Row("GET /slots"),
    Row("GET /slots/host", owner="host"),
    Row("GET /slots/rules", owner="host"),
    Row("POST /slots", owner="host", body=_times),
    Row("POST /slots/bulk", owner="host", body=lambda _: _times("") | {"slot_minutes": 60}),
    Row("GET /slots/{slot_id}", ANYONES, "slot", "slot_unknown"),
    Row("DELETE /slots/{slot_id}", OFFERERS, "slot", "slot_unknown", "host"),
    Row("DELETE /slots/rules/{rule_id}", RULERS, "rule", "slot_rule_unknown", "host"),
    Row("GET /events"),
    Row("POST /events", owner="host", body=lambda _: {"name": "Open day", "total_seats": 20}),
    Row("GET /events/{event_id}", ANYONES, "event", "event_unknown"),
    Row("PATCH /events/{event_id}", OFFERERS, "event", "event_unknown", "host", lambda _: {"total_seats": 30}),
    # people
    Row("POST /users", body=lambda _: another_user()),
    Row("GET /users/me"),
    Row("GET /users/{user_id}", OWN, "user", "user_unknown"),
    Row("GET /users/{user_id}/bookings", OWN, "user", "user_unknown"),
    Row("GET /users/me/api-keys"),
    Row("POST /users/me/api-keys", body=lambda _: {"scopes": ["bookings:read"]}),
    Row("DELETE /users/me/api-keys/{api_key_id}", Whose(frozenset({"guest"})), "api_key", "api_key_unknown"),
    Row("GET /users/me/export"),
    Row("DELETE /users/me", body=lambda _: {"password": PASSWORD}, last=True),
    Row("DELETE /users/{user_id}", ANYONES, "newcomer", "user_unknown", "operator"),
    Row("POST /login", body=lambda _: {"email": GUEST_EMAIL, "password": PASSWORD}),
    Row("POST /token/refresh", ANYONES, "session", "invalid_token", body=lambda token: {"refresh_token": token}),
    Row("POST /logout", ANYONES, "session", body=lambda token: {"refresh_token": token}),
    # operators
    Row("GET /admin/audit", owner="operator"),
    Row("GET /admin/analytics", owner="operator", query=lambda _: _AUTUMN),
    Row("GET /admin/analytics/export", owner="operator", query=lambda _: _AUTUMN),
    # what needs no sign-in
    Row("GET /keys"),
    Row("GET /health/live"),
    Row("GET /health/ready"),
]
PAGES = {
    "GET /openapi.json",
    "GET /docs",
    "GET /docs/problems/{code}",
    "GET /docs/page.js",
    "GET /docs/page.css",
    "GET /",
}
