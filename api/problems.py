"""Every way in which a request can end badly, and the one table of statuses.

A problem is told by its code. The code's page is docs/problems/<code>.md, and the problem's ``type`` leads there.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from msgspec import UNSET, UnsetType

from api.bodies import ClashBody, ProblemBody, SlotBody
from api.decode import BadRequest, UnreadableBody
from api.fields import Fault
from engine.commands import Reason
from engine.errors import (
    EngineError,
    NotFound,
    NotPromised,
    OverRate,
    QueueFull,
    StorageFull,
    TooManyWaiting,
    Unavailable,
)
from engine.rules.recurrence_rule import RuleError, RuleFault

PROBLEMS: dict[str, tuple[int, str]] = {
    # a request that cannot be read: no ticket
    "invalid_request": (400, "The request is not valid"),
    "invalid_json": (400, "The body is not a JSON object"),
    "invalid_interval": (400, "The start is not before the end"),
    "interval_too_long": (400, "The interval is too long"),
    "timezone_required": (400, "An instant has no offset"),
    "instant_too_fine": (400, "An instant is finer than a millisecond"),
    "unknown_time_zone": (400, "The time zone does not exist"),
    "invalid_idempotency_key": (400, "The idempotency key is not valid"),
    # whoever asks: who they are, and what they may do
    "sign_in_required": (401, "Nobody is signed in"),
    "invalid_token": (401, "The token or key is not good"),
    "wrong_credentials": (401, "E-mail or password is wrong"),
    "role_required": (403, "It takes another role"),
    "scope_missing": (403, "The API key is not for this"),
    "not_yours": (403, "It belongs to someone else"),
    "untrusted_proxy": (403, "X-User-Id comes from an address that is not trusted"),
    "operator_code_invalid": (403, "The operator code is not good"),
    "user_unknown": (404, "The user does not exist"),
    "api_key_unknown": (404, "The API key does not exist"),
    "email_taken": (409, "The e-mail address has an account"),
    "too_many_api_keys": (409, "There are as many API keys as may be"),
    "resource_unknown": (404, "The resource does not exist"),
    "booking_unknown": (404, "The booking does not exist"),
    "request_unknown": (404, "The request is not known"),
    "not_decided": (404, "The request is not decided yet"),
    "no_ledger_key": (404, "Nothing is signed here"),
    "not_found": (404, "There is nothing at this address"),
    "method_not_allowed": (405, "The address does not take this method"),
    "body_too_slow": (408, "The body did not come in time"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body is not JSON"),
    # a request that was decided
    Reason.KEY_REUSED: (422, "The idempotency key was used for something else"),
    Reason.ALREADY_CANCELLED: (409, "The booking is cancelled"),
    Reason.ALREADY_RESCHEDULED: (409, "The booking was rescheduled"),
    Reason.STALE_VERSION: (412, "The version is not the current one"),
    Reason.SLOT_IN_PAST: (400, "The time is past"),
    Reason.PLACES_EXCEED_CAPACITY: (409, "The resource has fewer places"),
    Reason.CONFLICT: (409, "The time is taken"),
    Reason.CAPACITY_BELOW_TAKEN: (409, "More places are taken"),
    "resource_exists": (409, "The resource exists"),
    "withdrawn": (409, "The request was withdrawn"),
    "failed": (500, "The request could not be decided"),
    # too many requests: nothing was kept
    "rate_limited": (429, "Too many requests"),
    # trouble: no outcome is known
    "internal_error": (500, "Something went wrong"),
    Unavailable.code: (503, "The engine does not answer"),
    NotPromised.code: (503, "The request has a ticket, but no promise"),
    # trouble: nothing was kept
    QueueFull.code: (503, "The queue is full"),
    TooManyWaiting.code: (503, "Too many requests wait"),
    StorageFull.code: (503, "There is no room for requests"),
    # recurring bookings: a rule that is refused before it gets a ticket
    RuleFault.INVALID_RRULE: (400, "The rule is not valid"),
    RuleFault.RRULE_TOO_EXPENSIVE: (422, "The rule takes too long to expand"),
    RuleFault.RRULE_TOO_LONG: (422, "The series is too long"),
    RuleFault.UNSUPPORTED_RSCALE: (422, "The rule counts in another calendar"),
    RuleFault.NO_OCCURRENCES: (422, "The series has no occurrences"),
    "no_date": (404, "The booking has no date"),
    "not_recurring": (404, "The booking is not recurring"),
    "not_reschedulable": (409, "The booking cannot be moved this way"),
    # and what was decided about series and their occurrences
    Reason.NOT_AN_OCCURRENCE: (404, "The series has no such occurrence"),
    Reason.OCCURRENCE_IN_PAST: (409, "The occurrence is past"),
    Reason.OCCURRENCE_CANCELLED: (409, "The occurrence is cancelled"),
    Reason.RULE_CANNOT_MOVE: (409, "No rule gives the moved occurrences"),
    Reason.SERIES_OVERLAPS_ITSELF: (422, "The series overlaps itself"),
    Reason.TOO_MANY_SERIES: (409, "The resource has too many series without end"),
    # slots, events and seats
    "slot_unknown": (404, "The slot does not exist"),
    "slot_rule_unknown": (404, "The rule does not exist"),
    "event_unknown": (404, "The event does not exist"),
    "own_slot": (400, "The slot is your own"),
    "too_many_slots": (422, "Too many slots"),
    Reason.SLOT_CANCELLED: (409, "The slot was taken back"),
    Reason.SLOT_BOOKED: (409, "The slot is booked"),
    Reason.TOO_LATE_TO_CANCEL: (400, "It is too late to cancel"),
    Reason.ALREADY_BOOKED: (409, "The person has a seat already"),
    Reason.NO_SEATS_LEFT: (409, "No seat is left"),
    Reason.MAX_ACTIVE_BOOKINGS: (409, "Too many active bookings"),
    Reason.MAX_BOOKINGS_WITH_HOST: (409, "Too many bookings with the host"),
}
"""Code -> (status, title)."""

DETAILS: dict[str, str] = {
    "sign_in_required": "Send the access_token of a log-in, or an API key: Authorization: Bearer …",
    "invalid_token": "What was sent is none of ours, has ended, or was revoked. Log in again.",
    "wrong_credentials": "There is no account with this e-mail address and password.",
    "untrusted_proxy": "X-User-Id counts only where FIRSTCOME_TRUSTED_PROXIES names the address that it comes from.",
    "operator_code_invalid": "Operators sign up with this installation's one-time code, and this is not it, or it was "
    "used. firstcome operator-code makes another.",
    "email_taken": "There is an account with this e-mail address; log in with it.",
    "too_many_api_keys": "End one that is not needed before making another.",
    "body_too_slow": "The body was not there within 20 seconds. Nothing of the request was kept; send it again.",
    Reason.KEY_REUSED: "This Idempotency-Key was used before, with another request.",
    Reason.ALREADY_CANCELLED: "A cancelled booking cannot be rescheduled.",
    Reason.ALREADY_RESCHEDULED: "This booking was rescheduled; the one that rescheduled_to names can be changed.",
    Reason.STALE_VERSION: "If-Match names another version than the current one; read it again.",
    Reason.SLOT_IN_PAST: "start_time is not after now, by the clock of the database.",
    Reason.PLACES_EXCEED_CAPACITY: "The resource does not have that many places at all.",
    Reason.CONFLICT: "This time slot was just booked by another user, or too few of its places are left.",
    Reason.CAPACITY_BELOW_TAKEN: "At some instant from now on, more places are taken than the new capacity has.",
    "not_decided": "The request waits in its queue; there is a receipt once it is decided.",
    "no_ledger_key": "This installation has no key to sign with, so it gives no receipts.",
    "withdrawn": "The request was withdrawn before it was decided.",
    "failed": "The engine gave up on this request after several tries. It has no effect.",
    Unavailable.code: (
        "The engine did not answer in time, and the request may be decided all the same. Send it again "
        "with the same Idempotency-Key: then it has one outcome."
    ),
    NotPromised.code: (
        "The request has its ticket, but it was not on disk in time to be promised. It will most likely be decided. "
        "Send it again with the same Idempotency-Key: then it has one outcome."
    ),
    QueueFull.code: "As many requests wait for this resource as may. Nothing of this one was kept; send it later.",
    TooManyWaiting.code: (
        "As many requests wait at this process as may, whatever their resource. Nothing of this one was kept; "
        "send it later."
    ),
    StorageFull.code: "The queues have no memory left. Nothing of this request was kept; send it later.",
    Reason.NOT_AN_OCCURRENCE: "The series has no occurrence that begins, or was to begin, at that instant.",
    Reason.OCCURRENCE_IN_PAST: "The occurrence has begun; what is past stays as it was.",
    Reason.OCCURRENCE_CANCELLED: "A cancelled occurrence cannot be moved; restore it first.",
    Reason.RULE_CANNOT_MOVE: "No recurrence rule gives exactly the moved occurrences of this series.",
    Reason.SERIES_OVERLAPS_ITSELF: "Occurrences of the series would overlap each other.",
    Reason.TOO_MANY_SERIES: "As many series without end stand on this resource as may; give this one an end.",
    "own_slot": "A host cannot book their own slot.",
    Reason.SLOT_CANCELLED: "The host took the slot back.",
    Reason.SLOT_BOOKED: "Seats of the slot are taken. Once their bookings are cancelled it can be taken back.",
    Reason.TOO_LATE_TO_CANCEL: "So shortly before it begins, the booking cannot be cancelled any more.",
    Reason.ALREADY_BOOKED: "Whoever the seat is for has one already, and there is one for each person.",
    Reason.NO_SEATS_LEFT: "Every seat is taken. Somebody else's request came first.",
    Reason.MAX_ACTIVE_BOOKINGS: "The person has as many bookings ahead as one may have.",
    Reason.MAX_BOOKINGS_WITH_HOST: "The person has as many slots of this host ahead as one may have.",
    "not_reschedulable": "A series is moved by its occurrences: PUT "
    "/api/v1/bookings/{booking_id}/occurrences/{start}, with the scope all for the whole of it.",
}
"""What there is to say where the code says it all."""

SPEAKING_FAULTS = frozenset(PROBLEMS)
"""Codes of faults that have a page of their own: a request with only one kind of fault has its code."""


class Problem(Exception):
    """Ends a request with a problem.

    headers  beyond those that every problem has.
    extras   more members of the body, by name.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        **extras: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = DETAILS[code] if detail is None else detail
        self.headers = list(headers)
        self.extras = extras

    @property
    def status(self) -> int:
        """The HTTP status."""
        return PROBLEMS[self.code][0]

    def body(self, instance: str) -> ProblemBody:
        """Make the body. ``instance`` is the address of what went wrong."""
        status, title = PROBLEMS[self.code]
        return ProblemBody(
            type=f"/docs/problems/{self.code}",
            title=title,
            status=status,
            detail=self.detail,
            instance=instance,
            code=str(self.code),
            **self.extras,
        )


