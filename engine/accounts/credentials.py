"""Secrets that are random and long: refresh tokens, API keys, the operator's code. Only their hashes are kept.

256 bits cannot be guessed, so a plain hash guards them, and looking one up by its hash tells nothing by its time.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

SECRET_BYTES = 32
API_KEY_PREFIX = "fc_"
"""By which an API key is told from an access token, and found by whoever searches for leaked ones."""
LONGEST_SECRET = 255
CODE_BYTES = 20
CODE_GROUP = 5


def new_secret() -> str:
    """Make a secret of 256 bits, in characters that need no escaping anywhere."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_api_key() -> str:
    """Make an API key."""
    return API_KEY_PREFIX + new_secret()


def new_operator_code() -> str:
    """Make a code of 160 bits that people can read out: groups of letters and digits."""
    digits = secrets.token_hex(CODE_BYTES)
    return "-".join(digits[at : at + CODE_GROUP] for at in range(0, len(digits), CODE_GROUP))


def secret_hash(secret: str) -> bytes:
    """What is kept of a secret: 32 bytes."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
