"""What the interface's description says about accounts, with examples that a test executes."""

from __future__ import annotations

from uuid import UUID

from api.access import Access, Scope
from api.account_bodies import (
    ApiKeyBody,
    ApiKeyPage,
    ApiKeyQuery,
    AuditItem,
    AuditPage,
    AuditQuery,
    LoggedOutBody,
    LogIn,
    LogOut,
    NewApiKey,
    NewUser,
    Refresh,
    TokenBody,
    UserBody,
)
from api.openapi import Counted, Operation, Success
from engine.accounts.tokens import LIFETIME_S

USER_ID = "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a77"
API_KEY_ID = "019e0c3a-6c00-7d3e-9b1f-5f0f6f0e2a78"
CREATED_AT = "2026-05-09T08:15:30.125Z"
EMAIL = "ada@example.org"
PASSWORD = "correct horse battery staple"  # noqa: S105  # an example

USER = UserBody(
    user_id=UUID(USER_ID),
    email=EMAIL,
    name="Ada",
    time_zone="Europe/London",
    roles=["guest", "host"],
    created_at=CREATED_AT,
)
TOKENS = TokenBody(access_token="eyJ…", expires_in=LIFETIME_S, refresh_token="6Jx…")  # noqa: S106
API_KEY = ApiKeyBody(
    api_key_id=UUID(API_KEY_ID),
    name="Front desk",
    scopes=["bookings:write"],
    created_at=CREATED_AT,
    expires_at=None,
)

SIGN_UP = Operation(
    access=Access.PUBLIC,
    counted=Counted.LOGINS,
    body=NewUser,
    example={
        "email": EMAIL,
        "name": "Ada",
        "password": PASSWORD,
        "time_zone": "Europe/London",
        "roles": ["guest", "host"],
    },
    answers={201: Success("The person.", UserBody, USER)},
    problems=("unknown_time_zone", "operator_code_invalid", "email_taken", "too_many_waiting", "unavailable"),
    keyed=True,
)
READ_ME = Operation(answers={200: Success("The person who asks.", UserBody, USER)}, problems=("user_unknown",))
READ_USER = Operation(
    path={"user_id": USER_ID},
    answers={200: Success("The person.", UserBody, USER)},
    problems=("invalid_request", "user_unknown"),
)
OPEN_SESSION = Operation(
    access=Access.PUBLIC,
    counted=Counted.LOGINS,
    body=LogIn,
    example={"email": EMAIL, "password": PASSWORD},
    answers={200: Success("The session's tokens.", TokenBody, TOKENS)},
    problems=("wrong_credentials", "too_many_waiting", "unavailable"),
)
REFRESH_SESSION = Operation(
    access=Access.PUBLIC,
    body=Refresh,
    example={"refresh_token": "6Jx…"},
    answers={200: Success("The session's next tokens.", TokenBody, TOKENS)},
    problems=("invalid_token", "unavailable"),
)
END_SESSION = Operation(
    access=Access.PUBLIC,
    body=LogOut,
    example={"everywhere": True},
    optional=True,
    answers={200: Success("It is ended.", LoggedOutBody, LoggedOutBody(sessions_ended=1))},
    problems=("sign_in_required", "invalid_token", "scope_missing", "untrusted_proxy", "unavailable"),
)
MAKE_API_KEY = Operation(
    body=NewApiKey,
    example={"name": "Front desk", "scopes": ["bookings:write"]},
    answers={
        201: Success(
            "The key, which is not shown again.",
            ApiKeyBody,
            ApiKeyBody(
                api_key_id=UUID(API_KEY_ID),
                name="Front desk",
                scopes=["bookings:write"],
                created_at=CREATED_AT,
                expires_at=None,
                api_key="fc_…",
            ),
        )
    },
    problems=("role_required", "too_many_api_keys"),
)
LIST_API_KEYS = Operation(
    query=ApiKeyQuery,
    query_example={"limit": 20},
    answers={200: Success("A page.", ApiKeyPage, ApiKeyPage(items=[API_KEY], next=None))},
)
END_API_KEY = Operation(
    path={"api_key_id": API_KEY_ID},
    answers={200: Success("The key, which is good for nothing now.", ApiKeyBody, API_KEY)},
    problems=("invalid_request", "invalid_idempotency_key", "api_key_unknown"),
)
READ_AUDIT = Operation(
    access=Access.OPERATOR,
    scope=Scope.ADMINISTER,
    query=AuditQuery,
    query_example={"action": "session.open", "limit": 20},
    answers={
        200: Success(
            "A page, newest first.",
            AuditPage,
            AuditPage(
                items=[
                    AuditItem(
                        at=CREATED_AT,
                        actor=USER_ID,
                        action="session.open",
                        subject=USER_ID,
                        outcome="done",
                        request_id="019e0c3a-6bf0-7a10-8c44-2b7d1e6f9a03",
                        address="203.0.113.7",
                        detail=None,
                    )
                ],
                next=None,
            ),
        )
    },
    problems=("invalid_interval", "timezone_required", "instant_too_fine"),
)
