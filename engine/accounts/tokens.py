"""Access tokens: JSON Web Tokens (RFC 7519, in the profile of RFC 9068), signed by the installation's own key.

What is believed of a token: nothing but its signature, by the one algorithm that the key is for. Every claim must be
there and right. A token names its session, which the database is asked about; so a token is as good as its session,
and its times are compared with the database's clock, not with this process's.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from engine.config import Config
from engine.errors import StartupRefused
from engine.identifiers import uuid7

LIFETIME_S = 900
"""How long an access token is good for."""
LONGEST_TOKEN = 2_048
TYPE = "at+jwt"
CLAIMS = ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"]
LEAST_RSA_BITS = 2_048
LARGEST_KEY_FILE = 100_000

PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey
PublicKey = EllipticCurvePublicKey | RSAPublicKey


class InvalidToken(Exception):
    """The token is none of ours, or no longer good. Whoever shows it is not told why."""


class Claims(msgspec.Struct, frozen=True):
    """What a token says. ``sub`` is the person, ``sid`` the session; times are in seconds of the Unix clock."""

    iss: str
    aud: str
    sub: UUID
    sid: UUID
    jti: str
    iat: int
    nbf: int
    exp: int


class Tokens:
    """Makes access tokens and reads them.

    key       signs; its kind fixes the algorithm.
    issuer    who made the token, and ``audience`` for whom: both must be the same where it is shown.
    """

    def __init__(self, key: PrivateKey, *, issuer: str, audience: str) -> None:
        self._key = key
        self._public: PublicKey = key.public_key()
        self.secret = blake2b(_der(key), digest_size=32, person=b"firstcome").digest()
        """Known wherever the key is, and nowhere else."""
        self._algorithm = "RS256" if isinstance(key, RSAPrivateKey) else "ES256"
        self._issuer = issuer
        self._audience = audience

    def issue(self, person: UUID, session: UUID, *, now: datetime) -> str:
        """Make a token that is good for LIFETIME_S from ``now``, the database's clock."""
        made = int(now.timestamp())
        claims = Claims(
            self._issuer, self._audience, person, session, str(uuid7()), iat=made, nbf=made, exp=made + LIFETIME_S
        )
        return jwt.encode(msgspec.to_builtins(claims), self._key, algorithm=self._algorithm, headers={"typ": TYPE})

    def read(self, token: bytes) -> Claims:
        """Read a token. Its times are left for whoever knows the database's clock.

        Raises InvalidToken.
        """
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken
        try:
            found = jwt.decode_complete(
                token,
                self._public,
                algorithms=[self._algorithm],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            claims = msgspec.convert(found["payload"], Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
            raise InvalidToken from None
        header = found["header"]
        if header.get("typ") != TYPE or "crit" in header:  # we know of no extension that one must understand
            raise InvalidToken
        return claims


def open_tokens(config: Config) -> Tokens:
    """Make what the installation's settings ask for.

    Raises StartupRefused where there is no key, or none that is good enough. Where nobody has to sign in, one that
    ends with the process will do.
    """
    pem = _configured(config)
    if pem is None:
        if config.auth_mode != "open":
            raise StartupRefused(
                f"AUTH_MODE is {config.auth_mode!r} and neither FIRSTCOME_TOKEN_KEY_FILE nor FIRSTCOME_TOKEN_KEY is "
                "set: one of them must hold the key that signs access tokens."
            )
        pem = new_token_key()
    return Tokens(read_key(pem), issuer=config.token_issuer, audience=config.token_audience)


def new_token_key() -> str:
    """Make a key, in PEM."""
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def read_key(pem: str) -> PrivateKey:
    r"""Read a private key in PEM, whose lines may be parted by ``\n``, as an environment file has it.

    Raises StartupRefused where it is none, or one that a stranger could find out.
    """
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StartupRefused(
            "The key that signs access tokens cannot be read: it must be a private key in PEM."
        ) from None
    if isinstance(key, RSAPrivateKey) and key.key_size >= LEAST_RSA_BITS:
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise StartupRefused(
        f"The key that signs access tokens is of the wrong kind: it must be on the curve P-256, or RSA of at least "
        f"{LEAST_RSA_BITS} bits."
    )


def _der(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _configured(config: Config) -> str | None:
    if config.token_key is not None or config.token_key_file is None:
        return config.token_key
    try:
        with Path(config.token_key_file).open(encoding="ascii") as file:
            return file.read(LARGEST_KEY_FILE)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StartupRefused(f"FIRSTCOME_TOKEN_KEY_FILE cannot be read: {why}.") from None
