"""The installation's public keys: with them anyone checks what it signed, wherever they are."""

from __future__ import annotations

from litestar import Controller, get

from api import operations
from api.bodies import KeySetBody, encode
from api.http import Answer, Call
from api.parts import parts_of

JWK_SET = b"application/jwk-set+json"


class KeyController(Controller):
    """``/keys``."""

    path = "/keys"

    @get(opt={"operation": operations.LIST_KEYS})
    async def list_keys(self, request: Call) -> Answer:
        """List the public keys with which signatures of this installation are checked, as a JWK Set."""
        body = KeySetBody(keys=list(parts_of(request).public_keys))
        return Answer(200, encode(body), media_type=JWK_SET)
