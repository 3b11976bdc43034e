"""Entries, as bytes and as values.

An entry is a header that the scripts write and read, and a body that only this module does::

    offset  bytes
    0       1     format version
    1       8     ticket, unsigned, big-endian
    9       8     Redis's TIME when it joined, microseconds, big-endian
    17      16    request id
    33      16    field: what makes a repeated call the same command, see ``field_of``
    49      ...   body: MessagePack of [API process that waits, caller, key, body hash, command, limits]
"""

from __future__ import annotations

import struct
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

import msgspec

from engine.chain import EPOCH
from engine.commands import Command, Entry, Limits, Outcome, Request, Unreadable

VERSION = 2
"""What is written. Version 1 had no limits and no commands about slots; it is still read."""
HEADER = struct.Struct(">BQQ16s16s")


class NewerFormatError(Exception):
    """The entry was written by a newer release: its resource is left to a worker that knows it."""


class _Body(msgspec.Struct, frozen=True, array_like=True):
    api: str
    caller: str
    key: str | None
    body_hash: bytes
    command: Command
    limits: Limits | None = None


_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_body_decoder = msgspec.msgpack.Decoder(_Body)
_outcomes_decoder = msgspec.msgpack.Decoder(list[tuple[UUID, Outcome]])


def encode_body(api: str, request: Request) -> bytes:
    """The body of a request's entry; ``api`` is the process that waits for the reply."""
    return _encoder.encode(_Body(api, request.caller, request.key, request.body_hash, request.command, request.limits))


def field_of(request: Request) -> bytes:
    """Under what a queued command is found again: caller, key and body hash, or else its request id."""
    if request.key is None:
        return request.request_id.bytes
    digest = blake2b(digest_size=16)
    for part in (request.caller.encode(), request.key.encode(), request.body_hash):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def decode_entry(resource: int, raw: bytes, *, waiting: bytes = b"", withdrawn: bool = False) -> Entry:
    """Read an entry.

    waiting  further API processes that wait, separated by spaces.

    A body that cannot be read becomes the command Unreadable, which fails when its turn comes.

    Raises NewerFormatError.
    """
    if raw[0] > VERSION:
        raise NewerFormatError(f"resource {resource} holds an entry of format {raw[0]}, this worker knows {VERSION}")
    _, ticket, joined_us, request_id, _ = HEADER.unpack_from(raw)
    try:
        body = _body_decoder.decode(memoryview(raw)[HEADER.size :])
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = _Body("", "", None, b"", Unreadable(raw[HEADER.size :]))
    apis = [api for api in (body.api, *waiting.decode().split()) if api]
    return Entry(
        ticket=ticket,
        joined_at=EPOCH + timedelta(microseconds=joined_us),
        request=Request(
            UUID(bytes=request_id), resource, body.caller, body.key, body.body_hash, body.command, body.limits
        ),
        raw=raw,
        waiting=tuple(dict.fromkeys(apis)),
        withdrawn=withdrawn,
    )


def encode_replies(replies: list[tuple[UUID, Outcome]]) -> bytes:
    """One message for an API process: outcomes by the request id of the entry."""
    return _encoder.encode(replies)


def decode_replies(message: bytes) -> list[tuple[UUID, Outcome]]:
    """Read such a message. Raises msgspec.DecodeError where it is none."""
    return _outcomes_decoder.decode(message)
