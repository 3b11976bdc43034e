"""Slots: published by hosts, one by one or from a rule; listed, read, taken back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

from litestar import Controller, delete, get, post
from msgspec import UNSET

from api import offer_operations as operations
from api.access import caller_of, not_yours
from api.availability import seen_tickets
from api.bodies import DEFAULT_LIMIT
from api.callers import Headers, idempotency_key, read_headers
from api.cursors import cursor_of, id_cursor, id_of, place_of
from api.deciding import bring
from api.fields import in_utc
from api.http import Answer, Call, json_answer, read_json, uuid_segment
from api.offer_bodies import (
    DEFAULT_HORIZON_DAYS,
    NEW_SLOT,
    NEW_SLOTS,
    SLOT_QUERY,
    SLOT_RULE_QUERY,
    WINDOW_QUERY,
    FreshSlotPage,
    NewSlots,
    SlotPage,
    SlotQuery,
    SlotRulePage,
    WindowQuery,
)
from api.offer_views import slot_body, slot_rule_body
from api.parts import Parts, parts_of
from api.problems import Problem
from engine.commands import MAX_SLOTS, CancelSlot, CancelSlotRule, PublishSlots, SlotRule
from engine.errors import NotFound
from engine.identifiers import uuid7
from engine.rules.recurrence_check import Checked, check_recurrence
from engine.rules.recurrence_rule import RuleError, RuleFault
from engine.rules.series import INSTANT, first_after
from engine.rules.slot_windows import cut_windows, published_before, slots_of_window
from engine.store.audit import Action
from engine.store.offers import (
    END,
    FIRST,
    Offering,
    Window,
    find_offering,
    find_slot_rule,
    last_tickets,
    list_open_slots,
    list_slot_rules,
    list_slots_of_host,
)
from engine.store.pools import READ_TIMEOUT_S, Connection
from engine.store.reading import ask

MILLISECOND = timedelta(milliseconds=1)
MINUTE_MS = 60_000
CALENDARS = "calendar-"


@dataclass(slots=True, frozen=True)
class ReadPage:
    """A page of slots as one server has it.

    tickets  of the calendars that the caller has seen something of: the last one that the page contains.
    """

    tickets: dict[str, int]
    slots: list[Offering]

    def has(self, seen: dict[str, int]) -> bool:
        """Whether it holds what the caller has seen before."""
        return all(self.tickets.get(name, -1) >= ticket for name, ticket in seen.items())


class SlotController(Controller):
    """``/slots``."""

    path = "/slots"

    @post(opt={"operation": operations.PUBLISH_SLOT})
    async def publish_slot(self, request: Call) -> Answer:
        """Publish a slot: it claims its time on the host's calendar, and can be booked from then on."""
        headers = read_headers(request.scope["headers"])
        body = NEW_SLOT.decode(await read_json(request, headers))
        key = idempotency_key(headers)
        start_time, end_time = in_utc(body.start_time), in_utc(body.end_time)
        capacity = 1 if body.capacity is UNSET else body.capacity
        command = PublishSlots(start_time, (), (end_time - start_time) // MILLISECOND, capacity)
        calendar = await parts_of(request).routes.own_calendar(caller_of(request).name)
        return await bring(
            request, headers, command, resource=calendar.resource, resource_id=calendar.resource_id, key=key
        )

    @post("/bulk", opt={"operation": operations.PUBLISH_SLOTS})
    async def publish_slots(self, request: Call) -> Answer:
        """Publish many slots: a window of time cut into slots, on every day that a rule gives.

        They are published all together or, with on_conflict skip, as far as their time is free.
        """
        headers = read_headers(request.scope["headers"])
        body = NEW_SLOTS.decode(await read_json(request, headers))
        key = idempotency_key(headers)
        calendar = await parts_of(request).routes.own_calendar(caller_of(request).name)
        time_zone = calendar.time_zone if body.time_zone is UNSET else body.time_zone
        command = await asyncio.to_thread(_publication, body, time_zone, now=datetime.now(UTC))
        return await bring(
            request,
            headers,
            command,
            resource=calendar.resource,
            resource_id=calendar.resource_id,
            key=key,
            wish=(body, time_zone),
        )

    @get(opt={"operation": operations.LIST_SLOTS})
    async def show_slots(self, request: Call) -> Answer:
        """List the slots that can be booked, in order of start. Advice: only a booking decides."""
        query = SLOT_QUERY.decode_query(request.scope["query_string"])
        host = None if query.host_id is UNSET else query.host_id
        parts = parts_of(request)
        window = _window(query, await _zone_of(parts, host))
        seen = _seen(read_headers(request.scope["headers"]))
        seats = 1 if query.seats is UNSET else query.seats

        async def read(connection: Connection) -> ReadPage:
            # The tickets first: what is read behind them is as new at least.
            tickets = await last_tickets(connection, list(seen)) if seen else {}
            return ReadPage(tickets, await list_open_slots(connection, window, host=host, seats=seats))

        answer = await parts.reader.read(read, fresh=lambda page: page.has(seen))
        assert answer.value is not None, "it is a page, if an empty one"
        items, following = _page(answer.value.slots, window.limit - 1)
        page = FreshSlotPage(
            items=[slot_body(item) for item in items],
            next=following,
            source=answer.source,
            staleness_ms=answer.staleness_ms,
        )
        return json_answer(200, page)

    @get("/host", opt={"operation": operations.LIST_OWN_SLOTS})
    async def show_own_slots(self, request: Call) -> Answer:
        """List the caller's own slots, whatever became of them, from today on or from another start_date on."""
        query = WINDOW_QUERY.decode_query(request.scope["query_string"])
        host, parts = caller_of(request).name, parts_of(request)
        zone = await _zone_of(parts, host)
        window = _window(query, zone, since=published_before(datetime.now(UTC), zone, 0))
        found = await ask(parts.primary, partial(list_slots_of_host, host=host, window=window), within_s=READ_TIMEOUT_S)
        items, following = _page(found, window.limit - 1)
        return json_answer(200, SlotPage(items=[slot_body(item) for item in items], next=following))

    @get("/rules", opt={"operation": operations.LIST_SLOT_RULES})
    async def show_slot_rules(self, request: Call) -> Answer:
        """List the caller's own rules without end that publish slots, oldest first, ended ones included."""
        query = SLOT_RULE_QUERY.decode_query(request.scope["query_string"])
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        after = FIRST if query.cursor is UNSET else id_of(query.cursor)
        host = caller_of(request).name
        found = await ask(
            parts_of(request).primary,
            lambda connection: list_slot_rules(connection, host, after=after, limit=limit + 1),
            within_s=READ_TIMEOUT_S,
        )
        page = found[:limit]
        following = id_cursor(page[-1].rule) if len(found) > limit else None
        return json_answer(200, SlotRulePage(items=[slot_rule_body(item) for item in page], next=following))

    @delete("/rules/{rule_id:str}", status_code=200, opt={"operation": operations.REMOVE_SLOT_RULE})
    async def remove_slot_rule(self, request: Call) -> Answer:
        """End a rule: it publishes no more. What it published stays. Harmless when it was ended before."""
        headers = read_headers(request.scope["headers"])
        rule_id = uuid_segment(request, "rule_id")
        key = idempotency_key(headers)
        rule = await ask(
            parts_of(request).primary,
            lambda connection: find_slot_rule(connection, rule_id),
            within_s=READ_TIMEOUT_S,
        )
        caller = caller_of(request)
        if rule is None or not (rule.host == caller.name or caller.operates):
            raise NotFound("slot_rule", str(rule_id))
        resource_id = await parts_of(request).routes.resource_id(rule.resource)
        command = CancelSlotRule(rule_id)
        return await bring(
            request,
            headers,
            command,
            resource=rule.resource,
            resource_id=resource_id,
            key=key,
            audited=None if rule.host == caller.name else (Action.END_RULE_OF_ANOTHER, str(rule_id)),
        )

    @get("/{slot_id:str}", opt={"operation": operations.READ_SLOT})
    async def show_slot(self, request: Call) -> Answer:
        """Read a slot as it stands."""
        slot_id = uuid_segment(request, "slot_id")
        found = await ask(
            parts_of(request).primary, lambda connection: find_offering(connection, slot_id), within_s=READ_TIMEOUT_S
        )
        if found is None or found.is_event:
            raise NotFound("slot", str(slot_id))
        return json_answer(200, slot_body(found))

    @delete("/{slot_id:str}", status_code=200, opt={"operation": operations.REMOVE_SLOT})
    async def remove_slot(self, request: Call) -> Answer:
        """Take back a slot of one's own that nobody has booked. Harmless when it was taken back before."""
        headers = read_headers(request.scope["headers"])
        slot_id = uuid_segment(request, "slot_id")
        key = idempotency_key(headers)
        home = await parts_of(request).routes.slot(slot_id)
        caller = caller_of(request)
        if not (home.host == caller.name or caller.operates):
            raise not_yours("slot")
        return await bring(
            request,
            headers,
            CancelSlot(slot_id),
            resource=home.resource,
            resource_id=home.resource_id,
            key=key,
            audited=None if home.host == caller.name else (Action.END_SLOT_OF_ANOTHER, str(slot_id)),
        )


# ---------------------------------------------------------------------------- what is published


def _publication(body: NewSlots, time_zone: str, *, now: datetime) -> PublishSlots:
    """The command that publishes slots. Takes a while: a rule is expanded.

    now  by this process's clock, which decides nothing: it only says how far ahead is published at once.

    Raises RuleError, and Problem where there are too many.
    """
    days = DEFAULT_HORIZON_DAYS if body.horizon_days is UNSET else body.horizon_days
    found, until = _windows(body, time_zone, days, now=now)
    slot_ms = body.slot_minutes * MINUTE_MS
    step_ms = slot_ms + (0 if body.gap_minutes is UNSET else body.gap_minutes) * MINUTE_MS
    window_ms = found.recurrence.length_ms
    wished = len(found.starts) * slots_of_window(window_ms, slot_ms, step_ms)
    if wished > MAX_SLOTS:
        raise Problem("too_many_slots", f"These are {wished:,} slots; at most {MAX_SLOTS:,} are published at one time.")
    starts = cut_windows(found.starts, window_ms=window_ms, slot_ms=slot_ms, step_ms=step_ms)
    rule = SlotRule(uuid7(), found.recurrence, step_ms, days, until) if found.recurrence.infinite else None
    return PublishSlots(
        starts[0],
        tuple((later - earlier) // MILLISECOND for earlier, later in pairwise(starts)),
        slot_ms,
        1 if body.capacity is UNSET else body.capacity,
        body.on_conflict == "skip",
        rule,
    )


def _windows(body: NewSlots, time_zone: str, days: int, *, now: datetime) -> tuple[Checked, datetime]:
    """The windows that a rule gives: all of them where it ends, else those of the ``days`` days from now on.

    Returns them, and before which instant they are all there.
    """
    start_time = in_utc(body.start_time)

    def check(since: datetime) -> tuple[Checked, datetime]:
        until = published_before(since, time_zone, days)
        return check_recurrence(
            start_time,
            in_utc(body.end_time),
            rule=None if body.recurrence_rule is UNSET else body.recurrence_rule,
            time_zone=time_zone,
            extra=(),
            excluded=(),
            horizon=until,
        ), until

    found, until = check(now)
    if found.starts:
        return found, until
    # It begins later than so many days from now: then the first days on which it does.
    first = first_after(found.recurrence, start_time - INSTANT)
    if first is None:
        raise RuleError(RuleFault.NO_OCCURRENCES, "", "The rule gives no day within 50 years of the start.")
    return check(first)


# ---------------------------------------------------------------------------- lists


async def _zone_of(parts: Parts, host: str | None) -> str:
    """In which zone plain dates are days: the host's; UTC where no host is named, or one without a calendar."""
    calendar = None if host is None else await parts.routes.calendar(host)
    return "UTC" if calendar is None else calendar.time_zone


def _window(query: SlotQuery | WindowQuery, time_zone: str, *, since: datetime | None = None) -> Window:
    """The page that is asked for, and one more to see whether another follows.

    since  the start where the query names none.
    """
    start, end = query.ends(time_zone)
    limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
    places = [(start or since or Window().after[0], FIRST)]
    if query.cursor is not UNSET:
        places.append(place_of(query.cursor))
    return Window(max(places), end or END, limit + 1)


def _page(found: list[Offering], limit: int) -> tuple[list[Offering], str | None]:
    """What is shown of a list, and the cursor of the next page."""
    items = found[:limit]
    return items, cursor_of(items[-1].place) if len(found) > limit else None


def _seen(headers: Headers) -> dict[str, int]:
    """What the caller has seen of calendars: nothing else changes slots."""
    return {name: ticket for name, ticket in seen_tickets(headers).items() if name.startswith(CALENDARS)}
