"""What a decided command is answered with: the one place that turns an outcome into a status and a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from api.bodies import encode
from api.http import JSON, PROBLEM_JSON, Answer, HeaderPairs, seen_header
from api.parts import Parts
from api.problems import Problem, conflict
from api.views import (
    booking_body,
    clash_bodies,
    made_booking_body,
    request_address,
    resource_body,
    slot_bodies,
)
from engine.commands import Book, Command, Outcome, Reason, Status
from engine.store import bookings, ledger, resources
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

CREATED, OK = 201, 200


@dataclass(slots=True)
class Result:
    """A status with its body, to be sent or to be shown at the request's address."""

    status: int
    body: Struct
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


async def result_of(parts: Parts, outcome: Outcome, resource_id: str, command: Command | None = None) -> Result:
    """Say what a decided command is answered with.

    command  what was asked, where it is at hand; otherwise the ledger is asked.
    """
    match outcome.status:
        case Status.CONFIRMED:
            return await _confirmed(parts, outcome, resource_id)
        case Status.REFUSED if outcome.reason is Reason.CONFLICT:
            slots = await _next_slots(parts, outcome, command)
            return _problem(outcome, conflict(clash_bodies(outcome.clashes), slot_bodies(slots)))
        case Status.REFUSED:
            assert outcome.reason is not None
            return _problem(outcome, Problem(outcome.reason))
        case Status.WITHDRAWN:
            return _problem(outcome, Problem("withdrawn"))
        case Status.FAILED:
            return _problem(outcome, Problem("failed"))


def answer_with(result: Result, outcome: Outcome, resource_id: str, headers: HeaderPairs) -> Answer:
    """Answer the caller who waited for the outcome."""
    media_type = PROBLEM_JSON if result.status >= 400 else JSON
    return Answer(
        result.status,
        encode(result.body),
        [*result.headers, seen_header(resource_id, outcome.ticket), *headers],
        media_type=media_type,
    )


def etag(version: int) -> tuple[bytes, bytes]:
    """Make the ``ETag`` of a version."""
    return b"etag", f'"{version}"'.encode()


async def _confirmed(parts: Parts, outcome: Outcome, resource_id: str) -> Result:
    if outcome.booking is None:
        return await _updated(parts, resource_id)
    if outcome.kind == "cancel":
        return await _cancelled(parts, outcome)
    body = made_booking_body(outcome, resource_id)
    headers = [] if outcome.repeated else [etag(1)]
    if outcome.kind == "reschedule":
        return Result(OK, body, headers)
    return Result(CREATED, body, [(b"location", f"/api/v1/bookings/{body.booking_id}".encode()), *headers])


async def _cancelled(parts: Parts, outcome: Outcome) -> Result:
    """Show the booking as it ended: what is cancelled does not change any more."""
    view = outcome.booking
    assert view is not None
    booking = await ask(
        parts.primary, lambda connection: bookings.find_booking(connection, view.booking), within_s=READ_TIMEOUT_S
    )
    assert booking is not None, "a booking was cancelled that does not exist"
    return Result(OK, booking_body(booking), [etag(booking.version)])


async def _updated(parts: Parts, resource_id: str) -> Result:
    """Show the resource as it is now, which may be later than this change of it."""
    resource = await ask(
        parts.primary, lambda connection: resources.find_resource(connection, resource_id), within_s=READ_TIMEOUT_S
    )
    assert resource is not None, "a resource was changed that does not exist"
    return Result(OK, resource_body(resource), [etag(resource.version)])


def _problem(outcome: Outcome, problem: Problem) -> Result:
    return Result(problem.status, problem.body(request_address(outcome.request_id)))


async def _next_slots(parts: Parts, outcome: Outcome, command: Command | None) -> list[tuple[datetime, datetime]]:
    """The next free times like the one that was wished for: advice, from the replica."""
    if isinstance(command, Book):
        start, end, places = command.start_time, command.end_time, command.places
    else:
        start, end, places = await _wish(parts, outcome)
    return await parts.suggestions.next_slots(outcome.resource, start, end - start, places)


async def _wish(parts: Parts, outcome: Outcome) -> tuple[datetime, datetime, int]:
    """What a refused command wished for, from the ledger. The places of a move are those of its booking."""
    wish = await ask(
        parts.primary,
        lambda connection: ledger.find_wish(connection, outcome.resource, outcome.ticket),
        within_s=READ_TIMEOUT_S,
    )
    assert wish is not None, "an outcome has no row in the ledger"
    assert wish.start_time is not None, "what conflicts has a start"
    assert wish.end_time is not None, "what conflicts has an end"
    assert wish.places is not None, "what conflicts takes places"
    return wish.start_time, wish.end_time, wish.places
