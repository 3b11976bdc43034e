"""Who is asking, and what the headers of a request ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.decode import BadRequest
from api.fields import Fault
from engine.identifiers import uuid7

LONGEST_WAIT_S = 30
LONGEST_HEADER = 4_096
_KEY = re.compile(rb"[\x20-\x7e]{1,255}")
_REQUEST_TAG = re.compile(rb"[A-Za-z0-9._~+/=:-]{1,128}")
_PREFERENCE = re.compile(r'\s*([!#$%&\'*+.^_`|~\w-]+)\s*(?:=\s*("[^"]*"|[^\s;,"]*))?\s*(?:;[^,]*)?', re.ASCII)
_ETAG = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')

Headers = dict[bytes, bytes]


def read_headers(given: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Read the headers of a request by name, in lower case.

    Those that came several times are joined by commas, as RFC 9110 (5.3) has it.
    """
    pairs = list(given)
    headers = dict(pairs)
    if len(headers) != len(pairs):
        headers.clear()
        for name, value in pairs:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def idempotency_key(headers: Headers) -> str | None:
    """Read ``Idempotency-Key``, or ``X-Idempotency-Key``, which is taken as the same.

    Returns None where there is neither.
    Raises BadRequest where it is not 1 to 255 printable ASCII characters, and where both differ.
    """
    key = headers.get(b"idempotency-key")
    other = headers.get(b"x-idempotency-key")
    if key is None:
        key = other
    elif other is not None and other != key:
        raise _bad_key("Idempotency-Key and X-Idempotency-Key must not differ")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise _bad_key("Idempotency-Key must have 1 to 255 printable ASCII characters")
    return key.decode("ascii")


def _bad_key(detail: str) -> BadRequest:
    return BadRequest([Fault("/Idempotency-Key", "invalid_idempotency_key", detail)])


@dataclass(slots=True, frozen=True)
class Patience:
    """How long a caller wants to wait for an outcome, and what to say about it in ``Preference-Applied``."""

    wait_s: float
    applied: str | None = None


def patience(headers: Headers, default_s: float) -> Patience:
    """Read ``Prefer`` (RFC 7240): ``respond-async``, ``wait=N``. What is not understood is passed over.

    default_s  the wait of a request that says nothing.
    """
    prefer = headers.get(b"prefer")
    if prefer is None:
        return Patience(default_s)
    preferences = _preferences(prefer[:LONGEST_HEADER].decode("latin-1"))
    wait = preferences.get("wait", "")
    if re.fullmatch(r"\d{1,9}", wait, re.ASCII):
        wait_s = min(int(wait), LONGEST_WAIT_S)
        applied = f"respond-async, wait={wait_s}" if "respond-async" in preferences else f"wait={wait_s}"
        return Patience(wait_s, applied)
    if "respond-async" in preferences:
        return Patience(0, "respond-async")
    return Patience(default_s)


def _preferences(text: str) -> Mapping[str, str]:
    """Read the preferences of a header; the first of a name counts (RFC 7240, section 2)."""
    found: dict[str, str] = {}
    for part in text.split(","):
        if matched := _PREFERENCE.fullmatch(part):
            found.setdefault(matched[1].lower(), (matched[2] or "").strip('"'))
    return found


def wished_version(headers: Headers) -> int | None:
    """Read the version that ``If-Match`` asks for (RFC 9110, 13.1.1).

    Returns None where any will do, and 0, which no version is, where none of the tags can be one.
    Raises BadRequest where it cannot be read, or names several versions.
    """
    field = headers.get(b"if-match")
    if field is None or field.strip() == b"*":
        return None
    parts = [_ETAG.fullmatch(part.strip()) for part in field[:LONGEST_HEADER].decode("latin-1").split(",")]
    versions = {_version(part) for part in parts if part is not None} - {0}
    if None in parts or len(versions) > 1:
        raise BadRequest([Fault("/If-Match", "invalid_if_match", "If-Match must be one entity tag, or *")])
    return versions.pop() if versions else 0


def _version(etag: re.Match[str]) -> int:
    """The version in an entity tag; 0 in a weak one, for If-Match compares strongly."""
    weak, tag = etag.groups()
    return int(tag) if weak is None and re.fullmatch(r"[1-9]\d{0,8}", tag) else 0


def matches(headers: Headers, etag: str) -> bool:
    """Say whether ``If-None-Match`` has the tag (weak comparison), so that 304 will do."""
    field = headers.get(b"if-none-match")
    if field is None:
        return False
    tags = [part.strip().removeprefix("W/") for part in field.decode("latin-1").split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def request_tag(scope: Mapping[str, Any]) -> str:
    """The id that the answer carries in ``X-Request-Id``: the caller's where it is a valid one, else ours."""
    tag: str | None = scope["state"].get("request_tag")
    if tag is None:
        given = read_headers(scope["headers"]).get(b"x-request-id", b"")
        tag = given.decode("ascii") if _REQUEST_TAG.fullmatch(given) else str(uuid7())
        scope["state"]["request_tag"] = tag
    return tag


def tag_request(scope: Mapping[str, Any], headers: Headers, request_id: UUID) -> None:
    """Have the answer carry the id under which the engine knows the request, unless the caller brought one."""
    if b"x-request-id" not in headers:
        scope["state"]["request_tag"] = str(request_id)
