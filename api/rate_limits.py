"""Rate limits: against what a call counts, and when.

Every operation says what it is (``Operation.counted``): a read, a change, or an attempt to log in. Each counts for
the person and for the address it comes from; one that finds no room in either counts in neither, and is answered
429. A command counts in the very step that gives it its ticket, so it costs no further call of Redis, and what gets
no ticket (an answer from the ledger, an unknown booking) does not count. Everything else counts before its handler,
a publication of many slots among it, as it costs most before there is a ticket; what is noted in the audit counts
before it is noted.
In direct mode there is no such step: commands count before their handlers, too, and each process counts for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from api.access import address_of, caller_of
from api.http import Call
from api.openapi import Counted, Operation
from api.rate_fields import note_count
from engine.config import Config
from engine.intake import Count
from engine.queue.limits import RateLimiter
from engine.rules.rate import Bucket, Rate, network_of, over_rate

Policies = tuple[tuple[str, Rate], tuple[str, Rate]]
"""Of the person (of a log-in: the account), and of the address."""


class Rates:
    """The rates of an installation, and what counts against them."""

    def __init__(self, config: Config) -> None:
        self._on = config.rate_limits != "off" if config.rate_limits else config.auth_mode != "open"
        self._queued = config.booking_mode == "queue"
        self._policies: Mapping[Counted, Policies] = {
            Counted.READS: (("reads", config.read_rate), ("reads-address", config.read_address_rate)),
            Counted.CHANGES: (("bookings", config.booking_rate), ("bookings-address", config.booking_address_rate)),
            Counted.LOGINS: (("logins", config.login_rate), ("logins-address", config.login_address_rate)),
        }
        self._limiter = RateLimiter(config.redis_url if self._queued and self._on else None)

    async def stop(self) -> None:
        """Close what was opened."""
        await self._limiter.stop()

    def of_command(self, call: Call) -> Count | None:
        """Where a command counts when it is given its ticket. None: nowhere, or it was counted before its handler."""
        if not (self._on and self._queued) or _operation_of(call).counted is not None:
            return None
        count = Count(self._buckets(call, Counted.CHANGES, _person(call)))
        note_count(call.scope, count)
        return count

    async def take_command(self, call: Call) -> None:
        """Count a command now, which then must not be counted with its ticket. Raises OverRate."""
        await self.take(call, Counted.CHANGES, _person(call))

    async def take(self, call: Call, counted: Counted, who: str | None) -> None:
        """Count a call now.

        who  the person, or the account; None: only the address counts.

        Raises OverRate where there is no room for it.
        """
        buckets = self._buckets(call, counted, who)
        if not buckets:
            return
        verdict = await self._limiter.take(buckets)
        note_count(call.scope, Count(buckets, verdict.levels))
        if not verdict.counted:
            raise over_rate(verdict.levels)

    def counts_before(self, operation: Operation) -> bool:
        """Whether a call of the operation counts before its handler runs."""
        if operation.counted in {Counted.LOGINS, Counted.NEVER}:
            return False
        return self._on and not (self._queued and operation.decided and operation.counted is None)

    def _buckets(self, call: Call, counted: Counted, who: str | None) -> Sequence[Bucket]:
        if not self._on:
            return ()
        names = (who, network_of(address_of(call) or ""))
        return [
            Bucket(policy, rate, name)
            for (policy, rate), name in zip(self._policies[counted], names, strict=True)
            if rate.quota and name is not None
        ]


async def count_call(call: Call, rates: Rates) -> None:
    """Count a call before its handler runs, unless it is of a kind that counts elsewhere.

    Raises OverRate.
    """
    operation = call.scope["route_handler"].opt.get("operation")
    if isinstance(operation, Operation) and rates.counts_before(operation):
        counted = operation.counted or (Counted.READS if call.scope["method"] == "GET" else Counted.CHANGES)
        await rates.take(call, counted, _person(call))


async def count_refused(call: Call, rates: Rates) -> None:
    """Count a call that was not let in: as a read of its address, so that guessing at keys and tokens has an end.

    Raises OverRate.
    """
    await rates.take(call, Counted.READS, None)


async def count_log_in(call: Call, rates: Rates, account: str | None) -> None:
    """Count an attempt to log in, before the password is looked at.

    account  the name of the account in its one spelling, whether there is such an account or not; None: none is
             named, as when one is made.

    Raises OverRate.
    """
    # The name is a person's: only its hash leaves the process.
    who = None if account is None else blake2b(account.encode(), digest_size=16).hexdigest()
    await rates.take(call, Counted.LOGINS, who)


def _operation_of(call: Call) -> Operation:
    operation: Operation = call.scope["route_handler"].opt["operation"]
    return operation


def _person(call: Call) -> str | None:
    """Who asks; None where nobody is known: everyone together is not one person."""
    caller = caller_of(call)
    return None if caller.person is None else caller.name
