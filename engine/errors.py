"""Trouble: what keeps the engine from deciding at all, as opposed to a *no*, which is an outcome.

The API answers each of these with 503 and ``Retry-After`` (``NotFound`` with 404); nothing was decided,
and the same request may be sent again.
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine could not decide, or does not know. ``retry_after_s`` is the earliest useful retry."""

    code = "unavailable"
    retry_after_s = 1


class Unavailable(EngineError):
    """Redis or PostgreSQL did not answer in time."""


class QueueFull(EngineError):
    """The resource's queue holds as many commands as it may; nothing was enqueued."""

    code = "queue_full"
    retry_after_s = 5


class NotFound(Exception):
    """What the command names does not exist, so it was given no ticket.

    what  the noun, as the interface spells it: ``resource``, ``booking``, ``request``.
    """

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"{what} {name} does not exist")
        self.what = what
        self.name = name


class StartupRefused(Exception):
    """A setting would break a guarantee. The message is one sentence that names the setting."""
