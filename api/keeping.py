"""What needs no queue, made once for each idempotency key: its answer is kept in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from api.access import caller_of
from api.bodies import encode
from api.deciding import body_hash
from api.http import Call
from api.parts import parts_of
from api.problems import Problem
from engine.commands import Reason
from engine.identifiers import uuid7
from engine.store.idempotency import find_keys, keep_answer
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask


class KeptAnswer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An answer as it is kept under an idempotency key. ``body`` is its JSON, to the byte.

    resource_id  the public name of the resource that was made; None: the answer is a problem.
    """

    status: int
    body: str
    resource_id: str | None = None


Make = Callable[[Connection], Awaitable[KeptAnswer]]


class _KeyTaken(Exception):
    """The idempotency key was taken; what was done in this transaction is taken back."""


async def make_once(call: Call, body: object, make: Make, *, key: str | None) -> tuple[KeptAnswer, bool]:
    """Make something and keep the answer under the key, or find the answer that the key had before.

    Returns (the answer, whether it was given before).
    """
    caller, hashed = caller_of(call).name, body_hash(call, body)

    async def run(connection: Connection) -> tuple[KeptAnswer, bool]:
        return await _run(connection, make, caller=caller, key=key, hashed=hashed)

    return await ask(parts_of(call).primary, run, within_s=READ_TIMEOUT_S)


async def _run(
    connection: Connection, make: Make, *, caller: str, key: str | None, hashed: bytes
) -> tuple[KeptAnswer, bool]:
    try:
        async with connection.transaction():
            answer = await make(connection)
            if key is not None and not await keep_answer(
                connection,
                caller=caller,
                key=key,
                body_hash=hashed,
                request_id=uuid7(),
                answer=encode(answer).decode(),
            ):
                raise _KeyTaken  # noqa: TRY301  # it has to leave the transaction's block
            return answer, False
    except _KeyTaken:
        assert key is not None
        kept = (await find_keys(connection, [(caller, key)])).get((caller, key))
        if kept is None or kept.answer is None or kept.body_hash != hashed:
            raise Problem(Reason.KEY_REUSED) from None
        return msgspec.json.decode(kept.answer, type=KeptAnswer), True
