"""What callers see: the problem, the fields on every counted answer, and what counts against what."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.access import Caller
from api.app import Api, create_app
from api.offer_operations import PUBLISH_SLOT, PUBLISH_SLOTS
from api.openapi import Counted, Operation, describe
from api.rate_limits import Rates, count_call, count_log_in
from engine.accounts.addresses import Proxies
from engine.config import Config
from engine.errors import OverRate
from engine.rules.rate import OFF, Rate
from tests.api.steps import ROOT, book, hours, make_resource
from tests.application import running
from tests.processes import Processes
from tests.schema.rows import Connection, add_resource

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"
ANN, BOB = UUID(int=1), UUID(int=2)
SLOW = {
    "booking_address_rate": Rate(3, 3_600),
    "read_address_rate": Rate(2, 3_600),
    "login_rate": Rate(2, 3_600),
    "login_address_rate": Rate(4, 3_600),
}


@asynccontextmanager
async def serving(database_url: str, **more: Any) -> AsyncIterator[Api]:
    """The application in this process, in direct mode, with rates that are soon used up."""
    config = Config(database_url=database_url, booking_mode="direct", auth_mode="open", direct_pool_size=2)
    app = create_app(Config(**{name: getattr(config, name) for name in config.__struct_fields__} | SLOW | more))
    async with running(app):
        yield app


def client_from(app: Api, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://firstcome")


def forget(app: Api) -> None:
    """Let all buckets be full."""
    app.state["parts"].rates._limiter._local._full_at_us.clear()


async def test_every_counted_answer_says_what_is_left_and_the_last_when_to_come_again(database_url: str) -> None:
    async with serving(database_url, rate_limits="on") as app, client_from(app, HERE) as client:
        await make_resource(client)
        answers = [await book(client), await book(client), await book(client, 3)]
        assert [answer.status_code for answer in answers] == [201, 409, 429]
        assert [answer.headers["ratelimit"] for answer in answers] == [
            '"bookings-address";r=1;t=1200',
            '"bookings-address";r=0;t=1200',
            '"bookings-address";r=0;t=1200',
        ]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"bookings-address";q=3;w=3600'}
        assert "retry-after" not in answers[0].headers
        problem = answers[-1].json()
        assert (problem["code"], problem["type"]) == ("rate_limited", "/docs/problems/rate_limited")
        assert "3 requests in 3,600 seconds (bookings-address)" in problem["detail"]
        assert problem["retry_after_s"] == int(answers[-1].headers["retry-after"]) == 1_200


async def test_reads_slow_no_bookings_and_health_and_pages_are_never_counted(database_url: str) -> None:
    async with serving(database_url, rate_limits="on") as app, client_from(app, HERE) as client:
        await make_resource(client)
        reads = [await client.get(f"{ROOT}/resources") for _ in range(3)]
        assert [answer.status_code for answer in reads] == [200, 200, 429]
        assert (await client.head(f"{ROOT}/resources")).status_code == 429, "a read without its body is a read"
        assert (await book(client)).status_code == 201
        for address in (f"{ROOT}/health/live", f"{ROOT}/health/ready", "/docs", f"{ROOT}/openapi.json"):
            for _ in range(3):
                answer = await client.get(address)
                assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


async def test_another_address_has_its_own_share_and_a_neighbour_in_its_network_has_not(database_url: str) -> None:
    async with serving(database_url, rate_limits="on") as app:
        seen = []
        for address in (HERE, HERE, HERE, ELSEWHERE, "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
            async with client_from(app, address) as client:
                seen.append((await client.get(f"{ROOT}/resources")).status_code)
    assert seen == [200, 200, 429, 200, 200, 200, 429, 200]


async def test_a_key_that_met_429_is_as_good_as_new(database_url: str) -> None:
    async with serving(database_url, rate_limits="on") as app, client_from(app, HERE) as client:
        await make_resource(client)
        keyed = {"Idempotency-Key": "a"}
        for start in (1, 2):
            await book(client, start)
        assert (await book(client, 3, headers=keyed)).status_code == 429
        forget(app)
        made = await book(client, 4, headers=keyed)
        assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False), "another body, even"


async def test_whoever_is_not_let_in_is_counted_by_their_address(database_url: str) -> None:
    async with serving(database_url, rate_limits="on") as app, client_from(app, HERE) as client:
        seen = [await client.post(f"{ROOT}/bookings", headers={"Authorization": "Bearer fc_guess"}) for _ in range(3)]
        assert [answer.status_code for answer in seen] == [401, 401, 429]
        assert seen[0].headers["ratelimit"] == '"reads-address";r=1;t=1800'


@pytest.mark.parametrize("off", [{}, {"rate_limits": "off"}, {"rate_limits": "on", "read_address_rate": OFF}])
async def test_where_limits_are_off_nobody_is_sent_away(database_url: str, off: dict[str, Any]) -> None:
    async with serving(database_url, **off) as app, client_from(app, HERE) as client:
        for _ in range(5):
            answer = await client.get(f"{ROOT}/resources")
            assert (answer.status_code, "ratelimit" in answer.headers) == (200, False)


def test_every_operation_but_health_is_described_with_429_and_its_fields() -> None:
    described = describe(create_app(Config(database_url="", booking_mode="direct")).routes)["paths"]
    for path, methods in described.items():
        for operation in methods.values():
            counted = not path.startswith(f"{ROOT}/health")
            assert ("429" in operation["responses"]) is counted
            for response in operation["responses"].values():
                assert ("RateLimit" in response["headers"]) is counted
                assert ("RateLimit-Policy" in response["headers"]) is counted


# ---------------------------------------------------------------------- people and log-ins


def call_of(
    person: UUID | None = None, address: str = HERE, *, method: str = "GET", operation: Operation | None = None
) -> Any:
    """A call as a handler sees it, as far as its counting goes."""
    caller = Caller() if person is None else Caller(name=str(person), person=person)
    handler = SimpleNamespace(opt={"operation": Operation() if operation is None else operation})
    scope = {
        "litestar_app": SimpleNamespace(state={"proxies": Proxies()}),
        "client": (address, 1),
        "method": method,
        "headers": [],
        "route_handler": handler,
        "state": {},
        "caller": caller,
    }
    return SimpleNamespace(scope=scope)


def rates_of(**more: Any) -> Rates:
    return Rates(Config(database_url="", booking_mode="direct", rate_limits="on", **more))


async def allowed(rates: Rates, *calls: Any) -> list[bool]:
    """Which of the calls were let through."""
    found = []
    for call in calls:
        try:
            await count_call(call, rates)
        except OverRate:
            found.append(False)
        else:
            found.append(True)
    return found


async def test_a_person_has_one_share_wherever_they_are_and_others_beside_them_have_theirs() -> None:
    rates = rates_of(read_rate=Rate(2, 3_600), read_address_rate=Rate(5, 3_600))
    calls = [call_of(ANN), call_of(ANN, ELSEWHERE), call_of(ANN, ELSEWHERE), call_of(ANN), call_of(BOB), call_of(BOB)]
    assert await allowed(rates, *calls) == [True, True, False, False, True, True]
    crowd = [call_of(UUID(int=at)) for at in range(3, 6)]
    assert await allowed(rates, *crowd) == [True, True, False], "five of one address, whoever they are"
    assert await allowed(rates, call_of(ANN, method="POST")) == [True], "changes count apart"


async def test_those_whom_nobody_knows_are_counted_by_their_address_only() -> None:
    rates = rates_of(read_rate=Rate(1, 3_600))
    assert await allowed(rates, call_of(), call_of(), call_of()) == [True] * 3


async def test_attempts_to_log_in_count_for_the_account_and_for_the_address() -> None:
    rates = rates_of(login_rate=Rate(2, 3_600), login_address_rate=Rate(4, 3_600))
    log_in = Operation(counted=Counted.LOGINS)
    assert await allowed(rates, *(call_of(operation=log_in) for _ in range(9))) == [True] * 9, "the handler counts"

    async def attempt(account: str | None, address: str) -> bool:
        try:
            await count_log_in(call_of(address=address), rates, account)
        except OverRate:
            return False
        return True

    assert [await attempt("ann@example.org", address) for address in (HERE, ELSEWHERE, "192.0.2.9")] == [
        True,
        True,
        False,
    ]
    assert [await attempt(name, HERE) for name in ("bob@example.org", "eve@example.org", None, None)] == [
        True,
        True,
        True,
        False,
    ]
    assert not any("@" in name for name in rates._limiter._local._full_at_us), "names of people stay in this process"


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        ({"auth_mode": "open"}, False),
        ({"auth_mode": "open", "rate_limits": "on"}, True),
        ({"auth_mode": "required"}, True),
        ({"auth_mode": "required", "rate_limits": "off"}, False),
    ],
)
async def test_calls_are_counted_where_people_sign_in(settings: dict[str, Any], on: bool) -> None:
    rates = Rates(Config(database_url="", booking_mode="direct", read_address_rate=Rate(1, 3_600), **settings))
    assert await allowed(rates, call_of(), call_of()) == [True, not on]


# ---------------------------------------------------------------------- two processes


async def test_two_api_processes_share_every_bucket_exactly(processes: Processes, database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    resource_id = await database.fetchval("SELECT resource_id FROM resource WHERE id = $1", resource)
    settings = {
        "AUTH_MODE": "open",
        "FIRSTCOME_RATE_LIMITS": "on",
        "FIRSTCOME_BOOKING_ADDRESS_RATE": "10/3600s",
        "FIRSTCOME_READ_ADDRESS_RATE": "10/3600s",
    }
    apis = [processes.start_api(**settings) for _ in range(2)]
    await asyncio.gather(*(api.begins() for api in apis))
    async with apis[0].client() as one, apis[1].client() as other:

        def bookings(client: httpx.AsyncClient, start: float) -> Any:
            body = {"resource_id": resource_id} | hours(start)
            return client.post("/bookings", json=body, headers={"Prefer": "respond-async"})

        both = cycle((one, other))
        answers = await asyncio.gather(*(bookings(client, at) for at, client in zip(range(30), both, strict=False)))
        assert sorted(answer.status_code for answer in answers) == [202] * 10 + [429] * 20
        left = [re.findall(r"r=(\d+)", answer.headers["ratelimit"]) for answer in answers if answer.status_code == 202]
        assert sorted(left) == sorted([str(at)] for at in range(10))
        reads = await asyncio.gather(*(client.get("/resources") for _, client in zip(range(30), both, strict=False)))
        assert sorted(answer.status_code for answer in reads) == [200] * 10 + [429] * 20


async def test_what_is_noted_in_the_audit_is_what_the_rate_lets_in(processes: Processes, database: Connection) -> None:
    resource = await add_resource(database, capacity=1)
    resource_id = await database.fetchval("SELECT resource_id FROM resource WHERE id = $1", resource)
    settings = {"AUTH_MODE": "open", "FIRSTCOME_RATE_LIMITS": "on", "FIRSTCOME_BOOKING_ADDRESS_RATE": "5/3600s"}
    api = processes.start_api(**settings)
    await api.begins()
    async with api.client() as client:
        path, later = f"/resources/{resource_id}", {"Prefer": "respond-async"}
        changes = (client.patch(path, json={"name": f"Room {number}"}, headers=later) for number in range(12))
        answers = await asyncio.gather(*changes)
    assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 7
    assert await database.fetchval("SELECT count(*) FROM audit WHERE action = 'resource.change'") == 5


def test_a_publication_of_many_slots_counts_before_its_rule_is_expanded_and_not_again() -> None:
    rates = Rates(Config(database_url="", booking_mode="queue", redis_url="redis://127.0.0.1", rate_limits="on"))
    assert rates.counts_before(PUBLISH_SLOTS)
    assert not rates.counts_before(PUBLISH_SLOT)
    assert rates.of_command(call_of(ANN, method="POST", operation=PUBLISH_SLOTS)) is None
    assert rates.of_command(call_of(ANN, method="POST", operation=PUBLISH_SLOT)) is not None
