"""From the engine's decisions to a stranger's check, by the commands that their users run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.export import export_lines, receipt_of
from engine.proof import encode_line, signed
from engine.signing import make_signing_key, read_signing_key
from engine.store.ledger import CHUNK, find_decided
from tests.cli.running import firstcome
from tests.schema.rows import Connection, add_resource
from tests.verify.history import write_history

FILL = """
INSERT INTO ledger (resource, ticket, request_id, kind, outcome, joined_at, decided_at, row_hash, caller)
SELECT $1, ticket, gen_random_uuid(), 'book', 'withdrawn', now(), now(), decode(repeat('00', 32), 'hex'), 'somebody'
FROM generate_series(1, $2::bigint) AS ticket
"""


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


async def test_a_ledger_is_exported_and_checked_with_nothing_else(
    database_url: str, database: Connection, tmp_path: Path
) -> None:
    history = await write_history(database)
    key, keys, export = tmp_path / "key.pem", tmp_path / "keys.json", tmp_path / "room.jsonl"
    make_signing_key(key)
    signing = read_signing_key(key)
    keys.write_text(json.dumps({"keys": [signing.public.jwk]}))
    here = {"DATABASE_URL": database_url, "FIRSTCOME_LEDGER_KEY_FILE": str(key)}

    told = firstcome("ledger", "export", "room", "--output", export, more=here)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert names_in(tmp_path) == {"key.pem", "keys.json", "room.jsonl"}
    request_id = await database.fetchval(
        "SELECT request_id FROM ledger WHERE resource = $1 AND ticket = 3", history.room
    )
    decided = await find_decided(database, request_id)
    assert decided is not None
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(encode_line(signed(receipt_of(decided), signing)))

    sound = firstcome("verify", "--export", export, "--receipt", receipt, "--keys", keys)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert sound.stdout.endswith("no violations\n")
    lines = export.read_bytes().splitlines(keepends=True)
    export.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    broken = firstcome("verify", "--export", export, "--keys", keys, "--json")
    assert broken.returncode == 1, broken.stderr
    report = json.loads(broken.stdout)
    assert (report["clean"], report["signed_by"]) == (False, signing.public.key_id)
    assert {(found["rule"], found["ticket"]) for found in report["violations"]} == {("no_gap", 3), ("chain", 3)}


async def test_without_a_key_an_export_says_that_it_is_not_signed(database_url: str, database: Connection) -> None:
    await write_history(database)
    told = firstcome("ledger", "export", "course", more={"DATABASE_URL": database_url})
    assert told.returncode == 0
    assert told.stderr == "firstcome: there is no ledger key, so the head is not signed\n"
    head, *rows = map(json.loads, told.stdout.splitlines())
    assert (head["resource_id"], head["key_id"], head["signature"]) == ("course", None, None)
    assert [row["ticket"] for row in rows] == [1, 2, 3, 4, 5]


async def test_an_export_of_nothing_is_refused_and_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    told = firstcome(
        "ledger", "export", "none", "--output", tmp_path / "none.jsonl", more={"DATABASE_URL": database_url}
    )
    assert told.returncode == 2
    assert told.stderr.endswith("There is no resource none.\n")
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--receipt", "none"], "--receipt needs --keys, --export, or both"),
        (["--keys", "none"], "--keys is for --export and --receipt"),
        (["--export", "none"], "none cannot be read: No such file"),
        (["--export", "none", "--keys", "none"], "none cannot be read: No such file"),
    ],
    ids=["a receipt alone", "keys alone", "no export", "no keys"],
)
def test_files_that_cannot_be_checked_exit_2_with_one_sentence(arguments: list[str], said: str, tmp_path: Path) -> None:
    told = firstcome("verify", *arguments, folder=tmp_path)
    assert told.returncode == 2
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


async def test_an_export_is_read_and_written_a_chunk_at_a_time(database: Connection) -> None:
    """What is under way has a bound, however long the ledger is, and nobody who asked is in it."""
    resource = await add_resource(database, capacity=1)
    rows = 2 * CHUNK + 1
    await database.execute(FILL, resource, rows)
    name = await database.fetchval("SELECT resource_id FROM resource WHERE id = $1", resource)
    pieces = [piece async for piece in export_lines(database, name, None)]
    assert [piece.count(b"\n") for piece in pieces] == [1, CHUNK, CHUNK, 1]
    assert json.loads(pieces[0])["last_ticket"] == rows
    assert not any(b"somebody" in piece or b"caller" in piece for piece in pieces)
