"""Every route against everyone, with what is theirs, what is another's, and what there is not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar

from api.access import Scope
from api.openapi import Operation
from api.problems import PROBLEMS
from tests.api.steps import ROOT
from tests.matrix.table import CALLERS, KEYS, PAGES, ROWS, Row, expected
from tests.matrix.world import NOT_IN_PATHS, World, fingerprint, handlers_of, operations_of, pages_of
from tests.schema.rows import Connection


def test_every_route_is_in_the_matrix(app: Litestar) -> None:
    assert {row.route for row in ROWS} == set(operations_of(app))
    assert pages_of(app) == PAGES


async def test_everyone_may_do_what_the_matrix_says_and_nothing_else(
    app: Litestar, world: World, database: Connection
) -> None:
    operations = operations_of(app)
    wrong: list[str] = []
    asked = 0
    for row in ROWS:
        tried = Trial(row, operations[row.route], world)
        await tried.prepare()
        before = await fingerprint(database)
        wrong += await tried.refusals()
        if await fingerprint(database) != before:
            wrong.append(f"{row.route} ({row.thing}): who was refused has changed something")
        wrong += await tried.deeds()
        asked += tried.asked
    assert not wrong, "\n".join(wrong)
    assert asked > 800


class Trial:
    """One row of the matrix, tried by everyone."""

    def __init__(self, row: Row, operation: Operation, world: World) -> None:
        self.row = row
        self.operation = operation
        self.world = world
        self.asked = 0
        self.standing = ""

    async def prepare(self) -> None:
        """Make the thing that those try in vain who may not."""
        if self.row.thing:
            self.standing = await self.world.make(self.row.thing)

    async def refusals(self) -> list[str]:
        """Try all that must be refused. Returns what went otherwise."""
        wrong, hidden = [], set()
        for missing in (False, True) if self.row.thing else (False,):
            named = str(uuid4()) if missing else self.standing
            for caller in sorted(CALLERS):
                code = expected(self.row, self.operation, caller, missing=missing)
                if not code:
                    continue
                answer = await self._ask(caller, named)
                wrong += self._compared(answer, caller, code, missing=missing)
                if answer.status_code == 404:
                    hidden.add(_without_name(answer, named))
        if len(hidden) > 1:
            wrong.append(f"{self._name}: one sees from the answer that it is there: {hidden}")
        return wrong

    async def deeds(self) -> list[str]:
        """Try all that must be done, each to a thing that nobody has touched. Returns what went otherwise."""
        wrong = []
        for caller in sorted(CALLERS):
            if expected(self.row, self.operation, caller, missing=False) is None:
                touched = self.row.thing and not self.row.route.startswith("GET ")
                named = await self.world.make(self.row.thing) if touched else self.standing
                shown = (await self.world.somebody_new(caller)).headers if self.row.last else None
                answer = await self._ask(caller, named, shown)
                wrong += self._compared(answer, caller, None, missing=False)
        return wrong

    @property
    def _name(self) -> str:
        return f"{self.row.route} ({self.row.thing})"

    def _compared(self, answer: httpx.Response, caller: str, code: str | None, *, missing: bool) -> list[str]:
        if code is None:
            right = answer.status_code == min(self.operation.answers)
        else:
            right = (answer.status_code, answer.json().get("code")) == (PROBLEMS[code][0], code)
            right = right and (answer.status_code != 401 or answer.headers["www-authenticate"].startswith("Bearer"))
        thing = "what there is not" if missing else "what there is"
        return [] if right else [f"{self._name}, {caller}, {thing}: not {code or 'done'}: {answer.text}"]

    async def _ask(self, caller: str, named: str, shown: dict[str, str] | None = None) -> httpx.Response:
        self.asked += 1
        row = self.row
        method, path = row.route.split()
        while "{" in path:
            name = path.partition("{")[2].partition("}")[0]
            path = path.replace(f"{{{name}}}", NOT_IN_PATHS.get(name, named))
        query = f"?{row.query(named)}" if row.query else ""
        body = row.body(named) if row.body else None
        return await self.world.client.request(
            method, ROOT + path + query, json=body, headers=shown or self._shown(caller)
        )

    def _shown(self, caller: str) -> dict[str, str]:
        """What somebody shows of who they are."""
        if caller in self.world.people:
            return self.world.people[caller].headers
        if caller not in KEYS:
            return {}
        scopes = self.world.keys["operator" if caller == "operators_key" else self.row.owner]
        needed = self.operation.scope or Scope.READ_BOOKINGS
        if caller == "key_without":
            needed = next(scope for scope in scopes if scope is not needed)
        return scopes[needed]


def _without_name(answer: httpx.Response, named: str) -> tuple[Any, ...]:
    """All that an answer says but the id that was asked for, and that of the request."""
    fields = sorted(item for item in answer.headers.items() if item[0] not in {"x-request-id", "content-length"})
    return *fields, answer.text.replace(named, "…")


async def test_options_names_every_method_of_every_route(app: Litestar, world: World) -> None:
    methods: dict[str, set[str]] = {}
    for method, path, _ in handlers_of(app):
        methods.setdefault(path, {"OPTIONS"}).add(method)
    for path, expected_methods in methods.items():
        address = path if f"GET {path}" in PAGES and "openapi" not in path else ROOT + path
        answer = await world.client.options(address.replace("{", "").replace("}", ""))
        assert set(answer.headers["allow"].split(", ")) == expected_methods, path
