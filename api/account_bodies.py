"""What requests about accounts carry and what answers say, with the kinds of their fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from api.access import GUEST, HOST, OPERATOR, Scope
from api.decode import Body, Shape
from api.fields import (
    LONGEST_NAME,
    Cursor,
    Fault,
    FieldError,
    Instant,
    Kind,
    Limit,
    Name,
    NarrowText,
    OneOf,
    OrNull,
    Text,
    TimeZoneName,
    described,
)
from api.windows import DayOrInstant
from engine.accounts.credentials import LONGEST_SECRET
from engine.accounts.names import email_key
from engine.accounts.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD

SHORTEST_EMAIL, LONGEST_EMAIL = 3, 254
ROLES = (GUEST, HOST, OPERATOR)
_EMAIL = re.compile(r"[^\s@\"(),:;<>\[\\\]]{1,64}@[^\s@.\"(),:;<>\[\\\]]{1,63}(\.[^\s@.\"(),:;<>\[\\\]]{1,63})*")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class EmailAddress(NarrowText):
    """An e-mail address as people have one: no quotes, no comments, nothing that is not seen.

    Whether it exists, only a letter would tell.
    """

    def read(self, value: object) -> str:
        """Read an address."""
        text = Text(LONGEST_EMAIL).read(value)
        key = email_key(text)  # letters that stand for several are written out in it
        seen = text.isprintable() and _EMAIL.fullmatch(text) and _EMAIL.fullmatch(key)
        if not seen or not SHORTEST_EMAIL <= len(key) <= LONGEST_EMAIL:
            raise FieldError("invalid_email", "must be an e-mail address such as ada@example.org")
        return text


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret: any characters. What is wrong with it is said without a word of it."""

    shortest: int
    longest: int

    def read(self, value: object) -> str:
        """Read a secret."""
        if not isinstance(value, str):
            raise FieldError("wrong_type", "must be a string")
        if _SURROGATE.search(value):
            raise FieldError("invalid_text", "must be valid Unicode; it has half of a surrogate pair")
        if len(value) < self.shortest:
            raise FieldError("too_short", f"must have at least {self.shortest:,} characters")
        if len(value) > self.longest:
            raise FieldError("too_long", f"must have at most {self.longest:,} characters")
        return value


