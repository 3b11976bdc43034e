"""The audit after a run on real servers: a run without fault is clean, and damage is found and named with its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from engine.embedded import Stack
from engine.errors import StartupRefused
from loadtest import load
from loadtest.audit import audit, check_each
from loadtest.audit_share import Share
from loadtest.findings import Findings, Report
from loadtest.ground import Connection, ask, with_path
from loadtest.record import CONFIRMED, Entry, Head, open_history, read_history, write_history
from loadtest.site import own_site
from tests.cli.running import firstcome
from tests.conftest import execute
from tests.support import wait_until_blocking

UNGUARDED = "SET session_replication_role = replica; "
"""No trigger and no constraint trigger fires: so damages somebody who has the disk."""
BUSY = "(SELECT resource FROM ledger WHERE kind <> 'book_series' GROUP BY resource HAVING count(*) > 2 LIMIT 1)"
"""A resource with at least three tickets."""


@dataclass
class Ran:
    """What a short run left: its database, the history, and what was found in it at once."""

    database_url: str
    admin_url: str
    history: Path
    result: load.Result


def hush(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def ran(stack: Stack, redis_numbers: Iterator[int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Five seconds of callers who book, look, cancel and move; then API and workers end, and the database stays."""
    out = tmp_path_factory.mktemp("load")
    wish = load.Wish(profile="load", out=out, generator="light", seconds=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", stack.database_url)
        patch.setenv("REPLICA_URL", stack.replica_url)
        patch.setenv("REDIS_URL", with_path(stack.redis_url, str(next(redis_numbers))))
        with own_site(None) as site:
            result = load.judge(wish, load.course_of(wish), site, hush)
            assert site.installation is not None
            for program in site.installation.programs:
                program.tell_to_end()
            for program in site.installation.programs:
                program.end()
            yield Ran(site.database_url, stack.database_url, out / load.HISTORY, result)


def audited(ran: Ran, *, damage: str = "", history: Path | None = None) -> Report:
    """Audit a copy of the database that was damaged."""
    copy = f"damaged_{uuid4().hex[:12]}"
    original = ran.database_url.rpartition("/")[2]
    asyncio.run(execute(ran.admin_url, f"CREATE DATABASE {copy} TEMPLATE {original}"))
    url = with_path(ran.admin_url, copy)
    try:
        if damage:
            asyncio.run(execute(url, UNGUARDED + damage))
        return asyncio.run(audit(history or ran.history, url))
    finally:
        asyncio.run(execute(ran.admin_url, f"DROP DATABASE {copy}"))


def rewritten(ran: Ran, folder: Path, **more: object) -> tuple[Path, Entry]:
    """The history, with the first confirmed booking told otherwise. Returns it with what was there before."""
    head, entries = read_history(ran.history)
    at = next(n for n, one in enumerate(entries) if one.operation == "book" and one.outcome == CONFIRMED)
    before = entries[at]
    entries[at] = msgspec.structs.replace(before, **more)
    write_history(folder / "history.jsonl", head, entries)
    return folder / "history.jsonl", before


def test_a_run_without_fault_is_clean_and_everything_was_looked_at(ran: Ran) -> None:
    found = ran.result.audit
    assert found.clean, found.text()
    assert found.violations == []
    checked = {check.rule: check.checked for check in found.checks}
    assert checked.pop("backstop") == 1
    always = ("no_overlap", "numbers", "one_decision", "replay", "commit_order", "real_time_order", "answers_in_ledger")
    more = ("ledger_in_answers", "same_key_same_answer", "yes_stands", "own_booking_seen", "replica")
    assert set(checked) == {*always, *more}
    assert all(checked.values()), checked
    assert found.tickets == checked["answers_in_ledger"] == checked["ledger_in_answers"] <= found.operations
    assert ran.result.operations[-1].errors == 0
    assert {one.name for one in ran.result.operations} == {"book", "series", "cancel", "move", "availability", "all"}


BOOKING_GONE = """
    DELETE FROM booking WHERE id = (SELECT booking FROM ledger WHERE kind = 'book' AND outcome = 'confirmed' LIMIT 1)
"""
TWO_IN_ONE_PLACE = """
    ALTER TABLE booking DROP CONSTRAINT booking_no_overlap;
    INSERT INTO booking (id, resource, exclusive, during, places, status, caller, ticket, request_id, created_at)
    SELECT gen_random_uuid(), resource, exclusive, during, places, status, caller, ticket, request_id, created_at
    FROM booking WHERE status = 'confirmed' AND series IS NULL LIMIT 1
"""
ROW_GONE = f"DELETE FROM ledger WHERE (resource, ticket) = ({BUSY}, 2)"
OTHER_OUTCOME = f"""
    UPDATE ledger SET outcome = 'refused', reason = 'conflict', booking = NULL WHERE (resource, ticket) = ({BUSY}, 1)
"""
DECIDED_TWICE = f"""
    UPDATE ledger SET request_id = second.request_id FROM ledger AS second
    WHERE (ledger.resource, ledger.ticket) = ({BUSY}, 1) AND (second.resource, second.ticket) = (ledger.resource, 2)
"""
OUT_OF_ORDER = f"""
    UPDATE ledger SET decided_at = decided_at + interval '1 day' WHERE (resource, ticket) = ({BUSY}, 1)
"""


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        (BOOKING_GONE, {"yes_stands"}),
        (TWO_IN_ONE_PLACE, {"no_overlap"}),
        (ROW_GONE, {"numbers", "answers_in_ledger"}),
        (OTHER_OUTCOME, {"replay", "answers_in_ledger"}),
        (DECIDED_TWICE, {"one_decision", "answers_in_ledger"}),
        (OUT_OF_ORDER, {"commit_order"}),
    ],
    ids=["booking gone", "two in one place", "row gone", "other outcome", "decided twice", "out of order"],
)
def test_damage_in_the_database_is_found(ran: Ran, damage: str, rules: set[str]) -> None:
    found = audited(ran, damage=damage)
    assert not found.clean
    assert rules <= {check.rule for check in found.checks if check.broken}, found.text()
    assert all(one.tickets for one in found.violations)
    assert "broken" in found.text()


