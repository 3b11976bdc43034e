"""Cursors: the place of the last item of a page, for whoever asks for the next one."""

from __future__ import annotations

import base64
from datetime import timedelta
from uuid import UUID

from api.decode import BadRequest
from api.fields import Fault
from engine.chain import EPOCH
from engine.store.offers import Place

MILLISECOND = timedelta(milliseconds=1)


def cursor_of(place: Place) -> str:
    """The cursor of a place: an instant, and the id of what is there."""
    instant, item = place
    return _encoded(f"{(instant - EPOCH) // MILLISECOND}.{item.hex}")


def place_of(cursor: str) -> Place:
    """Read a cursor that ``cursor_of`` made. Raises BadRequest where it is not one."""
    try:
        counted, item = _decoded(cursor).split(".")
        return EPOCH + int(counted) * MILLISECOND, UUID(item)
    except (ValueError, OverflowError):
        raise _no_cursor() from None


def id_cursor(item: UUID) -> str:
    """The cursor of an id."""
    return _encoded(item.hex)


def id_of(cursor: str) -> UUID:
    """Read a cursor that ``id_cursor`` made. Raises BadRequest where it is not one."""
    try:
        return UUID(_decoded(cursor))
    except ValueError:
        raise _no_cursor() from None


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")


def _no_cursor() -> BadRequest:
    return BadRequest([Fault("/cursor", "invalid_cursor", "cursor must be the next of an earlier page")])
