"""What callers do: what each asks for next, and what it makes of an answer. No I/O and no clock.

Whoever carries requests, locust or the light generator, asks a ``Caller`` for the next one and lets it hear the
answer. So a profile is the same whoever makes its load.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from loadtest.record import CONFIRMED, QUEUED, Entry

BOOK, SERIES, CANCEL, MOVE, READ = "book", "series", "cancel", "move", "availability"
ANSWERS: Mapping[str, frozenset[int]] = {
    BOOK: frozenset({201, 409}),
    SERIES: frozenset({201, 409}),
    CANCEL: frozenset({200}),
    MOVE: frozenset({200, 409}),
    READ: frozenset({200}),
}
"""What each operation may be answered with; anything else is an error."""
BOOKINGS = "/api/v1/bookings"
RESOURCES = "/api/v1/resources"
AVAILABILITY = "/api/v1/availability"
ANONYMOUS = "anonymous"
FIRST = datetime(2061, 1, 3, tzinfo=UTC)
"""A Monday, at which the first time begins that is booked."""
LENGTH = timedelta(minutes=30)
HOUR = timedelta(hours=1)
SERIES_LENGTH = timedelta(minutes=5)
SERIES_PACE = timedelta(minutes=10)
SERIES_A_WEEK = timedelta(weeks=1) // SERIES_PACE
SERIES_RULE = "FREQ=WEEKLY;COUNT=5"
SERIES_WEEKS = 5
STRIDE = 7919
"""Prime to the number of rooms: times that follow each other lie in rooms that are far apart."""
WINDOW = timedelta(days=7)
KEYED = 0.1
"""This share of bookings has an idempotency key,"""
RETRIED = 0.2
"""and this share of those is sent again, as by a caller who lost the answer."""


class Ask(NamedTuple):
    """A request to be sent.

    seen  ticket of the version that a reader brings.
    own   a time that must not be shown as free.
    """

    operation: str
    method: str
    path: str
    resource: str
    body: bytes | None = None
    key: str | None = None
    seen: int | None = None
    own: tuple[str, str] | None = None
    label: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Its headers."""
        headers = {"content-type": "application/json"} if self.body is not None else {}
        if self.key is not None:
            headers["idempotency-key"] = self.key
        if self.seen is not None:
            headers["firstcome-seen"] = f"{quote(self.resource)}:{self.seen}"
        return headers


class Heard(NamedTuple):
    """An answer, as whoever carried it took it apart. ``seen`` is the header ``Firstcome-Seen``."""

    status: int
    body: bytes
    seen: str | None = None
    request_id: str | None = None
    replayed: bool = False


class _Told(msgspec.Struct):
    """What is read of a body."""

    booking_id: str | None = None
    code: str | None = None
    ticket: int | None = None
    request_id: str | None = None


class _Slot(msgspec.Struct):
    start_time: str
    end_time: str


class _Free(msgspec.Struct):
    available_slots: list[_Slot]


_told = msgspec.json.Decoder(_Told)
_free = msgspec.json.Decoder(_Free)


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What callers of a profile do.

    weights  how often each operation, in relation to the others.
    fresh    this share of bookings is of a time that nobody had asked for.
    think_s  between an answer and the next request: least and most.
    """

    weights: dict[str, float]
    fresh: float
    think_s: tuple[float, float]


@dataclass
class Times:
    """The times of a run, shared by all its callers, so that a fresh one is fresh.

    prefix  begins the names of all resources of the run.
    """

    prefix: str
    rooms: int
    singles: int = 0
    series: int = 0

    def fresh(self) -> tuple[str, datetime]:
        """A time for which nobody asked before: resource and start."""
        self.singles += 1
        return self.single(self.singles - 1)

    def single(self, number: int) -> tuple[str, datetime]:
        """The time with this number."""
        room, hour = number * STRIDE % self.rooms, number // self.rooms
        return room_name(self.prefix, room), FIRST + hour * HOUR

    def fresh_series(self) -> tuple[str, datetime]:
        """Where a series of five weeks meets no other."""
        number = self.series
        self.series += 1
        room, place = number % self.rooms, number // self.rooms
        weeks, pace = divmod(place, SERIES_A_WEEK)
        return series_name(self.prefix, room), FIRST + SERIES_WEEKS * weeks * timedelta(weeks=1) + pace * SERIES_PACE


def room_name(prefix: str, number: int) -> str:
    """The resource that is booked once at a time."""
    return f"{prefix}-room-{number:04d}"


def series_name(prefix: str, number: int) -> str:
    """The resource that series are booked on."""
    return f"{prefix}-series-{number:04d}"


class Caller:
    """Somebody who asks for one thing after another."""

    def __init__(self, habits: Habits, times: Times, *, number: int) -> None:
        self._habits = habits
        self._times = times
        self._name = f"{times.prefix}-{number}"
        self._dice = random.Random(self._name)
        self._operations = list(habits.weights)
        self._cumulated = list(accumulate(habits.weights.values()))
        self._keys = 0
        self._again: Ask | None = None
        self._own: _Own | None = None

    def think_s(self) -> float:
        """How long it waits before its next request."""
        return self._dice.uniform(*self._habits.think_s)

    def next(self) -> Ask:
        """What it asks for now."""
        if self._again is not None:
            again, self._again = self._again, None
            return again
        (operation,) = self._dice.choices(self._operations, cum_weights=self._cumulated)
        if operation == READ:
            return self._read()
        if operation == SERIES:
            return self._series()
        if self._own is not None and operation in (CANCEL, MOVE):
            return self._change(operation, self._own)
        return self._book()

    def hear(self, ask: Ask, heard: Heard | None, *, sent: float, answered: float) -> Entry:
        """Learn from the answer; None where there was none. Returns what is written down."""
        entry = entry_of(ask, heard, sent=sent, answered=answered)
        if ask.operation in (BOOK, MOVE) and entry.outcome == CONFIRMED and not entry.replayed:
            assert entry.booking is not None, "a confirmation names its booking"
            assert entry.ticket is not None, "a confirmation names its ticket"
            self._own = _Own(entry.booking, ask.resource, _times_of(ask), entry.ticket)
        return entry

    def _book(self) -> Ask:
        fresh = self._times.singles == 0 or self._dice.random() < self._habits.fresh
        resource, start = (
            self._times.fresh() if fresh else self._times.single(self._dice.randrange(self._times.singles))
        )
        ask = Ask(BOOK, "POST", BOOKINGS, resource, booking_body(resource, start, LENGTH), self._key())
        if ask.key is not None and self._dice.random() < RETRIED:
            self._again = ask
        return ask

    def _key(self) -> str | None:
        if self._dice.random() >= KEYED:
            return None
        self._keys += 1
        return f"{self._name}-{self._keys}"

    def _series(self) -> Ask:
        resource, start = self._times.fresh_series()
        body = booking_body(resource, start, SERIES_LENGTH, recurrence_rule=SERIES_RULE)
        return Ask(SERIES, "POST", BOOKINGS, resource, body)

    def _change(self, operation: str, own: _Own) -> Ask:
        self._own = None
        if operation == CANCEL:
            return Ask(CANCEL, "POST", f"{BOOKINGS}/{own.booking}/cancel", own.resource, b"{}")
        start = datetime.fromisoformat(own.times[0]) + LENGTH
        times = {"start_time": _text(start), "end_time": _text(start + LENGTH)}
        return Ask(MOVE, "PUT", f"{BOOKINGS}/{own.booking}/reschedule", own.resource, json.dumps(times).encode())

    def _read(self) -> Ask:
        """Ask for a week of availability: around the own booking, where there is one, which must not be free there."""
        if self._own is None:
            resource, start = self._times.single(self._dice.randrange(max(1, self._times.singles)))
            return Ask(READ, "GET", _question(resource, start), resource)
        own = self._own
        start = datetime.fromisoformat(own.times[0])
        return Ask(READ, "GET", _question(own.resource, start), own.resource, seen=own.ticket, own=own.times)


class _Own(NamedTuple):
    """A booking of the caller's that stands, with the ticket that made it."""

    booking: str
    resource: str
    times: tuple[str, str]
    ticket: int


