"""The audit: noted here, and read by operators.

What is done in a transaction of ours is noted in the same one. What goes through a queue is noted before it is
brought there, so that nothing an operator does goes unseen: the row says that it was let in, and the ledger, under
the same request id, what was decided.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from litestar import Controller, get
from msgspec import UNSET

from api import account_operations as operations
from api.access import address_of, caller_of
from api.account_bodies import AUDIT_QUERY, AuditItem, AuditPage, AuditQuery
from api.bodies import DEFAULT_LIMIT, instant_out
from api.callers import request_tag
from api.decode import BadRequest
from api.fields import Fault
from api.http import Answer, Call, json_answer
from api.parts import parts_of
from api.windows import DAY
from engine.store.audit import Act, Action, AuditOutcome, AuditRow, insert_audit, list_audit
from engine.store.pools import READ_TIMEOUT_S
from engine.store.reading import ask

LARGEST_NUMBER = 2**63 - 1


def act_of(
    call: Call,
    action: Action,
    subject: str | None,
    *,
    actor: str | None = None,
    outcome: AuditOutcome = "done",
    detail: str | None = None,
    tag: str | None = None,
) -> Act:
    """Make what is noted of a request.

    actor  None: whoever asks.
    tag    the id of a request that goes through a queue; None: the id of the answer.
    """
    name = caller_of(call).name if actor is None else actor
    return Act(name, action, subject, outcome, tag or request_tag(call.scope), address_of(call) or None, detail)


async def note(call: Call, act: Act) -> None:
    """Note what no transaction of ours does. Raises EngineError where it cannot be noted."""
    await ask(parts_of(call).primary, lambda connection: insert_audit(connection, act), within_s=READ_TIMEOUT_S)


class AuditController(Controller):
    """``/admin/audit``."""

    path = "/admin/audit"

    @get(opt={"operation": operations.READ_AUDIT})
    async def show_audit(self, request: Call) -> Answer:
        """Read who did what, when, and from where, newest first. Plain dates are days in UTC."""
        query = AUDIT_QUERY.decode_query(request.scope["query_string"])
        limit = DEFAULT_LIMIT if query.limit is UNSET else query.limit
        filters = _filters(query)
        found = await ask(
            parts_of(request).primary,
            lambda connection: list_audit(connection, **filters, limit=limit + 1),
            within_s=READ_TIMEOUT_S,
        )
        page = found[:limit]
        following = str(page[-1].number) if len(found) > limit else None
        return json_answer(200, AuditPage(items=[_item(row) for row in page], next=following))


def _filters(query: AuditQuery) -> dict[str, Any]:
    return {
        "actor": None if query.actor is UNSET else query.actor,
        "action": None if query.action is UNSET else query.action,
        "subject": None if query.subject is UNSET else query.subject,
        "start": None if query.start_date is UNSET else _instant(query.start_date),
        "end": None if query.end_date is UNSET else _instant(query.end_date, last=True),
        "before": None if query.cursor is UNSET else _read_cursor(query.cursor),
    }


def _instant(end: date | datetime, *, last: bool = False) -> datetime:
    """An end of a window; a day that is the ``last`` one is part of it."""
    if isinstance(end, datetime):
        return end
    return datetime.combine(end + DAY if last else end, time(), UTC)


def _read_cursor(cursor: str) -> int:
    """Read the number of a row. Raises BadRequest where it is none."""
    if not cursor.isascii() or not cursor.isdigit() or not 0 < int(cursor) <= LARGEST_NUMBER:
        raise BadRequest([Fault("/cursor", "invalid_cursor", "cursor must be the next of an earlier page")])
    return int(cursor)


def _item(row: AuditRow) -> AuditItem:
    act = row.act
    return AuditItem(
        at=instant_out(row.at),
        actor=act.actor,
        action=act.action,
        subject=act.subject,
        outcome=act.outcome,
        request_id=act.tag,
        address=act.address,
        detail=act.detail,
    )
