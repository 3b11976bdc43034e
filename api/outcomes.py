"""What a decided command is answered with: the one place that turns an outcome into a status and a body."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from api.bodies import BookingBody, encode, instant_out, optional_instant_out
from api.http import JSON, PROBLEM_JSON, Answer, HeaderPairs, seen_header
from api.languages import DEFAULT_LANGUAGE
from api.offer_bodies import OfferedSlotBody
from api.offer_views import (
    event_body,
    made_seat_body,
    open_slot_bodies,
    published_body,
    slot_body,
    slot_rule_body,
)
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
from engine.commands import Book, BookSeat, Command, Outcome, Reason, Status
from engine.errors import EngineError
from engine.store import bookings, ledger, offers, resources
from engine.store.bookings import Booking, SeriesBooking
from engine.store.offers import Offering
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

CREATED, OK = 201, 200
OF_OFFERS = frozenset({"publish_slots", "cancel_slot", "cancel_slot_rule", "book_seat", "change_event"})
"""Kinds of commands about slots and events."""
FOR_ONE_TIME = frozenset({"book", "reschedule"})
"""Kinds of commands that wish for one time, and not for that of an occurrence."""
ADVICE_WITHIN_S = 0.25
"""How long a refusal waits for what is only advice, and before that for a connection."""


@dataclass(slots=True)
class Result:
    """A status with its body, to be sent or to be shown at the request's address."""

    status: int
    body: Struct
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True, frozen=True)
class Asked:
    """What was asked, and by whom, where that is at hand.

    many  several things were asked for, whatever came of it.
    """

    command: Command
    caller: str
    many: bool = False

    @property
    def holder(self) -> str:
        """Whose the booking was to be."""
        return (isinstance(self.command, BookSeat) and self.command.person) or self.caller


async def result_of(
    parts: Parts,
    outcome: Outcome,
    resource_id: str,
    asked: Asked | None = None,
    *,
    language: str = DEFAULT_LANGUAGE,
) -> Result:
    """Say what a decided command is answered with.

    asked     what was asked, where it is at hand; otherwise the ledger is asked.
    language  of what is written for people: the summaries of series.
    """
    match outcome.status:
        case Status.CONFIRMED if outcome.kind in OF_OFFERS:
            return await _offer_confirmed(parts, outcome, many=asked is not None and asked.many)
        case Status.CONFIRMED:
            return await _confirmed(parts, outcome, resource_id, language)
        case Status.REFUSED:
            return _problem(outcome, await _refused(parts, outcome, asked))
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


async def _offer_confirmed(parts: Parts, outcome: Outcome, *, many: bool) -> Result:
    """Show the slots, rule, event or seat that a command made or changed."""
    subject, made = outcome.subject, outcome.booking
    match outcome.kind:
        case "publish_slots" if many or made is None:
            return Result(CREATED, published_body(outcome))
        case "publish_slots" | "cancel_slot":
            assert made is not None, "one slot"
            body = slot_body(await _offering(parts, made.booking))
            return _published(body) if outcome.kind == "publish_slots" else Result(OK, body)
        case "cancel_slot_rule":
            assert subject is not None
            rule = await ask(
                parts.primary, lambda connection: offers.find_slot_rule(connection, subject), within_s=READ_TIMEOUT_S
            )
            assert rule is not None, "an outcome names a rule that does not exist"
            return Result(OK, slot_rule_body(rule))
        case "change_event":
            assert subject is not None
            event = await _offering(parts, subject)
            return Result(OK, event_body(event), [etag(event.version)])
    assert subject is not None, "a seat is of something"
    return _seat(outcome, made_seat_body(outcome, await parts.routes.offer(subject)))


def _seat(outcome: Outcome, body: BookingBody) -> Result:
    headers = [] if outcome.repeated else [etag(1)]
    return Result(CREATED, body, [(b"location", f"/api/v1/bookings/{body.booking_id}".encode()), *headers])


def _published(body: OfferedSlotBody) -> Result:
    return Result(CREATED, body, [(b"location", f"/api/v1/slots/{body.slot_id}".encode())])


