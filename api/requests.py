"""Requests: what became of them, and taking them back while they wait."""

from __future__ import annotations

from litestar import Controller, delete, get

from api import operations
from api.access import Caller, caller_of
from api.audit import act_of, note
from api.bodies import RequestBody
from api.callers import idempotency_key, read_headers
from api.deciding import decided_answer, queued_answer
from api.http import Answer, Call, json_answer, seen_header, uuid_segment
from api.languages import language_of
from api.outcomes import result_of
from api.parts import parts_of
from api.problems import Problem
from engine.commands import Queued
from engine.errors import NotFound
from engine.export import receipt_of
from engine.proof import signed
from engine.store.audit import Action
from engine.store.ledger import find_decided
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask


class RequestController(Controller):
    """``/requests``."""

    path = "/requests"

    @get("/{request_id:str}", opt={"operation": operations.READ_REQUEST})
    async def show_request(self, request: Call) -> Answer:
        """Read what became of a request: its place in the queue, or its outcome."""
        parts = parts_of(request)
        request_id = uuid_segment(request, "request_id")
        found = await parts.intake.find(request_id, caller=_whose(caller_of(request)))
        if found is None:
            raise NotFound("request", str(request_id))
        if isinstance(found, Queued):
            body = RequestBody(
                request_id=request_id, ticket=found.ticket, status="queued", position=found.position, outcome=None
            )
            return json_answer(200, body)
        resource_id = await parts.routes.resource_id(found.resource)
        language = language_of(read_headers(request.scope["headers"]).get(b"accept-language"))
        result = await result_of(parts, found, resource_id, language=language)
        body = RequestBody(
            request_id=request_id, ticket=found.ticket, status=found.status.value, position=0, outcome=result.body
        )
        return json_answer(200, body, [seen_header(resource_id, found.ticket)])

    @get("/{request_id:str}/receipt", opt={"operation": operations.READ_RECEIPT})
    async def show_receipt(self, request: Call) -> Answer:
        """Give a receipt of a decided request: its ticket, and the hash that the ledger has at it, signed.

        Whoever keeps it can show later, without asking anyone, that the ledger was changed, if it was.
        """
        parts, request_id = parts_of(request), uuid_segment(request, "request_id")
        if parts.ledger_key is None:
            raise Problem("no_ledger_key")
        found = await parts.intake.find(request_id, caller=_whose(caller_of(request)))
        if isinstance(found, Queued):
            raise Problem("not_decided")
        if found is None:
            raise NotFound("request", str(request_id))
        decided = await ask(
            parts.primary, lambda connection: find_decided(connection, request_id), within_s=READ_TIMEOUT_S
        )
        assert decided is not None, "it has an outcome, and ledger rows stay"
        return json_answer(200, signed(receipt_of(decided), parts.ledger_key))

    @delete("/{request_id:str}", status_code=202, opt={"operation": operations.WITHDRAW_REQUEST})
    async def withdraw_request(self, request: Call) -> Answer:
        """Take a request back while it is queued. What became of it stands at its address.

        Doing so twice is the same as once, so a key has nothing to keep: it is only checked.
        """
        idempotency_key(read_headers(request.scope["headers"]))
        request_id = uuid_segment(request, "request_id")
        caller = caller_of(request)
        intake = parts_of(request).intake
        found = await intake.withdraw(request_id, caller=caller.name)
        if found is None and caller.operates:
            found = await intake.find(request_id, caller=None)
            if isinstance(found, Queued):
                await note(request, act_of(request, Action.WITHDRAW_FOR_ANOTHER, str(request_id)))
                found = await intake.withdraw(request_id, caller=None)
        if found is None:
            raise NotFound("request", str(request_id))
        return queued_answer(found) if isinstance(found, Queued) else decided_answer(found)


def _whose(caller: Caller) -> str | None:
    """Whose requests a caller sees: their own, operators anyone's (None)."""
    return None if caller.operates else caller.name
