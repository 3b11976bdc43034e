"""What the interface's description says about each operation, with examples that a test executes."""

from __future__ import annotations

from uuid import UUID

from api.access import Access, Scope
from api.bodies import (
    BookingBody,
    Cancellation,
    ClashBody,
    HealthBody,
    KeyBody,
    KeySetBody,
    LedgerItem,
    LedgerPage,
    LedgerQuery,
    NewBooking,
    NewResource,
    NewTimes,
    OccurrenceBody,
    OccurrencePage,
    OccurrenceQuery,
    OccurrenceTimes,
    PartBody,
    PreviewBody,
    PreviewItem,
    QueuedBody,
    RequestBody,
    ResourceBody,
    ResourceChange,
    ResourcePage,
    ResourceQuery,
    RestoredBody,
)
from api.offer_bodies import NewSeat
from api.openapi import Counted, Operation, Success
from engine.commands import Reason
from engine.proof import Receipt
from engine.rules.recurrence_rule import RuleFault

BOOKING_ID = "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a11"
NEW_BOOKING_ID = "019e0c3b-0a40-7c52-8d0a-9a1b2c3d4e5f"
REQUEST_ID = "019e0c3a-6bf0-7a10-8c44-2b7d1e6f9a03"
RESOURCE_ID = "room-1"
CREATED_AT = "2026-05-09T08:15:30.125Z"
INTERVAL = {"start_time": "2036-08-10T09:00:00Z", "end_time": "2036-08-10T10:00:00Z"}
CALENDAR = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//firstcome//firstcome//EN",
        "BEGIN:VEVENT",
        f"UID:{BOOKING_ID}",
        "DTSTAMP:20260509T081530Z",
        "DTSTART:20360810T090000Z",
        "DTEND:20360810T100000Z",
        "SUMMARY:Room 1",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)
OTHER_INTERVAL = {"start_time": "2036-08-10T09:30:00+02:00", "end_time": "2036-08-10T10:30:00+02:00"}
FOR_TIMES = (
    "invalid_interval",
    "interval_too_long",
    "timezone_required",
    "instant_too_fine",
    Reason.SLOT_IN_PAST,
    Reason.PLACES_EXCEED_CAPACITY,
    Reason.CONFLICT,
)

FOR_SEATS = (
    Reason.SLOT_IN_PAST,
    Reason.SLOT_CANCELLED,
    Reason.ALREADY_BOOKED,
    Reason.NO_SEATS_LEFT,
    Reason.MAX_ACTIVE_BOOKINGS,
    Reason.MAX_BOOKINGS_WITH_HOST,
)
"""What may keep somebody from a seat, and the first limit from any booking."""
FOR_SERIES = (Reason.NOT_AN_OCCURRENCE, Reason.OCCURRENCE_IN_PAST)
"""What may be wrong with the occurrence that a booking id or a path names."""

