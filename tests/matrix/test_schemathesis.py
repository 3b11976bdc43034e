"""The interface held against its own description by a tool that knows neither: what it makes up is answered as it says.

A bounded run with a fixed seed, as three people; docs/operations.md has the command for a long one.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx

from tests.accounts.people import Somebody, operator, signed_in
from tests.processes import Processes
from tests.schema.rows import Connection

LAST_DEEDS = ("log_out", "erase_me", "erase_user")
"""What ends whoever does it: after it every answer is 401."""
BUT_THEM = tuple(word for name in LAST_DEEDS for word in ("--exclude-operation-id", name))
ONLY_THEM = tuple(word for name in LAST_DEEDS for word in ("--include-operation-id", name))
KILLED_AFTER_S = 60


RUNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("operator", ("--phases", "examples,stateful", "--max-time", "8", *BUT_THEM)),
    ("host", ("--phases", "coverage", "--max-time", "8", *BUT_THEM)),
    ("guest", ("--phases", "examples,fuzzing", "--max-time", "5", *BUT_THEM)),
    ("operator", ("--phases", "examples,coverage", "--max-time", "3", *ONLY_THEM)),
)


async def test_whatever_is_made_up_is_answered_as_described(
    processes: Processes, database: Connection, tmp_path: Path
) -> None:
    api = await processes.api()
    async with httpx.AsyncClient(base_url=api.address, trust_env=False, timeout=40) as client:
        people = {
            "operator": await operator(client, database),
            "host": await signed_in(client, "host", "guest", "host"),
            "guest": await signed_in(client, "guest"),
        }
        for who, how in RUNS:
            ended, said = await run(api.address, people[who], tmp_path, how)
            assert ended == 0, f"{who}: {said}"
        assert (await client.get("/api/v1/health/ready")).status_code == 200
    assert not api.records("request failed")
    assert not api.ended


async def run(address: str, somebody: Somebody, folder: Path, how: tuple[str, ...]) -> tuple[int | None, str]:
    """Run the tool to its end. Returns its exit code, 0 where it found nothing, and what it said.

    One check is left out: that whatever fits the schemas is accepted. A schema cannot say which rules, zones and
    keys are good.
    """
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/api/v1/openapi.json"),
        *("--header", f"Authorization: {somebody.headers['authorization']}"),
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
        *("--seed", "1", "--max-examples", "4", "--suppress-health-check", "all", "--no-color", "--warnings", "off"),
        *("--generation-database", "none", *how),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), KILLED_AFTER_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, said.decode(errors="replace")
