"""Privacy: everything that is kept of a person, given to them, and the person erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from uuid import UUID

from litestar import Controller, delete, get
from litestar.types import Receive, Scope, Send

from api import privacy_operations as operations
from api.access import person_of
from api.audit import act_of, note
from api.bodies import encode, instant_out
from api.callers import idempotency_key, read_headers, request_tag
from api.http import JSON, REQUEST_TAG, Answer, Call, HeaderPairs, json_answer, read_json, uuid_segment
from api.parts import parts_of
from api.privacy_bodies import ERASE_ME, ErasedBody
from api.problems import Problem
from api.rate_fields import rate_fields
from api.rate_limits import count_log_in
from api.streaming import send_piece
from engine.errors import NotFound, TooManyWaiting
from engine.privacy import erase_person
from engine.store.audit import Act, Action
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.privacy import SECTIONS, Row, export_profile, export_section, find_password
from engine.store.reading import ask
from engine.store.verify import one_snapshot

EXPORTED_WITHIN_S = 300.0
HELD_IN_MEMORY = 1_048_576
"""Bytes of an export beyond which it is kept in a file without a name until it is sent."""
SENT_AT_ONCE = 65_536


class PrivacyController(Controller):
    """``/users``, where it is about what is kept."""

    path = "/users"

    @get("/me/export", opt={"operation": operations.EXPORT_ME})
    async def export_me(self, request: Call) -> FileAnswer:
        """Read everything that is kept of the person who asks, as of one instant, in one document."""
        person, parts = person_of(request), parts_of(request)
        if parts.exporting.locked():
            raise TooManyWaiting("another export is under way in this process")
        async with parts.exporting:
            await note(request, act_of(request, Action.EXPORT, str(person)))
            file = SpooledTemporaryFile(max_size=HELD_IN_MEMORY)  # noqa: SIM115  # the answer closes it
            await ask(parts.primary, lambda connection: _write(file, connection, person), within_s=EXPORTED_WITHIN_S)
        name = f'attachment; filename="firstcome-{person}.json"'.encode()
        return FileAnswer(file, [(b"content-disposition", name), (b"cache-control", b"no-store")])

    @delete("/me", status_code=200, opt={"operation": operations.ERASE_ME})
    async def erase_me(self, request: Call) -> Answer:
        """Erase the person who asks, and cancel what they have ahead. It cannot be undone."""
        person, parts = person_of(request), parts_of(request)
        headers = read_headers(request.scope["headers"])
        idempotency_key(headers)  # it cannot be done twice, so a key has nothing to keep: it is only checked
        body = ERASE_ME.decode(await read_json(request, headers))
        await count_log_in(request, parts.rates, str(person))
        kept = await ask(parts.primary, lambda connection: find_password(connection, person), within_s=READ_TIMEOUT_S)
        if not await parts.passwords.matches(kept, body.password):
            await note(request, act_of(request, Action.ERASE, str(person), outcome="refused"))
            raise Problem("wrong_credentials", headers=[("www-authenticate", "Bearer")])
        # Where they came from would be taken away at once.
        act = Act(str(person), Action.ERASE, str(person), tag=request_tag(request.scope))
        return await _erase(request, person, act)

    @delete("/{user_id:str}", status_code=200, opt={"operation": operations.ERASE_USER})
    async def erase_user(self, request: Call) -> Answer:
        """Erase a person, as an operator. Who was erased before is not erased again."""
        idempotency_key(read_headers(request.scope["headers"]))
        user = uuid_segment(request, "user_id")
        return await _erase(request, user, act_of(request, Action.ERASE, str(user)))


class FileAnswer:
    """An answer that is sent from a file, which is closed behind it: an ASGI application that takes no request."""

    def __init__(self, file: IO[bytes], headers: HeaderPairs) -> None:
        self._file = file
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI brings it
        """Send it, with what every answer has."""
        with self._file:
            length = str(self._file.tell()).encode()
            own = [(b"content-type", JSON), (b"content-length", length), *self._headers]
            headers = [*own, (REQUEST_TAG, request_tag(scope).encode()), *rate_fields(scope)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            self._file.seek(0)
            while part := self._file.read(SENT_AT_ONCE):
                await send_piece(send, part)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _erase(call: Call, person: UUID, act: Act) -> Answer:
    parts = parts_of(call)
    erasure = await erase_person(parts.primary, parts.intake, person, act, within_s=parts.config.wait_s)
    if erasure is None:
        raise NotFound("user", str(person))
    body = ErasedBody(user_id=person, erased_at=instant_out(erasure.erased_at), finished=erasure.finished)
    return json_answer(200, body)


async def _write(file: IO[bytes], connection: Connection, person: UUID) -> None:
    """Write an export, as of one instant. Raises NotFound where the person was erased meanwhile."""
    async with one_snapshot(connection) as as_of:
        profile = await export_profile(connection, person)
        if profile is None:
            raise NotFound("user", str(person))
        file.write(b'{"exported_at":' + encode(instant_out(as_of)) + b',"profile":' + encode(_row_out(profile)))
        for section in SECTIONS:
            await _write_list(file, section, export_section(connection, section, person))
        file.write(b"}")


async def _write_list(file: IO[bytes], name: str, chunks: AsyncIterator[list[Row]]) -> None:
    file.write(f',"{name}":['.encode())
    comma = b""
    async for rows in chunks:
        for row in rows:
            file.write(comma + encode(_row_out(row)))
            comma = b","
    file.write(b"]")


def _row_out(row: Row) -> Row:
    """A row as JSON has it: instants as the interface writes them."""
    return {name: _value_out(value) for name, value in row.items()}


def _value_out(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant_out(value)
    return [_value_out(item) for item in value] if isinstance(value, list) else value
