"""What a decided command is answered with: the one place that turns an outcome into a status and a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from api.bodies import BookingBody, encode, instant_out
from api.http import JSON, PROBLEM_JSON, Answer, HeaderPairs, seen_header
from api.languages import DEFAULT_LANGUAGE
from api.parts import Parts
from api.problems import Problem, conflict
from api.series_views import (
    made_series_body,
    moved_occurrence_body,
    named_occurrence,
    occurrence_clash_bodies,
    restored_body,
    series_body,
)
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
from engine.store.bookings import Booking, SeriesBooking
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

CREATED, OK = 201, 200
FOR_ONE_TIME = frozenset({"book", "reschedule"})
"""Kinds of commands that wish for one time, and not for that of an occurrence."""


@dataclass(slots=True)
class Result:
    """A status with its body, to be sent or to be shown at the request's address."""

    status: int
    body: Struct
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


async def result_of(
    parts: Parts,
    outcome: Outcome,
    resource_id: str,
    command: Command | None = None,
    *,
    language: str = DEFAULT_LANGUAGE,
) -> Result:
    """Say what a decided command is answered with.

    command   what was asked, where it is at hand; otherwise the ledger is asked.
    language  of what is written for people: the summaries of series.
    """
    match outcome.status:
        case Status.CONFIRMED:
            return await _confirmed(parts, outcome, resource_id, language)
        case Status.REFUSED if outcome.reason is Reason.CONFLICT:
            return _problem(outcome, await _conflict(parts, outcome, command))
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


async def _confirmed(parts: Parts, outcome: Outcome, resource_id: str, language: str) -> Result:
    match outcome.kind:
        case "update_resource":
            return await _updated(parts, resource_id)
        case "cancel":
            return await _cancelled(parts, outcome)
        case "cancel_series":
            return await _series_cancelled(parts, outcome, language)
        case "cancel_occurrence":
            return await _occurrence_cancelled(parts, outcome)
        case "restore_occurrence":
            return Result(OK, restored_body(outcome))
        case "move_occurrence" if _is_of_one(outcome):
            return await _occurrence_moved(parts, outcome, resource_id)
        case "book_series" | "move_occurrence":
            return _made(outcome, made_series_body(outcome, resource_id, language))
        case _:
            return _made(outcome, made_booking_body(outcome, resource_id))


def _made(outcome: Outcome, body: BookingBody) -> Result:
    """Show what a command made: at an address of its own, unless it takes the place of something."""
    headers = [] if outcome.repeated else [etag(1)]
    if outcome.subject is not None:
        return Result(OK, body, headers)
    return Result(CREATED, body, [(b"location", f"/api/v1/bookings/{body.booking_id}".encode()), *headers])


def _is_of_one(outcome: Outcome) -> bool:
    """Whether a move was of one occurrence: there is no new series then."""
    return outcome.detail is not None and outcome.detail.recurrence is None


async def _cancelled(parts: Parts, outcome: Outcome) -> Result:
    """Show the booking as it ended: what is cancelled does not change any more."""
    booking = await _booking_of(parts, outcome)
    return Result(OK, booking_body(booking), [etag(booking.version)])


async def _occurrence_cancelled(parts: Parts, outcome: Outcome) -> Result:
    """Show the occurrence as it ended: restored, it has a row of its own."""
    booking = await _booking_of(parts, outcome)
    body = msgspec.structs.replace(booking_body(booking), cancelled_date=instant_out(named_occurrence(outcome)))
    return Result(OK, body, [etag(booking.version)])


async def _series_cancelled(parts: Parts, outcome: Outcome, language: str) -> Result:
    """Show the series as it ended."""
    assert outcome.booking is not None
    series = await _series(parts, outcome.booking.booking)
    return Result(OK, series_body(series, language), [etag(series.version)])


async def _occurrence_moved(parts: Parts, outcome: Outcome, resource_id: str) -> Result:
    """Show the occurrence where it is now. Its version is its series', which may have changed again: no ``ETag``."""
    assert outcome.subject is not None
    rule = (await _series(parts, outcome.subject)).recurrence.rule
    return Result(OK, moved_occurrence_body(outcome, resource_id, rule.text if rule else None))


async def _booking_of(parts: Parts, outcome: Outcome) -> Booking:
    view = outcome.booking
    assert view is not None
    booking = await ask(
        parts.primary, lambda connection: bookings.find_booking(connection, view.booking), within_s=READ_TIMEOUT_S
    )
    assert booking is not None, "an outcome names a booking that does not exist"
    return booking


async def _series(parts: Parts, series: UUID) -> SeriesBooking:
    found = await ask(
        parts.primary, lambda connection: bookings.find_series_booking(connection, series), within_s=READ_TIMEOUT_S
    )
    assert found is not None, "an outcome names a series that does not exist"
    return found


async def _updated(parts: Parts, resource_id: str) -> Result:
    """Show the resource as it is now, which may be later than this change of it."""
    resource = await ask(
        parts.primary, lambda connection: resources.find_resource(connection, resource_id), within_s=READ_TIMEOUT_S
    )
    assert resource is not None, "a resource was changed that does not exist"
    return Result(OK, resource_body(resource), [etag(resource.version)])


def _problem(outcome: Outcome, problem: Problem) -> Result:
    return Result(problem.status, problem.body(request_address(outcome.request_id)))


async def _conflict(parts: Parts, outcome: Outcome, command: Command | None) -> Problem:
    """What stands in the way. Of a series, or an occurrence of one, the outcome kept it whole."""
    slots = slot_bodies(await _next_slots(parts, outcome, command))
    if outcome.detail is None or outcome.kind in FOR_ONE_TIME:
        return conflict(clash_bodies(outcome.clashes), slots)
    clashes = occurrence_clash_bodies(outcome.detail.clashes)
    return conflict(clashes, slots, count=outcome.detail.clashing)


async def _next_slots(parts: Parts, outcome: Outcome, command: Command | None) -> list[tuple[datetime, datetime]]:
    """The next free times like the one that was wished for, or first times of a series like it: advice."""
    if outcome.kind in FOR_ONE_TIME or (outcome.kind == "move_occurrence" and _is_of_one(outcome)):
        start, end, places = await _wished(parts, outcome, command)
        return await parts.suggestions.next_slots(outcome.resource, start, end - start, places)
    recurrence = outcome.detail.recurrence if outcome.detail else None
    if recurrence is None:  # an occurrence is restored where it was, or nowhere
        return []
    _, _, places = await _wished(parts, outcome, command)
    return await parts.suggestions.next_series_starts(outcome.resource, recurrence, places)


async def _wished(parts: Parts, outcome: Outcome, command: Command | None) -> tuple[datetime, datetime, int]:
    if isinstance(command, Book):
        return command.start_time, command.end_time, command.places
    return await _wish(parts, outcome)


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
