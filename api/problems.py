"""Every way in which a request can end badly, and the one table of statuses.

A problem is told by its code. The code's page is docs/problems/<code>.md, and the problem's ``type`` leads there.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from api.bodies import ClashBody, ProblemBody, SlotBody
from api.decode import BadRequest, UnreadableBody
from api.fields import Fault
from engine.commands import Reason
from engine.errors import EngineError, NotFound, QueueFull, Unavailable

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
    "resource_unknown": (404, "The resource does not exist"),
    "booking_unknown": (404, "The booking does not exist"),
    "request_unknown": (404, "The request is not known"),
    "not_found": (404, "There is nothing at this address"),
    "method_not_allowed": (405, "The address does not take this method"),
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
    # trouble: nothing was decided
    "internal_error": (500, "Something went wrong"),
    Unavailable.code: (503, "The engine does not answer"),
    QueueFull.code: (503, "The queue is full"),
}
"""Code -> (status, title)."""

DETAILS: dict[str, str] = {
    Reason.KEY_REUSED: "This Idempotency-Key was used before, with another request.",
    Reason.ALREADY_CANCELLED: "A cancelled booking cannot be rescheduled.",
    Reason.ALREADY_RESCHEDULED: "This booking was rescheduled; the one that rescheduled_to names can be changed.",
    Reason.STALE_VERSION: "If-Match names another version than the current one; read it again.",
    Reason.SLOT_IN_PAST: "start_time is not after now, by the clock of the database.",
    Reason.PLACES_EXCEED_CAPACITY: "The resource does not have that many places at all.",
    Reason.CONFLICT: "This time slot was just booked by another user, or too few of its places are left.",
    Reason.CAPACITY_BELOW_TAKEN: "At some instant more places are taken than the new capacity has.",
    "withdrawn": "The request was withdrawn before it was decided.",
    "failed": "The engine gave up on this request after several tries. It has no effect.",
    Unavailable.code: "The engine did not answer in time. The same request may be sent again.",
    QueueFull.code: "Too many requests wait for this resource. The same request may be sent again.",
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


def conflict(clashes: list[ClashBody], slots: list[SlotBody]) -> Problem:
    """Make the problem of a time that is taken, with what stands in the way and the next free times."""
    return Problem(Reason.CONFLICT, has_conflict=True, conflicts=clashes, next_available_slots=slots)


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
            return Problem(f"{error.what}_unknown", f"{error.what.capitalize()} {error.name} does not exist.")
        case EngineError():
            retry_after_s = error.retry_after_s
            return Problem(error.code, headers=[("retry-after", str(retry_after_s))], retry_after_s=retry_after_s)
    return None


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
