"""Keys, and signatures that others can check."""

from __future__ import annotations

import json
import stat
import subprocess
from base64 import urlsafe_b64decode
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from engine.config import Config
from engine.errors import StartupRefused
from engine.proof import Head, encode_line, read_document
from engine.signing import (
    SIGNATURE,
    BadSignature,
    Document,
    PublicKey,
    UnreadableKey,
    canonical,
    check_signature,
    decode_base64,
    encode_base64,
    ledger_key,
    make_signing_key,
    read_public_keys,
    read_signing_key,
)
from tests.proof.exports import KEY, story

RFC_8037 = PublicKey(decode_base64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))


def test_the_id_of_a_key_is_the_one_that_the_rfc_computes() -> None:
    assert RFC_8037.key_id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_canonical_form_is_that_of_the_rfc() -> None:
    """The strings of RFC 8785, section 3.2.2, and its order of names."""
    text = '\u20ac$\u000f\nA\'B"\\\\"/'
    document: Document = {"string": text, "numbers": 4_503_599_627_370_496, "literal": None}
    assert canonical(document) == (
        b'{"literal":null,"numbers":4503599627370496,"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_a_library_for_jws_checks_a_signature() -> None:
    document = read_document(story().lines()[0], Head).document
    header, _, signature = str(document[SIGNATURE]).partition("..")
    content = canonical({name: value for name, value in document.items() if name != SIGNATURE})
    complete = f"{header}.{encode_base64(content)}.{signature}"
    public = jwt.PyJWK(KEY.public.jwk)
    assert jwt.PyJWS().decode(complete, public.key, algorithms=["EdDSA"]) == content
    assert json.loads(urlsafe_b64decode(header + "==")) == {"alg": "EdDSA", "kid": KEY.public.key_id}


def test_a_signature_under_another_header_is_none() -> None:
    """The header is not read: it must be the one that this key's signatures have."""
    document = dict(read_document(story().lines()[0], Head).document)
    header = encode_base64(canonical({"alg": "EdDSA", "kid": KEY.public.key_id, "b64": "x"}))
    document[SIGNATURE] = header + ".." + str(document[SIGNATURE]).partition("..")[2]
    with pytest.raises(BadSignature):
        check_signature(document, [KEY.public])


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    make_signing_key(file)
    made = file.read_bytes()
    make_signing_key(file)
    assert file.read_bytes() == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]
    assert ledger_key(Config(database_url="x", ledger_key_file=str(file))) is not None


def pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(Ed25519PrivateKey.generate(), b"a password"),
    ],
    ids=["empty", "text", "of another kind", "with a password"],
)
def test_what_is_no_ed25519_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(content)
    with pytest.raises(StartupRefused, match="is not an Ed25519 private key"):
        read_signing_key(file)


def test_a_key_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupRefused, match="cannot be read: No such file"):
        read_signing_key(tmp_path / "none.pem")


def test_production_signs_and_development_need_not() -> None:
    assert ledger_key(Config(database_url="x")) is None
    with pytest.raises(StartupRefused, match="FIRSTCOME_LEDGER_KEY_FILE is not set"):
        ledger_key(Config(database_url="x", environment="production"))


def test_public_keys_are_read_as_a_set_and_as_pem(tmp_path: Path) -> None:
    private, public, both = tmp_path / "key.pem", tmp_path / "public.pem", tmp_path / "keys.json"
    make_signing_key(private)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    key = read_signing_key(private).public
    assert read_public_keys(public) == [key]
    other = {"kty": "EC", "crv": "P-256", "x": "", "y": "", "kid": "other"}
    both.write_text(json.dumps({"keys": [other, key.jwk, RFC_8037.jwk]}))
    assert read_public_keys(both) == [key, RFC_8037]


@pytest.mark.parametrize("content", ["", "{}", '{"keys":[]}', '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}', "x"])
def test_a_file_without_a_public_key_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)
    with pytest.raises(UnreadableKey, match="has no Ed25519 public key"):
        read_public_keys(file)


def test_a_head_is_read_as_it_is_written() -> None:
    line = story().lines()[0]
    assert encode_line(read_document(line, Head)) == line
