"""Access tokens: which are believed, and by whom."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from engine.accounts.tokens import InvalidToken, Tokens, new_token_key, open_tokens, read_key
from engine.config import Config
from engine.errors import StartupRefused
from tests.accounts.people import Somebody, bearer, signed_in
from tests.api.steps import ROOT

NOW = datetime(2036, 8, 11, 9, tzinfo=UTC)
PERSON, SESSION = uuid4(), uuid4()
Claims = dict[str, Any]


def public_pem(pem: str) -> bytes:
    key = load_pem_private_key(pem.encode(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class Forger:
    """Makes tokens that are nearly right."""

    def __init__(self, pem: str, token: str) -> None:
        self.pem = pem
        self.token = token
        self.claims: Claims = jwt.decode(token, options={"verify_signature": False})

    def made(self, *, key: object = None, algorithm: str = "ES256", header: Claims | None = None, **other: Any) -> str:
        """The token with other claims (None: without), another header, or by another key."""
        claims = {name: value for name, value in (self.claims | other).items() if value is not None}
        headers = {"typ": "at+jwt"} | (header or {})
        return jwt.encode(claims, self.pem if key is None else key, algorithm=algorithm, headers=headers)  # type: ignore[arg-type]

    def unsigned(self, algorithm: str) -> str:
        return f"{encoded({'alg': algorithm, 'typ': 'at+jwt'})}.{encoded(self.claims)}."

    def confused(self) -> str:
        """Signed by HMAC with the public key, which is no secret."""
        import hmac  # noqa: PLC0415

        signed = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt'})}.{encoded(self.claims)}"
        digest = hmac.digest(public_pem(self.pem), signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
FORGERIES: dict[str, Callable[[Forger], str]] = {
    "none": lambda forger: forger.unsigned("none"),
    "none in other letters": lambda forger: forger.unsigned("nOnE"),
    "the right algorithm and no signature": lambda forger: forger.unsigned("ES256"),
    "key confusion": Forger.confused,
    "another key": lambda forger: forger.made(key=new_token_key()),
    "another kind of key": lambda forger: forger.made(key=RSA_KEY, algorithm="RS256"),
    "its own key in the header": lambda forger: forger.made(
        key=new_token_key(), header={"jwk": {"kty": "EC"}, "jku": "https://example.org/keys"}
    ),
    "a foreign issuer": lambda forger: forger.made(iss="somebody else"),
    "a foreign audience": lambda forger: forger.made(aud="another service"),
    "several audiences": lambda forger: forger.made(aud=["firstcome", "another service"]),
    "an unknown crit": lambda forger: forger.made(header={"crit": ["exp-more"], "exp-more": 1}),
    "another type": lambda forger: forger.made(header={"typ": "JWT"}),
    "a subject that is no id": lambda forger: forger.made(sub="root"),
    "a session that is no id": lambda forger: forger.made(sid="any"),
    "an expiry that is text": lambda forger: forger.made(exp="never"),
    "a session that was never opened": lambda forger: forger.made(sid=str(uuid4())),
    "another person's session": lambda forger: forger.made(sub=str(uuid4())),
    "expired": lambda forger: forger.made(iat=1, nbf=1, exp=int(datetime.now(UTC).timestamp()) - 1),
    "not yet valid": lambda forger: forger.made(nbf=forger.claims["nbf"] + 60),
    "truncated": lambda forger: forger.token[:-2],
    "without its last part": lambda forger: forger.token.rpartition(".")[0],
    "with another part": lambda forger: forger.token + ".e30",
    "changed": lambda forger: forger.token.replace(".", ".e", 1),
    "nested deep": lambda _: base64.urlsafe_b64encode(b"[" * 1_400).decode().rstrip("=") + ".e30.e30",
    "long": lambda forger: forger.made(more="x" * 3_000),
    **{
        f"without {name}": lambda forger, name=name: forger.made(**{name: None})  # type: ignore[misc]
        for name in ("iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp")
    },
}


async def test_nothing_but_a_whole_token_of_ours_is_believed(client: httpx.AsyncClient, token_key: str) -> None:
    ada = await signed_in(client, "ada")
    forger = Forger(token_key, ada.tokens["access_token"])
    assert (await asked(ada, forger.made())).status_code == 200, "the forger knows how a good one is made"
    for name, forge in FORGERIES.items():
        answer = await asked(ada, forge(forger))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), name
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert (await ada.get("/users/me")).status_code == 200


async def asked(somebody: Somebody, token: str) -> httpx.Response:
    return await somebody.client.get(f"{ROOT}/users/me", headers=bearer(token))


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer fc_unknown", "Bearer fc_" + "x" * 300, "bearer \xff"],
)
async def test_what_is_no_bearer_token_is_refused(client: httpx.AsyncClient, value: str) -> None:
    answer = await client.get(f"{ROOT}/users/me", headers={b"authorization": value.encode("latin-1")})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_two_tokens_are_none(client: httpx.AsyncClient) -> None:
    ada, ben = await signed_in(client, "ada"), await signed_in(client, "ben")
    both = [("authorization", somebody.headers["authorization"]) for somebody in (ada, ben)]
    assert (await client.get(f"{ROOT}/users/me", headers=both)).status_code == 401


def test_a_token_names_its_session_and_ends_after_a_quarter_of_an_hour() -> None:
    tokens = Tokens(read_key(new_token_key()), issuer="i", audience="a")
    claims = tokens.read(tokens.issue(PERSON, SESSION, now=NOW).encode())
    assert (claims.sub, claims.sid, claims.iss, claims.aud) == (PERSON, SESSION, "i", "a")
    assert (claims.nbf, claims.exp) == (NOW.timestamp(), (NOW + timedelta(minutes=15)).timestamp())
    assert UUID(claims.jti)


def test_an_rsa_key_signs_by_its_own_algorithm() -> None:
    pem = pem_of(RSA_KEY)
    tokens = Tokens(read_key(pem), issuer="i", audience="a")
    token = tokens.issue(PERSON, SESSION, now=NOW)
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    assert tokens.read(token.encode()).sub == PERSON
    with pytest.raises(InvalidToken):
        Tokens(read_key(new_token_key()), issuer="i", audience="a").read(token.encode())


def pem_of(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----",
        public_pem(new_token_key()).decode(),
        pem_of(ec.generate_private_key(ec.SECP384R1())),
        pem_of(ec.generate_private_key(ec.SECP256K1())),
        pem_of(rsa.generate_private_key(public_exponent=65_537, key_size=1_024)),
        pem_of(ed25519.Ed25519PrivateKey.generate()),
        "a short secret",
    ],
)
def test_a_key_that_is_none_or_too_weak_starts_nothing(pem: str) -> None:
    with pytest.raises(StartupRefused, match="The key that signs access tokens"):
        read_key(pem)


def test_a_key_is_read_from_a_variable_or_a_file(tmp_path: Any) -> None:
    pem, file = new_token_key(), tmp_path / "key.pem"
    file.write_text(pem)
    token = open_tokens(config(token_key=pem)).issue(PERSON, SESSION, now=NOW).encode()
    for same in (config(token_key=pem.replace("\n", "\\n")), config(token_key_file=str(file))):
        assert open_tokens(same).read(token).sub == PERSON
    with pytest.raises(StartupRefused, match="FIRSTCOME_TOKEN_KEY_FILE cannot be read: No such file"):
        open_tokens(config(token_key_file=str(tmp_path / "none")))
    with pytest.raises(InvalidToken):
        open_tokens(config(auth_mode="open")).read(token)


@pytest.mark.parametrize("mode", ["required", "trusted-header"])
def test_without_a_key_nobody_can_sign_in_so_nothing_starts(mode: str) -> None:
    with pytest.raises(StartupRefused, match=f"AUTH_MODE is '{mode}' and neither"):
        open_tokens(config(auth_mode=mode))


def config(**more: Any) -> Config:
    return Config(database_url="postgresql://x", **more)
