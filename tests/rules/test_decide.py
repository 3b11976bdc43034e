"""What a command gets: one row for each case, in the order in which reasons apply."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import BookingStatus, Reason
from engine.rules.calendar import Calendar
from engine.rules.decide import Refusal, Standing, refuse_cancel, refuse_claim, refuse_move, refuse_update

NOW = datetime(2036, 8, 11, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def at(hour: float) -> datetime:
    """So many hours after now."""
    return NOW + timedelta(hours=hour)


def calendar(*claims: tuple[float, float, int]) -> Calendar:
    made = Calendar()
    for ticket, (start, end, places) in enumerate(claims, start=1):
        made.add(at(start), at(end), places=places, ticket=ticket, booking=UUID(int=ticket))
    return made


STANDING = Standing(UUID(int=1), at(1), at(2), 1, BookingStatus.CONFIRMED, ticket=1, version=3, caller="anonymous")


@pytest.mark.parametrize(
    ("wish", "capacity", "standing", "reason"),
    [
        # (start, end, places), places there are, (start, end, places) that stand
        ((1, 2, 1), 1, [], None),
        ((0, 1, 1), 1, [], Reason.SLOT_IN_PAST),
        ((-1, 2, 1), 1, [], Reason.SLOT_IN_PAST),
        ((-1, 2, 9), 1, [(-1, 2, 1)], Reason.SLOT_IN_PAST),
        ((1, 2, 2), 1, [], Reason.PLACES_EXCEED_CAPACITY),
        ((1, 2, 2), 1, [(1, 2, 1)], Reason.PLACES_EXCEED_CAPACITY),
        ((1, 2, 2), 2, [], None),
        ((1, 2, 1), 1, [(1, 2, 1)], Reason.CONFLICT),
        ((1, 2, 1), 1, [(0, 1, 1), (2, 3, 1)], None),
        ((1, 2, 1), 1, [(0, 1.25, 1)], Reason.CONFLICT),
        ((1, 2, 1), 1, [(1.75, 3, 1)], Reason.CONFLICT),
        ((1, 2, 1), 1, [(1.25, 1.75, 1)], Reason.CONFLICT),
        ((1, 2, 1), 1, [(0, 3, 1)], Reason.CONFLICT),
        ((1, 2, 1), 3, [(1, 2, 2)], None),
        ((1, 2, 2), 3, [(1, 2, 2)], Reason.CONFLICT),
        ((1, 3, 1), 3, [(1, 2, 2), (2, 3, 2)], None),
        ((1, 3, 1), 3, [(1, 2, 2), (1.5, 3, 1)], Reason.CONFLICT),
        ((1, 3, 2), 3, [(0, 1.5, 1), (1.5, 4, 1)], None),
    ],
)
def test_what_a_claim_gets(
    wish: tuple[float, float, int], capacity: int, standing: list[tuple[float, float, int]], reason: Reason | None
) -> None:
    start, end, places = wish
    refusal = refuse_claim(at(start), at(end), places, calendar=calendar(*standing), capacity=capacity, now=NOW)
    assert (refusal.reason if refusal else None) is reason
    if reason is Reason.CONFLICT:
        assert refusal is not None
        assert [clash.booking.int for clash in refusal.clashes] == list(range(1, len(standing) + 1))
    elif refusal is not None:
        assert refusal.clashes == ()


def test_a_start_at_this_very_instant_is_past_and_a_millisecond_later_is_not() -> None:
    free = Calendar()
    for start, refusal in ((NOW, Refusal(Reason.SLOT_IN_PAST)), (NOW + MILLISECOND, None)):
        assert refuse_claim(start, at(1), 1, calendar=free, capacity=1, now=NOW) == refusal


@pytest.mark.parametrize(
    ("status", "if_version", "cancelled", "moved"),
    [
        (BookingStatus.CONFIRMED, None, None, None),
        (BookingStatus.CONFIRMED, 3, None, None),
        (BookingStatus.CONFIRMED, 2, Reason.STALE_VERSION, Reason.STALE_VERSION),
        (BookingStatus.CONFIRMED, 0, Reason.STALE_VERSION, Reason.STALE_VERSION),
        (BookingStatus.CANCELLED, None, None, Reason.ALREADY_CANCELLED),
        (BookingStatus.CANCELLED, 2, None, Reason.ALREADY_CANCELLED),
        (BookingStatus.RESCHEDULED, None, Reason.ALREADY_RESCHEDULED, Reason.ALREADY_RESCHEDULED),
        (BookingStatus.RESCHEDULED, 2, Reason.ALREADY_RESCHEDULED, Reason.ALREADY_RESCHEDULED),
    ],
)
def test_what_changing_a_booking_gets(
    status: BookingStatus, if_version: int | None, cancelled: Reason | None, moved: Reason | None
) -> None:
    standing = replace(STANDING, status=status)
    for refuse, reason in ((refuse_cancel, cancelled), (refuse_move, moved)):
        refusal = refuse(standing, if_version=if_version)
        assert (refusal.reason if refusal else None) is reason


@pytest.mark.parametrize(
    ("if_version", "capacity", "peak", "reason"),
    [
        (None, None, 5, None),
        (None, 5, 5, None),
        (None, 4, 5, Reason.CAPACITY_BELOW_TAKEN),
        (2, 9, 5, None),
        (1, None, 0, Reason.STALE_VERSION),
        (1, 4, 5, Reason.STALE_VERSION),
    ],
)
def test_what_changing_a_resource_gets(
    if_version: int | None, capacity: int | None, peak: int, reason: Reason | None
) -> None:
    refusal = refuse_update(version=2, if_version=if_version, capacity=capacity, peak=peak)
    assert (refusal.reason if refusal else None) is reason


@given(
    claims=st.lists(st.tuples(st.integers(1, 10), st.integers(1, 4), st.integers(1, 3)), max_size=30),
    capacity=st.integers(1, 4),
)
def test_claims_that_are_granted_in_any_order_never_exceed_the_capacity(
    claims: list[tuple[int, int, int]], capacity: int
) -> None:
    stands = Calendar()
    granted: list[tuple[int, int, int]] = []
    for ticket, (start, length, places) in enumerate(claims, start=1):
        times = at(start), at(start + length)
        refusal = refuse_claim(*times, places, calendar=stands, capacity=capacity, now=NOW)
        fits = all(
            places + sum(there for first, last, there in granted if first <= hour < last) <= capacity
            for hour in range(start, start + length)
        )
        assert (refusal is None) is fits
        if refusal is None:
            stands.add(*times, places=places, ticket=ticket, booking=UUID(int=ticket))
            granted.append((start, start + length, places))


def test_reasons_are_declared_in_the_order_in_which_they_apply() -> None:
    assert list(Reason) == [
        Reason.KEY_REUSED,
        Reason.ALREADY_CANCELLED,
        Reason.ALREADY_RESCHEDULED,
        Reason.NOT_AN_OCCURRENCE,
        Reason.OCCURRENCE_IN_PAST,
        Reason.OCCURRENCE_CANCELLED,
        Reason.STALE_VERSION,
        Reason.SLOT_CANCELLED,
        Reason.SLOT_BOOKED,
        Reason.TOO_LATE_TO_CANCEL,
        Reason.RULE_CANNOT_MOVE,
        Reason.SERIES_OVERLAPS_ITSELF,
        Reason.SLOT_IN_PAST,
        Reason.PLACES_EXCEED_CAPACITY,
        Reason.TOO_MANY_SERIES,
        Reason.CONFLICT,
        Reason.CAPACITY_BELOW_TAKEN,
        Reason.ALREADY_BOOKED,
        Reason.NO_SEATS_LEFT,
        Reason.MAX_ACTIVE_BOOKINGS,
        Reason.MAX_BOOKINGS_WITH_HOST,
    ]
