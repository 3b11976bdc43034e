"""Health: whether this process lives, and whether it can take bookings."""

from __future__ import annotations

import asyncio

from litestar import Controller, get
from msgspec import UNSET

from api import operations
from api.bodies import HealthBody, PartBody
from api.http import Answer, Call, json_answer
from api.parts import Parts, parts_of
from engine.errors import EngineError
from engine.store.reading import ask, written_until

CHECK_TIMEOUT_S = 2.0


class HealthController(Controller):
    """``/health``."""

    path = "/health"

    @get("/live", opt={"operation": operations.LIVE})
    async def live(self, request: Call) -> Answer:  # noqa: ARG002
        """Say that this process answers."""
        return json_answer(200, HealthBody(status="live"))

    @get("/ready", opt={"operation": operations.READY})
    async def ready(self, request: Call) -> Answer:
        """Say whether this process can take bookings. A replica that is away is no reason not to."""
        parts = parts_of(request)
        primary, queue = await asyncio.gather(_primary_answers(parts), _queue_answers(parts))
        ready = primary and queue
        lag_ms = parts.reader.lag_ms
        body = HealthBody(
            status="ready" if ready else "unavailable",
            primary=PartBody(ok=primary),
            queue=PartBody(ok=queue),
            replica=UNSET if parts.config.replica_url is None else PartBody(ok=lag_ms is not None, lag_ms=lag_ms),
        )
        return json_answer(200 if ready else 503, body, [] if ready else [(b"retry-after", b"1")])


async def _primary_answers(parts: Parts) -> bool:
    """Whether the primary answers, as a primary: a standby does not say how far its log is written."""
    try:
        await ask(parts.primary, written_until, within_s=CHECK_TIMEOUT_S)
    except EngineError:
        return False
    return True


async def _queue_answers(parts: Parts) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await parts.intake.ready()
    except (EngineError, TimeoutError):
        return False
