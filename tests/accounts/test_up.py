"""What ``firstcome up`` makes for the sign-in, and the operator's code."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.embedded.folder import token_key
from tests.accounts.people import new_user
from tests.cli.running import Up, firstcome, up

REQUIRED = {"AUTH_MODE": "required"}


def code_of(running: Up) -> str | None:
    """The code that it printed, if it did."""
    lines = [line.split()[2] for line in running.said if line.startswith("operator code ")]
    return lines[0] if lines else None


def ask(running: Up, path: str, body: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{running.address}/api/v1{path}", json=body, timeout=30, trust_env=False)


def become_operator(running: Up, name: str, code: str) -> int:
    body = new_user(f"{name}@example.org", roles=["operator"], operator_code=code)
    return ask(running, "/users", body).status_code


def test_the_first_start_tells_how_to_become_the_operator_and_no_other_does(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up("--data", data, more=REQUIRED) as running:
        first = code_of(running)
        assert first is not None
        assert stat.S_IMODE((data / "token-key.pem").stat().st_mode) == 0o600
        assert running.get("/api/v1/resources").status_code == 401
        said = firstcome("operator-code", "--data", data)
        assert said.returncode == 0, said.stderr
        assert become_operator(running, "late", first) == 403
        assert become_operator(running, "boss", said.stdout.strip()) == 201
        refresh = ask(running, "/login", {"email": "boss@example.org", "password": new_user("")["password"]}).json()
        assert running.end() == 0
    with up("--data", data, more=REQUIRED) as running:
        assert code_of(running) is None
        headers = {"authorization": f"Bearer {refresh['access_token']}"}
        asked = httpx.get(f"{running.address}/api/v1/users/me", headers=headers, timeout=30, trust_env=False)
        assert asked.status_code == 200, "the key is kept"


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = token_key(tmp_path)
    made = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token_key(tmp_path).read_text() == made


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"FIRSTCOME_ENVIRONMENT": "production"}, "neither FIRSTCOME_TOKEN_KEY_FILE nor FIRSTCOME_TOKEN_KEY is set"),
        (
            {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "BOOKING_MODE": "direct"},
            "neither FIRSTCOME_TOKEN_KEY_FILE nor FIRSTCOME_TOKEN_KEY is set",
        ),
        (
            {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "BOOKING_MODE": "direct", "FIRSTCOME_TOKEN_KEY": "secret"},
            "The key that signs access tokens cannot be read",
        ),
    ],
)
def test_in_production_and_on_other_servers_nothing_starts_without_a_good_key(
    tmp_path: Path, more: dict[str, str], sentence: str
) -> None:
    said = firstcome("up", "--data", tmp_path / "data", "--port", "0", more=REQUIRED | more)
    assert said.returncode == 2
    assert sentence in said.stderr
    assert "secret" not in said.stderr
    assert not (tmp_path / "data").exists()
