"""What the interface's description says about slots, events and seats, with examples that a test executes."""

from __future__ import annotations

from uuid import UUID

import msgspec

from api.access import Access, Scope
from api.bodies import BookingBody, SkippedBody
from api.offer_bodies import (
    BookingPage,
    ChangeBody,
    EventBody,
    EventChange,
    EventPage,
    FreshSlotPage,
    NewEvent,
    NewSlot,
    NewSlots,
    OfferedSlotBody,
    OwnBookingQuery,
    PublishedBody,
    Reservation,
    SlotPage,
    SlotQuery,
    SlotRuleBody,
    SlotRulePage,
    SlotRuleQuery,
    Timeline,
    TimelineQuery,
    WindowQuery,
)
from api.openapi import Counted, Operation, Success
from api.operations import ACCEPTED, BOOKING, BOOKING_ID, CREATED_AT, FOR_SEATS, INTERVAL, REQUEST_ID, STANDING
from engine.commands import Reason
from engine.rules.recurrence_rule import RuleFault

SLOT_ID = "019e0c3d-33a0-7c11-8f52-4be0d7a3c9f1"
EVENT_ID = "019e0c3d-4f10-7d24-9a61-0c8be5f7d2a3"
RULE_ID = "019e0c3d-6a80-7e37-8b70-1d9cf608e3b4"
HOST_ID = "019e0c38-11c0-7e40-9d24-5ab8c7e6f012"
USER_ID = "019e0c39-70d0-7b52-8e13-f6a90c4d1b7e"

FOR_WINDOWS = ("invalid_interval", "timezone_required", "instant_too_fine", "unavailable")
FOR_OFFERED_TIMES = (*FOR_WINDOWS, "interval_too_long", Reason.SLOT_IN_PAST)
SLOT = OfferedSlotBody(
    slot_id=UUID(SLOT_ID),
    host_id=HOST_ID,
    start_time="2036-08-10T09:00:00.000Z",
    end_time="2036-08-10T10:00:00.000Z",
    capacity=1,
    seats_left=1,
    status="available",
    rule_id=None,
    created_at=CREATED_AT,
)
TAKEN_BACK = msgspec.structs.replace(SLOT, seats_left=0, status="cancelled")
RULE = SlotRuleBody(
    rule_id=UUID(RULE_ID),
    host_id=HOST_ID,
    start_time="2036-08-11T07:00:00.000Z",
    end_time="2036-08-11T10:00:00.000Z",
    recurrence_rule="RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
    time_zone="Europe/Berlin",
    slot_minutes=30,
    gap_minutes=0,
    capacity=1,
    horizon_days=60,
    published_until="2036-10-09T22:00:00.000Z",
    status="active",
    created_at=CREATED_AT,
    ended_at=None,
)
ENDED_RULE = msgspec.structs.replace(RULE, published_until=None, status="ended", ended_at="2026-05-10T11:00:00.000Z")
NEW_RULE = {
    "start_time": "2036-08-11T09:00:00+02:00",
    "end_time": "2036-08-11T12:00:00+02:00",
    "recurrence_rule": "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
    "slot_minutes": 30,
    "time_zone": "Europe/Berlin",
    "on_conflict": "skip",
}
EVENT = EventBody(
    event_id=UUID(EVENT_ID),
    host_id=HOST_ID,
    name="Open day",
    total_seats=200,
    seats_left=200,
    start_time="2036-08-10T09:00:00.000Z",
    end_time="2036-08-10T10:00:00.000Z",
    version=1,
    created_at=CREATED_AT,
)
SEAT = BOOKING | {"resource_id": f"event-{EVENT_ID}", "event_id": EVENT_ID, "host_id": HOST_ID}

