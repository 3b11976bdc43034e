"""What the engine writes, the replay finds right: random plans, decided by the engine, exported and checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings

from engine.commands import Reason
from engine.export_check import check_export
from engine.replay.series import OF_SEVERAL
from engine.replay.state import NOT_KNOWN
from tests.batch import model
from tests.batch import test_series_sizes as mixed
from tests.batch import test_sizes as singles
from tests.batch.batches import EVERY_TIME
from tests.proof.exports import exported
from tests.schema.rows import Connection
from tests.series import monday

SENT = {"repeated", "withdrawn", Reason.KEY_REUSED, Reason.STALE_VERSION}
"""What rests on what a caller sent."""


@settings(EVERY_TIME, max_examples=25)
@given(plan=singles.phases)
async def test_every_outcome_of_single_bookings_is_replayed(
    database: Connection, plan: list[list[tuple[int, model.Wish]]]
) -> None:
    before = await last_resource(database)
    _, stream, _ = singles.imagine(plan)
    await singles.write(database, stream, 7)
    assert set(await check_all(database, before)) <= SENT


@settings(EVERY_TIME, max_examples=12)
@given(plan=mixed.phases)
async def test_outcomes_of_series_are_replayed_as_far_as_the_ledger_tells(
    database: Connection, plan: list[list[tuple[int, mixed.Wish]]]
) -> None:
    """Without keys: these plans give one key and body to commands of several kinds, which no caller can."""
    before = await last_resource(database)
    first = [(number, replace(mixed.BEFORE, places=places)) for number, places in enumerate(mixed.CAPACITIES)]
    keyless = [[(number, replace(wish, key=None)) for number, wish in phase] for phase in plan]
    await mixed.write(database, [first, *keyless], monday(), 7)
    assert set(await check_all(database, before)) <= {NOT_KNOWN, OF_SEVERAL, Reason.TOO_MANY_SERIES}


async def last_resource(connection: Connection) -> int:
    """The number of the resource that was made last."""
    number: int = await connection.fetchval("SELECT coalesce(max(id), 0) FROM resource")
    return number


async def check_all(connection: Connection, after: int) -> Counter[str]:
    """Export and check every ledger of the resources that were made after one. Nothing may be found.

    Returns how many rows were taken as given, by why.
    """
    given_rows = Counter[str]()
    for row in await connection.fetch("SELECT resource_id FROM resource WHERE id > $1 ORDER BY id", after):
        report = check_export(await exported(connection, row["resource_id"]))
        assert report.violations == [], report.text()
        assert report.replayed + sum(report.given.values()) == report.checks[-1].checked
        given_rows.update(report.given)
    return given_rows
