"""Seats and limits: one row for each case, in the order in which reasons apply."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from engine.commands import ANONYMOUS, BookingStatus, Limits, Reason
from engine.rules.decide import Refusal, Standing
from engine.rules.seats import (
    Account,
    Offer,
    refuse_event_change,
    refuse_late,
    refuse_limit,
    refuse_seat,
    refuse_slot_cancel,
)

NOW = datetime(2036, 8, 11, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)
NOTICE = Limits(cancel_ms=3_600_000)

SLOT = UUID(int=1)
OFFER = Offer(SLOT, 7, "host", True, NOW + HOUR, NOW + 2 * HOUR, capacity=2, taken=1, cancelled=False, version=3)
SEAT = Standing(
    UUID(int=2), NOW + 2 * HOUR, NOW + 3 * HOUR, 1, BookingStatus.CONFIRMED, 1, version=1, caller="guest", slot=SLOT
)


def reason_of(refusal: Refusal | None) -> Reason | None:
    return refusal.reason if refusal is not None else None


@pytest.mark.parametrize(
    ("cancelled", "starts_in", "holds", "taken", "reason"),
    [
        (False, HOUR, False, 0, None),
        (False, HOUR, False, 1, None),
        (False, MILLISECOND, False, 1, None),
        (False, HOUR, False, 2, Reason.NO_SEATS_LEFT),
        (False, HOUR, True, 1, Reason.ALREADY_BOOKED),
        (False, HOUR, True, 2, Reason.ALREADY_BOOKED),
        (False, timedelta(0), False, 1, Reason.SLOT_IN_PAST),
        (False, -MILLISECOND, False, 1, Reason.SLOT_IN_PAST),
        (False, -HOUR, True, 2, Reason.SLOT_IN_PAST),
        (True, HOUR, False, 0, Reason.SLOT_CANCELLED),
        (True, -HOUR, True, 2, Reason.SLOT_CANCELLED),
    ],
)
def test_what_a_wish_for_a_seat_gets(
    cancelled: bool, starts_in: timedelta, holds: bool, taken: int, reason: Reason | None
) -> None:
    holders = {"guest"} if holds else {"another guest"}
    offer = replace(OFFER, cancelled=cancelled, start_time=NOW + starts_in, taken=taken, holders=holders)
    assert reason_of(refuse_seat(offer, "guest", now=NOW)) is reason


def test_of_those_whom_nobody_knows_each_may_have_a_seat() -> None:
    assert refuse_seat(replace(OFFER, holders={ANONYMOUS}), ANONYMOUS, now=NOW) is None
    full = replace(OFFER, holders={ANONYMOUS}, taken=2)
    assert reason_of(refuse_seat(full, ANONYMOUS, now=NOW)) is Reason.NO_SEATS_LEFT


@pytest.mark.parametrize(
    ("active", "with_host", "limits", "host", "refusal"),
    [
        # (bookings ahead, of these with the host), limits, whose slot is wished for
        (4, 0, Limits(active=5), None, None),
        (5, 0, Limits(active=5), None, Refusal(Reason.MAX_ACTIVE_BOOKINGS, counted=5, counted_limit=5)),
        (7, 0, Limits(active=5), None, Refusal(Reason.MAX_ACTIVE_BOOKINGS, counted=7, counted_limit=5)),
        (0, 0, Limits(active=1), None, None),
        (1, 0, Limits(active=1), None, Refusal(Reason.MAX_ACTIVE_BOOKINGS, counted=1, counted_limit=1)),
        (99, 99, Limits(), "host", None),
        (3, 0, Limits(with_host=1), "host", None),
        (3, 1, Limits(with_host=1), "host", Refusal(Reason.MAX_BOOKINGS_WITH_HOST, counted=1, counted_limit=1)),
        (3, 1, Limits(with_host=2), "host", None),
        (3, 2, Limits(with_host=2), "host", Refusal(Reason.MAX_BOOKINGS_WITH_HOST, counted=2, counted_limit=2)),
        (3, 3, Limits(with_host=1), None, None),
        (3, 3, Limits(with_host=1), "another", None),
        (5, 1, Limits(5, 1), "host", Refusal(Reason.MAX_ACTIVE_BOOKINGS, counted=5, counted_limit=5)),
        (4, 1, Limits(5, 1), "host", Refusal(Reason.MAX_BOOKINGS_WITH_HOST, counted=1, counted_limit=1)),
    ],
)
def test_what_one_more_booking_of_a_person_gets(
    active: int, with_host: int, limits: Limits, host: str | None, refusal: Refusal | None
) -> None:
    account = Account({UUID(int=at): "host" if at < with_host else None for at in range(active)})
    assert refuse_limit(account, limits, host=host) == refusal


@pytest.mark.parametrize(
    ("starts_in", "limits", "status", "reason"),
    [
        (HOUR + MILLISECOND, NOTICE, BookingStatus.CONFIRMED, None),
        (HOUR, NOTICE, BookingStatus.CONFIRMED, Reason.TOO_LATE_TO_CANCEL),
        (HOUR - MILLISECOND, NOTICE, BookingStatus.CONFIRMED, Reason.TOO_LATE_TO_CANCEL),
        (-HOUR, NOTICE, BookingStatus.CONFIRMED, Reason.TOO_LATE_TO_CANCEL),
        (HOUR, NOTICE, BookingStatus.CANCELLED, None),
        (HOUR, Limits(), BookingStatus.CONFIRMED, None),
        (HOUR, None, BookingStatus.CONFIRMED, None),
        (MILLISECOND, Limits(cancel_ms=0), BookingStatus.CONFIRMED, None),
        (timedelta(0), Limits(cancel_ms=0), BookingStatus.CONFIRMED, Reason.TOO_LATE_TO_CANCEL),
    ],
)
def test_a_seat_is_given_back_an_hour_before_and_a_millisecond_and_not_an_hour_before(
    starts_in: timedelta, limits: Limits | None, status: BookingStatus, reason: Reason | None
) -> None:
    seat = replace(SEAT, start_time=NOW + starts_in, status=status)
    assert reason_of(refuse_late(seat, limits, now=NOW)) is reason


@pytest.mark.parametrize(("taken", "reason"), [(0, None), (1, Reason.SLOT_BOOKED), (2, Reason.SLOT_BOOKED)])
@pytest.mark.parametrize("starts_in", [-HOUR, HOUR])
def test_a_slot_is_taken_back_while_nobody_has_a_seat_of_it(
    taken: int, reason: Reason | None, starts_in: timedelta
) -> None:
    assert reason_of(refuse_slot_cancel(replace(OFFER, taken=taken, start_time=NOW + starts_in))) is reason
    assert refuse_slot_cancel(replace(OFFER, taken=0, cancelled=True)) is None


@pytest.mark.parametrize(
    ("total_seats", "if_version", "reason"),
    [
        # of three seats two are taken; its version is 3
        (None, None, None),
        (2, None, None),
        (2, 3, None),
        (9, 3, None),
        (1, None, Reason.CAPACITY_BELOW_TAKEN),
        (1, 3, Reason.CAPACITY_BELOW_TAKEN),
        (1, 2, Reason.STALE_VERSION),
        (None, 4, Reason.STALE_VERSION),
    ],
)
def test_what_changing_an_event_gets(total_seats: int | None, if_version: int | None, reason: Reason | None) -> None:
    event = replace(OFFER, capacity=3, taken=2)
    assert reason_of(refuse_event_change(event, total_seats=total_seats, if_version=if_version)) is reason


def test_reasons_are_given_in_the_order_in_which_they_are_declared() -> None:
    """What several rules refuse gets the reason that stands first: the tables above rest on it."""
    order = list(Reason)
    seats = [Reason.SLOT_CANCELLED, Reason.SLOT_IN_PAST, Reason.ALREADY_BOOKED, Reason.NO_SEATS_LEFT]
    limits = [Reason.MAX_ACTIVE_BOOKINGS, Reason.MAX_BOOKINGS_WITH_HOST]
    for listed in ([*seats, *limits], [Reason.STALE_VERSION, Reason.CAPACITY_BELOW_TAKEN]):
        places = [order.index(reason) for reason in listed]
        assert places == sorted(places)


@pytest.mark.parametrize(("slot", "is_seat"), [(None, False), (SEAT.booking, False), (SLOT, True)])
def test_what_names_a_slot_that_is_not_itself_is_a_seat(slot: UUID | None, is_seat: bool) -> None:
    assert replace(SEAT, slot=slot).is_seat is is_seat
