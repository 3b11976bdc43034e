"""The audit: who did what, when, from where. Rows are written once, in the transaction of what they tell of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from engine.store import sql
from engine.store.pools import Connection


class Action(StrEnum):
    """What is noted."""

    SIGN_UP = "user.create"
    LOG_IN = "session.open"
    LOG_OUT = "session.end"
    REUSE = "session.reuse"
    """A refresh token came a second time; its session was ended."""
    MAKE_KEY = "api_key.create"
    END_KEY = "api_key.end"
    MAKE_RESOURCE = "resource.create"
    CHANGE_RESOURCE = "resource.change"
    CANCEL_FOR_ANOTHER = "booking.cancel"
    """Somebody cancels what another person has booked."""
    CHANGE_FOR_ANOTHER = "booking.change"
    """An operator moves what another person has booked, or restores it."""
    WITHDRAW_FOR_ANOTHER = "request.withdraw"
    BOOK_FOR_ANOTHER = "booking.create"
    MAKE_EVENT = "event.create"
    CHANGE_EVENT = "event.change"
    END_SLOT_OF_ANOTHER = "slot.end"
    """An operator takes back what another person has published, or ends their rule."""
    END_RULE_OF_ANOTHER = "slot_rule.end"
    EXPORT = "user.export"
    ERASE = "user.erase"


AuditOutcome = Literal["done", "refused"]


@dataclass(slots=True, frozen=True)
class Act:
    """What somebody did.

    actor    a person's id, or ANONYMOUS.
    action   one of Action; what an older or newer release wrote may be none of them.
    subject  the id of what it was done to.
    outcome  ``done``: it was let in. What a queue then decided stands in the ledger.
    tag      the id of the request: of what goes through a queue the ledger's, unless a request with the same key had
             its ticket before; of all else that of the answer's X-Request-Id, which the caller may have chosen.
    address  where it came from.
    """

    actor: str
    action: str
    subject: str | None = None
    outcome: AuditOutcome = "done"
    tag: str | None = None
    address: str | None = None
    detail: str | None = None


@dataclass(slots=True, frozen=True)
class AuditRow:
    """An act with its number and its time."""

    number: int
    at: datetime
    act: Act


async def insert_audit(connection: Connection, act: Act) -> None:
    """Note an act."""
    await connection.execute(
        sql("insert_audit"), act.actor, act.action, act.subject, act.outcome, act.tag, act.address, act.detail
    )


async def list_audit(
    connection: Connection,
    *,
    actor: str | None,
    action: str | None,
    subject: str | None,
    start: datetime | None,
    end: datetime | None,
    before: int | None,
    limit: int,
) -> list[AuditRow]:
    """Read what was noted, newest first; what is None does not matter.

    before  the number of the last row on the page before.
    """
    rows = await connection.fetch(sql("list_audit"), actor, action, subject, start, end, before, limit)
    return [
        AuditRow(
            row["id"],
            row["at"],
            Act(
                row["actor"],
                row["action"],
                row["subject"],
                row["outcome"],
                row["tag"],
                row["address"],
                row["detail"],
            ),
        )
        for row in rows
    ]
