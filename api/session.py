"""Sessions: log-in, refresh, log-out.

A session begins with a password and lasts SESSION_DAYS at most. It hands out access tokens, which are good for a
quarter of an hour, and refresh tokens, each good for one use::

    open --refresh--> open, with other tokens
    open --the same refresh token again--> ended: one of the two who had it is a thief
    open --log-out, erasure, its time--> ended

A client that sends one refresh token twice at once ends its own session: of two uses nobody can tell whose was first,
so it is strict. Clients refresh in one place, one after another.
"""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, post
from msgspec import UNSET

from api import account_operations as operations
from api.access import Caller, sign_in_required
from api.account_bodies import LOG_IN, LOG_OUT, REFRESH, LoggedOutBody, LogOut, TokenBody
from api.admission import check_operation
from api.audit import act_of, note
from api.callers import read_headers
from api.http import Answer, Call, json_answer, read_json
from api.parts import Parts, parts_of
from api.problems import Problem
from api.rate_limits import count_log_in
from engine.accounts.credentials import new_secret, secret_hash
from engine.accounts.names import email_key
from engine.accounts.tokens import LIFETIME_S
from engine.commands import ANONYMOUS
from engine.identifiers import uuid7
from engine.store.audit import Act, Action, insert_audit
from engine.store.people import (
    Signed,
    end_reused_session,
    end_sessions,
    find_account,
    open_session,
    rotate_refresh_token,
    session_of_token,
)
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask

SESSION_DAYS = 30
"""How long a session lasts at most."""
NO_STORE = [(b"cache-control", b"no-store")]


class LogInController(Controller):
    """``/login``."""

    path = "/login"

    @post(status_code=200, opt={"operation": operations.OPEN_SESSION})
    async def log_in(self, request: Call) -> Answer:
        """Log in: begin a session. Whether the account or the password was wrong is not told, nor to be measured."""
        parts = parts_of(request)
        body = LOG_IN.decode(await read_json(request, read_headers(request.scope["headers"])))
        name = email_key(body.email)
        await count_log_in(request, parts.rates, name)
        account = await ask(parts.primary, lambda connection: find_account(connection, name), within_s=READ_TIMEOUT_S)
        kept = None if account is None else account.password_hash
        if not await parts.passwords.matches(kept, body.password) or account is None:
            subject = None if account is None else str(account.person)
            await note(request, act_of(request, Action.LOG_IN, subject, actor=ANONYMOUS, outcome="refused"))
            raise Problem("wrong_credentials", headers=[("www-authenticate", "Bearer")])
        person = str(account.person)
        act = act_of(request, Action.LOG_IN, person, actor=person)
        return await _open(parts, account.person, act)


class TokenController(Controller):
    """``/token``."""

    path = "/token"

    @post("/refresh", status_code=200, opt={"operation": operations.REFRESH_SESSION})
    async def refresh_session(self, request: Call) -> Answer:
        """Go on with a session: a refresh token is good for one use, and a second one ends the session."""
        parts = parts_of(request)
        body = REFRESH.decode(await read_json(request, read_headers(request.scope["headers"])))
        used, successor = secret_hash(body.refresh_token), new_secret()

        async def rotate(connection: Connection) -> Signed | None:
            signed = await rotate_refresh_token(connection, used, secret_hash(successor))
            if signed is None:
                await _end_reused(request, connection, used)
            return signed

        signed = await ask(parts.primary, rotate, within_s=READ_TIMEOUT_S)
        if signed is None:
            raise Problem("invalid_token", headers=[("www-authenticate", "Bearer")])
        return _tokens(parts, signed, successor)


class LogOutController(Controller):
    """``/logout``."""

    path = "/logout"

    @post(status_code=200, opt={"operation": operations.END_SESSION})
    async def log_out(self, request: Call) -> Answer:
        """Log out: end the session of the access token, or of a refresh token; or everywhere, all of the person's."""
        headers = read_headers(request.scope["headers"])
        raw = await read_json(request, headers)
        body = LOG_OUT.decode(raw) if raw else LogOut()
        ended = await _log_out(request, body)
        return json_answer(200, LoggedOutBody(sessions_ended=ended), NO_STORE)


async def _open(parts: Parts, person: UUID, act: Act) -> Answer:
    refresh_token = new_secret()

    async def begin(connection: Connection) -> Signed | None:
        async with connection.transaction():
            await insert_audit(connection, act)
            return await open_session(
                connection, person, uuid7(), days=SESSION_DAYS, token_hash=secret_hash(refresh_token)
            )

    signed = await ask(parts.primary, begin, within_s=READ_TIMEOUT_S)
    if signed is None:  # erased since the password was compared
        raise Problem("wrong_credentials", headers=[("www-authenticate", "Bearer")])
    return _tokens(parts, signed, refresh_token)


def _tokens(parts: Parts, signed: Signed, refresh_token: str) -> Answer:
    access_token = parts.tokens.issue(signed.person, signed.session, now=signed.at)
    body = TokenBody(access_token=access_token, expires_in=LIFETIME_S, refresh_token=refresh_token)
    return json_answer(200, body, NO_STORE)


async def _end_reused(call: Call, connection: Connection, token_hash: bytes) -> None:
    async with connection.transaction():
        ended = await end_reused_session(connection, token_hash)
        if ended is not None:
            session, person = ended
            act = act_of(call, Action.REUSE, str(session), actor=str(person), outcome="refused")
            await insert_audit(connection, act)


async def _log_out(call: Call, body: LogOut) -> int:
    """End what is to be ended. Returns how many sessions; a refresh token that is none of ours ends none."""
    everywhere = body.everywhere is True
    if body.refresh_token is not UNSET:
        token_hash = secret_hash(body.refresh_token)
        found = await ask(
            parts_of(call).primary, lambda connection: session_of_token(connection, token_hash), within_s=READ_TIMEOUT_S
        )
        return 0 if found is None else await _end(call, found[1], None if everywhere else found[0])
    caller = await _signed_in(call)
    assert caller.person is not None, "whoever signed in is known"
    if caller.session is None and not everywhere:
        return 0  # a proxy says who it is; there is no session of ours
    return await _end(call, caller.person, None if everywhere else caller.session)


async def _signed_in(call: Call) -> Caller:
    """Whoever asks. Raises Problem where nobody says, and for an API key, which has no session."""
    caller = await parts_of(call).admission.caller(call)
    if caller is None or caller.person is None:
        raise sign_in_required()
    check_operation(caller, operations.END_SESSION)
    return caller


async def _end(call: Call, person: UUID, session: UUID | None) -> int:
    subject = person if session is None else session
    act = act_of(call, Action.LOG_OUT, str(subject), actor=str(person))

    async def end(connection: Connection) -> int:
        async with connection.transaction():
            ended = await end_sessions(connection, person, session, reason="logged_out")
            if ended:
                await insert_audit(connection, act)
            return ended

    return await ask(parts_of(call).primary, end, within_s=READ_TIMEOUT_S)
