"""What the interface's description says about privacy, with examples that a test executes."""

from __future__ import annotations

from uuid import UUID

from api.access import Access
from api.account_bodies import AuditItem
from api.account_operations import CREATED_AT, PASSWORD, USER, USER_ID
from api.openapi import Counted, Operation, Success
from api.operations import BOOKING_ID, REQUEST_ID, RESOURCE_ID
from api.privacy_bodies import (
    Erase,
    ErasedBody,
    ExportBody,
    ExportedBooking,
    ExportedRequest,
    ExportedResource,
    ExportedSession,
)

START_TIME, END_TIME = "2036-08-10T09:00:00.000Z", "2036-08-10T10:00:00.000Z"
SESSION_ID = "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a79"
ERASED = ErasedBody(user_id=UUID(USER_ID), erased_at=CREATED_AT, finished=True)
EXPORT = ExportBody(
    exported_at=CREATED_AT,
    profile=USER,
    sessions=[
        ExportedSession(
            session_id=UUID(SESSION_ID), created_at=CREATED_AT, expires_at=CREATED_AT, ended_at=None, end_reason=None
        )
    ],
    api_keys=[],
    bookings=[
        ExportedBooking(
            booking_id=UUID(BOOKING_ID),
            resource_id=RESOURCE_ID,
            start_time=START_TIME,
            end_time=END_TIME,
            places=1,
            status="confirmed",
            created_at=CREATED_AT,
            ended_at=None,
            cancellation_reason=None,
            rescheduled_to=None,
            rescheduled_from=None,
            series_id=None,
            occurrence=None,
            slot_id=None,
            request_id=UUID(REQUEST_ID),
            ticket=1,
        )
    ],
    series=[],
    resources=[
        ExportedResource(
            resource_id=RESOURCE_ID,
            kind="resource",
            name="Room 1",
            time_zone="Europe/London",
            capacity=1,
            created_at=CREATED_AT,
        )
    ],
    slots=[],
    slot_rules=[],
    idempotency_keys=[],
    audit=[
        AuditItem(
            at=CREATED_AT,
            actor=USER_ID,
            action="session.open",
            subject=USER_ID,
            outcome="done",
            request_id=REQUEST_ID,
            address="203.0.113.7",
            detail=None,
        )
    ],
    requests=[
        ExportedRequest(
            resource_id=RESOURCE_ID,
            ticket=1,
            request_id=UUID(REQUEST_ID),
            kind="book",
            outcome="confirmed",
            reason=None,
            start_time=START_TIME,
            end_time=END_TIME,
            places=1,
            capacity=None,
            subject=None,
            booking_id=UUID(BOOKING_ID),
            joined_at=CREATED_AT,
            decided_at=CREATED_AT,
        )
    ],
)

EXPORT_ME = Operation(
    answers={200: Success("Everything that is kept of the person, as a file.", ExportBody, EXPORT)},
    problems=("user_unknown", "too_many_waiting"),
)
ERASE_ME = Operation(
    counted=Counted.LOGINS,
    body=Erase,
    example={"password": PASSWORD},
    answers={200: Success("They are erased.", ErasedBody, ERASED)},
    problems=("invalid_idempotency_key", "wrong_credentials", "too_many_waiting", "user_unknown"),
)
ERASE_USER = Operation(
    access=Access.OPERATOR,
    path={"user_id": USER_ID},
    answers={200: Success("They are erased.", ErasedBody, ERASED)},
    problems=("invalid_request", "invalid_idempotency_key", "user_unknown"),
)