ELSEWHERE = """
    INSERT INTO resource (resource_id, name, time_zone, capacity, initial_capacity)
    VALUES ('elsewhere', 'Elsewhere', 'UTC', 1, 1);
    UPDATE booking SET resource = (SELECT max(id) FROM resource) WHERE id = (
        SELECT booking FROM ledger WHERE kind = 'book' AND outcome = 'confirmed' ORDER BY resource, ticket LIMIT 1
    )
"""
"""A booking that lies on another resource than its ledger row, in the last share."""


def several(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have three processes check. Returns where their number will be noted."""
    noted: list[int] = []

    async def noting(shares: Sequence[Share]) -> list[Findings]:
        noted.append(len(shares))
        return await check_each(shares)

    monkeypatch.setattr("loadtest.audit.SHARE_BYTES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    monkeypatch.setattr("loadtest.audit.check_each", noting)
    return noted


@pytest.mark.parametrize(
    "damage",
    ["", BOOKING_GONE, ROW_GONE, DECIDED_TWICE, ELSEWHERE],
    ids=["none", "booking gone", "row gone", "twice", "elsewhere"],
)
def test_several_processes_find_what_one_finds(ran: Ran, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = audited(ran, damage=damage)
    shares = several(monkeypatch)
    together = audited(ran, damage=damage)
    assert shares == [3]
    assert together.checks == alone.checks
    assert alone.clean == (not damage)
    assert (together.operations, together.unknown, together.tickets) == (alone.operations, alone.unknown, alone.tickets)
    assert sorted(map(str, together.violations)) == sorted(map(str, alone.violations))
    assert together.notes == alone.notes


def test_several_processes_find_a_key_that_was_used_on_two_resources(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def numbers(connection: Connection) -> dict[str, int]:
        return {row["resource_id"]: row["id"] for row in await connection.fetch("SELECT resource_id, id FROM resource")}

    number: dict[str, int] = ask(ran.database_url, numbers)
    head, entries = read_history(ran.history)
    told = [entry for entry in entries if entry.operation == "book" and entry.definite and not entry.replayed]
    told.sort(key=lambda entry: number[entry.resource])
    told[0].key = told[-1].key = "the same"
    write_history(tmp_path / "history.jsonl", head, entries)
    shares = several(monkeypatch)
    found = asyncio.run(audit(tmp_path / "history.jsonl", ran.database_url))
    assert [one.rule for one in found.violations] == ["same_key_same_answer"]
    assert shares == [3]


async def test_a_process_that_cannot_check_says_why() -> None:
    nowhere = "postgresql://127.0.0.1:1/none"
    share = Share(history="", size=1, database_url=nowhere, snapshot="", number=0, of=2, first=0, until=1)
    with pytest.raises(StartupRefused, match=r"^The audit failed: The database does not answer"):
        await check_each([share, share])


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"ticket": 900_000}, "answers_in_ledger"),
        ({"booking": str(uuid4())}, "answers_in_ledger"),
        ({"status": 409, "outcome": "conflict", "booking": None}, "answers_in_ledger"),
        ({"sent": 1e9, "answered": 1e9 + 1}, "real_time_order"),
        ({"operation": "availability", "status": 200, "ticket": None, "seen": 1, "own_free": True}, "own_booking_seen"),
    ],
    ids=["ticket", "booking", "outcome", "order", "read"],
)
def test_an_answer_that_the_ledger_does_not_bear_out_is_found(
    ran: Ran, tmp_path: Path, told: dict[str, object], rule: str
) -> None:
    history, _ = rewritten(ran, tmp_path, **told)
    found = audited(ran, history=history)
    assert rule in {check.rule for check in found.checks if check.broken}, found.text()


def test_a_row_that_nobody_asked_for_is_found(ran: Ran, tmp_path: Path) -> None:
    head, entries = read_history(ran.history)
    kept = [one for one in entries if not (one.ticket == 1 and one.operation == "book")]
    assert any(one.resource == entries[0].resource for one in kept)
    write_history(tmp_path / "history.jsonl", head, kept)
    found = audited(ran, history=tmp_path / "history.jsonl")
    assert {check.rule for check in found.checks if check.broken} == {"ledger_in_answers"}


def test_a_request_without_an_answer_may_or_may_not_have_happened(ran: Ran, tmp_path: Path) -> None:
    unknown = {"answered": None, "status": 0, "outcome": None, "ticket": None, "request_id": None, "booking": None}
    history, before = rewritten(ran, tmp_path, key=None, **unknown)
    assert before.ticket is not None
    found = audited(ran, history=history)
    assert found.clean, found.text()
    assert found.unknown == 1


def test_what_the_processes_called_critical_is_a_violation(ran: Ran) -> None:
    line = '{"level":"critical","message":"a constraint fired"}'
    found = asyncio.run(audit(ran.history, ran.database_url, alarms=[line]))
    assert [one.detail for one in found.violations] == [line]


def test_a_replica_that_differs_is_found(ran: Ran, stack: Stack) -> None:
    """A damaged copy of the database, on the replica, stands for a replica that lost a row."""
    copy = f"damaged_{uuid4().hex[:12]}"
    original = ran.database_url.rpartition("/")[2]
    asyncio.run(execute(ran.admin_url, f"CREATE DATABASE {copy} TEMPLATE {original}"))
    asyncio.run(execute(with_path(ran.admin_url, copy), UNGUARDED + f"DELETE FROM ledger WHERE resource = {BUSY}"))
    wait_until_blocking(lambda: has_database(stack.replica_url, copy))
    found = [
        asyncio.run(audit(ran.history, ran.database_url, replica_url=with_path(stack.replica_url, name)))
        for name in (original, copy)
    ]
    assert found[0].clean, found[0].text()
    assert [one.detail for one in found[1].violations] == ["its table ledger differs from the primary's"]


def has_database(url: str, name: str) -> bool:
    async def question(connection: Connection) -> bool:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name))

    return bool(ask(url, question))


def test_the_command_says_what_it_checked_and_exits_1_where_something_is_broken(ran: Ran, tmp_path: Path) -> None:
    clean = firstcome(
        "audit", ran.history, "--report", tmp_path / "found.json", more={"DATABASE_URL": ran.database_url}
    )
    assert (clean.returncode, clean.stderr) == (0, "")
    assert clean.stdout.splitlines()[-1].startswith("no violations: ")
    report = msgspec.json.decode((tmp_path / "found.json").read_bytes(), type=Report)
    assert report.clean
    assert len([line for line in clean.stdout.splitlines() if line.startswith("ok ")]) == len(report.checks)
    history, _ = rewritten(ran, tmp_path, ticket=900_000)
    damaged = firstcome("audit", history, more={"DATABASE_URL": ran.database_url})
    assert damaged.returncode == 1
    assert "answers_in_ledger" in damaged.stdout
    assert "900000" in damaged.stdout


def test_what_is_written_after_the_snapshot_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    entries = [Entry(operation="book", caller="a", resource="room", sent=float(number)) for number in range(5)]
    head = Head(profile="x", began=datetime.now(UTC), whole=False)
    write_history(file, head, entries[:3])
    size = file.stat().st_size
    write_history(file, head, entries)
    for cut in (size, size - 1):
        with open_history(file, cut) as (_, read):
            assert [entry.sent for entry in read] == [0.0, 1.0, 2.0]


HEAD = b'{"history":1,"profile":"load","began":"2026-01-01T00:00:00Z","whole":true}\n'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{}\n", "is not a history"),
        (b'{"history":2,"profile":"load","began":"2026-01-01T00:00:00Z","whole":true}\n', "of format 2"),
        (HEAD + b'{"operation":1}', "not a hist"),
        (HEAD + b'{"operation":"\xff","caller":"a","resource":"r","sent":1}', "not a history"),
        (HEAD + b'{"operation":"a","caller":"a","resource":"r","sent":1,"request_id":"7"}', "not a history"),
    ],
)
def test_what_is_no_history_is_refused_in_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "history").write_bytes(content)
    with pytest.raises(StartupRefused, match=sentence):
        read_history(tmp_path / "history")
    with pytest.raises(StartupRefused, match="cannot be read"):
        read_history(tmp_path / "nothing")