RESOURCE = ResourceBody(
    resource_id=RESOURCE_ID, name="Room 1", time_zone="Europe/Berlin", capacity=1, version=1, created_at=CREATED_AT
)
BOOKING = {
    "booking_id": BOOKING_ID,
    "resource_id": RESOURCE_ID,
    "start_time": "2036-08-10T09:00:00.000Z",
    "end_time": "2036-08-10T10:00:00.000Z",
    "recurrence_rule": None,
    "status": "confirmed",
    "places": 1,
    "ticket": 7,
    "request_id": REQUEST_ID,
    "created_at": CREATED_AT,
    "has_conflict": False,
    "message": "Booking created",
}
STANDING = BOOKING | {
    "message": "Booking confirmed",
    "ended_at": None,
    "cancellation_reason": None,
    "rescheduled_from": None,
    "rescheduled_to": None,
}
CANCELLED = STANDING | {
    "status": "cancelled",
    "message": "Booking cancelled",
    "ended_at": "2026-05-10T11:00:00.000Z",
    "cancellation_reason": "The meeting was moved.",
}
MOVED = BOOKING | {
    "booking_id": NEW_BOOKING_ID,
    "start_time": "2036-08-10T07:30:00.000Z",
    "end_time": "2036-08-10T08:30:00.000Z",
    "ticket": 9,
    "message": "Booking rescheduled",
}
SERIES_ID = "019e0c3c-1f80-7b11-a4c2-63d1f0a9b7e8"
OCCURRENCE = "20360811T070000Z"
NEW_SERIES = {
    "resource_id": RESOURCE_ID,
    "start_time": "2036-08-11T09:00:00+02:00",
    "end_time": "2036-08-11T10:00:00+02:00",
    "recurrence_rule": "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10",
    "exdates": ["2036-08-18T09:00:00+02:00"],
    "on_conflict": "skip",
}
MOVED_OCCURRENCE = MOVED | {
    "recurrence_rule": "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10",
    "message": "Occurrence moved",
    "parent_booking_id": SERIES_ID,
    "occurrence_start": "2036-08-11T07:00:00.000Z",
}
CANCELLED_OCCURRENCE = CANCELLED | {
    "start_time": "2036-08-11T07:00:00.000Z",
    "end_time": "2036-08-11T08:00:00.000Z",
    "recurrence_rule": "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10",
    "message": "Occurrence cancelled",
    "cancellation_reason": None,
    "parent_booking_id": SERIES_ID,
    "occurrence_start": "2036-08-11T07:00:00.000Z",
    "cancelled_date": "2036-08-11T07:00:00.000Z",
}
KEY = KeyBody(
    kty="OKP",
    kid="kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    use="sig",
    alg="EdDSA",
    crv="Ed25519",
    x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
)
RECEIPT = Receipt(
    resource_id=RESOURCE_ID,
    ticket=7,
    request_id=UUID(REQUEST_ID),
    row_hash="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    joined_at="2026-05-09T08:15:30.120417Z",
    decided_at="2026-05-09T08:15:30.125803Z",
    outcome="confirmed",
    key_id=KEY.kid,
    signature="eyJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiJ9..kV0x",
)
QUEUED = {"request_id": REQUEST_ID, "ticket": 7, "position": 3, "status": "queued"}
ACCEPTED = Success("Not decided yet. The outcome will stand at Location.", QueuedBody, QUEUED)
UNCHANGED = Success("What the caller has is the current version.")

