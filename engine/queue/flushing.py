"""Everything that Redis was told is on disk: how a promise makes sure of that.

With ``appendfsync everysec`` some servers answer WAITAOF before they have flushed (Valkey 9.1; redis/redis#13793), and
honest ones up to a second later. So the flush is forced: with ``appendfsync always`` a server flushes in the turn of
its event loop in which it was written to, before it replies, and the whole file with it, whoever wrote to it before.

States of a server, and the only steps between them::

    everysec ──lock, mark, CONFIG SET always──> forced ──write, CONFIG GET──> flushed ──CONFIG SET everysec, unmark,
    unlock──> everysec
    always: its operator's, known by the mark that is missing. Never touched; a write is flushed by itself.

The lock (``fc:flushing``) keeps processes from disturbing each other, and nothing rests on it: a flush counts only if
CONFIG GET still says ``always`` after the write. Where it says anything else, somebody who had lost the lock by
standing still set it back in between, or the server was started anew: all is repeated. Where it was set back and then
forced again in between, the server flushed when it was set: it looks for what is not flushed whenever it is ``always``.

While the file is rewritten, what was written before the rewriting began may stand in a file of which a forced flush
knows nothing any more. No flush that meets a rewriting counts: when it is over, the new file has it all, flushed.

When a process dies: before ``always`` was set, nothing happened, and the lock goes by itself. After that and before
``everysec``, the server stays at ``always``, safe and slower; the mark (``fc:everysec``) outlives the process, and
the next flush or the next start of any process that finds it, and the lock free, sets the server back. The mark names
the server's run: one that is started anew reads its own setting again, and an old mark means nothing. After
``everysec`` and before the mark is gone, the server is set back once more. Two faults at once leave a server
``always`` without a mark (a process stands still for longer than its lock between mark and ``always``, and is killed
right after it): it is taken for its operator's, which is safe.

Where CONFIG is not allowed, WAITAOF is all there is, and ``is_honest`` asks whether it means what it says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine.errors import NotPromised
from engine.queue import scripts
from engine.queue.keys import FLUSHING

ON_DISK_WITHIN_MS = 4_000
"""How long a flush may take, with all its repetitions."""
LOCKED_MS = 2_000
"""After which the lock of a process that died goes by itself."""
SET_BACK_S = 1.0
"""How long a server that did not answer is tried to be set back; else the mark stays, and another flush does it."""
AGAIN_S = 0.005
"""Between two looks at a lock that another holds, or at a rewriting."""
HONEST_S = 0.5
"""With a flush a second, a second wait right after the first takes longer than this."""
HONEST_WITHIN_MS = 1_500
"""How long each of them may take: a server that says then that it has not flushed is honest as well."""
ALWAYS, EVERYSEC, UNKNOWN = "always", "everysec", "unknown"

assert LOCKED_MS < ON_DISK_WITHIN_MS, "who waits for a dead process's lock gets it in time"


@dataclass(slots=True, frozen=True)
class Server:
    """How a server flushes, and what it lets us do.

    appendfsync  as its operator set it; UNKNOWN where CONFIG GET is not allowed.
    settable     whether CONFIG GET and CONFIG SET are allowed.
    waitaof      whether it knows WAITAOF (Redis 7.2, Valkey).
    """

    appendfsync: str
    settable: bool
    waitaof: bool


async def ask_server(redis: Redis) -> Server:
    """Ask how a server flushes. One that a dead process left at ``always`` is set back. Raises TimeoutError."""
    found = await _asked(redis)
    if found == ALWAYS:
        async with _alone(redis) as lock:
            if lock.left:
                await _set_back(redis, lock)
            found = await _asked(redis)
    return Server(found, found != UNKNOWN and await _settable(redis), await _has_waitaof(redis))


async def is_honest(redis: Redis) -> bool:
    """Whether WAITAOF answers after the flush, where a flush is made once a second. Takes up to three seconds.

    It writes the lock, which nobody takes where CONFIG is not allowed.
    """
    took_s = 0.0
    async with redis.client() as connection:
        for _ in range(2):
            await connection.set(FLUSHING, uuid4().hex, px=LOCKED_MS)
            since = time.monotonic()
            await _is_on_disk(connection, within_ms=HONEST_WITHIN_MS)
            took_s = time.monotonic() - since
    return took_s > HONEST_S


class Flusher:
    """Flushes what one connection writes, and everything before it."""

    def __init__(self, redis: Redis, server: Server) -> None:
        self._redis = redis
        self._always = server.appendfsync == ALWAYS
        self._forces = self._always or server.settable
        self._waitaof = server.waitaof

    async def flush(self, write: Callable[[], Awaitable[None]]) -> None:
        """Call ``write``, which must be safe to repeat, and return when that and all before it is on disk.

        Raises NotPromised, TimeoutError or an error of Redis where that is not known.
        """
        async with asyncio.timeout(ON_DISK_WITHIN_MS / 1_000):
            if self._forces:
                while not await (self._trust(write) if self._always else self._force(write)):  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(AGAIN_S)
            else:
                await write()
            if self._waitaof and not self._always and not await _is_on_disk(self._redis, within_ms=ON_DISK_WITHIN_MS):
                raise NotPromised("the queue is not on disk yet; send the request again")

    async def _trust(self, write: Callable[[], Awaitable[None]]) -> bool:
        """Write to a server that flushes by itself. Returns False where its operator has set it otherwise since."""
        await write()
        self._always = await _appendfsync(self._redis) == ALWAYS
        return self._always

    async def _force(self, write: Callable[[], Awaitable[None]]) -> bool:
        """Write with ``always`` set. Returns False where it is not certain that it was all the time."""
        if await _is_rewriting(self._redis):
            return False
        async with _alone(self._redis) as lock:
            if not lock.left and await _appendfsync(self._redis) == ALWAYS:
                self._always = True  # its operator has set it since
                return False
            if not await scripts.mark_flush(self._redis, lock.token, forced=True):
                return False
            try:
                await self._redis.config_set("appendfsync", ALWAYS)
                await write()
                return await _appendfsync(self._redis) == ALWAYS and not await _is_rewriting(self._redis)
            finally:
                async with asyncio.timeout(SET_BACK_S):
                    await _set_back(self._redis, lock)


@dataclass(slots=True, frozen=True)
class Lock:
    """The lock under a token; ``left`` where its last holder died and left the server at ``always``."""

    token: str
    left: bool


@asynccontextmanager
async def _alone(redis: Redis) -> AsyncIterator[Lock]:
    """Wait for the lock and hold it. Where the work under it fails, it goes by itself. Raises TimeoutError."""
    token = uuid4().hex
    async with asyncio.timeout(ON_DISK_WITHIN_MS / 1_000):
        while not (answer := await scripts.lock_flush(redis, token, span_ms=LOCKED_MS))[0]:  # noqa: ASYNC110  # the same
            await asyncio.sleep(AGAIN_S)
    yield Lock(token, answer[1])
    await scripts.unlock_flush(redis, token)


async def _set_back(redis: Redis, lock: Lock) -> None:
    """The mark goes last: where setting back fails, it stays."""
    await redis.config_set("appendfsync", EVERYSEC)
    await scripts.mark_flush(redis, lock.token, forced=False)


async def _is_on_disk(redis: Redis, *, within_ms: int) -> bool:
    """What WAITAOF says of all that this connection wrote."""
    on_disk, _ = await redis.execute_command("WAITAOF", 1, 0, within_ms)  # type: ignore[no-untyped-call]
    return bool(on_disk)


async def _is_rewriting(redis: Redis) -> bool:
    return bool((await redis.info("persistence"))["aof_rewrite_in_progress"])


async def _appendfsync(redis: Redis) -> str:
    return str((await redis.config_get("appendfsync")).get("appendfsync", UNKNOWN))


async def _asked(redis: Redis) -> str:
    try:
        return await _appendfsync(redis)
    except ResponseError:
        return UNKNOWN


async def _settable(redis: Redis) -> bool:
    """Try CONFIG SET with what is set already, as every start has checked."""
    try:
        await redis.config_set("maxmemory-policy", "noeviction")
    except ResponseError:
        return False
    return True


async def _has_waitaof(redis: Redis) -> bool:
    try:
        await redis.execute_command("WAITAOF", 0, 0, 1)  # type: ignore[no-untyped-call]
    except ResponseError:
        return False
    return True
