"""The one way into the engine, whatever the installation's mode.

``QueuedIntake`` (engine/queue/intake.py) joins the resource's queue and waits for the worker's reply;
``DirectIntake`` (engine/direct.py) decides under the row lock in this process. The API knows only this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from engine.commands import Outcome, Queued, Request
from engine.rules.rate import Bucket, Level


@dataclass(slots=True)
class Count:
    """That a command counts against rates, and what came of it.

    buckets  where it counts.
    levels   what is left in them; empty until it was counted, and where it never was: it had its ticket before.
    """

    buckets: Sequence[Bucket]
    levels: Sequence[Level] = ()


class Intake(Protocol):
    """Where the API brings its commands."""

    async def start(self) -> None:
        """Connect and begin to listen. Returns when requests can be taken."""

    async def stop(self) -> None:
        """Stop listening; every waiting ``decide`` has ended before or gets ``Unavailable``."""

    async def ready(self) -> bool:
        """Whether commands can be taken just now."""

    async def decide(self, request: Request, *, wait_s: float, count: Count | None = None) -> Outcome | Queued:
        """Bring a command and wait for its outcome for ``wait_s`` seconds (0: do not wait).

        count  where the command counts; filled in before this ends. A queue counts in the step that gives the ticket.

        Returns the Outcome, or Queued once the queue is on disk (the address of the outcome is then
        ``request_id`` of the Queued, which is another than the request's own when an equal request
        with the same key is under way).
        Raises EngineError (503): no outcome is known, and the command may have its ticket all the same. Sent again
        with the same key it is the same request.
        Raises OverRate (429): one of its buckets has no room, and nothing was kept.
        """

    async def find(self, request_id: UUID, *, caller: str | None = None) -> Outcome | Queued | None:
        """Look up a request: in the queue first, then in the ledger.

        caller  whose it must be; None: anyone's.

        Returns None where it is unknown, or another's.
        """

    async def withdraw(self, request_id: UUID, *, caller: str | None = None) -> Queued | Outcome | None:
        """Ask for a queued request not to be decided. The turn that reaches it settles it.

        caller  whose it must be; None: anyone's.

        Returns Queued where it was still queued (now marked), the Outcome where it was decided,
        None where it is unknown, or another's.
        """
