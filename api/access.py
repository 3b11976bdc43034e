"""Who is asking, and what they may do.

Every operation says who may call it (``Operation.access``) and what an API key needs for it (``Operation.scope``);
``api.admission`` holds every request to that before its handler runs, and what an operation does not say is closed.
What one may do to a thing depends on whose it is: the functions that begin with ``may_`` are the whole of it.

Who may not even know that a thing exists is told that it does not (404); who may see it and not do that, is told so
(403).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from uuid import UUID

from api.http import Call
from api.problems import Problem
from engine.accounts.addresses import Proxies
from engine.commands import ANONYMOUS
from engine.errors import NotFound
from engine.store.bookings import Home

HOST = "host"
GUEST = "guest"
OPERATOR = "operator"


class Access(Enum):
    """Who may call an operation."""

    PUBLIC = "anyone, signed in or not"
    PERSON = "any signed-in person"
    HOST = "hosts and operators"
    OPERATOR = "operators"


class Scope(StrEnum):
    """What an API key may be good for. Nothing else is: keys make no keys and change no account."""

    READ_RESOURCES = "resources:read"
    """Resources, what is free, slots, events, ledgers: what every signed-in person sees."""
    WRITE_RESOURCES = "resources:write"
    """Resources and events of the person."""
    WRITE_SLOTS = "slots:write"
    """Slots of the person."""
    READ_BOOKINGS = "bookings:read"
    """Bookings and requests of the person."""
    WRITE_BOOKINGS = "bookings:write"
    """Book, move and cancel as the person."""
    WRITE_ANY = "bookings:write:any"
    """For others, too: what an operator may do to what is not theirs. Only operators can make such a key."""
    ADMINISTER = "admin:read"
    """What operators read. Only operators can make such a key."""


OPERATORS_SCOPES = frozenset({Scope.WRITE_ANY, Scope.ADMINISTER})


@dataclass(slots=True, frozen=True)
class Caller:
    """Whoever asks.

    name     the scope of idempotency keys, and whose bookings are made: a person's id, or ANONYMOUS.
    person   the same id; None: nobody is known, in open mode or where an operation asks for nobody.
    roles    what the person is.
    scopes   what an API key is good for; None: the person came without one, and may all that they may.
    session  of the access token that was shown, or None.
    """

    name: str = ANONYMOUS
    person: UUID | None = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    session: UUID | None = None

    @property
    def operates(self) -> bool:
        """Whether it acts as an operator on what is another's: a key does so only where it was made for that."""
        return OPERATOR in self.roles and (self.scopes is None or Scope.WRITE_ANY in self.scopes)


NOBODY = Caller()
OPEN = Caller(roles=frozenset({HOST, GUEST}))
"""Everyone, in open mode: hosts and guests at once. What operators do is done by people who are known."""


def caller_of(call: Call) -> Caller:
    """Say who is asking: whom ``admit`` let in."""
    caller: Caller = call.scope.get("caller", NOBODY)  # type: ignore[assignment]  # a key of ours
    return caller


def person_of(call: Call) -> UUID:
    """The person who is asking. Raises Problem where nobody is known, as in open mode."""
    person = caller_of(call).person
    if person is None:
        raise sign_in_required()
    return person


def address_of(call: Call) -> str:
    """Where the request comes from: the client's address, as far as whoever tells it is trusted. It may be empty."""
    client = call.scope["client"]
    peer = "" if client is None else client[0]
    proxies: Proxies = call.scope["litestar_app"].state["proxies"]
    if not proxies.trusts(peer):
        return peer
    forwarded = b",".join(value for name, value in call.scope["headers"] if name == b"x-forwarded-for")
    return proxies.client(peer, forwarded.decode("latin-1"))


def sign_in_required() -> Problem:
    """Make the problem of a request that says nothing of who sends it (RFC 6750, 3.1)."""
    return Problem("sign_in_required", headers=[("www-authenticate", "Bearer")])


def may_read(caller: Caller, home: Home) -> bool:
    """Whether somebody may see a booking: whose it is, who offers the seat, whose the resource is, operators."""
    return caller.name in (home.caller, home.host, home.owner) or caller.operates


def may_cancel(caller: Caller, home: Home) -> bool:
    """Whether somebody may cancel a booking: everyone who may see it."""
    return may_read(caller, home)


def may_change(caller: Caller, home: Home) -> bool:
    """Whether somebody may move a booking or restore it: whose it is, and operators."""
    return caller.name == home.caller or caller.operates


def may_change_resource(caller: Caller, owner: str | None) -> bool:
    """Whether somebody may change a resource or an event: whose it is, and operators."""
    return caller.name == owner or caller.operates


def check_read(caller: Caller, booking: UUID, home: Home) -> None:
    """Raise NotFound where a booking is not the caller's to see."""
    if not may_read(caller, home):
        raise NotFound("booking", str(booking))


def check_cancel(caller: Caller, booking: UUID, home: Home) -> None:
    """Raise NotFound where a booking is not the caller's to see, Problem where it is not theirs to cancel."""
    check_read(caller, booking, home)
    if not may_cancel(caller, home):
        raise not_yours("booking")


def check_change(caller: Caller, booking: UUID, home: Home) -> None:
    """Raise NotFound where a booking is not the caller's to see, Problem where it is not theirs to move."""
    check_read(caller, booking, home)
    if not may_change(caller, home):
        raise not_yours("booking")


def check_change_resource(caller: Caller, owner: str | None) -> None:
    """Raise Problem where a resource is not the caller's to change; everyone may see it."""
    if not may_change_resource(caller, owner):
        raise not_yours("resource")


def not_yours(what: str) -> Problem:
    """Make the problem of something that the caller sees and may not do this to."""
    return Problem("not_yours", f"The {what} is another's; only whose it is, or an operator, may do this.")
