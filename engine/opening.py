"""Before anything is taken: are the servers set as the guarantees need them, is the schema this release's, and the
mode the right one?
"""

from __future__ import annotations

from engine.config import Config
from engine.direct import DirectIntake
from engine.errors import StartupRefused
from engine.intake import Intake
from engine.queue.check import check_redis
from engine.queue.intake import QueuedIntake
from engine.store.installation import check_mode, check_settings, mark_production
from engine.store.pools import Pool
from engine.store.startup import check_readable, not_migrated, told_in_a_sentence
from migrations.runner import status


async def check_installation(config: Config, pool: Pool) -> None:
    """Refuse to start on servers, on a schema or in a mode that would break a promise.

    pool  connections to the primary.

    Raises StartupRefused with a sentence that names the setting.
    """
    if config.replica_url is not None:
        check_readable(config.replica_url, "REPLICA_URL")
    with told_in_a_sentence(config.database_url):
        await _check_migrations(config.database_url)
        async with pool.acquire() as connection:
            await check_settings(connection)
            await check_mode(connection, config.booking_mode)
            if config.environment == "production":
                await mark_production(connection)
    if config.booking_mode == "queue":
        assert config.redis_url is not None
        await _check_redis(config.redis_url)


async def _check_migrations(url: str) -> None:
    """Raise StartupRefused where the database has not got all of this release's; more do no harm."""
    if any(migration.applied_at is None for migration in await status(url)):
        raise not_migrated(url)


async def _check_redis(url: str) -> None:
    try:
        await check_redis(url)
    except ValueError:  # its words quote the URL, and with it the password
        raise StartupRefused(
            "REDIS_URL cannot be read: it must be redis://user:password@host:port/number, "
            "with ?, #, /, @, [, ] and % of a password as %3F, %23, %2F, %40, %5B, %5D and %25."
        ) from None
    except OSError as error:
        raise StartupRefused(f"Redis at REDIS_URL cannot be asked: {error or type(error).__name__}.") from None


async def open_intake(config: Config, pool: Pool) -> Intake:
    """Check the installation and make the way in that its mode has; the caller starts and stops it.

    pool  connections to the primary, for look-ups.

    Raises StartupRefused.
    """
    await check_installation(config, pool)
    if config.booking_mode == "direct":
        return DirectIntake(
            config.database_url, pool_size=config.direct_pool_size, idempotency_hours=config.idempotency_hours
        )
    if config.redis_url is None:
        raise StartupRefused("REDIS_URL is not set; BOOKING_MODE=queue needs it.")
    return QueuedIntake(config, pool)
