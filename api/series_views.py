"""From what the engine knows about series and their occurrences to what the interface says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from api.bodies import (
    BookingBody,
    ClashBody,
    OccurrenceBody,
    PreviewBody,
    PreviewItem,
    RestoredBody,
    SkippedBody,
    instant_out,
    optional_instant_out,
)
from api.summaries import summary
from api.views import made_body, made_booking_body, rule_out
from engine.commands import BookingStatus, OccurrenceClash, Outcome, Reason, SeriesDetail
from engine.occurrences import Listed
from engine.preview import Foreseen
from engine.rules.recurrence import Recurrence, name_of
from engine.rules.recurrence_check import Checked
from engine.rules.wall_clock import to_local
from engine.store.bookings import SeriesBooking

MESSAGES = {
    BookingStatus.CONFIRMED: "Recurring booking confirmed",
    BookingStatus.CANCELLED: "Recurring booking cancelled",
    BookingStatus.RESCHEDULED: "Recurring booking rescheduled",
}
MADE = {"book_series": "created", "move_occurrence": "moved"}
MILLISECOND = timedelta(milliseconds=1)


def moved_occurrence_body(outcome: Outcome, resource_id: str, rule: str | None) -> BookingBody:
    """Show an occurrence where a command put it.

    rule  the text of its series' rule.
    """
    assert outcome.subject is not None
    return msgspec.structs.replace(
        made_booking_body(outcome, resource_id),
        recurrence_rule=rule_out(rule),
        parent_booking_id=outcome.subject,
        occurrence_start=instant_out(named_occurrence(outcome)),
    )


def restored_body(outcome: Outcome) -> RestoredBody:
    """Show that an occurrence stands again, from the outcome of the command alone."""
    assert outcome.booking is not None
    assert outcome.subject is not None
    return RestoredBody(
        message="Occurrence restored",
        booking_id=outcome.booking.booking,
        parent_booking_id=outcome.subject,
        restored_date=instant_out(named_occurrence(outcome)),
    )


def named_occurrence(outcome: Outcome) -> datetime:
    """The occurrence that a command named, by its original start."""
    assert outcome.detail is not None
    assert outcome.detail.occurrence is not None
    return outcome.detail.occurrence


def made_series_body(outcome: Outcome, resource_id: str, language: str) -> BookingBody:
    """Show the series that a command made, from its outcome alone."""
    detail = outcome.detail
    assert detail is not None
    assert detail.recurrence is not None
    return msgspec.structs.replace(
        made_body(outcome, resource_id, _made_message(MADE[outcome.kind], detail, detail.recurrence)),
        rescheduled_from=UNSET if outcome.subject is None else outcome.subject,
        occurrences=detail.occurrences,
        skipped=[SkippedBody(start_time=instant_out(start), reason=Reason.CONFLICT.value) for start in detail.skipped],
        warnings=list(detail.warnings),
        **recurrence_fields(detail.recurrence, detail.materialised_until, language),
    )


def series_body(series: SeriesBooking, language: str) -> BookingBody:
    """Show a series as it stands, with the times of its first occurrence."""
    length = series.recurrence.length_ms * MILLISECOND
    return BookingBody(
        booking_id=series.series,
        resource_id=series.resource_id,
        start_time=instant_out(series.first_occurrence),
        end_time=instant_out(series.first_occurrence + length),
        status=series.status.value,
        places=series.places,
        ticket=series.ticket,
        request_id=series.request_id,
        created_at=instant_out(series.created_at),
        message=MESSAGES[series.status],
        ended_at=optional_instant_out(series.ended_at),
        cancellation_reason=series.cancellation_reason,
        rescheduled_from=series.rescheduled_from,
        rescheduled_to=series.rescheduled_to,
        occurrences=series.occurrences,
        **recurrence_fields(series.recurrence, series.materialised_until, language),
    )


def recurrence_fields(recurrence: Recurrence, stored_until: datetime | None, language: str) -> dict[str, Any]:
    """What a body says about what a series repeats."""
    return {
        "recurrence_rule": rule_out(recurrence.rule.text if recurrence.rule else None),
        "time_zone": recurrence.time_zone,
        "exdates": [instant_out(start) for start in recurrence.excluded],
        "rdates": [instant_out(start) for start in recurrence.extra],
        "stored_until": UNSET if stored_until is None else instant_out(stored_until),
        "summary": summary(recurrence, language=language),
    }


def preview_body(
    checked: Checked, foreseen: Foreseen, resource_id: str, *, as_of: datetime, source: str, language: str
) -> PreviewBody:
    """Show what a series would be.

    as_of, source  of what was looked at.
    """
    length = checked.recurrence.length_ms * MILLISECOND
    items = [
        PreviewItem(
            start_time=instant_out(start),
            end_time=instant_out(start + length),
            occurrence=name_of(start),
        )
        for start in checked.starts
    ]
    return PreviewBody(
        resource_id=resource_id,
        start_time=items[0].start_time,
        end_time=items[0].end_time,
        occurrences=len(items),
        items=items,
        has_conflict=foreseen.clashing.count > 0,
        conflicts=occurrence_clash_bodies(foreseen.clashing.clashes),
        clashing_occurrences=foreseen.clashing.count,
        warnings=list(checked.warnings),
        as_of=instant_out(as_of),
        source=source,
        **recurrence_fields(checked.recurrence, checked.until, language),
    )


def _made_message(made: str, detail: SeriesDetail, recurrence: Recurrence) -> str:
    count = detail.occurrences
    message = f"Recurring booking {made} with {count} occurrence{'' if count == 1 else 's'}"
    if detail.materialised_until is not None:
        message += f" until {_last_day(detail.materialised_until, recurrence)}, and on from there"
    if skipped := len(detail.skipped):
        message += f"; {skipped} {'was' if skipped == 1 else 'were'} skipped"
    return message


def _last_day(until: datetime, recurrence: Recurrence) -> date:
    """The last day of the series' zone on which an occurrence may be stored."""
    return to_local(until - MILLISECOND, ZoneInfo(recurrence.time_zone)).date()


def occurrence_clash_bodies(clashes: Iterable[OccurrenceClash]) -> list[ClashBody]:
    """Show what stands in the way of a series' occurrences."""
    return [
        ClashBody(
            booking_id=clash.booking,
            start_time=instant_out(clash.start_time),
            end_time=instant_out(clash.end_time),
            occurrence_start=instant_out(clash.wanted_start),
        )
        for clash in clashes
    ]


def occurrence_body(item: Listed, series: UUID) -> OccurrenceBody:
    """Show an occurrence in a list."""
    return OccurrenceBody(
        booking_id=item.booking,
        parent_booking_id=series,
        start_time=instant_out(item.start_time),
        end_time=instant_out(item.end_time),
        occurrence=name_of(item.occurrence),
        status=item.status.value,
    )
