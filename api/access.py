"""Who is asking, and what they may do.

Every operation says who may call it (``Operation.access``) and what an API key needs for it (``Operation.scope``).
``admit`` holds every request to that before its handler runs; what an operation does not say is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from api.http import Call
from engine.commands import ANONYMOUS

HOST = "host"
GUEST = "guest"
OPERATOR = "operator"


class Access(Enum):
    """Who may call an operation."""

    PUBLIC = "anyone, signed in or not"
    PERSON = "any signed-in person"
    HOST = "hosts and operators"
    OPERATOR = "operators"


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
        """Whether it is an operator."""
        return OPERATOR in self.roles


NOBODY = Caller()
OPEN = Caller(roles=frozenset({HOST, GUEST}))
"""Everyone, in open mode: hosts and guests at once. What operators do is done by people who are known."""


def caller_of(call: Call) -> Caller:
    """Say who is asking: whom ``admit`` let in."""
    caller: Caller = call.scope.get("caller", NOBODY)  # type: ignore[assignment]  # a key of ours
    return caller
