"""Where a command goes: its home resource. What routes a command never changes, so it is asked once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar
from uuid import UUID

from api.gathering import Gathering, LookUp, look_up_in
from engine.errors import NotFound
from engine.store import bookings, resources
from engine.store.bookings import Home
from engine.store.pools import Pool

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
    """Numbers, names and zones of resources, and the homes of bookings."""

    def __init__(self, primary: Pool) -> None:
        self._numbers = Memory(look_up_in(primary, resources.resource_numbers))
        self._names = Memory(look_up_in(primary, resources.resource_names))
        self._zones = Memory(look_up_in(primary, bookings.resource_zones))
        self._homes = Memory(look_up_in(primary, bookings.booking_homes))

    async def resource(self, resource_id: str) -> int:
        """The number of a resource. Raises NotFound."""
        number = self._numbers.known(resource_id)
        if number is None:
            number = await self._numbers.find(resource_id)
            if number is None:
                raise NotFound("resource", resource_id)
        return number

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
