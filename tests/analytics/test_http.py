"""Operators, and nobody else, are told; and what leaves as a table does nothing where it is opened."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.folding import fold_due
from engine.store.pools import Pool
from tests.people.company import MONDAY, Company, times
from tests.support import wait_until

PATHS = ("/admin/analytics", "/admin/analytics/export")
DAY = {"start_date": "2026-08-01", "end_date": "2026-08-31"}
FORMULAS = ("=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", 'plain "quoted", text')


def lately() -> dict[str, str]:
    today = datetime.now(UTC).date()
    one = timedelta(days=1)
    return {"start_date": (today - one).isoformat(), "end_date": (today + one).isoformat()}


async def test_only_operators_are_told(company: Company) -> None:
    host, operator = await company.host(), await company.person("operator")
    for path in PATHS:
        assert (await company.client.get(path, params=DAY)).status_code == 401
        refused = await host.get(path, **DAY)
        assert (refused.status_code, refused.json()["code"]) == (403, "role_required")
        assert (await operator.get(path, **DAY)).status_code == 200


WRONG = (
    ({"end_date": "2026-08-31"}, "invalid_request"),
    (DAY | {"start_date": "2026-02-30"}, "invalid_request"),
    (DAY | {"start_date": "2026-08-01T00:00:00Z"}, "invalid_request"),
    (DAY | {"start_date": "2026-09-01"}, "invalid_interval"),
    (DAY | {"start_date": "2025-08-30"}, "interval_too_long"),
    (DAY | {"time_zone": "Mars/Olympus"}, "unknown_time_zone"),
    (DAY | {"page": "2"}, "invalid_request"),
)


@pytest.mark.parametrize("path", PATHS)
async def test_a_question_that_makes_no_sense_is_refused(company: Company, path: str) -> None:
    operator = await company.person("operator")
    for query, code in WRONG:
        answer = await operator.get(path, **query)
        assert (answer.status_code, answer.json()["code"]) == (400, code), query
    assert (await operator.get(path, **(DAY | {"start_date": "2025-08-31"}))).status_code == 200, "366 days"


async def history(company: Company) -> dict[str, Any]:
    """A slot that is booked, a series, and a room that two want: who hosts them, and what must be said."""
    host, other, guest, late = (
        await company.host(),
        await company.host(),
        await company.person(),
        await company.person(),
    )
    slot = await host.publish(MONDAY)
    booking = await guest.booked(slot_id=slot["slot_id"])
    assert (await late.book(slot_id=slot["slot_id"])).status_code == 409
    for formula in FORMULAS:
        body = {"resource_id": formula, "name": "Room", "time_zone": "UTC"}
        assert (await other.post("/resources", body)).status_code == 201
    series = {"resource_id": FORMULAS[0], "recurrence_rule": "FREQ=DAILY;COUNT=5"} | times(MONDAY)
    assert (await guest.post("/bookings", series)).status_code == 201
    assert (await late.post("/bookings", series)).status_code == 409
    for formula in FORMULAS[1:]:
        assert (await host.post("/bookings", {"resource_id": formula} | times(MONDAY))).status_code == 201
    assert (await guest.delete(f"/bookings/{booking}")).status_code == 200
    return {"hosts": [(str(other.id), 5), (str(host.id), 1)], "other": other}


async def test_the_figures_come_from_the_replica(company: Company) -> None:
    made, operator = await history(company), await company.person("operator")

    async def told() -> Any:
        answer = await operator.get(PATHS[0], **lately(), limit=2)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return body if (body["cancelled_bookings"], body["source"]) == (1, "replica") else None

    body = await wait_until(told)
    assert {name: body[name] for name in ("total_bookings", "attempts", "conflicts", "cancellation_rate")} == {
        "total_bookings": 6,
        "attempts": 8,
        "conflicts": 2,
        "cancellation_rate": 16.7,
    }
    assert body["refusals_by_reason"] == {"conflict": 1, "no_seats_left": 1}
    assert [(host["host_id"], host["booking_count"]) for host in body["top_hosts"]] == made["hosts"]
    assert [len(body["bookings_per_day"]), sum(day["count"] for day in body["bookings_per_day"])] == [3, 6]
    assert body["staleness_ms"] >= 0


async def test_a_table_has_no_formulas_and_both_forms_say_the_same(company: Company, pool: Pool) -> None:
    made, operator = await history(company), await company.person("operator")
    await company.connection.execute("UPDATE person SET name = '=1+1' WHERE id = $1", made["other"].id)
    await wait_until(lambda: folded(company, pool))

    async def written(form: str) -> str | None:
        answer = await operator.get(PATHS[1], **lately(), format=form)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"] == f'attachment; filename="bookings.{form}"'
        return answer.text if answer.text.count("\n") >= 6 else None

    table = list(csv.DictReader(io.StringIO(await wait_until(lambda: written("csv")), newline="")))
    objects = [json.loads(line) for line in str(await wait_until(lambda: written("ndjson"))).splitlines()]
    assert [row["resource_id"] for row in table][1:] == [f"'{name}" for name in FORMULAS[:-1]] + [FORMULAS[-1]]
    assert {row["host_name"] for row in table} == {"Somebody", "'=1+1"}
    assert [row["resource_id"] for row in objects][1:] == list(FORMULAS)
    for row, told in zip(table, objects, strict=True):
        assert json.loads(row["refusals_by_reason"]) == told["refusals_by_reason"]
        assert {name: row[name].removeprefix("'") for name in row if name != "refusals_by_reason"} == {
            name: str(value) for name, value in told.items() if name != "refusals_by_reason"
        }
    assert {name: objects[1][name] for name in ("attempts", "confirmed", "conflicts", "conflict_rate")} == {
        "attempts": 2,
        "confirmed": 1,
        "conflicts": 1,
        "conflict_rate": 50.0,
    }


async def folded(company: Company, pool: Pool) -> bool:
    await fold_due(pool)
    return bool(await company.connection.fetchval("SELECT sum(attempts) = 8 + 1 FROM attempt_total"))
