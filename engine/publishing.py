"""Slots that rules publish, further ahead as time goes on.

A host's rule without end has the slots of its next ``horizon_days`` days published: those of its first command, and
then, from each midnight of its time zone on, those of one more day. This goes on where it stopped, however long ago
that was: what would have begun meanwhile is left out, the rest is made up for. Where a slot clashes with what stands
on the calendar by then, or with a series that claims the time, it is left out and not published later: nobody is there
to be asked.

It decides nothing and writes no ledger row: that a rule publishes its slots was decided with its ticket. Running it
twice, or in several processes, changes nothing: what is published is said by ``slot_rule.published_until``, under the
lock of the calendar's row, which whoever ends a rule holds as well.

Nothing is deleted. A slot that is over and was booked by nobody is in no list any more; its row, and the claim of its
time, stay as the ledger has them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from engine.commands import MAX_SLOTS
from engine.identifiers import uuid7
from engine.rules.calendar import Calendar
from engine.rules.decide import refuse_claim
from engine.rules.recurrence import starts_between
from engine.rules.slot_windows import cut_windows, published_before, slots_of_window
from engine.steps import ACQUIRE_TIMEOUT_S, take_steps
from engine.store import decisions as store
from engine.store.offers import (
    FIRST,
    DueRule,
    StoredRule,
    advance_slot_rule,
    due_slot_rules,
    find_slot_rule,
    request_of_ticket,
)
from engine.store.pools import Connection, Pool
from engine.store.series import load_unfinished
from engine.store.slots import NewSlot, insert_slots
from engine.wish import Interval, claim_unstored

EVERY_S = 600.0
"""Midnights come at every quarter of an hour, somewhere: each is noticed within so long."""
RULES_AT_ONCE = 500

logger = logging.getLogger(__name__)


async def publish_due(pool: Pool) -> int:
    """Let every rule publish what is due. Returns how many slots were published."""
    published, behind = 0, FIRST
    while True:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            rules = await due_slot_rules(connection, behind=behind, limit=RULES_AT_ONCE)
        for rule in rules:
            if _is_due(rule, rule.now):
                published += await _publish(pool, rule)
        if len(rules) < RULES_AT_ONCE:
            if published:
                logger.info("slots were published", extra={"slots": published})
            return published
        behind = rules[-1].rule


async def _publish(pool: Pool, rule: DueRule) -> int:
    """Let one rule publish. Trouble with it does not hold up the others: its turn comes in ten minutes."""
    step = partial(publish_step, resource=rule.resource, rule_id=rule.rule)
    return await take_steps(pool, step, trouble="slots were not published", about={"slot_rule": str(rule.rule)})


async def publish_step(connection: Connection, resource: int, rule_id: UUID) -> int | None:
    """Publish a rule's next slots, MAX_SLOTS at most, in a transaction of its own.

    Returns how many were published, None where nothing is due.
    """
    async with connection.transaction():
        _, now = await store.lock(connection, [resource], wait=True)
        rule = await find_slot_rule(connection, rule_id)
        if now is None or rule is None or rule.ended_at is not None or not _is_due(rule, now):
            return None
        starts, until = await asyncio.to_thread(_next_slots, rule, now)
        free = await _free(connection, rule, starts, now)
        if free:
            await insert_slots(connection, await _slots(connection, rule, free, now))
        await advance_slot_rule(connection, rule.rule, until)
    return len(free)


def _is_due(rule: DueRule | StoredRule, now: datetime) -> bool:
    """Whether the day has come on which a rule has more to publish."""
    until = rule.published_until
    return until is not None and until < published_before(now, rule.time_zone, rule.horizon_days)


def _next_slots(rule: StoredRule, now: datetime) -> tuple[list[datetime], datetime]:
    """The starts of the slots to publish from today on, and before which instant the rule has published them then."""
    assert rule.published_until is not None, "only such rules are due"
    window_ms = rule.recurrence.length_ms
    today = published_before(now, rule.time_zone, 0)
    until = published_before(now, rule.time_zone, rule.horizon_days)
    windows = starts_between(rule.recurrence, max(rule.published_until, today), until)
    fitting = MAX_SLOTS // slots_of_window(window_ms, rule.slot_ms, rule.step_ms)
    if len(windows) > fitting:
        until = windows[fitting]
    return cut_windows(windows[:fitting], window_ms=window_ms, slot_ms=rule.slot_ms, step_ms=rule.step_ms), until


async def _free(connection: Connection, rule: StoredRule, starts: Sequence[datetime], now: datetime) -> list[Interval]:
    """The slots that have not begun and meet nothing on the calendar. Nor do they meet each other: windows do not."""
    wanted = [(start, start + timedelta(milliseconds=rule.slot_ms)) for start in starts]
    calendar = Calendar()
    asked = {(rule.resource, interval): None for interval in wanted}
    await store.load_claims(connection, asked, exclusive=True, named=1, calendars={rule.resource: calendar})
    unfinished = (await load_unfinished(connection, [rule.resource])).get(rule.resource, [])
    await claim_unstored(calendar, unfinished, wanted)
    return [
        (start, end)
        for start, end in wanted
        if refuse_claim(start, end, 1, calendar=calendar, capacity=1, now=now) is None
    ]


async def _slots(
    connection: Connection, rule: StoredRule, intervals: Sequence[Interval], now: datetime
) -> list[NewSlot]:
    """The slots as they are written: of the ticket that made their rule."""
    request_id = await request_of_ticket(connection, rule.resource, rule.ticket)
    return [
        NewSlot(
            slot=uuid7(),
            resource=rule.resource,
            host=rule.host,
            start_time=start,
            end_time=end,
            capacity=rule.capacity,
            rule=rule.rule,
            ticket=rule.ticket,
            request_id=request_id,
            created_at=now,
        )
        for start, end in intervals
    ]