CREATE_RESOURCE = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_RESOURCES,
    body=NewResource,
    example={"resource_id": RESOURCE_ID, "name": "Room 1", "time_zone": "Europe/Berlin"},
    answers={201: Success("The resource.", ResourceBody, RESOURCE)},
    problems=("unknown_time_zone", "resource_exists", "unavailable"),
    keyed=True,
)
LIST_RESOURCES = Operation(
    scope=Scope.READ_RESOURCES,
    query=ResourceQuery,
    query_example={"limit": 20},
    answers={200: Success("A page.", ResourcePage, ResourcePage(items=[RESOURCE], next=None))},
    problems=("unavailable",),
)
READ_RESOURCE = Operation(
    scope=Scope.READ_RESOURCES,
    path={"resource_id": RESOURCE_ID},
    answers={200: Success("The resource.", ResourceBody, RESOURCE), 304: UNCHANGED},
    problems=("resource_unknown", "unavailable"),
)
CHANGE_RESOURCE = Operation(
    scope=Scope.WRITE_RESOURCES,
    path={"resource_id": RESOURCE_ID},
    body=ResourceChange,
    example={"name": "Large room", "capacity": 20},
    answers={200: Success("The resource as it is now.", ResourceBody, RESOURCE), 202: ACCEPTED},
    problems=("resource_unknown", "not_yours", Reason.CAPACITY_BELOW_TAKEN, "unavailable"),
    keyed=True,
    decided=True,
    versioned=True,
)
READ_LEDGER = Operation(
    scope=Scope.READ_RESOURCES,
    path={"resource_id": RESOURCE_ID},
    query=LedgerQuery,
    query_example={"after": 0, "limit": 20},
    answers={
        200: Success(
            "A page of tickets.",
            LedgerPage,
            LedgerPage(
                items=[
                    LedgerItem(
                        ticket=7,
                        kind="book",
                        outcome="confirmed",
                        reason=None,
                        start_time="2036-08-10T09:00:00.000Z",
                        end_time="2036-08-10T10:00:00.000Z",
                        places=1,
                        capacity=None,
                        first_ticket=None,
                        joined_at="2026-05-09T08:15:30.121Z",
                        decided_at=CREATED_AT,
                        row_hash="9f" * 32,
                    )
                ],
                next=None,
            ),
        )
    },
    problems=("resource_unknown", "unavailable"),
)
BOOK = Operation(
    scope=Scope.WRITE_BOOKINGS,
    body=NewBooking,
    or_body=NewSeat,
    example={"resource_id": RESOURCE_ID, **INTERVAL},
    answers={201: Success("The booking.", BookingBody, BOOKING), 202: ACCEPTED},
    problems=(
        "resource_unknown",
        "slot_unknown",
        "event_unknown",
        "own_slot",
        "not_yours",
        "unavailable",
        "unknown_time_zone",
        *FOR_TIMES,
        *RuleFault,
        *FOR_SEATS,
        Reason.TOO_MANY_SERIES,
    ),
    keyed=True,
    decided=True,
)
READ_BOOKING = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"booking_id": BOOKING_ID},
    answers={200: Success("The booking as it stands.", BookingBody, STANDING), 304: UNCHANGED},
    problems=("invalid_request", "booking_unknown", "unavailable"),
)
READ_CALENDAR = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"booking_id": BOOKING_ID},
    answers={
        200: Success("The booking as a calendar (RFC 5545).", example=CALENDAR, media_type="text/calendar"),
        304: UNCHANGED,
    },
    problems=("invalid_request", "booking_unknown", "no_date", "unavailable"),
)
REMOVE_BOOKING = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"booking_id": BOOKING_ID},
    answers={
        200: Success("The cancelled booking.", BookingBody, CANCELLED | {"cancellation_reason": None}),
        202: ACCEPTED,
    },
    problems=(
        "invalid_request",
        "booking_unknown",
        Reason.ALREADY_RESCHEDULED,
        Reason.TOO_LATE_TO_CANCEL,
        "unavailable",
        *FOR_SERIES,
    ),
    keyed=True,
    decided=True,
    versioned=True,
)
CANCEL_BOOKING = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"booking_id": BOOKING_ID},
    body=Cancellation,
    example={"reason": "The meeting was moved."},
    optional=True,
    answers={200: Success("The cancelled booking.", BookingBody, CANCELLED), 202: ACCEPTED},
    problems=("booking_unknown", Reason.ALREADY_RESCHEDULED, Reason.TOO_LATE_TO_CANCEL, "unavailable", *FOR_SERIES),
    keyed=True,
    decided=True,
    versioned=True,
)
RESCHEDULE_BOOKING = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"booking_id": BOOKING_ID},
    body=NewTimes,
    example=OTHER_INTERVAL,
    answers={200: Success("The new booking.", BookingBody, MOVED), 202: ACCEPTED},
    problems=(
        "not_yours",
        "booking_unknown",
        Reason.ALREADY_CANCELLED,
        Reason.ALREADY_RESCHEDULED,
        Reason.OCCURRENCE_CANCELLED,
        "not_reschedulable",
        "unavailable",
        *FOR_TIMES,
        *FOR_SERIES,
    ),
    keyed=True,
    decided=True,
    versioned=True,
)
PREVIEW = Operation(
    scope=Scope.READ_RESOURCES,
    body=NewBooking,
    example=NEW_SERIES,
    answers={
        200: Success(
            "What it would be.",
            PreviewBody,
            PreviewBody(
                resource_id=RESOURCE_ID,
                start_time="2036-08-11T07:00:00.000Z",
                end_time="2036-08-11T08:00:00.000Z",
                recurrence_rule="RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10",
                time_zone="Europe/Berlin",
                exdates=["2036-08-18T07:00:00.000Z"],
                rdates=[],
                occurrences=9,
                summary="weekly on Mon, 10 times, except on 1 date",
                items=[
                    PreviewItem(
                        start_time="2036-08-11T07:00:00.000Z",
                        end_time="2036-08-11T08:00:00.000Z",
                        occurrence=OCCURRENCE,
                    )
                ],
                has_conflict=True,
                conflicts=[
                    ClashBody(
                        booking_id=UUID(BOOKING_ID),
                        start_time="2036-09-01T07:30:00.000Z",
                        end_time="2036-09-01T08:30:00.000Z",
                        occurrence_start="2036-09-01T07:00:00.000Z",
                    )
                ],
                clashing_occurrences=1,
                warnings=[],
                as_of=CREATED_AT,
                source="replica",
            ),
        )
    },
    problems=(
        "resource_unknown",
        "unavailable",
        "unknown_time_zone",
        "invalid_idempotency_key",
        "invalid_interval",
        "interval_too_long",
        "timezone_required",
        "instant_too_fine",
        *RuleFault,
    ),
)
IN_SERIES = ("invalid_request", "booking_unknown", "not_recurring", "unavailable")
LIST_OCCURRENCES = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"booking_id": SERIES_ID},
    query=OccurrenceQuery,
    query_example={"start_date": "2036-08-10", "end_date": "2036-09-30", "limit": 20},
    answers={
        200: Success(
            "A page of occurrences.",
            OccurrencePage,
            OccurrencePage(
                items=[
                    OccurrenceBody(
                        booking_id=UUID(BOOKING_ID),
                        parent_booking_id=UUID(SERIES_ID),
                        start_time="2036-08-11T07:00:00.000Z",
                        end_time="2036-08-11T08:00:00.000Z",
                        occurrence=OCCURRENCE,
                        status="confirmed",
                    )
                ],
                next=None,
            ),
        )
    },
    problems=(*IN_SERIES, "invalid_interval", "interval_too_long", "timezone_required", "instant_too_fine"),
)
REMOVE_OCCURRENCE = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"booking_id": SERIES_ID, "start": OCCURRENCE},
    answers={200: Success("The cancelled occurrence.", BookingBody, CANCELLED_OCCURRENCE), 202: ACCEPTED},
    problems=(*IN_SERIES, *FOR_SERIES),
    keyed=True,
    decided=True,
    versioned=True,
)
RESTORE_OCCURRENCE = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"booking_id": SERIES_ID, "start": OCCURRENCE},
    answers={
        200: Success(
            "The occurrence stands.",
            RestoredBody,
            RestoredBody(
                message="Occurrence restored",
                booking_id=UUID(BOOKING_ID),
                parent_booking_id=UUID(SERIES_ID),
                restored_date="2036-08-11T07:00:00.000Z",
            ),
        ),
        202: ACCEPTED,
    },
    problems=(
        "not_yours",
        *IN_SERIES,
        *FOR_SERIES,
        Reason.ALREADY_CANCELLED,
        Reason.ALREADY_RESCHEDULED,
        Reason.SLOT_IN_PAST,
        Reason.PLACES_EXCEED_CAPACITY,
        Reason.CONFLICT,
    ),
    keyed=True,
    decided=True,
    versioned=True,
)
MOVE_OCCURRENCE = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"booking_id": SERIES_ID, "start": OCCURRENCE},
    body=OccurrenceTimes,
    example=OTHER_INTERVAL | {"scope": "this"},
    answers={
        200: Success("The moved occurrence, or the series that it and others are now.", BookingBody, MOVED_OCCURRENCE),
        202: ACCEPTED,
    },
    problems=(
        "not_yours",
        *IN_SERIES,
        *FOR_SERIES,
        *FOR_TIMES,
        Reason.ALREADY_CANCELLED,
        Reason.ALREADY_RESCHEDULED,
        Reason.OCCURRENCE_CANCELLED,
        Reason.RULE_CANNOT_MOVE,
        Reason.SERIES_OVERLAPS_ITSELF,
        Reason.TOO_MANY_SERIES,
    ),
    keyed=True,
    decided=True,
    versioned=True,
)
READ_REQUEST = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"request_id": REQUEST_ID},
    answers={
        200: Success(
            "What became of it.",
            RequestBody,
            {"request_id": REQUEST_ID, "ticket": 7, "status": "confirmed", "position": 0, "outcome": BOOKING},
        )
    },
    problems=("invalid_request", "request_unknown", "unavailable"),
)
READ_RECEIPT = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"request_id": REQUEST_ID},
    answers={200: Success("The receipt, signed.", Receipt, RECEIPT)},
    problems=("invalid_request", "request_unknown", "not_decided", "no_ledger_key", "unavailable"),
)
WITHDRAW_REQUEST = Operation(
    scope=Scope.WRITE_BOOKINGS,
    path={"request_id": REQUEST_ID},
    answers={202: Success("What became of it stands at Location.", QueuedBody, QUEUED)},
    problems=("invalid_request", "invalid_idempotency_key", "request_unknown", "unavailable"),
)
LIST_KEYS = Operation(
    access=Access.PUBLIC,
    answers={200: Success("The keys.", KeySetBody, KeySetBody(keys=[KEY]), "application/jwk-set+json")},
)
LIVE = Operation(
    access=Access.PUBLIC,
    counted=Counted.NEVER,
    answers={200: Success("It answers.", HealthBody, HealthBody(status="live"))},
)
READY = Operation(
    access=Access.PUBLIC,
    counted=Counted.NEVER,
    answers={
        200: Success(
            "It can take bookings.",
            HealthBody,
            HealthBody(
                status="ready",
                primary=PartBody(ok=True),
                queue=PartBody(ok=True),
                replica=PartBody(ok=True, lag_ms=12),
            ),
        ),
        503: Success(
            "It cannot take bookings.",
            HealthBody,
            HealthBody(status="unavailable", primary=PartBody(ok=False), queue=PartBody(ok=True)),
        ),
    },
)
