"""Requests, decoded: one pass by msgspec where a request is right, field by field where it may not be.

msgspec stops at the first fault, and lets some through that we refuse (a name twice, control characters,
fractions finer than the grid). So what it decodes is taken only where it is certainly right; everything
else is read a second time, slowly, and then every fault is named at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Any, Generic, TypeVar, get_args
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from msgspec import UNSET

from api.fields import FIRST_YEAR, LAST_YEAR, Fault, FieldError, Kind, NarrowText

LONGEST_NUMBER = 20
"""Digits of a number; none of ours has more, and longer ones take Python a while."""
QUERY_FIELDS = 50
MOST_FAULTS = 100
"""Faults that an answer names; more say nothing new about a body of rubbish."""
_MAY_BE_FINE = re.compile(rb"\.\d{4}")

T = TypeVar("T", bound="Body")


class BadRequest(Exception):
    """The request cannot be read. ``faults`` names everything that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(islice(faults, MOST_FAULTS))
        super().__init__("; ".join(fault.detail for fault in self.faults))


class UnreadableBody(Exception):
    """The body is no JSON object, so there are no fields to name."""


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request may carry. What may be left out is UNSET then, which ``certainly_right`` relies on."""

    def faults(self) -> list[Fault]:
        """Say what is wrong between fields that are right by themselves.

        While the faults are collected, a field that is not right by itself is None, one that is missing UNSET.
        """
        return []


class Shape(Generic[T]):
    """A Body with its decoder, and the kind of each of its fields."""

    def __init__(self, body: type[T]) -> None:
        self.body = body
        self._decoder = msgspec.json.Decoder(body)
        self._fields = msgspec.structs.fields(body)
        self._kinds = {field.name: _kind_of(field.type) for field in self._fields}
        self._unsure = [name for name, kind in self._kinds.items() if isinstance(kind, NarrowText)]

    def decode(self, raw: bytes) -> T:
        """Decode the JSON of a body.

        Raises BadRequest naming every bad field, UnreadableBody where it is no JSON object.
        """
        try:
            body = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.read(_members(raw))
        return body if self._certainly_right(body, raw) else self.read(_members(raw))

    def _certainly_right(self, body: T, raw: bytes) -> bool:
        """Say whether what msgspec decoded needs no second look. False does not say that it is wrong.

        Every name and every text has two quotes, so there are more where a name came twice.
        """
        if any(getattr(body, name) is not UNSET for name in self._unsure):
            return False  # msgspec takes any text for it
        quotes = 0
        for value in msgspec.structs.astuple(body):
            if value is UNSET:
                continue
            if isinstance(value, str):
                if not value.isprintable() or value.isspace():
                    return False
                quotes += 4
            elif isinstance(value, datetime):
                if not FIRST_YEAR < value.year < LAST_YEAR:
                    return False
                quotes += 4
            elif isinstance(value, UUID):
                quotes += 4
            else:
                quotes += 2
        return raw.count(b'"') == quotes and _MAY_BE_FINE.search(raw) is None and not body.faults()

    def decode_query(self, query: bytes) -> T:
        """Decode a query string by the same rules.

        Raises BadRequest naming every bad field.
        """
        try:
            pairs = parse_qsl(
                query.decode("ascii"), keep_blank_values=True, max_num_fields=QUERY_FIELDS, errors="strict"
            )
        except ValueError:  # UnicodeDecodeError is one
            raise BadRequest([Fault("", "unreadable_query", "the query cannot be read")]) from None
        return self.read(pairs)

    def read(self, members: Iterable[tuple[str, object]]) -> T:
        """Read a body field by field.

        members  (name, value) as they came, a name that came twice included.

        Raises BadRequest naming every bad field.
        """
        faults: list[Fault] = []
        values: dict[str, Any] = {}
        for name, value in members:
            if name in values:
                faults.append(_fault(name, "duplicate_field", "must be given once"))
            elif (kind := self._kinds.get(name)) is None:
                faults.append(_fault(name, "unknown_field", "is not a field of this request"))
            else:
                try:
                    values[name] = kind.read(value)
                except FieldError as error:
                    values[name] = None
                    faults.append(_fault(name, error.code, error.detail))
        for field in self._fields:
            if field.name not in values:
                values[field.name] = UNSET
                if field.required:
                    faults.append(_fault(field.name, "required", "is required"))
        body = self.body(**values)
        faults.extend(body.faults())
        if faults:
            raise BadRequest(faults)
        return body


def _kind_of(annotation: Any) -> Kind:
    """Find the kind that ``described`` tied to a field's type, alone or beside None and UNSET."""
    for part in (annotation, *get_args(annotation)):
        for meta in getattr(part, "__metadata__", ()):
            kind: Kind = meta.extra["kind"]
            return kind
    raise TypeError(f"{annotation} says nothing about what it accepts")


class _Members(list[tuple[str, object]]):
    """The members of a JSON object in their order."""


def _members(raw: bytes) -> list[tuple[str, object]]:
    try:
        found = json.loads(
            raw.decode(),
            object_pairs_hook=_Members,
            parse_int=_bounded_number,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError:
        raise UnreadableBody("the body is not UTF-8") from None
    except RecursionError:
        raise UnreadableBody("the body is nested too deep") from None
    except ValueError:
        raise UnreadableBody("the body is not JSON" if raw.strip() else "the body is empty") from None
    if not isinstance(found, _Members):
        raise UnreadableBody("the body is not a JSON object")
    return found


def _bounded_number(digits: str) -> int:
    return int(digits[: LONGEST_NUMBER + 1])  # cut off, it is still out of every range


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _fault(name: str, code: str, detail: str) -> Fault:
    escaped = name.replace("~", "~0").replace("/", "~1")
    shown = escaped if len(escaped) <= 255 else escaped[:255] + "…"
    shown = shown.encode("utf-8", "replace").decode()
    return Fault(f"/{shown}", code, f"{shown} {detail}")
