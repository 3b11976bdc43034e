"""The API, put together here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from typing import Any

from litestar import Litestar, Response, Router
from litestar.exceptions import HTTPException
from litestar.routes import HTTPRoute

from api.admission import Admission, admit
from api.analytics import AnalyticsController
from api.api_keys import ApiKeyController
from api.audit import AuditController
from api.availability import AvailabilityController
from api.bookings import BookingController
from api.callers import request_tag
from api.docs import DocumentationController
from api.events import EventController
from api.health import HealthController
from api.http import REQUEST_TAG, Call, ClientGone, problem_answer, routable_path, tagging
from api.keys import KeyController
from api.occurrences import OccurrenceController
from api.own import OwnBookingController, UserBookingController
from api.parts import Parts, parts_of
from api.privacy import PrivacyController
from api.problems import Problem, http_problem, problem_of
from api.rate_fields import rate_fields
from api.rate_limits import Rates, count_call, count_refused
from api.recurrence import RecurrenceController
from api.requests import RequestController
from api.resources import ResourceController
from api.routing import Routes
from api.seats import ReservationController
from api.session import LogInController, LogOutController, TokenController
from api.slots import SlotController
from api.users import UserController
from engine import privacy
from engine.accounts.addresses import Proxies, read_networks
from engine.accounts.passwords import Passwords
from engine.accounts.tokens import open_tokens
from engine.analytics import Analyst
from engine.config import Config
from engine.gathering import Gathering, look_up_in
from engine.reader import Reader
from engine.signing import ledger_key
from engine.store.idempotency import find_keys
from engine.store.pools import open_pool
from engine.suggestions import Suggestions
from engine.tasks import end_tasks, repeat

logger = logging.getLogger(__name__)

ROOT = "/api/v1"
CONTROLLERS = (
    ResourceController,
    BookingController,
    OwnBookingController,
    ReservationController,
    UserBookingController,
    SlotController,
    EventController,
    OccurrenceController,
    RecurrenceController,
    AvailabilityController,
    RequestController,
    UserController,
    PrivacyController,
    ApiKeyController,
    LogInController,
    TokenController,
    LogOutController,
    AuditController,
    AnalyticsController,
    KeyController,
    HealthController,
)


class Api(Litestar):
    """Litestar, with what it does not do by itself.

    A name in a path may have slashes in it, HEAD is answered where GET is, and the answers of the framework's
    own carry the id of the request, too, and name every method that a path takes.
    """

    @cached_property
    def methods(self) -> dict[str, bytes]:
        """The methods of each path, as ``Allow`` has them."""
        return {
            route.path_format: ", ".join(sorted(route.methods)).encode()
            for route in self.routes
            if isinstance(route, HTTPRoute)
        } | {
            route.path_format + suffix: b"GET, OPTIONS"
            for route in self.routes
            if isinstance(route, HTTPRoute)
            for handler in route.route_handlers
            for suffix in handler.opt.get("suffixes", {})
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take a request."""
        if scope["type"] == "http":
            if b"%2" in scope["raw_path"]:
                scope["path"] = routable_path(scope["raw_path"])
            if scope["method"] == "OPTIONS":
                send = tagging(send, scope, self.methods)
            elif scope["method"] == "HEAD":
                scope = {**scope, "method": "GET"}  # the server leaves the body out
        await super().__call__(scope, receive, send)


def create_app(config: Config) -> Api:
    """Put the API together. Nothing is opened before it starts."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            proxies = Proxies(read_networks(config.trusted_proxies or ""))
            app.state["proxies"] = proxies
            app.state["parts"] = await _open_parts(config, proxies, stack)
            yield

    return Api(
        route_handlers=[Router(ROOT, route_handlers=list(CONTROLLERS), before_request=let_in), DocumentationController],
        lifespan=[lifespan],
        exception_handlers={Exception: answer_error},
        openapi_config=None,
        logging_config=None,
    )


async def let_in(call: Call) -> None:
    """Before every handler: who asks, may they, and is it asked too often?"""
    rates = parts_of(call).rates
    try:
        await admit(call)
    except Problem:
        await count_refused(call, rates)
        raise
    await count_call(call, rates)


async def _open_parts(config: Config, proxies: Proxies, stack: AsyncExitStack) -> Parts:
    """Open what the handlers work with; ``stack`` closes it again, in the reverse order."""
    from engine.opening import open_intake  # noqa: PLC0415  # it brings both modes, and only one will run

    tokens, signing = open_tokens(config), ledger_key(config)
    primary = await open_pool(config.database_url, size=config.read_pool_size, name="firstcome api")
    stack.push_async_callback(primary.close)
    intake = await open_intake(config, primary)
    reader = Reader(primary, config)
    await reader.start()
    stack.push_async_callback(reader.stop)
    await intake.start()
    stack.push_async_callback(intake.stop)
    erasing = repeat(partial(privacy.finish_erasures, primary, intake), name="finish_erasures", every_s=privacy.EVERY_S)
    erasures = asyncio.create_task(erasing)
    stack.push_async_callback(end_tasks, [erasures])
    suggestions = Suggestions(reader)
    keys = Gathering(look_up_in(primary, find_keys))
    stack.push_async_callback(suggestions.stop)
    rates = Rates(config)
    stack.push_async_callback(rates.stop)
    passwords = Passwords()
    stack.callback(passwords.stop)
    admission = Admission(config, primary, tokens, proxies)
    routes = Routes(primary)
    analyst = Analyst(reader)
    return Parts(
        config,
        primary,
        intake,
        routes,
        keys,
        reader,
        suggestions,
        admission,
        tokens,
        passwords,
        rates,
        analyst,
        signing,
    )


def answer_error(call: Call, error: Exception) -> Response[bytes]:
    """Answer with the problem that an error is. What is no problem is a bug: it is logged, and not told."""
    path: str = call.scope["raw_path"].decode("latin-1")
    problem = problem_of(error)
    if isinstance(error, ClientGone):
        problem = Problem("invalid_json", "The body ended too early.")
    elif problem is None and isinstance(error, HTTPException):
        problem = http_problem(error.status_code, path)
    if problem is None:
        tag = request_tag(call.scope)
        logger.error("a request failed", exc_info=error, extra={"request_id": tag, "path": path})
        problem = Problem("internal_error", f"The request {tag} failed. What went wrong is in the logs.")
    answer = problem_answer(problem, path)
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    headers[REQUEST_TAG.decode()] = request_tag(call.scope)
    headers |= {name.decode(): value.decode() for name, value in rate_fields(call.scope)}
    if isinstance(error, HTTPException) and error.headers:
        headers |= {name.lower(): value for name, value in error.headers.items()}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=headers["content-type"])
