"""Letting requests in: ``admit`` runs before every handler.

States of a credential (an access token, an API key, the id in a trusted header)::

    unknown --read, and asked about--> known, good until so long after the question
    known   --time over, asked again--> known, or forgotten

Invariants:

    What is known was asked of the primary at most RECHECK_S ago, counted from before the question was sent. So what
    is revoked works nowhere RECHECK_S and one look-up later, and no process has to be told.
    Roles and scopes are always the primary's; a token only says whose session it is.
    A token's times are compared with the primary's clock.
    What is not good is never remembered, and what is remembered is bounded.

When the primary does not answer, whoever was not asked about lately is answered 503, not let in.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from api.access import HOST, NOBODY, OPEN, OPERATOR, Access, Caller, sign_in_required
from api.http import Call
from api.openapi import Operation
from api.parts import parts_of
from api.problems import Problem
from engine.accounts.addresses import Proxies
from engine.accounts.credentials import API_KEY_PREFIX, LONGEST_SECRET, secret_hash
from engine.accounts.tokens import LONGEST_TOKEN, InvalidToken, Tokens
from engine.config import Config
from engine.gathering import Gathering, LookUp, look_up_in
from engine.store.people import Standing, standing_api_keys, standing_people, standing_sessions
from engine.store.pools import Connection, Pool

RECHECK_S = 4.0
"""How long a credential is let in without asking the primary again: with the look-up, under 5 s."""
REMEMBERED = 20_000
"""Credentials that a process remembers."""
TRUSTED_HEADER = b"x-user-id"
_BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
LONGEST_SHOWN = len(b"bearer ") + LONGEST_TOKEN
"""Of ``Authorization``: what is longer is none of ours, and is not looked at."""
_PERSON = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NEEDED = {Access.HOST: frozenset({HOST, OPERATOR}), Access.OPERATOR: frozenset({OPERATOR})}

K = TypeVar("K", bound=Hashable)


class Dated(NamedTuple):
    """What the primary said, and when it was asked, by the monotonic clock."""

    asked_s: float
    standing: Standing


class Known(Generic[K]):
    """A credential that was read.

    name         under which the primary has it.
    times        of a token: from when until when it is good, in seconds of the Unix clock; None: it says nothing.
    person       whose a token says it is.
    good_until_s by the monotonic clock; until then it need not be asked about again.
    """

    __slots__ = ("caller", "good_until_s", "look_up", "name", "person", "times")

    def __init__(
        self,
        look_up: Gathering[K, Dated],
        name: K,
        *,
        person: UUID | None = None,
        times: tuple[int, int] | None = None,
    ) -> None:
        self.look_up = look_up
        self.name = name
        self.person = person
        self.times = times
        self.caller = NOBODY
        self.good_until_s = 0.0

    async def ask(self) -> None:
        """Ask the primary. Raises InvalidToken where it is not good now."""
        found = await self.look_up.find(self.name)
        if found is None or self.person not in (None, found.standing.person):
            raise InvalidToken
        asked_s, standing = found
        self.good_until_s = asked_s + min(RECHECK_S, self._left_s(standing))
        person = standing.person
        self.caller = Caller(str(person), person, standing.roles, standing.scopes, standing.session)

    def _left_s(self, standing: Standing) -> float:
        """For how long it is good yet, by the primary's clock. Raises InvalidToken where it is not."""
        now = standing.at.timestamp()
        left_s = RECHECK_S
        if standing.expires_at is not None:
            left_s = min(left_s, standing.expires_at.timestamp() - now)
        if self.times is not None:
            if now < self.times[0]:
                raise InvalidToken
            left_s = min(left_s, self.times[1] - now)
        if left_s <= 0:
            raise InvalidToken
        return left_s


