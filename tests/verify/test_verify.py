"""The audit passes a history that the engine made, and names exactly the rows that somebody damaged."""

from __future__ import annotations

import asyncpg
import msgspec
import pytest

from engine.verify import CHAIN, FAR, OCCURRENCES, RULES, Check, Jump, Report, verify
from tests.verify.damages import DAMAGES, Damage
from tests.verify.findings import check_damage
from tests.verify.history import Connection, book, unprotect, write_history
from tests.verify.series_damages import SERIES_DAMAGES
from tests.verify.slot_damages import SLOT_DAMAGES


async def test_a_history_of_every_kind_is_clean(database: Connection) -> None:
    await write_history(database)
    report = await verify(database)
    assert report.violations == []
    assert report.clean
    assert report.jumps == []
    checked = {check.rule: check.checked for check in report.checks}
    assert set(checked) == {rule.name for rule in RULES} | {CHAIN, OCCURRENCES, FAR}
    assert (checked["fence"], checked["right_kind"], checked["no_overlap"]) == (2, 8, 6)
    assert (checked[CHAIN], checked["one_key"], checked["dead_letters"]) == (16, 15, 1)


async def test_an_empty_database_is_clean(database: Connection) -> None:
    report = await verify(database)
    assert report.clean
    assert {check.checked for check in report.checks} == {0}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
async def test_damage_is_found_and_its_rows_are_named(database: Connection, damage: Damage) -> None:
    await check_damage(await write_history(database), damage)


def test_every_rule_is_broken_by_some_damage() -> None:
    broken = {named[0] for damage in (*DAMAGES, *SERIES_DAMAGES, *SLOT_DAMAGES) for named in damage.found}
    assert broken == {rule.name for rule in RULES} | {CHAIN, OCCURRENCES, FAR}


async def test_a_jump_is_told_and_is_no_violation(database: Connection) -> None:
    history = await write_history(database)
    await history.decide(history.room, book(14, 15), ticket=1_000_000)
    await history.decide(history.room, book(15, 16), ticket=1_000_001)
    await database.execute("UPDATE resource SET last_ticket = 999999 WHERE id = $1", history.course)

    report = await verify(database)
    assert report.violations == []
    assert report.clean
    assert report.jumps == [Jump("room", 11, 1_000_000), Jump("course", 5, 1_000_000)]
    assert report.jumped == 2


async def test_a_jump_to_any_other_number_is_a_gap(database: Connection) -> None:
    history = await write_history(database)
    await history.decide(history.room, book(14, 15), ticket=1_000_001)
    report = await verify(database)
    assert [(v.rule, v.tickets) for v in report.violations] == [("no_gap", [1_000_001])]
    assert "from 12 to 1000000" in report.violations[0].detail
    assert report.jumps == []


async def test_all_damage_is_counted_and_the_first_of_it_named(database: Connection) -> None:
    history = await write_history(database)
    await unprotect(database)
    await database.execute("UPDATE ledger SET joined_at = joined_at + interval '1 ms'")
    report = await verify(database, named=3)
    (chain,) = [check for check in report.checks if check.rule == CHAIN]
    assert chain == Check(CHAIN, chain.promise, checked=16, broken=16)
    assert [v.tickets for v in report.violations] == [[1], [2], [3]]
    assert {v.resource_id for v in report.violations} == {"room"}
    assert report.text().endswith("16 violations\n13 of them are not named")
    assert history.room < history.course


async def test_what_is_written_while_it_runs_is_no_damage(database: Connection, database_url: str) -> None:
    """The snapshot: a booking that commits between two statements would be in one of them only."""
    history = await write_history(database)
    other = await asyncpg.connect(database_url)

    class Meddler:
        """A connection of the audit; before each of its statements the engine decides something."""

        async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
            await history.decide(history.course, book(30, 31))
            return await other.fetch(statement, *arguments)

        def __getattr__(self, name: str) -> object:
            return getattr(other, name)

    try:
        report = await verify(Meddler())  # type: ignore[arg-type]  # it passes everything on
        assert report.violations == []
        assert await database.fetchval("SELECT count(*) FROM ledger") > 16 + len(RULES)
        assert {check.checked for check in report.checks if check.rule == CHAIN} == {16}
    finally:
        await other.close()


async def test_a_report_is_json_and_text(database: Connection) -> None:
    history = await write_history(database)
    await database.execute("UPDATE resource SET last_ticket = 4 WHERE id = $1", history.course)
    report = await verify(database)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert "broken  fence: course ticket 5: last_ticket is 4, but the ledger ends at 5" in report.text()
    assert report.text().endswith("1 violations")