async def _offering(parts: Parts, slot: UUID) -> Offering:
    """A slot or event as it is now, which may be later than the command."""
    found = await ask(parts.primary, lambda connection: offers.find_offering(connection, slot), within_s=READ_TIMEOUT_S)
    assert found is not None, "an outcome names a slot or event that does not exist"
    return found


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
    assert outcome.booking is not None
    booking = await _booking_of(parts, outcome.booking.booking)
    return Result(OK, booking_body(booking), [etag(booking.version)])


async def _occurrence_cancelled(parts: Parts, outcome: Outcome) -> Result:
    """Show the occurrence as it ended: restored, it has a row of its own."""
    assert outcome.booking is not None
    booking = await _booking_of(parts, outcome.booking.booking)
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


async def _booking_of(parts: Parts, booking_id: UUID) -> Booking:
    booking = await ask(
        parts.primary, lambda connection: bookings.find_booking(connection, booking_id), within_s=READ_TIMEOUT_S
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


async def _refused(parts: Parts, outcome: Outcome, asked: Asked | None) -> Problem:
    """Say why a command was refused, and what helps."""
    reason = outcome.reason
    assert reason is not None
    match reason:
        case Reason.CONFLICT:
            return await _conflict(parts, outcome, asked.command if asked is not None else None)
        case Reason.MAX_ACTIVE_BOOKINGS | Reason.MAX_BOOKINGS_WITH_HOST:
            return await _limited(parts, outcome, reason, asked)
        case Reason.TOO_LATE_TO_CANCEL:
            return await _too_late(parts, outcome)
        case Reason.NO_SEATS_LEFT | Reason.ALREADY_BOOKED if outcome.kind == "book_seat":
            return await _no_seat(parts, outcome, reason, asked)
    return Problem(reason)


async def _no_seat(parts: Parts, outcome: Outcome, reason: Reason, asked: Asked | None) -> Problem:
    """Nobody can have a seat, or not this person. The next slots of the same host are advice."""
    assert outcome.subject is not None, "a seat is of something"
    home = await parts.routes.offer(outcome.subject)
    if not home.is_event and reason is Reason.ALREADY_BOOKED:
        return Problem(reason)
    if not home.is_event:
        found = await parts.suggestions.next_open_slots(home.resource, outcome.subject)
        return Problem(reason, has_conflict=True, next_available_slots=open_slot_bodies(found))
    if reason is Reason.NO_SEATS_LEFT:
        return Problem(reason, f"No available seats for event {outcome.subject}")
    who = f"User {asked.holder}" if asked is not None else "This user"
    return Problem(reason, f"{who} already booked for event {outcome.subject}")


async def _limited(parts: Parts, outcome: Outcome, reason: Reason, asked: Asked | None) -> Problem:
    """Which limit, what was counted, and when one more would pass, which is advice: as things are now."""
    person = None if asked is None else asked.holder
    resets_at = None
    with suppress(EngineError):
        resets_at = await ask(
            parts.primary,
            lambda connection: ledger.limit_resets_at(connection, outcome.resource, outcome.ticket, person),
            within_s=ADVICE_WITHIN_S,
        )
    return Problem(
        reason,
        rule=reason.value,
        count=outcome.counted,
        limit=outcome.counted_limit,
        resets_at=optional_instant_out(resets_at),
    )


async def _too_late(parts: Parts, outcome: Outcome) -> Problem:
    """How many minutes were left when it was decided, and how many there must be."""
    assert outcome.subject is not None, "a booking was to be cancelled"
    booking = await _booking_of(parts, outcome.subject)
    left = max(booking.start_time - outcome.decided_at, timedelta()) // timedelta(minutes=1)
    limit = parts.config.cancel_notice_minutes
    detail = f"{left:,} minutes before it begins; until {limit:,} minutes before, it could have been cancelled."
    return Problem(Reason.TOO_LATE_TO_CANCEL, detail, rule="cancel_notice_minutes", count=left, limit=limit)


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
    if recurrence is None or outcome.kind == "publish_slots":  # where it was, or where the host wants it, or nowhere
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
