"""The way of a command: have it decided, and answer with what was decided.

Every handler that changes something through a queue ends here. A request whose key is known is answered
from the ledger and gets no ticket; every other one joins its resource's queue and waits.
"""

from __future__ import annotations

import logging
from hashlib import blake2b
from uuid import UUID

import msgspec

from api.access import Caller, caller_of
from api.audit import act_of, note
from api.bodies import QueuedBody
from api.callers import Headers, Patience, patience, request_tag, tag_request
from api.http import Answer, Call, HeaderPairs, json_answer
from api.languages import language_of
from api.outcomes import Asked, answer_with, result_of
from api.parts import Parts, parts_of
from api.problems import Problem
from api.views import queued_body, request_address
from engine import failpoints
from engine.commands import (
    Book,
    BookSeat,
    BookSeries,
    Cancel,
    Command,
    Limits,
    Outcome,
    Queued,
    Reason,
    Request,
)
from engine.config import Config
from engine.errors import Unavailable
from engine.identifiers import uuid7
from engine.store.audit import Action
from engine.store.bookings import Home
from engine.store.outcomes import outcomes_by_ticket
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

logger = logging.getLogger(__name__)

REPLAYED = (b"idempotency-replayed", b"true")
LIMITED = (Book, BookSeries, BookSeat, Cancel)
"""Commands that are held to the limits of a person."""
_canonical = msgspec.msgpack.Encoder(uuid_format="bytes").encode


def body_hash(call: Call, body: object) -> bytes:
    """What makes a repeated key the same request: method, path and decoded body."""
    return blake2b(_canonical((call.scope["method"], call.scope["raw_path"], body)), digest_size=16).digest()


async def bring(
    call: Call,
    headers: Headers,
    command: Command,
    *,
    resource: int,
    resource_id: str,
    key: str | None,
    wish: object = None,
    limited: bool = True,
    audited: tuple[Action, str] | None = None,
) -> Answer:
    """Bring a command to its resource's queue, wait as long as the caller wishes, and answer.

    key      the caller's idempotency key; it was read before anything was looked up.
    wish     what the caller asked for, where the command has more in it than that.
    limited  whether it concerns the caller's own bookings, so that the limits of a person hold for it.
    audited  the act that it is, and what it is done to; None: it need not be noted.
    """
    parts = parts_of(call)
    hashed = body_hash(call, (resource, command if wish is None else wish))
    caller = caller_of(call)
    limits = limits_of(caller, parts.config) if limited and isinstance(command, LIMITED) else None
    asked = Asked(command, caller.name, many=wish is not None)
    request = Request(uuid7(), resource, caller.name, key, hashed, command, limits)
    tag_request(call.scope, headers, request.request_id)
    kept = None if key is None else await _kept_outcome(parts, request)
    if kept is not None:
        return await _decided(parts, kept, resource_id, asked, headers=headers, extra=[REPLAYED])
    failpoints.reach("A1", key)
    count = parts.rates.of_command(call)
    if audited is not None:
        if count is not None:  # what is not let in is not noted, and what is noted is limited
            await parts.rates.take_command(call)
            count = None
        await note(call, act_of(call, *audited, tag=str(request.request_id)))
    waits = patience(headers, parts.config.wait_s)
    found = await parts.intake.decide(request, wait_s=waits.wait_s, count=count)
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("answered", extra=_traces(found, resource_id, request_tag(call.scope)))
    extra: list[tuple[bytes, bytes]] = []
    if found.request_id != request.request_id:
        extra.append(REPLAYED)
    if isinstance(found, Queued):
        return queued_answer(found, [*extra, *_applied(waits)])
    return await _decided(parts, found, resource_id, asked, headers=headers, extra=extra)


def limits_of(caller: Caller, config: Config) -> Limits | None:
    """What a caller is held to. None: nothing, as nobody is known in open mode, and operators are not limited."""
    if caller.person is None or caller.operates:
        return None
    return Limits(
        config.max_active_bookings or None, config.max_bookings_with_host or None, config.cancel_notice_minutes * 60_000
    )


async def bring_home(
    call: Call, headers: Headers, command: Command, *, home: Home, key: str | None, act: Action, booking: UUID
) -> Answer:
    """Bring a command about a booking, a series or an occurrence to the queue of its resource.

    act, booking  what is noted where the booking is another's.
    """
    resource_id = await parts_of(call).routes.resource_id(home.resource)
    own = home.caller == caller_of(call).name
    return await bring(
        call,
        headers,
        command,
        resource=home.resource,
        resource_id=resource_id,
        key=key,
        limited=own,
        audited=None if own else (act, str(booking)),
    )


def _traces(found: Outcome | Queued, resource_id: str, tag: str) -> dict[str, object]:
    """What ties a line of the API's log to the worker's, to the ledger and to the caller."""
    status = "queued" if isinstance(found, Queued) else found.status.value
    request_id = str(found.request_id)
    return {
        "request_id": request_id,
        "ticket": found.ticket,
        "resource_id": resource_id,
        "outcome": status,
        "x_request_id": tag,
    }


def queued_answer(queued: Queued, headers: HeaderPairs = ()) -> Answer:
    """Answer with the address where the outcome will be."""
    return _accepted(queued_body(queued), headers)


def _accepted(body: QueuedBody, headers: HeaderPairs) -> Answer:
    location = (b"location", request_address(body.request_id).encode())
    return json_answer(202, body, [location, *headers])


def _applied(waits: Patience) -> HeaderPairs:
    return [] if waits.applied is None else [(b"preference-applied", waits.applied.encode())]


async def _decided(
    parts: Parts, outcome: Outcome, resource_id: str, asked: Asked, *, headers: Headers, extra: HeaderPairs
) -> Answer:
    """Answer with an outcome. Where it stands but cannot be shown now, answer with its address.

    headers  of the request.
    extra    what the answer has beyond those of every outcome.
    """
    language = language_of(headers.get(b"accept-language"))
    try:
        result = await result_of(parts, outcome, resource_id, asked, language=language)
    except Unavailable:
        return decided_answer(outcome, extra)
    return answer_with(result, outcome, resource_id, extra)


def decided_answer(outcome: Outcome, headers: HeaderPairs = ()) -> Answer:
    """Answer with the address of an outcome."""
    body = QueuedBody(request_id=outcome.request_id, ticket=outcome.ticket, position=0, status=outcome.status.value)
    return _accepted(body, headers)


async def _kept_outcome(parts: Parts, request: Request) -> Outcome | None:
    """The outcome that the caller's key had before. Raises Problem where it was that of another request."""
    assert request.key is not None
    kept = await parts.keys.find((request.caller, request.key))
    if kept is None:
        return None
    if kept.body_hash != request.body_hash or kept.resource is None or kept.ticket is None:
        raise Problem(Reason.KEY_REUSED)
    ticket = (kept.resource, kept.ticket)
    found = await ask(
        parts.primary, lambda connection: outcomes_by_ticket(connection, [ticket]), within_s=READ_TIMEOUT_S
    )
    return found[ticket][1]
