"""Erasing a person, and everything that is kept of one.

An erasure has three steps::

    there --one transaction--> erased --each text by itself--> without texts --through the queues--> nothing ahead

The first takes name, address and password and ends sessions and keys: from then on nobody is let in as them, and
commands of theirs that wait and would claim something are withdrawn when their turn comes (engine/batch.py). The
second takes away what they wrote. The third cancels what they have ahead with commands as anybody's, so that order and
ledger hold: their slots behind the seats of their guests, their bookings, their series.

Invariants:

    Each step does nothing the second time, so that it may be run again, and by several processes at once.
    Bookings, ledger and audit know random ids and are not changed: counts stay, and the chain can be checked.

What a death interrupts, ``finish_erasures_forever`` goes on with. It also runs the second step again for KEPT_DAYS:
a command that waited, or a request that was under way, may have written a text after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime
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
from engine.errors import EngineError
from engine.identifiers import uuid7
from engine.intake import Intake
from engine.store import privacy as store
from engine.store.audit import Act
from engine.store.offers import FIRST
from engine.store.pools import READ_TIMEOUT_S, Pool
from engine.store.reading import ask
from engine.store.verify import one_snapshot

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


async def erase_person(pool: Pool, intake: Intake, person: UUID, act: Act, *, within_s: float) -> datetime | None:
    """Erase a person, and cancel what they have ahead, as far as that is done in time; the rest is done later.

    act       that it was done; noted with the erasure.
    within_s  how long to wait for what goes through the queues.

    Returns when they were erased, which may have been before. None: there is no such person.
    Raises EngineError where nothing was erased.
    """
    erased_at = await ask(pool, lambda connection: store.erase_person(connection, person, act), within_s=READ_TIMEOUT_S)
    if erased_at is not None:
        await _finish(pool, intake, person, within_s=within_s)
    return erased_at


async def finish_erasures_forever(pool: Pool, intake: Intake) -> None:
    """Go on with what was interrupted, now and every ten minutes."""
    while True:
        try:
            await finish_erasures(pool, intake)
        except Exception as error:  # noqa: BLE001  # whatever it was, it goes on in ten minutes
            logger.warning("erasures were not finished", extra={"error": repr(error)})
        await asyncio.sleep(EVERY_S)


async def finish_erasures(pool: Pool, intake: Intake) -> None:
    """Go on with every erasure that may not be finished."""
    behind = FIRST
    while True:
        people = await ask(
            pool,
            lambda connection, behind=behind: store.unfinished_erasures(  # type: ignore[misc]
                connection, behind=behind, days=KEPT_DAYS, limit=PEOPLE_AT_ONCE
            ),
            within_s=READ_TIMEOUT_S,
        )
        for person in people:
            await _finish(pool, intake, person, within_s=CANCELLED_WITHIN_S)
        if len(people) < PEOPLE_AT_ONCE:
            return
        behind = people[-1]


async def _finish(pool: Pool, intake: Intake, person: UUID, *, within_s: float) -> None:
    """Take the second and the third step. Trouble is left to the next round: the person is erased."""
    try:
        await ask(pool, lambda connection: store.empty_texts(connection, person), within_s=READ_TIMEOUT_S)
        async with asyncio.timeout(within_s):
            await _end_ahead(pool, intake, person)
    except TimeoutError:
        logger.info("an erasure goes on later", extra={"person": str(person)})
    except Exception as error:  # noqa: BLE001  # see above
        logger.warning("an erasure goes on later", extra={"person": str(person), "error": repr(error)})


async def _end_ahead(pool: Pool, intake: Intake, person: UUID) -> None:
    """Cancel what a person has ahead, until nothing is left, or nothing more can be done now.

    What is found is brought together, so that a slot's ticket follows those of its seats, and nobody comes between.
    A guest who came before is found the next time.
    """
    while True:
        ahead = await ask(
            pool,
            lambda connection: store.standing_ahead(connection, person, limit=AHEAD_AT_ONCE),
            within_s=READ_TIMEOUT_S,
        )
        if not ahead:
            return
        requests = [_request(person, item) for item in ahead]
        answers = await asyncio.gather(
            *(intake.decide(request, wait_s=OUTCOME_WITHIN_S) for request in requests), return_exceptions=True
        )
        if not any(_confirmed(answer) for answer in answers):
            raise EngineError("what an erased person has ahead could not be cancelled")


def _request(person: UUID, ahead: store.Ahead) -> Request:
    command = ENDINGS[ahead.kind](ahead.name)
    body_hash = blake2b(msgspec.msgpack.encode((ahead.resource, command)), digest_size=16).digest()
    return Request(uuid7(), ahead.resource, str(person), None, body_hash, command)


def _confirmed(answer: Outcome | Queued | BaseException) -> bool:
    return isinstance(answer, Outcome) and answer.status is Status.CONFIRMED


async def export_person(pool: Pool, person: UUID) -> AsyncIterator[tuple[str, store.Row | list[store.Row]]]:
    """Read everything that is kept of a person, as of one instant.

    Yields ``("profile", …)``, then for each of ``store.SECTIONS`` its name with a chunk of its rows, as often as it
    has one; nothing at all where there is no such person.
    """
    async with pool.acquire(timeout=READ_TIMEOUT_S) as connection, one_snapshot(connection):
        profile = await store.export_profile(connection, person)
        if profile is None:
            return
        yield "profile", profile
        for section in store.SECTIONS:
            async for rows in store.export_section(connection, section, person):
                yield section, rows
