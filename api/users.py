"""People: signing up, and who one is."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from msgspec import UNSET

from api import account_operations as operations
from api.access import GUEST, OPERATOR, caller_of, person_of
from api.account_bodies import NEW_USER, NewUser, UserBody
from api.audit import act_of
from api.bodies import instant_out
from api.callers import idempotency_key, read_headers
from api.deciding import REPLAYED
from api.http import Answer, Call, json_answer, read_json, uuid_segment
from api.parts import Parts, parts_of
from api.problems import Problem
from api.rate_limits import count_log_in
from engine.accounts.credentials import secret_hash
from engine.accounts.names import UTC, canonical_zone, email_key
from engine.commands import ANONYMOUS, Reason
from engine.errors import NotFound
from engine.identifiers import uuid7
from engine.store.audit import Act, Action, insert_audit
from engine.store.idempotency import find_keys, keep_answer
from engine.store.people import Person, find_person, insert_person, use_operator_code
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask


class UserController(Controller):
    """``/users``."""

    path = "/users"

    @post(opt={"operation": operations.SIGN_UP})
    async def sign_up(self, request: Call) -> Answer:
        """Make an account. Anyone may be guest and host; an operator needs the installation's one-time code."""
        headers = read_headers(request.scope["headers"])
        body = NEW_USER.decode(await read_json(request, headers))
        key = idempotency_key(headers)
        parts = parts_of(request)
        await count_log_in(request, parts.rates, None)
        if key is not None and (kept := await _find_kept(parts, key, body)) is not None:
            return await _answer_again(parts, kept)
        person = uuid7()
        password_hash = await parts.passwords.hash(body.password)
        act = act_of(request, Action.SIGN_UP, str(person), actor=str(person))
        signing = _SignUp(person, body, password_hash, key, _kept_hash(parts, body), act)
        made = await ask(parts.primary, signing.run, within_s=READ_TIMEOUT_S)
        if made is not None:
            return json_answer(201, user_body(made), [_location(made.person)])
        kept = None if key is None else await _find_kept(parts, key, body)
        if kept is not None:
            return await _answer_again(parts, kept)
        raise Problem("email_taken")

    @get("/me", opt={"operation": operations.READ_ME})
    async def show_me(self, request: Call) -> Answer:
        """Read the person who asks."""
        return await _show(request, person_of(request))

    @get("/{user_id:str}", opt={"operation": operations.READ_USER})
    async def show_user(self, request: Call) -> Answer:
        """Read a person: oneself, and operators anyone. To everyone else nobody is there."""
        user = uuid_segment(request, "user_id")
        caller = caller_of(request)
        if caller.person != user and not caller.operates:
            raise NotFound("user", str(user))
        return await _show(request, user)


def user_body(person: Person) -> UserBody:
    """Write a person."""
    return UserBody(
        user_id=person.person,
        email=person.email,
        name=person.name,
        time_zone=person.time_zone,
        roles=list(person.roles),
        created_at=instant_out(person.created_at),
    )


async def _show(call: Call, person: UUID) -> Answer:
    found = await ask(
        parts_of(call).primary, lambda connection: find_person(connection, person), within_s=READ_TIMEOUT_S
    )
    if found is None:
        raise NotFound("user", str(person))
    return json_answer(200, user_body(found))


class Kept(msgspec.Struct):
    """What is kept under the idempotency key of a sign-up: no name, no address, they stand in one place only."""

    person: UUID


class _SignUp:
    """One sign-up in one transaction: code used up, person made, key kept and act noted, or none of it."""

    def __init__(  # noqa: PLR0917  # it is made in one place
        self, person: UUID, body: NewUser, password_hash: str, key: str | None, kept_hash: bytes, act: Act
    ) -> None:
        self._person = person
        self._body = body
        self._password_hash = password_hash
        self._key = key
        self._kept_hash = kept_hash
        self._act = act

    async def run(self, connection: Connection) -> Person | None:
        """Do it. None: the e-mail, or the key, was taken meanwhile. Raises Problem where the code is not good."""
        try:
            async with connection.transaction():
                return await self._make(connection)
        except _Taken:
            return None

    async def _make(self, connection: Connection) -> Person:
        body = self._body
        roles = [GUEST] if body.roles is UNSET else sorted(body.roles)
        if OPERATOR in roles and not await _is_operator_code(connection, body):
            raise Problem("operator_code_invalid")
        made = await insert_person(
            connection,
            self._person,
            email=body.email,
            email_key=email_key(body.email),
            name=body.name,
            time_zone=UTC if body.time_zone is UNSET else canonical_zone(body.time_zone),
            roles=roles,
            password_hash=self._password_hash,
        )
        if made is None or not await self._keep(connection):
            raise _Taken
        await insert_audit(connection, self._act)
        return made

    async def _keep(self, connection: Connection) -> bool:
        if self._key is None:
            return True
        return await keep_answer(
            connection,
            caller=ANONYMOUS,
            key=self._key,
            body_hash=self._kept_hash,
            request_id=uuid7(),
            answer=msgspec.json.encode(Kept(self._person)).decode(),
        )


class _Taken(Exception):
    """The e-mail or the idempotency key was taken; what was done in this transaction is taken back."""


async def _is_operator_code(connection: Connection, body: NewUser) -> bool:
    if body.operator_code is UNSET:
        return False
    return await use_operator_code(connection, secret_hash(body.operator_code.strip().lower()))


def _kept_hash(parts: Parts, body: NewUser) -> bytes:
    """What makes a repeated key the same sign-up. A secret of ours goes into it, as the password does: without it,
    nobody who reads the table can try passwords on its hash.
    """
    return blake2b(msgspec.msgpack.encode(body), key=parts.tokens.secret, digest_size=16).digest()


async def _find_kept(parts: Parts, key: str, body: NewUser) -> Kept | None:
    """What a sign-up with this key made. Raises Problem where it was another request."""
    name = (ANONYMOUS, key)
    found = (await ask(parts.primary, lambda connection: find_keys(connection, [name]), within_s=READ_TIMEOUT_S)).get(
        name
    )
    if found is None:
        return None
    if found.answer is None or found.body_hash != _kept_hash(parts, body):
        raise Problem(Reason.KEY_REUSED)
    return msgspec.json.decode(found.answer, type=Kept)


async def _answer_again(parts: Parts, kept: Kept) -> Answer:
    found = await ask(parts.primary, lambda connection: find_person(connection, kept.person), within_s=READ_TIMEOUT_S)
    if found is None:
        raise Problem(Reason.KEY_REUSED, "The account that was made with this Idempotency-Key was erased.")
    return json_answer(201, user_body(found), [_location(found.person), REPLAYED])


def _location(person: UUID) -> tuple[bytes, bytes]:
    return b"location", f"/api/v1/users/{person}".encode()
