"""Trouble: what keeps the engine from answering, as opposed to a *no*, which is an outcome.

The API answers each of these with 503 and ``Retry-After`` (``NotFound`` with 404). They differ in what is known of the
request: of some nothing was kept, so it may be sent again as it is; others may have their ticket and be decided, and
are the same request only when they are sent again with the same idempotency key.
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine could not answer. ``retry_after_s`` is the earliest useful retry."""

    code = "unavailable"
    retry_after_s = 1


class Unavailable(EngineError):
    """Redis or PostgreSQL did not answer in time: whether the command has a ticket is not known."""


class Unreachable(Unavailable):
    """The connection or the server behind it is gone: the next question would not be answered either."""


class NotPromised(EngineError):
    """The command has its ticket, but is not known to be on disk: it will be decided unless Redis fails first."""

    code = "not_promised"


class QueueFull(EngineError):
    """The resource's queue holds as many commands as it may; nothing was enqueued."""

    code = "queue_full"
    retry_after_s = 5


class TooManyWaiting(EngineError):
    """As many requests wait in this process as may; nothing was enqueued."""

    code = "too_many_waiting"


class StorageFull(EngineError):
    """Redis has no memory left for another command; nothing was enqueued."""

    code = "storage_full"
    retry_after_s = 5


class OverRate(Exception):
    """Whoever asks has made as many calls as they may; nothing of this one was kept, and it may come again.

    policy         what was counted and for whom, as ``engine.rules.rate.Bucket`` has it.
    quota          so many calls …
    window_s       … in so many seconds.
    retry_after_s  when it may come again.
    """

    def __init__(self, policy: str, *, quota: int, window_s: int, retry_after_s: int) -> None:
        super().__init__(f"{policy}: more than {quota} calls in {window_s} s")
        self.policy = policy
        self.quota = quota
        self.window_s = window_s
        self.retry_after_s = retry_after_s


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