@dataclass(frozen=True, slots=True)
class SomeOf:
    """Some of a few words: at least one, none twice."""

    words: tuple[str, ...]

    def read(self, value: object) -> list[str]:
        """Read a list of words."""
        if type(value) is not list:
            raise FieldError("wrong_type", "must be a list of strings")
        kind = OneOf(self.words)
        for number, item in enumerate(value[: len(self.words) + 1], 1):
            try:
                kind.read(item)
            except FieldError as error:
                raise FieldError(error.code, f"item {number} {error.detail}") from None
        if not value or len(set(value)) != len(value):
            raise FieldError("invalid_list", "must have at least one, and none twice")
        return list(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """True or false."""

    def read(self, value: object) -> bool:
        """Read true or false."""
        if not isinstance(value, bool):
            raise FieldError("wrong_type", "must be true or false")
        return value


def _text(kind: Kind, about: str, example: str, longest: int, shortest: int = 1) -> Meta:
    return described(kind, about, example, min_length=shortest, max_length=longest)


Email = Annotated[
    str,
    _text(
        EmailAddress(),
        "Kept as it is written; compared without regard to case.",
        "ada@example.org",
        LONGEST_EMAIL,
        SHORTEST_EMAIL,
    ),
]
NewPassword = Annotated[
    str,
    _text(
        SecretText(SHORTEST_PASSWORD, LONGEST_PASSWORD),
        "Any characters; length is what counts.",
        "correct horse battery staple",
        LONGEST_PASSWORD,
        SHORTEST_PASSWORD,
    ),
]
Roles = Annotated[
    list[Literal["guest", "host", "operator"]],
    described(
        SomeOf(ROLES),
        "What the person will do: book (guest), offer (host), run the installation (operator).",
        ["guest"],
        min_length=1,
        max_length=len(ROLES),
    ),
]
OperatorCode = Annotated[
    str,
    _text(
        SecretText(1, LONGEST_SECRET),
        "The installation's one-time code, for the role operator.",
        "0f3c9-7b21a-…",
        LONGEST_SECRET,
    ),
]
GivenEmail = Annotated[str, _text(Text(LONGEST_EMAIL), "The account's.", "ada@example.org", LONGEST_EMAIL)]
GivenPassword = Annotated[
    str,
    _text(SecretText(1, LONGEST_PASSWORD), "The account's.", "correct horse battery staple", LONGEST_PASSWORD),
]
RefreshToken = Annotated[
    str, _text(SecretText(1, LONGEST_SECRET), "The last refresh_token; good once.", "6Jx…", LONGEST_SECRET)
]
Everywhere = Annotated[bool, described(Switch(), "End all sessions of the person, not just this one.", True)]
KeyName = Annotated[str, _text(Text(LONGEST_NAME), "What it is for.", "Front desk", LONGEST_NAME)]
Scopes = Annotated[
    list[Scope],
    described(
        SomeOf(tuple(Scope)),
        "What the key is good for.",
        ["bookings:write"],
        min_length=1,
        max_length=len(Scope),
    ),
]
KeyEnd = (
    Annotated[
        datetime,
        described(OrNull(Instant()), "When it ends; null: it does not.", "2037-01-01T00:00:00Z", tz=True),
    ]
    | None
)
FilterText = Annotated[
    str, _text(Text(LONGEST_NAME), "Only rows that have exactly this.", "session.open", LONGEST_NAME)
]
FilterStart = Annotated[
    Any,
    described(DayOrInstant(), "Only from this day or instant on.", extra_json_schema={"type": "string"}),
]
FilterEnd = Annotated[
    Any,
    described(DayOrInstant(), "Only until this day, or before this instant.", extra_json_schema={"type": "string"}),
]


class NewUser(Body, frozen=True):
    """A person who signs up."""

    email: Email
    name: Name
    password: NewPassword
    time_zone: TimeZoneName | UnsetType = UNSET
    roles: Roles | UnsetType = UNSET
    operator_code: OperatorCode | UnsetType = UNSET

    def faults(self) -> list[Fault]:
        """Refuse the one password that everyone would try first, and a code that nothing is asked for with."""
        found = []
        readable = isinstance(self.email, str) and isinstance(self.password, str)
        if readable and email_key(self.password) == email_key(self.email):
            found.append(Fault("/password", "guessable", "password must not be the e-mail address"))
        asked = self.roles if isinstance(self.roles, list) else []
        if self.operator_code is not UNSET and self.roles is not None and OPERATOR not in asked:
            found.append(
                Fault("/operator_code", "unneeded", "operator_code is for the role operator, which is not asked for")
            )
        return found


class LogIn(Body, frozen=True):
    """Who says who they are."""

    email: GivenEmail
    password: GivenPassword


class Refresh(Body, frozen=True):
    """A session to be gone on with."""

    refresh_token: RefreshToken


class LogOut(Body, frozen=True):
    """A session to be ended: that of the access token, or of a refresh token."""

    refresh_token: RefreshToken | UnsetType = UNSET
    everywhere: Everywhere | UnsetType = UNSET


class NewApiKey(Body, frozen=True):
    """A key to be made."""

    scopes: Scopes
    name: KeyName | UnsetType = UNSET
    expires_at: KeyEnd | UnsetType = UNSET


class ApiKeyQuery(Body, frozen=True):
    """A page of API keys."""

    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


class AuditQuery(Body, frozen=True):
    """A page of the audit."""

    actor: FilterText | UnsetType = UNSET
    action: FilterText | UnsetType = UNSET
    subject: FilterText | UnsetType = UNSET
    start_date: FilterStart | UnsetType = UNSET
    end_date: FilterEnd | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET
    cursor: Cursor | UnsetType = UNSET


NEW_USER = Shape(NewUser)
LOG_IN = Shape(LogIn)
REFRESH = Shape(Refresh)
LOG_OUT = Shape(LogOut)
NEW_API_KEY = Shape(NewApiKey)
API_KEY_QUERY = Shape(ApiKeyQuery)
AUDIT_QUERY = Shape(AuditQuery)


class UserBody(Struct, kw_only=True):
    """A person."""

    user_id: UUID
    email: str
    name: str
    time_zone: str
    roles: list[str]
    created_at: str


class TokenBody(Struct, kw_only=True):
    """A session's tokens. ``expires_in`` is in seconds (RFC 6749, 5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # it is the name of a kind
    expires_in: int
    refresh_token: str


class LoggedOutBody(Struct, kw_only=True):
    """How many sessions were ended."""

    sessions_ended: int


class ApiKeyBody(Struct, kw_only=True):
    """A key of a program. ``api_key`` is the key itself, which is shown once, when it is made."""

    api_key_id: UUID
    name: str | None
    scopes: list[str]
    created_at: str
    expires_at: str | None
    api_key: str | UnsetType = UNSET


class ApiKeyPage(Struct, kw_only=True):
    """A page of API keys. ``next`` is the cursor of the next page, null on the last."""

    items: list[ApiKeyBody]
    next: str | None


class AuditItem(Struct, kw_only=True):
    """Who did what, when, from where. ``request_id`` is the X-Request-Id of the request."""

    at: str
    actor: str
    action: str
    subject: str | None
    outcome: str
    request_id: str | None
    address: str | None
    detail: str | None


class AuditPage(Struct, kw_only=True):
    """A page of the audit. ``next`` is the cursor of the next page, null on the last."""

    items: list[AuditItem]
    next: str | None