def conflict(clashes: list[ClashBody], slots: list[SlotBody], *, count: int | UnsetType = UNSET) -> Problem:
    """Make the problem of a time that is taken, with what stands in the way and the next free times.

    count  of a series: how many of its occurrences cannot be had.
    """
    return Problem(
        Reason.CONFLICT,
        has_conflict=True,
        conflicts=clashes,
        next_available_slots=slots,
        clashing_occurrences=count,
    )


def problem_of(error: Exception) -> Problem | None:
    """Turn an error that a handler may raise into its problem. None: the error is a bug."""
    match error:
        case Problem():
            return error
        case BadRequest(faults=faults):
            return _bad_request(faults)
        case UnreadableBody():
            return Problem("invalid_json", f"{error}.".capitalize())
        case NotFound():
            noun = error.what.replace("_", " ")
            return Problem(f"{error.what}_unknown", f"{noun[0].upper()}{noun[1:]} {error.name} does not exist.")
        case RuleError():
            return _refused_rule(error)
        case OverRate():
            return _over_rate(error)
        case EngineError():
            retry_after_s = error.retry_after_s
            return Problem(error.code, headers=[("retry-after", str(retry_after_s))], retry_after_s=retry_after_s)
    return None


def _over_rate(error: OverRate) -> Problem:
    detail = (
        f"More than {error.quota:,} requests in {error.window_s:,} seconds ({error.policy}). Nothing of this one was "
        "kept; send it later."
    )
    return Problem(
        "rate_limited",
        detail,
        headers=[("retry-after", str(error.retry_after_s))],
        retry_after_s=error.retry_after_s,
    )


def http_problem(status: int, path: str) -> Problem | None:
    """Turn a status with which the framework refuses a request into its problem. None: it has none."""
    match status:
        case HTTPStatus.NOT_FOUND:
            return Problem("not_found", f"There is nothing at {path}.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return Problem("method_not_allowed", f"{path} does not take this method.")
        case HTTPStatus.BAD_REQUEST:
            return Problem("invalid_request", "The request is malformed.")
    return None


def _bad_request(faults: tuple[Fault, ...]) -> Problem:
    codes = {fault.code for fault in faults}
    code = codes.pop() if len(codes) == 1 else ""
    detail = faults[0].detail if len(faults) == 1 else f"{len(faults)} things are wrong with the request"
    return Problem(code if code in SPEAKING_FAULTS else "invalid_request", detail, errors=faults)


def _refused_rule(error: RuleError) -> Problem:
    """A rule that cannot be read is a fault of its field, as any other that cannot."""
    if PROBLEMS[error.code][0] == HTTPStatus.BAD_REQUEST:
        detail = f"recurrence_rule has {error.part}: {error.detail}"
        return _bad_request((Fault("/recurrence_rule", error.code, detail),))
    return Problem(error.code, f"{error.part}: {error.detail}" if error.part else error.detail)
