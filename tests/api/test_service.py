"""The service as a whole: health, pages, ids of requests, what is not there, and bugs."""

from __future__ import annotations

import logging
from functools import partial

import httpx
import pytest
from litestar import Litestar

from api.app import create_app
from api.docs import PAGES
from engine.config import Config
from engine.embedded import Stack
from engine.errors import StartupRefused
from tests.api.steps import ROOT, book, make_resource
from tests.application import running
from tests.support import wait_until


async def test_a_process_that_answers_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{ROOT}/health/live")).json() == {"status": "live"}
    answer = await client.get(f"{ROOT}/health/ready")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "primary": {"ok": True}, "queue": {"ok": True}},
    )


async def refused(client: httpx.AsyncClient) -> httpx.Response | None:
    """The answer that says that a process cannot take bookings."""
    answer = await client.get(f"{ROOT}/health/ready")
    return answer if answer.status_code == 503 else None


async def takes_bookings(client: httpx.AsyncClient) -> bool:
    return (await book(client)).status_code == 201


async def test_a_process_without_its_primary_is_alive_and_not_ready(own_stack: Stack) -> None:
    url = own_stack.database_url
    app = create_app(Config(database_url=url, booking_mode="direct", auth_mode="open", direct_pool_size=2))
    async with (
        running(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://firstcome") as client,
    ):
        await make_resource(client)
        own_stack.primary.kill()
        answer = await wait_until(partial(refused, client))
        assert answer is not None
        assert answer.headers["retry-after"] == "1"
        assert (answer.json()["status"], answer.json()["primary"]) == ("unavailable", {"ok": False})
        assert (await client.get(f"{ROOT}/health/live")).status_code == 200
        for trouble in (
            await client.get(f"{ROOT}/resources"),
            await client.get(f"{ROOT}/resources/room-1"),
            await client.post(f"{ROOT}/resources", json={"name": "x"}),
            await book(client),
        ):
            assert (trouble.status_code, trouble.json()["code"]) == (503, "unavailable")
            assert trouble.headers["retry-after"] == str(trouble.json()["retry_after_s"])
        own_stack.primary.start()
        await wait_until(partial(takes_bookings, client))
        assert (await client.get(f"{ROOT}/health/ready")).status_code == 200


async def test_a_valid_id_of_the_callers_is_kept(client: httpx.AsyncClient) -> None:
    for given in ("abc", "0af7651916cd43dd8448eb211c80319c", "x" * 128, "a.b_c-d~e+f/g=h:i"):
        for address in (f"{ROOT}/health/live", f"{ROOT}/nowhere", f"{ROOT}/bookings/x", "/docs"):
            assert (await client.get(address, headers={"X-Request-Id": given})).headers["x-request-id"] == given


async def test_any_other_id_is_replaced(client: httpx.AsyncClient) -> None:
    for given in ("", "x" * 129, "a b", "a\tb", "é", '"', "a,b"):
        answer = await client.get(f"{ROOT}/health/live", headers=[(b"X-Request-Id", given.encode())])
        assert answer.headers["x-request-id"] not in {given, ""}


async def test_every_answer_has_one_id(client: httpx.AsyncClient) -> None:
    await make_resource(client)
    answers = [
        await client.get("/docs"),
        await client.get(f"{ROOT}/openapi.json"),
        await client.get("/nowhere"),
        await client.delete(f"{ROOT}/resources"),
        await client.options(f"{ROOT}/resources"),
        await client.post(f"{ROOT}/bookings", content=b"{"),
        await client.post(f"{ROOT}/bookings", content=b" " * 2_000_000),
        await book(client),
        await book(client),
    ]
    ids = [answer.headers.get_list("x-request-id") for answer in answers]
    assert all(len(found) == 1 for found in ids)
    assert len({found[0] for found in ids}) == len(ids)


async def test_what_is_not_there_is_a_problem(client: httpx.AsyncClient) -> None:
    for path in (
        "/nowhere",
        ROOT,
        f"{ROOT}/bookings/a/b/c",
        f"{ROOT}/Resources",
        "/docs/page.html",
        "/docs/%2e%2e",
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_is_not_taken_is_a_problem_that_names_those_that_are(client: httpx.AsyncClient) -> None:
    answer = await client.delete(f"{ROOT}/resources")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].replace(" ", "").split(",")) == {"GET", "POST", "OPTIONS"}


async def test_a_bug_is_logged_and_not_told(
    client: httpx.AsyncClient, app: Litestar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "postgresql://user:password@host"

    def fail(*_: object) -> None:
        raise KeyError(secret)

    monkeypatch.setattr(type(app.state["parts"].routes), "resource_home", fail)
    with caplog.at_level(logging.ERROR):
        answer = await book(client, headers={"X-Request-Id": "bug-1"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert secret not in answer.text
    assert "KeyError" not in answer.text
    assert "bug-1" in answer.json()["detail"]
    (record,) = [record for record in caplog.records if record.name == "api.app"]
    assert vars(record)["request_id"] == "bug-1"
    assert record.exc_info is not None
    assert secret in str(record.exc_info[1])


async def test_the_root_leads_to_the_pages(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"], answer.content) == (302, "/docs", b"")
    assert (await client.get(answer.headers["location"])).status_code == 200


async def test_the_pages_need_no_other_site(client: httpx.AsyncClient) -> None:
    for name, address in (("index.html", "/docs"), ("page.js", "/docs/page.js"), ("page.css", "/docs/page.css")):
        answer = await client.get(address)
        assert answer.status_code == 200
        assert answer.content == (PAGES / name).read_bytes()
        assert "//" not in answer.text.replace("// ", ""), "an address of another site"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_process_of_the_other_mode_does_not_start(client: httpx.AsyncClient, database_url: str) -> None:
    del client  # it has made this installation one of direct mode
    other = create_app(Config(database_url=database_url, redis_url="redis://127.0.0.1:1", auth_mode="open"))
    with pytest.RaisesGroup(StartupRefused, flatten_subgroups=True, allow_unwrapped=True):
        async with running(other):
            pass
