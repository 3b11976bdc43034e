"""The audit knows slots, seats and limits: it passes what the engine made, and names exactly what somebody damaged."""

from __future__ import annotations

import pytest

from engine.verify import verify
from tests.verify.damages import Damage
from tests.verify.findings import check_damage
from tests.verify.history import History
from tests.verify.slot_damages import SLOT_DAMAGES


async def test_a_history_of_slots_is_clean(slot_story: History) -> None:
    database = slot_story.connection
    report = await verify(database)
    assert report.violations == []
    checked = {check.rule: check.checked for check in report.checks}
    assert (checked["slots"], checked["one_seat"], checked["limits"]) == (6, 4, 6)
    kinds = {row[0] for row in await database.fetch("SELECT DISTINCT kind FROM ledger")}
    assert {"publish_slots", "cancel_slot", "cancel_slot_rule", "book_seat", "change_event"} <= kinds


@pytest.mark.parametrize("damage", SLOT_DAMAGES, ids=lambda damage: damage.name)
async def test_damage_to_slots_is_found_and_its_rows_are_named(slot_story: History, damage: Damage) -> None:
    await check_damage(slot_story, damage)