def booking_body(resource: str, start: datetime, length: timedelta, **more: object) -> bytes:
    """The body that asks for a booking."""
    times = {"start_time": _text(start), "end_time": _text(start + length)}
    return json.dumps({"resource_id": resource, **times, **more}).encode()


def entry_of(ask: Ask, heard: Heard | None, *, sent: float, answered: float) -> Entry:
    """What is written down about a request and its answer; None where there was none."""
    entry = Entry(
        operation=ask.operation,
        caller=ANONYMOUS,
        resource=ask.resource,
        sent=sent,
        key=ask.key,
        body_hash=_body_hash(ask),
        seen=ask.seen,
        label=ask.label,
    )
    if heard is None:
        return entry
    entry.answered, entry.status, entry.replayed = answered, heard.status, heard.replayed
    if ask.operation == READ:
        entry.own_free = heard.status == 200 and ask.own is not None and _shown_free(heard.body, ask.own)
        return entry
    told = _told.decode(heard.body) if heard.body.startswith(b"{") else _Told()
    entry.outcome = CONFIRMED if heard.status in (200, 201) else told.code or QUEUED
    entry.booking = told.booking_id
    entry.ticket = told.ticket if heard.seen is None else int(heard.seen.rpartition(":")[2])
    # The body of a cancelled booking names the request that made it; the header of a replayed answer, the replay.
    request_id = told.request_id if heard.replayed else heard.request_id
    entry.request_id = request_id if entry.ticket is not None else None
    return entry


def is_error(entry: Entry) -> bool:
    """Whether the request was not answered as it had to be."""
    return entry.status not in ANSWERS[entry.operation]


def _body_hash(ask: Ask) -> str | None:
    """Of what makes a repeated key the same request. Only keyed requests are ever compared."""
    if ask.key is None:
        return None
    return blake2b(b"%s %s %s" % (ask.method.encode(), ask.path.encode(), ask.body or b""), digest_size=8).hexdigest()


def _shown_free(body: bytes, own: tuple[str, str]) -> bool:
    """Whether a free interval meets the time. Instants of one format compare as texts."""
    return any(slot.start_time < own[1] and own[0] < slot.end_time for slot in _free.decode(body).available_slots)


def _times_of(ask: Ask) -> tuple[str, str]:
    body = json.loads(ask.body or b"{}")
    return body["start_time"], body["end_time"]


def _question(resource: str, start: datetime) -> str:
    window = f"start_date={_text(start)}&end_date={_text(start + WINDOW)}"
    return f"{AVAILABILITY}?resource_id={quote(resource)}&{window}"


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S.000Z}"


def resources_of(prefix: str, rooms: int, operations: Sequence[str]) -> list[dict[str, object]]:
    """The resources that callers of these operations ask for, as bodies that make them."""
    names = [room_name(prefix, number) for number in range(rooms)]
    if SERIES in operations:
        names += [series_name(prefix, number) for number in range(rooms)]
    return [{"resource_id": name, "name": name, "time_zone": "UTC", "capacity": 1} for name in names]
