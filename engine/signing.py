"""Signatures of the installation: what it said about its ledgers, anyone can hold it to.

A signed document is a flat JSON object. Its ``signature`` is a JSON Web Signature with detached content (RFC 7515,
appendix F) by Ed25519 (RFC 8037): ``header..signature``, where the content is the document without its ``signature``,
in the canonical form of RFC 8785. So a document can be read as it stands, and checked with any library for JWS. The
header is always the same but for the key's id: nothing in it is for the signer to choose.

Keys: a PEM file (PKCS #8) holds the private one; public ones are JSON Web Keys (RFC 7517), known by their thumbprint
(RFC 7638).
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from engine.config import Config
from engine.errors import StartupRefused

ALGORITHM = "EdDSA"
LARGEST_KEY_FILE = 100_000
"""Bytes of a file with keys that are read: hundreds of keys have room in it."""
SIGNATURE = "signature"
KEY_ID = "key_id"
"""Members of every signed document."""

Document = Mapping[str, str | int | None]
"""A flat JSON object."""


class BadSignature(Exception):
    """A document is not what its signer signed. The message says in a clause what is wrong."""


class UnreadableKey(Exception):
    """A file does not hold a key of the kind that is asked for. The message says so in a clause."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is checked with.

    raw  the 32 bytes of RFC 8032.
    """

    raw: bytes

    @property
    def key_id(self) -> str:
        """The thumbprint of the key (RFC 7638; RFC 8037, appendix A.3)."""
        thumbed = canonical({"crv": "Ed25519", "kty": "OKP", "x": encode_base64(self.raw)})
        return encode_base64(sha256(thumbed).digest())

    @property
    def jwk(self) -> dict[str, str]:
        """The key as JSON (RFC 8037)."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encode_base64(self.raw),
            "kid": self.key_id,
            "use": "sig",
            "alg": ALGORITHM,
        }

    def verifies(self, signature: bytes, content: bytes) -> bool:
        """Whether the owner of the key signed the content."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, content)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """What signatures are made with."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, document: Document) -> dict[str, str | int | None]:
        """Complete a document with the key's id and the signature over all of it."""
        signed = {**document, KEY_ID: self.public.key_id}
        header = _header(self.public.key_id)
        made = self._private.sign(_signed_bytes(header, signed))
        return {**signed, SIGNATURE: f"{header}..{encode_base64(made)}"}


def check_signature(document: Document, keys: Iterable[PublicKey]) -> PublicKey:
    """Check that one of the keys signed a document as it is.

    Returns that key.
    Raises BadSignature.
    """
    key_id, signature = document.get(KEY_ID), document.get(SIGNATURE)
    if not isinstance(key_id, str) or not isinstance(signature, str):
        raise BadSignature("it is not signed")
    key = next((key for key in keys if key.key_id == key_id), None)
    if key is None:
        raise BadSignature(f"it names the key {key_id}, which is not among those to check with")
    header, _, made = signature.partition("..")
    signed = {name: value for name, value in document.items() if name != SIGNATURE}
    try:
        genuine = header == _header(key_id) and key.verifies(decode_base64(made), _signed_bytes(header, signed))
    except ValueError:  # what is there is no base64
        genuine = False
    if not genuine:
        raise BadSignature("the signature is not that of its content")
    return key


def canonical(document: Document) -> bytes:
    """Encode a flat object so that equal content has equal bytes (RFC 8785).

    Names are ASCII, and numbers whole and below 2**53: there the standard library's encoder does what the RFC says.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ---------------------------------------------------------------------------- files


def ledger_key(config: Config) -> SigningKey | None:
    """Read the key that the settings name. None: they name none, so nothing is signed.

    Raises StartupRefused.
    """
    if config.ledger_key_file is not None:
        return read_signing_key(Path(config.ledger_key_file))
    if config.environment == "production":
        raise StartupRefused(
            "FIRSTCOME_LEDGER_KEY_FILE is not set and FIRSTCOME_ENVIRONMENT is 'production': "
            "in production outcomes are signed."
        )
    return None


def read_signing_key(file: Path) -> SigningKey:
    """Read a private key from a PEM file.

    Raises StartupRefused.
    """
    try:
        found = load_pem_private_key(_read(file), password=None)
    except OSError as error:
        raise StartupRefused(f"FIRSTCOME_LEDGER_KEY_FILE is {file}, which cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise StartupRefused(
            f"FIRSTCOME_LEDGER_KEY_FILE is {file}, which is not an Ed25519 private key "
            "(PEM, PKCS #8, without a password)."
        )
    return SigningKey(found)


def make_signing_key(file: Path) -> None:
    """Make a private key in a file that only its owner reads, unless the file is there.

    It gets its name when it is complete, and is on disk then: what was signed with it can be checked after a crash.
    """
    if file.exists():
        return
    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    making = file.with_name(f"{file.name}.making")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as writing:
        writing.write(made)
        writing.flush()
        os.fsync(descriptor)
    making.replace(file)


def read_public_keys(file: Path) -> list[PublicKey]:
    """Read the Ed25519 keys of a JWK Set (RFC 7517), or one key from a PEM file. Keys of other kinds are passed over.

    Raises UnreadableKey where there is none.
    """
    try:
        content = _read(file)
    except OSError as error:
        raise UnreadableKey(f"{file} cannot be read: {error.strerror}") from None
    found = _keys_of_set(content) if content.lstrip().startswith(b"{") else _keys_of_pem(content)
    if not found:
        raise UnreadableKey(f"{file} has no Ed25519 public key, as a JWK Set or in PEM")
    return found


def _keys_of_set(content: bytes) -> list[PublicKey]:
    try:
        listed = json.loads(content).get("keys", [])
        return [_key_of_jwk(jwk) for jwk in listed if (jwk["kty"], jwk.get("crv")) == ("OKP", "Ed25519")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _key_of_jwk(jwk: Mapping[str, str]) -> PublicKey:
    raw = decode_base64(jwk["x"])
    if len(raw) != 32:  # RFC 8032, 5.1.5
        raise ValueError("an Ed25519 key has 32 bytes")
    return PublicKey(raw)


def _keys_of_pem(content: bytes) -> list[PublicKey]:
    try:
        found = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        return []
    if not isinstance(found, Ed25519PublicKey):
        return []
    return [PublicKey(found.public_bytes(Encoding.Raw, PublicFormat.Raw))]


def _read(file: Path) -> bytes:
    with file.open("rb") as reading:
        return reading.read(LARGEST_KEY_FILE)


# ---------------------------------------------------------------------------- bytes


def encode_base64(content: bytes) -> str:
    """Base64 for addresses and file names, without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def decode_base64(text: str) -> bytes:
    """Read it again. Raises ValueError where it is none, or was not made so."""
    content = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if encode_base64(content) != text:
        raise ValueError("not base64url")
    return content


def _header(key_id: str) -> str:
    return encode_base64(canonical({"alg": ALGORITHM, "kid": key_id}))


def _signed_bytes(header: str, signed: Document) -> bytes:
    """What is signed (RFC 7515, section 5.1)."""
    return f"{header}.{encode_base64(canonical(signed))}".encode()
