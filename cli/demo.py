"""What a demo has in it: hosts with slots, a class, a room, an event, and guests who booked some of it.

It is made through the API, by people who sign up and log in, so that order and ledger hold as they do for everybody.
What stands is looked up first, in each person's own export: the second run makes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cli.inside import Inside, Reply
from engine.errors import StartupRefused

DOMAIN = "demo.example"
"""Reserved (RFC 2606): nobody has an address there."""
WEEKDAYS = "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
CLASS, ROOM = "demo-class", "demo-room"


@dataclass(slots=True, frozen=True)
class Role:
    """Somebody of the demo.

    rooms   resources that they make: public name, name, places.
    event   name and seats of the event that they give, or None.
    """

    name: str
    time_zone: str
    roles: tuple[str, ...]
    rooms: tuple[tuple[str, str, int], ...] = ()
    event: tuple[str, int] | None = None

    @property
    def email(self) -> str:
        """Where nobody reads letters."""
        return f"{self.name.partition(' ')[0].lower()}@{DOMAIN}"

    @property
    def is_host(self) -> bool:
        """Whether they offer slots."""
        return "host" in self.roles


CAST = (
    Role("Marta Ruiz", "Europe/Madrid", ("guest", "host"), rooms=((CLASS, "Morning yoga", 12),)),
    Role(
        "Jonas Weber",
        "Europe/Berlin",
        ("guest", "host"),
        rooms=((ROOM, "Meeting room", 1),),
        event=("Open evening", 20),
    ),
    Role("Aiko Tanaka", "Asia/Tokyo", ("guest",)),
    Role("Samuel Osei", "Africa/Accra", ("guest",)),
    Role("Lena Novak", "Europe/Prague", ("guest",)),
)
HOSTS = tuple(role for role in CAST if role.is_host)
GUESTS = tuple(role for role in CAST if not role.is_host)


@dataclass(slots=True, frozen=True)
class Player:
    """Somebody of the demo who is signed in, and what they had before this run."""

    role: Role
    user_id: str
    token: str
    before: Mapping[str, list[dict[str, Any]]]

    def has(self, section: str, name: str, value: object) -> bool:
        """Whether something of theirs has this value."""
        return any(item[name] == value for item in self.before[section])


async def fill(api: Inside, passwords: Mapping[str, str], *, today: date) -> int:
    """Make what is missing of the demo.

    passwords  of everyone in CAST, by address.
    today      everything is in the weeks behind it.

    Returns how many things were made. Raises StartupRefused where somebody cannot be signed in, or nobody decides.
    """
    hosts, guests = [[await _sign_in(api, role, passwords[role.email]) for role in part] for part in (HOSTS, GUESTS)]
    demo = _Demo(api, today)
    for host in hosts:
        await demo.offer(host)
    events = [await demo.event_of(host) for host in hosts if host.role.event]
    for guest in guests:
        for host in hosts:
            await demo.book_slot(guest, host)
        for event in events:
            await demo.book(guest, "slot_id", event, {"event_id": event})
        await demo.book(guest, "resource_id", CLASS, {"resource_id": CLASS, **demo.times(1, 7)})
    weekly = {"resource_id": ROOM, **demo.times(2, 10), "recurrence_rule": "RRULE:FREQ=WEEKLY;COUNT=8"}
    await demo.book(guests[0], "resource_id", ROOM, weekly)
    return demo.made


class _Demo:
    """Makes things, and counts them."""

    def __init__(self, api: Inside, today: date) -> None:
        self._api = api
        self._today = today
        self._monday = today + timedelta(days=7 - today.weekday())
        self.made = 0

    def times(self, day: int, hour: int, zone: str = "UTC", hours: int = 1) -> dict[str, Any]:
        """An interval of next week, its days counted from 0."""
        start = datetime.combine(self._monday + timedelta(days=day), time(hour), ZoneInfo(zone))
        return {"start_time": start.isoformat(), "end_time": (start + timedelta(hours=hours)).isoformat()}

    async def offer(self, host: Player) -> None:
        """Let a host make their rooms and publish their slots."""
        role = host.role
        for resource_id, name, capacity in role.rooms:
            room = {"resource_id": resource_id, "name": name, "capacity": capacity, "time_zone": role.time_zone}
            if not host.has("resources", "resource_id", resource_id):
                await self._make(host, "/resources", room)
        if not host.before["slot_rules"]:
            window = self.times(0, 9, role.time_zone, 3)
            rule = {"recurrence_rule": WEEKDAYS, "slot_minutes": 30, "time_zone": role.time_zone}
            await self._make(host, "/slots/bulk", window | rule)

    async def event_of(self, host: Player) -> str:
        """Let a host make their event, if it is not there. Returns its id."""
        assert host.role.event is not None, "only who has one is asked"
        for item in host.before["slots"]:
            if item["kind"] == "event":
                return str(item["slot_id"])
        name, seats = host.role.event
        made = await self._make(host, "/events", {"name": name, "total_seats": seats, **self.times(9, 18)})
        return str(made.body["event_id"])

    async def book_slot(self, guest: Player, host: Player) -> None:
        """Let a guest book the first slot of a host that is open."""
        calendar = f"calendar-{host.user_id}"
        if guest.has("bookings", "resource_id", calendar):
            return
        found = await self._api.ask("GET", "/slots", token=guest.token, host_id=host.user_id, limit="1")
        for slot in _granted(found).body["items"]:
            await self._make(guest, "/bookings", {"slot_id": slot["slot_id"]})

    async def book(self, guest: Player, name: str, value: str, body: dict[str, Any]) -> None:
        """Let a guest book, unless a booking of theirs has this value."""
        if not guest.has("bookings", name, value):
            await self._make(guest, "/bookings", body)

    async def _make(self, player: Player, path: str, body: dict[str, Any]) -> Reply:
        made = _granted(await self._api.ask("POST", path, body, token=player.token))
        self.made += 1
        return made


async def _sign_in(api: Inside, role: Role, password: str) -> Player:
    """Log somebody in, who signs up first where nobody has the address."""
    account = {"email": role.email, "password": password}
    tokens = await api.ask("POST", "/login", account)
    if tokens.code == "wrong_credentials":
        new = account | {"name": role.name, "time_zone": role.time_zone, "roles": list(role.roles)}
        made = await api.ask("POST", "/users", new)
        if made.code == "email_taken":
            raise StartupRefused(
                f"{role.email} is there with another password than the one in the data folder: "
                "name the --data of the run that made it."
            )
        _granted(made)
        tokens = await api.ask("POST", "/login", account)
    token = _granted(tokens).body["access_token"]
    export = _granted(await api.ask("GET", "/users/me/export", token=token)).body
    return Player(role, export["profile"]["user_id"], token, export)


def _granted(reply: Reply) -> Reply:
    """A reply that must be what was wished. Raises StartupRefused."""
    if reply.status == 202:
        raise StartupRefused("No worker decides: start firstcome up or firstcome worker, and run this again.")
    if reply.code is not None:
        raise StartupRefused(f"The demo cannot be made: {reply.code}: {reply.body.get('detail', '')}")
    return reply