PUBLISH_SLOT = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_SLOTS,
    body=NewSlot,
    example=INTERVAL,
    answers={201: Success("The slot.", OfferedSlotBody, SLOT), 202: ACCEPTED},
    problems=(*FOR_OFFERED_TIMES, Reason.CONFLICT),
    keyed=True,
    decided=True,
)
PUBLISH_SLOTS = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_SLOTS,
    body=NewSlots,
    example=NEW_RULE,
    answers={
        201: Success(
            "What was published.",
            PublishedBody,
            PublishedBody(
                message="102 slots published",
                created=102,
                left_out=6,
                skipped=[SkippedBody(start_time="2036-08-18T07:00:00.000Z", reason="conflict")],
                rule_id=UUID(RULE_ID),
                slot_id=None,
                ticket=7,
                request_id=UUID(REQUEST_ID),
            ),
        ),
        202: ACCEPTED,
    },
    problems=(*FOR_OFFERED_TIMES, "unknown_time_zone", "too_many_slots", Reason.CONFLICT, *RuleFault),
    keyed=True,
    decided=True,
    # Its rule is expanded before there is a ticket to count with, and that is what it costs.
    counted=Counted.CHANGES,
)
LIST_SLOTS = Operation(
    scope=Scope.READ_RESOURCES,
    query=SlotQuery,
    query_example={"start_date": "2036-08-10", "end_date": "2036-08-17", "seats": 1, "limit": 20},
    answers={
        200: Success(
            "A page.", FreshSlotPage, FreshSlotPage(items=[SLOT], next=None, source="replica", staleness_ms=140)
        )
    },
    problems=FOR_WINDOWS,
)
LIST_OWN_SLOTS = Operation(
    access=Access.HOST,
    scope=Scope.READ_RESOURCES,
    query=WindowQuery,
    query_example={"start_date": "2036-08-10", "limit": 20},
    answers={200: Success("A page.", SlotPage, SlotPage(items=[SLOT], next=None))},
    problems=FOR_WINDOWS,
)
LIST_SLOT_RULES = Operation(
    access=Access.HOST,
    scope=Scope.READ_RESOURCES,
    query=SlotRuleQuery,
    query_example={"limit": 20},
    answers={200: Success("A page.", SlotRulePage, SlotRulePage(items=[RULE], next=None))},
    problems=("unavailable",),
)
REMOVE_SLOT_RULE = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_SLOTS,
    path={"rule_id": RULE_ID},
    answers={200: Success("The rule as it ended.", SlotRuleBody, ENDED_RULE), 202: ACCEPTED},
    problems=("invalid_request", "slot_rule_unknown", "unavailable"),
    keyed=True,
    decided=True,
)
READ_SLOT = Operation(
    scope=Scope.READ_RESOURCES,
    path={"slot_id": SLOT_ID},
    answers={200: Success("The slot as it stands.", OfferedSlotBody, SLOT)},
    problems=("invalid_request", "slot_unknown", "unavailable"),
)
REMOVE_SLOT = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_SLOTS,
    path={"slot_id": SLOT_ID},
    answers={200: Success("The slot as it was taken back.", OfferedSlotBody, TAKEN_BACK), 202: ACCEPTED},
    problems=("invalid_request", "not_yours", "slot_unknown", Reason.SLOT_BOOKED, "unavailable"),
    keyed=True,
    decided=True,
)
RESERVE = Operation(
    scope=Scope.WRITE_BOOKINGS,
    body=Reservation,
    example={"event_id": EVENT_ID},
    answers={201: Success("The seat.", BookingBody, SEAT), 202: ACCEPTED},
    problems=("event_unknown", "user_unknown", "not_yours", "unavailable", *FOR_SEATS),
    keyed=True,
    decided=True,
)
CREATE_EVENT = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_RESOURCES,
    body=NewEvent,
    example={"name": "Open day", "total_seats": 200, **INTERVAL},
    answers={201: Success("The event.", EventBody, EVENT)},
    problems=FOR_OFFERED_TIMES,
    keyed=True,
)
LIST_EVENTS = Operation(
    scope=Scope.READ_RESOURCES,
    query=WindowQuery,
    query_example={"start_date": "2036-08-10", "limit": 20},
    answers={200: Success("A page.", EventPage, EventPage(items=[EVENT], next=None))},
    problems=FOR_WINDOWS,
)
READ_EVENT = Operation(
    scope=Scope.READ_RESOURCES,
    path={"event_id": EVENT_ID},
    answers={200: Success("The event as it stands.", EventBody, EVENT)},
    problems=("invalid_request", "event_unknown", "unavailable"),
)
CHANGE_EVENT = Operation(
    access=Access.HOST,
    scope=Scope.WRITE_RESOURCES,
    path={"event_id": EVENT_ID},
    body=EventChange,
    example={"name": "Open day, in the large hall", "total_seats": 500},
    answers={200: Success("The event as it is now.", EventBody, EVENT), 202: ACCEPTED},
    problems=("not_yours", "event_unknown", Reason.CAPACITY_BELOW_TAKEN, "unavailable"),
    keyed=True,
    decided=True,
    versioned=True,
)
LIST_OWN_BOOKINGS = Operation(
    scope=Scope.READ_BOOKINGS,
    query=OwnBookingQuery,
    query_example={"status": "confirmed", "limit": 20},
    answers={200: Success("A page.", BookingPage, {"items": [STANDING], "next": None})},
    problems=FOR_WINDOWS,
)
LIST_USER_BOOKINGS = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"user_id": USER_ID},
    query=OwnBookingQuery,
    query_example={"limit": 20},
    answers={200: Success("A page.", BookingPage, {"items": [STANDING], "next": None})},
    problems=(*FOR_WINDOWS, "user_unknown"),
)
READ_TIMELINE = Operation(
    scope=Scope.READ_BOOKINGS,
    path={"booking_id": BOOKING_ID},
    query=TimelineQuery,
    query_example={"limit": 20},
    answers={
        200: Success(
            "What befell it.",
            Timeline,
            Timeline(
                booking_id=UUID(BOOKING_ID),
                items=[
                    ChangeBody(
                        ticket=7,
                        kind="book",
                        status="confirmed",
                        at=CREATED_AT,
                        actor="you",
                        request_id=UUID(REQUEST_ID),
                        start_time="2036-08-10T09:00:00.000Z",
                        end_time="2036-08-10T10:00:00.000Z",
                        actor_id=USER_ID,
                    )
                ],
                next=None,
            ),
        )
    },
    problems=("booking_unknown", "unavailable"),
)
