"""Receipts and keys over HTTP, and what they are good for without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec

from api.app import create_app
from engine.config import Config
from engine.export_check import check_export, check_receipt
from engine.proof import Receipt, read_document
from engine.signing import PublicKey, make_signing_key, read_public_keys, read_signing_key
from tests.api.steps import ROOT, book, booked, make_resource
from tests.application import running
from tests.processes import Processes
from tests.proof.exports import exported

JWK_SET = "application/jwk-set+json"


async def keys_of(client: httpx.AsyncClient, folder: Path) -> list[PublicKey]:
    """The installation's keys, as somebody keeps them in a file."""
    answer = await client.get(f"{ROOT}/keys")
    assert (answer.status_code, answer.headers["content-type"]) == (200, JWK_SET)
    file = folder / "keys.json"
    file.write_bytes(answer.content)
    return read_public_keys(file)


async def receipt_for(client: httpx.AsyncClient, made: dict[str, Any]) -> Receipt:
    answer = await client.get(f"{ROOT}/requests/{made['request_id']}/receipt")
    assert answer.status_code == 200, answer.text
    return read_document(answer.content, Receipt)


async def test_the_public_key_is_the_one_of_the_file(client: httpx.AsyncClient, config: Config, tmp_path: Path) -> None:
    assert config.ledger_key_file is not None
    public = read_signing_key(Path(config.ledger_key_file)).public
    assert (await client.get(f"{ROOT}/keys")).json() == {"keys": [public.jwk]}
    assert await keys_of(client, tmp_path) == [public]


async def test_a_receipt_is_checked_offline_and_against_an_export(
    client: httpx.AsyncClient, database: asyncpg.Connection[asyncpg.Record], config: Config, tmp_path: Path
) -> None:
    await make_resource(client)
    made = await booked(client)
    refused = (await book(client)).headers["x-request-id"]
    keys = await keys_of(client, tmp_path)
    assert config.ledger_key_file is not None
    lines = await exported(database, "room-1", read_signing_key(Path(config.ledger_key_file)))
    for request_id, outcome in ((made["request_id"], "confirmed"), (refused, "refused")):
        receipt = await receipt_for(client, {"request_id": request_id})
        assert (receipt.resource_id, str(receipt.request_id), receipt.outcome) == ("room-1", request_id, outcome)
        assert check_receipt(receipt, keys).signed_by == keys[0].key_id
        report = check_export(lines, keys=keys, receipt=receipt)
        assert report.clean, report.text()
    forged = msgspec.structs.replace(await receipt_for(client, made), ticket=2)
    assert not check_receipt(forged, keys).clean


async def test_an_unknown_request_has_no_receipt(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{ROOT}/requests/{uuid4()}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (404, "request_unknown")


async def test_without_a_key_there_are_no_receipts(config: Config, client: httpx.AsyncClient) -> None:
    await make_resource(client)
    made = await booked(client)
    bare = create_app(msgspec.structs.replace(config, ledger_key_file=None))
    transport = httpx.ASGITransport(bare)
    async with running(bare), httpx.AsyncClient(transport=transport, base_url="http://firstcome") as other:
        answer = await other.get(f"{ROOT}/requests/{made['request_id']}/receipt")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_ledger_key")
        assert (await other.get(f"{ROOT}/keys")).json() == {"keys": []}


async def test_a_request_that_waits_has_no_receipt_yet(processes: Processes, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    make_signing_key(key)
    api = await processes.api(FIRSTCOME_LEDGER_KEY_FILE=str(key))
    async with httpx.AsyncClient(base_url=api.address, trust_env=False, timeout=40) as client:
        await make_resource(client)
        queued = await book(client, headers={"Prefer": "respond-async"})
        assert queued.status_code == 202
        answer = await client.get(f"{queued.headers['location']}/receipt")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_decided")
