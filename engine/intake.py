"""The one way into the engine, whatever the installation's mode.

``QueuedIntake`` (engine/queue/intake.py) joins the resource's queue and waits for the worker's reply;
``DirectIntake`` (engine/direct.py) decides under the row lock in this process. The API knows only this.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from engine.commands import Outcome, Queued, Request


class Intake(Protocol):
    """Where the API brings its commands."""

    async def start(self) -> None:
        """Connect and begin to listen. Returns when requests can be taken."""

    async def stop(self) -> None:
        """Stop listening; every waiting ``decide`` has ended before or gets ``Unavailable``."""

    async def ready(self) -> bool:
        """Whether commands can be taken just now."""

    async def decide(self, request: Request, *, wait_s: float) -> Outcome | Queued:
        """Bring a command and wait for its outcome for ``wait_s`` seconds (0: do not wait).

        Returns the Outcome, or Queued once the queue is on disk (the address of the outcome is then
        ``request_id`` of the Queued, which is another than the request's own when an equal request
        with the same key is under way).
        Raises EngineError (503): no outcome is known, and the command may have its ticket all the same. Sent again
        with the same key it is the same request.
        """

    async def find(self, request_id: UUID) -> Outcome | Queued | None:
        """Look up a request: in the queue first, then in the ledger. None: unknown."""

    async def withdraw(self, request_id: UUID) -> Queued | Outcome | None:
        """Ask for a queued request not to be decided. The turn that reaches it settles it.

        Returns Queued where it was still queued (now marked), the Outcome where it was decided,
        None where it is unknown.
        """
