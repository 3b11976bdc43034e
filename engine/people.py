"""Those for whom a batch claims something: whether they are still there, and how many bookings they have ahead.

A limit that counts over several resources is exact because it is counted under the person's row lock: two batches
that would book for one person wait for each other. It applies in the order of commits; the ledger row keeps what was
counted, so that a replay can take it as given. It holds whatever gives somebody one more booking ahead: also the move
of one that was over, and an occurrence that comes back into a series of which nothing was left.

What somebody has on a resource of their own is no booking with anybody: it is neither counted nor limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from engine.commands import (
    ANONYMOUS,
    Book,
    BookSeat,
    BookSeries,
    Entry,
    MoveOccurrence,
    PublishSlots,
    Request,
    Reschedule,
    RestoreOccurrence,
)
from engine.rules.decide import Refusal
from engine.rules.seats import Account, refuse_limit
from engine.store import slots as store
from engine.store.pools import Connection

COUNTED = (Book, BookSeries, BookSeat, Reschedule, RestoreOccurrence)
"""Commands that may give somebody one more booking ahead."""
CLAIMING = (*COUNTED, MoveOccurrence, PublishSlots)
"""Commands that claim something for somebody, who must be there."""


def holder_of(request: Request) -> str:
    """Whose it will be what a request claims. Who moves another's booking is an operator, and not limited."""
    command = request.command
    return command.person or request.caller if isinstance(command, BookSeat) else request.caller


class People:
    """The people of a batch, their rows locked.

    owners  of the batch's resources.
    """

    def __init__(self, owners: Mapping[int, str | None]) -> None:
        self._owners = owners
        self._locked: dict[str, store.LockedPerson] = {}
        self._accounts: dict[str, Account] = {}

    async def meet(self, connection: Connection, entries: Iterable[Entry]) -> datetime | None:
        """Lock the rows of those for whom entries claim something, and count what they have ahead.

        Returns the database's clock after the count, None where there was nobody to lock. Whoever decides must not be
        before it: so the instants of a person's bookings, and of what ended others before the count, are in the order
        of their commits.
        """
        claiming = [entry.request for entry in entries if isinstance(entry.request.command, CLAIMING)]
        holders = {holder_of(request) for request in claiming} - {ANONYMOUS}
        if not holders:
            return None
        self._locked, clock = await store.lock_people(connection, holders)
        limited = {holder_of(request) for request in claiming if self._is_limited(request)} & self._locked.keys()
        if limited and clock is not None:
            self._accounts, clock = await store.load_accounts(connection, limited, now=clock)
        return clock

    def gone(self, request: Request) -> bool:
        """Whether the person for whom a request claims something was erased while it waited."""
        person = self._locked.get(holder_of(request)) if isinstance(request.command, CLAIMING) else None
        return person is not None and person.erased

    def refuse(self, request: Request, *, host: str | None = None, of: UUID | None = None) -> Refusal | None:
        """Say which limit one more booking would exceed, or None; see ``engine.rules.seats.refuse_limit``.

        of  the booking or series that is changed: one that the person has ahead is not one more.
        """
        account = self._account(request, of)
        return None if account is None or request.limits is None else refuse_limit(account, request.limits, host=host)

    def counted(self, request: Request, *, of: UUID | None = None) -> tuple[int | None, int | None]:
        """What was counted before one more booking, and the limit; (None, None) where nothing is limited."""
        account = self._account(request, of)
        if account is None or request.limits is None or request.limits.active is None:
            return None, None
        return len(account.bookings), request.limits.active

    def add(self, resource: int, caller: str, booking: UUID, *, host: str | None = None) -> None:
        """Note one more booking of a person."""
        account = self._accounts.get(caller)
        if account is not None and self._owners[resource] != caller:
            account.bookings[booking] = host

    def remove(self, caller: str, booking: UUID) -> None:
        """Note that a booking of a person has ended."""
        if (account := self._accounts.get(caller)) is not None:
            account.bookings.pop(booking, None)

    def _account(self, request: Request, of: UUID | None) -> Account | None:
        """What limits a request; None where nothing does."""
        account = self._accounts.get(holder_of(request)) if self._is_limited(request) else None
        return None if account is None or of in account.bookings else account

    def _is_limited(self, request: Request) -> bool:
        return (
            request.limits is not None
            and isinstance(request.command, COUNTED)
            and self._owners[request.resource] != holder_of(request)
        )
