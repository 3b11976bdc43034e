"""Where a command goes: its home resource. What routes a command never changes, so it is asked once.

A host's calendar is made when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar
from uuid import UUID

from engine.errors import NotFound
from engine.gathering import Gathering, LookUp, look_up_in
from engine.store import bookings, offers, resources
from engine.store.bookings import Home
from engine.store.offers import CalendarHome, OfferHome
from engine.store.pools import READ_TIMEOUT_S, Pool
from engine.store.reading import ask
from engine.store.resources import ResourceHome

REMEMBERED = 20_000
"""Look-ups of each kind that a process remembers."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """The answers to look-ups of what never changes. Bounded: the least recently made one goes first.

    What does not exist is not remembered, for it may come to be.
    """

    def __init__(self, look_up: LookUp[K, V], *, bound: int = REMEMBERED) -> None:
        self._gathering = Gathering(look_up)
        self._bound = bound
        self._known: dict[K, V] = {}

    def known(self, name: K) -> V | None:
        """The answer, if it is remembered."""
        return self._known.get(name)

    async def find(self, name: K) -> V | None:
        """Look up. None: there is none."""
        found = self._known.get(name)
        if found is None:
            found = await self._gathering.find(name)
            if found is not None:
                self.learn(name, found)
        return found

    def learn(self, name: K, value: V) -> None:
        """Remember what is known without asking."""
        if name not in self._known and len(self._known) >= self._bound:
            del self._known[next(iter(self._known))]
        self._known[name] = value


class Routes:
    """Numbers, names and zones of resources, and the homes of bookings, slots, events and calendars."""

    def __init__(self, primary: Pool) -> None:
        self._primary = primary
        self._resources = Memory(look_up_in(primary, resources.resource_homes))
        self._names = Memory(look_up_in(primary, resources.resource_names))
        self._zones = Memory(look_up_in(primary, bookings.resource_zones))
        self._homes = Memory(look_up_in(primary, bookings.booking_homes))
        self._offers = Memory(look_up_in(primary, offers.offer_homes))
        self._calendars = Memory(look_up_in(primary, offers.find_calendars))

    async def resource(self, resource_id: str) -> int:
        """The number of a resource of any kind. Raises NotFound."""
        return (await self.resource_home(resource_id)).resource

    async def resource_home(self, resource_id: str) -> ResourceHome:
        """Where commands about a resource go, and whose it is. Raises NotFound."""
        home = self._resources.known(resource_id)
        if home is None:
            home = await self._resources.find(resource_id)
            if home is None:
                raise NotFound("resource", resource_id)
        return home

    async def resource_id(self, resource: int) -> str:
        """The public name of a resource. Raises NotFound."""
        name = await self._names.find(resource)
        if name is None:
            raise NotFound("resource", str(resource))
        return name

    async def time_zone(self, resource: int) -> str:
        """The name of a resource's time zone. Raises NotFound."""
        name = await self._zones.find(resource)
        if name is None:
            raise NotFound("resource", str(resource))
        return name

    async def home(self, booking: UUID) -> Home:
        """Where commands about a booking, a series or an occurrence go. Raises NotFound."""
        home = await self._homes.find(booking)
        if home is None:
            raise NotFound("booking", str(booking))
        return home

    async def slot(self, slot: UUID) -> OfferHome:
        """Where commands about a slot go, and who offers it. Raises NotFound."""
        home = await self._offers.find(slot)
        if home is None or home.is_event:
            raise NotFound("slot", str(slot))
        return home

    async def event(self, event: UUID) -> OfferHome:
        """Where commands about an event go, and who offers it. Raises NotFound."""
        home = await self._offers.find(event)
        if home is None or not home.is_event:
            raise NotFound("event", str(event))
        return home

    async def offer(self, slot: UUID) -> OfferHome:
        """The home of a slot or event that exists."""
        home = await self._offers.find(slot)
        assert home is not None, "an outcome names a slot or event that does not exist"
        return home

    async def calendar(self, host: str) -> CalendarHome | None:
        """A host's calendar. None: there is none yet."""
        return await self._calendars.find(host)

    async def own_calendar(self, host: str) -> CalendarHome:
        """A host's calendar, made where there is none yet."""
        found = await self.calendar(host)
        if found is None:
            found = await ask(
                self._primary, lambda connection: offers.make_calendar(connection, host), within_s=READ_TIMEOUT_S
            )
            assert found is not None, "no other resource can have the name of a calendar"
            self._calendars.learn(host, found)
        return found
