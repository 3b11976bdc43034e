"""The spans of time that depend on each other, and the order in which they must stand.

A worker is bounded by four clocks at once: its own event loop, Redis's (the lease), PostgreSQL's (the session)
and its watchdog's. Each bound is harmless by itself; in another order one takes a failure for something else. So
they stand here together, and a process in which the order does not hold does not start.
"""

from __future__ import annotations

from engine.queue.client import COMMAND_TIMEOUT_S
from engine.queue.scripts import LEASE_S
from engine.store.pools import COMMAND_TIMEOUT_S as ANSWER_WITHIN_S

BEAT_EVERY_S = 0.25
"""Between two beats, which renew the leases of this worker's turns and sweep those of dead ones."""
LOOK_EVERY_S = 0.05
"""Between two looks of the watchdog."""
HELD_S = 0.5
"""How long a batch may hold the event loop at a stretch; then it is interrupted, and its heads are suspect."""
STANDSTILL_S = 2.0
"""How long the event loop may stand still at all; then the process ends itself."""
IDLE_IN_TRANSACTION_MS = 1_000
"""The server ends a session that is silent for this long inside its transaction: a frozen worker holds no row."""
LOCK_TIMEOUT_MS = 500
STATEMENT_TIMEOUT_MS = 2_000
SILENT_S = STATEMENT_TIMEOUT_MS / 1_000 + 0.25
"""How long the database may say nothing while it decides a batch, before the batch is left to another worker."""
PROVED_WITHIN_S = 1.0
"""Within this a database that said nothing must answer before a turn takes anything again."""
CONNECTION_CHECK_MS = 500
"""How often the server looks, while a statement runs, whether its worker is still there."""
IDLE_S = 1.0
"""How long a turn waits for work before it ends: a lone caller does not pay for a new job."""
SLICE_S = 10.0
"""How long a turn runs before its successor takes over."""
BLOCKED_WITHIN_S = IDLE_S + COMMAND_TIMEOUT_S
"""When a client that waits for a token is given up: after the wait itself, and the time of an answer."""
JOB_TIMEOUT_S = 60
"""When arq cancels a turn."""

FAILURES_AT_MOST = 5
"""What a command can spoil before it is given up: two batches, and three attempts at itself (docs/decisions, 10)."""
QUEUE_BLOCKED_S = 5.0
"""How long a command that never ends may hold up its queue."""

assert BEAT_EVERY_S + HELD_S + 2 * LOOK_EVERY_S < LEASE_S, "a batch that takes as long as it may keeps its lease"
assert (HELD_S + 2 * LOOK_EVERY_S) * 1_000 < IDLE_IN_TRANSACTION_MS, (
    "who holds the loop too long is interrupted before the server ends the session: that would pass for its trouble"
)
assert HELD_S + 2 * LOOK_EVERY_S < STANDSTILL_S, "an interruption comes before the end of the process"
assert FAILURES_AT_MOST * (HELD_S + 2 * LOOK_EVERY_S) < QUEUE_BLOCKED_S, "the queue goes on in time"
assert IDLE_IN_TRANSACTION_MS <= LEASE_S * 1_000, "who takes over from a frozen worker finds its rows unlocked"
assert LOCK_TIMEOUT_MS < STATEMENT_TIMEOUT_MS, "waiting for a row is told apart from a statement that is too slow"
assert STATEMENT_TIMEOUT_MS < ANSWER_WITHIN_S * 1_000, "the server tells what was too slow, before silence does"
assert STATEMENT_TIMEOUT_MS < SILENT_S * 1_000 < ANSWER_WITHIN_S * 1_000, (
    "a command that is too slow is told of by a server that answers, so silence is never the command's fault"
)
assert CONNECTION_CHECK_MS < LEASE_S * 1_000, "the statement of a dead worker ends before its lease"
assert SLICE_S + STATEMENT_TIMEOUT_MS / 1_000 < JOB_TIMEOUT_S, "a turn ends by itself before it is cancelled"
