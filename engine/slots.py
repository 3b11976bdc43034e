"""Slots that a host publishes: one command, decided alone among those of its calendar, as commands about series are.

The other commands about slots and events are decided like single bookings (``engine.batch``): what they need is one
row, and thousands of them come in one second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.commands import (
    MAX_SKIPPED,
    BookingStatus,
    BookingView,
    Outcome,
    PublishSlots,
    Reason,
    SeriesDetail,
    starts_of,
)
from engine.identifiers import uuid7
from engine.rules.decide import Refusal
from engine.rules.series import Clashing, clashing_occurrences, overlap_each_other
from engine.series import Desk, Interval, SeriesDecision, clashing_detail
from engine.store.slots import NewSlot, NewSlotRule


class Publishing(SeriesDecision[PublishSlots]):
    """``publish_slots``."""

    def __init__(self, command: PublishSlots, desk: Desk) -> None:
        super().__init__(command, desk)
        self._starts = starts_of(command)
        self._length = timedelta(milliseconds=command.slot_ms)

    def wanted(self) -> Sequence[Interval]:
        """The times of the slots."""
        return [(start, start + self._length) for start in self._starts]

    def decide(self) -> Outcome:
        """Publish what is free, all of it or nothing, as the host wishes."""
        command, desk = self._command, self.desk
        if overlap_each_other(self._starts, self._length):
            return desk.refuse(Refusal(Reason.SERIES_OVERLAPS_ITSELF))
        if not command.skip and self._starts[0] <= desk.now:
            return desk.refuse(Refusal(Reason.SLOT_IN_PAST))
        clashing = clashing_occurrences(
            self._starts, self._length, 1, calendar=desk.calendar, capacity=desk.locked.capacity, now=desk.now
        )
        free = sorted(set(self._starts).difference(clashing.starts))
        asked = SeriesDetail(recurrence=command.rule.recurrence if command.rule is not None else None)
        if not free or (clashing.count and not command.skip):
            return desk.refuse(Refusal(Reason.CONFLICT), clashing_detail(asked, clashing))
        return self._publish(free, clashing, asked)

    def _publish(self, free: Sequence[datetime], clashing: Clashing, asked: SeriesDetail) -> Outcome:
        command, desk, request = self._command, self.desk, self.desk.entry.request
        rule = command.rule
        if rule is not None:
            new = NewSlotRule(
                rule, desk.resource, request.caller, command.slot_ms, command.capacity, desk.entry.ticket, desk.now
            )
            desk.writes.made_slot_rules.append(new)
        slots = [
            NewSlot(
                slot=uuid7(),
                resource=desk.resource,
                host=request.caller,
                start_time=start,
                end_time=start + self._length,
                capacity=command.capacity,
                rule=rule.rule if rule is not None else None,
                ticket=desk.entry.ticket,
                request_id=request.request_id,
                created_at=desk.now,
            )
            for start in free
        ]
        desk.writes.made_slots += slots
        view = None
        if len(self._starts) == 1:
            only = slots[0]
            view = BookingView(only.slot, only.start_time, only.end_time, 1, BookingStatus.CONFIRMED)
        made = SeriesDetail(recurrence=asked.recurrence, occurrences=len(slots), skipped=clashing.starts[:MAX_SKIPPED])
        return desk.confirm(view, clashing_detail(made, clashing))
