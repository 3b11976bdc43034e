"""What handlers work with. Made once, when the application starts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from api.bodies import KeyBody
from api.http import Call
from api.rate_limits import Rates
from api.routing import Routes
from engine.accounts.passwords import Passwords
from engine.accounts.tokens import Tokens
from engine.analytics import Analyst
from engine.config import Config
from engine.gathering import Gathering
from engine.intake import Intake
from engine.reader import Reader
from engine.signing import SigningKey
from engine.store.idempotency import Kept, Key
from engine.store.pools import Pool
from engine.suggestions import Suggestions

if TYPE_CHECKING:
    from api.admission import Admission  # it asks who may do what, which asks for the parts


@dataclass(slots=True, frozen=True)
class Parts:
    """The engine, as the API sees it."""

    config: Config
    primary: Pool
    intake: Intake
    routes: Routes
    keys: Gathering[Key, Kept]
    reader: Reader
    suggestions: Suggestions
    admission: Admission
    tokens: Tokens
    passwords: Passwords
    rates: Rates
    analyst: Analyst
    ledger_key: SigningKey | None = None
    exporting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one export of a person that may be under way in a process."""

    @property
    def public_keys(self) -> tuple[KeyBody, ...]:
        """What others check this installation's signatures with."""
        signing = [] if self.ledger_key is None else [self.ledger_key.public.jwk]
        return tuple(msgspec.convert(jwk, KeyBody) for jwk in signing)


def parts_of(call: Call) -> Parts:
    """The parts of the application that was called."""
    parts: Parts = call.scope["litestar_app"].state["parts"]
    return parts