class Admission:
    """Says who is asking, from what a request shows."""

    def __init__(self, config: Config, primary: Pool, tokens: Tokens, proxies: Proxies) -> None:
        self._proxies = proxies
        self._mode = config.auth_mode
        self._tokens = tokens
        self._sessions = Gathering(_dated(primary, standing_sessions))
        self._keys = Gathering(_dated(primary, standing_api_keys))
        self._people = Gathering(_dated(primary, standing_people))
        self._bearers: dict[bytes, Known[Any]] = {}
        self._named: dict[bytes, Known[Any]] = {}

    async def caller(self, call: Call) -> Caller | None:
        """Say who is asking. None: the request does not say.

        Raises Problem where what it shows is not good, EngineError where that cannot be found out now.
        """
        bearer = name = None
        for field, value in call.scope["headers"]:
            if field == b"authorization":
                bearer = value if bearer is None else b""  # two of them are none
            elif field == TRUSTED_HEADER:
                name = value if name is None else b""
        if name is not None and self._mode == "trusted-header":
            self._check_proxy(call)
            return await self._find(self._named, name, self._read_name)
        if bearer is not None:
            return await self._find(self._bearers, _secret_of(bearer), self._read_bearer)
        return OPEN if self._mode == "open" else None

    async def _find(
        self, remembered: dict[bytes, Known[Any]], shown: bytes, read: Callable[[bytes], Known[Any]]
    ) -> Caller:
        known = remembered.get(shown)
        if known is not None and time.monotonic() < known.good_until_s:
            return known.caller
        try:
            if known is None:
                known = read(shown)
            await known.ask()
        except InvalidToken:
            remembered.pop(shown, None)
            raise _invalid() from None
        if shown not in remembered and len(remembered) >= REMEMBERED:
            del remembered[next(iter(remembered))]
        remembered[shown] = known
        return known.caller

    def _read_bearer(self, secret: bytes) -> Known[Any]:
        """Read an API key or an access token. Raises InvalidToken where it is neither."""
        if secret.startswith(API_KEY_PREFIX.encode()):
            if len(secret) > LONGEST_SECRET:
                raise InvalidToken
            return Known(self._keys, secret_hash(secret.decode()))
        claims = self._tokens.read(secret)
        return Known(self._sessions, claims.sid, person=claims.sub, times=(claims.nbf, claims.exp))

    def _read_name(self, shown: bytes) -> Known[Any]:
        """Read ``X-User-Id``. Raises InvalidToken where it is no id."""
        if not _PERSON.fullmatch(shown):
            raise InvalidToken
        return Known(self._people, UUID(shown.decode()))

    def _check_proxy(self, call: Call) -> None:
        client = call.scope["client"]
        if client is None or not self._proxies.trusts(client[0]):
            raise Problem("untrusted_proxy")


async def admit(call: Call) -> None:
    """Let a request in, or raise the Problem of whoever may not call this operation."""
    if call.scope["method"] == "OPTIONS":
        return  # it says which methods there are, and nothing else
    operation: Operation = call.scope["route_handler"].opt["operation"]
    if operation.access is Access.PUBLIC:
        return
    caller = await parts_of(call).admission.caller(call)
    if caller is None:
        raise sign_in_required()
    check_operation(caller, operation)
    call.scope["caller"] = caller  # type: ignore[typeddict-unknown-key]  # a key of ours


def check_operation(caller: Caller, operation: Operation) -> None:
    """Raise the Problem of a caller who may not call an operation."""
    if caller.scopes is not None and operation.scope not in caller.scopes:
        raise _scope_missing(operation.scope)
    needed = NEEDED.get(operation.access)
    if needed is None or needed & caller.roles:
        return
    if caller.person is None:
        raise sign_in_required()
    raise Problem("role_required", f"This is for {operation.access.value}.")


def _dated(
    primary: Pool, statement: Callable[[Connection, Sequence[K]], Awaitable[dict[K, Standing]]]
) -> LookUp[K, Dated]:
    """Make a look-up whose answers say when they were asked for."""
    look_up = look_up_in(primary, statement)

    async def dated(names: Sequence[K]) -> dict[K, Dated]:
        asked_s = time.monotonic()
        return {name: Dated(asked_s, standing) for name, standing in (await look_up(names)).items()}

    return dated


def _secret_of(shown: bytes) -> bytes:
    """What ``Authorization`` shows (RFC 6750, 2.1), in its one spelling. Raises Problem where it cannot be read."""
    matched = _BEARER.fullmatch(shown) if len(shown) <= LONGEST_SHOWN else None
    if matched is None:
        raise _invalid()
    return matched[1]


def _invalid() -> Problem:
    return Problem("invalid_token", headers=[("www-authenticate", 'Bearer error="invalid_token"')])


def _scope_missing(scope: str | None) -> Problem:
    if scope is None:
        return Problem(
            "scope_missing",
            "No API key can do this; it needs the access token of a log-in.",
            headers=[("www-authenticate", 'Bearer error="insufficient_scope"')],
        )
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    return Problem("scope_missing", f"The API key lacks the scope {scope}.", headers=[("www-authenticate", challenge)])
