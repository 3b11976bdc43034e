"""Erasing a person.

An erasure has three steps::

    there --one transaction--> erased --each text by itself--> without texts --through the queues--> nothing ahead

The first takes name, e-mail address and password and ends sessions and keys: from then on nobody is let in as them, and
commands of theirs that wait and would claim something are withdrawn when their turn comes (engine/batch.py). The
second takes away what they wrote. The third cancels what they have ahead with commands as anybody's, so that order and
ledger hold: their slots behind the seats of their guests, their bookings, their series.

Invariants:

    Each step does nothing the second time, so that it may be run again, and by several processes at once.
    Bookings, ledger and audit know random ids and are not changed: counts stay, and the chain can be checked.

What a death interrupts, ``finish_erasures`` goes on with, on a clock. It also runs the second step again for KEPT_DAYS:
a command that waited, or a request that was under way, may have written a text after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from uuid import UUID

import msgspec

from engine.commands import (
    Cancel,
    CancelSeries,
    CancelSlot,
    CancelSlotRule,
    Command,
    Outcome,
    Queued,
    Request,
    Status,
)
from engine.errors import Unavailable
from engine.identifiers import uuid7
from engine.intake import Intake
from engine.store import privacy as store
from engine.store.audit import Act
from engine.store.offers import FIRST
from engine.store.pools import READ_TIMEOUT_S, Pool
from engine.store.reading import ask

EVERY_S = 600.0
"""Between two looks for erasures that were interrupted."""
KEPT_DAYS = 7
"""So long after an erasure the person's texts are looked for again: no command waits longer."""
PEOPLE_AT_ONCE = 100
AHEAD_AT_ONCE = 200
"""Commands that are brought together."""
OUTCOME_WITHIN_S = 10.0
CANCELLED_WITHIN_S = 300.0
"""How long the clock job spends on what one person has ahead, until its next round."""
HOST_LEFT = "the host left"
"""What guests read whose seats are cancelled."""

logger = logging.getLogger(__name__)

ENDINGS: dict[str, Callable[[UUID], Command]] = {
    "slot_rule": CancelSlotRule,
    "seat": lambda name: Cancel(name, HOST_LEFT),
    "slot": CancelSlot,
    "booking": Cancel,
    "series": CancelSeries,
}
"""What ends each kind of ``store.Ahead``."""


@dataclass(slots=True, frozen=True)
class Erasure:
    """That somebody was erased.

    finished  whether nothing is left that has to be taken away or cancelled; False: it goes on later.
    """

    erased_at: datetime
    finished: bool


async def erase_person(pool: Pool, intake: Intake, person: UUID, act: Act, *, within_s: float) -> Erasure | None:
    """Erase a person, and cancel what they have ahead, as far as that is done in time; the rest is done later.

    act       that it was done; noted with the erasure.
    within_s  how long to wait for what goes through the queues.

    Returns None where there is no such person.
    Raises EngineError where it is not known whether they were erased.
    """
    erased_at = await ask(pool, lambda connection: store.erase_person(connection, person, act), within_s=READ_TIMEOUT_S)
    if erased_at is None:
        return None
    return Erasure(erased_at, await _finish(pool, intake, person, within_s=within_s))


async def finish_erasures(pool: Pool, intake: Intake) -> None:
    """Go on with every erasure that may not be finished."""
    behind = FIRST
    while True:
        find = partial(store.unfinished_erasures, behind=behind, days=KEPT_DAYS, limit=PEOPLE_AT_ONCE)
        people = await ask(pool, find, within_s=READ_TIMEOUT_S)
        for person in people:
            await _finish(pool, intake, person, within_s=CANCELLED_WITHIN_S)
        if len(people) < PEOPLE_AT_ONCE:
            return
        behind = people[-1]


async def _finish(pool: Pool, intake: Intake, person: UUID, *, within_s: float) -> bool:
    """Take the second and the third step. Trouble is left to the next round: the person is erased.

    Returns whether all of it was done.
    """
    try:
        async with asyncio.timeout(within_s):
            await _empty_texts(pool, person)
            await _end_ahead(pool, intake, person)
            return True
    except TimeoutError:
        logger.info("an erasure goes on later", extra={"person": str(person)})
    except Exception as error:  # noqa: BLE001  # see above
        logger.warning("an erasure goes on later", extra={"person": str(person), "error": repr(error)})
    return False


async def _empty_texts(pool: Pool, person: UUID) -> None:
    """Take away what a person wrote, a few rows in a transaction: none waits for another while it holds them."""
    for statement in store.EMPTYING:
        empty = partial(store.empty_texts, statement=statement, person=person)
        while await ask(pool, empty, within_s=READ_TIMEOUT_S):
            pass


async def _end_ahead(pool: Pool, intake: Intake, person: UUID) -> None:
    """Cancel what a person has ahead, until nothing is left, or nothing more can be done now.

    What is found is brought together, so that a slot's ticket follows those of its seats, and nobody comes between.
    A guest who came before is found the next time.
    """
    while True:
        find = partial(store.standing_ahead, person=person, limit=AHEAD_AT_ONCE)
        ahead = await ask(pool, find, within_s=READ_TIMEOUT_S)
        if not ahead:
            return
        requests = [_request(person, item) for item in ahead]
        answers = await asyncio.gather(
            *(intake.decide(request, wait_s=OUTCOME_WITHIN_S) for request in requests), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if not any(_confirmed(answer) for answer in answers):
            raise failures[0] if failures else Unavailable("what an erased person has ahead is not decided yet")


def _request(person: UUID, ahead: store.Ahead) -> Request:
    command = ENDINGS[ahead.kind](ahead.name)
    body_hash = blake2b(msgspec.msgpack.encode((ahead.resource, command)), digest_size=16).digest()
    return Request(uuid7(), ahead.resource, str(person), None, body_hash, command)


def _confirmed(answer: Outcome | Queued | BaseException) -> bool:
    return isinstance(answer, Outcome) and answer.status is Status.CONFIRMED
