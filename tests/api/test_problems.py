"""The one table of statuses, and a page for each code."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest

from api.docs import PROBLEM_PAGES, problem_page
from api.problems import DETAILS, PROBLEMS, Problem, problem_of
from engine.commands import Reason
from engine.errors import (
    EngineError,
    NotFound,
    NotPromised,
    QueueFull,
    StorageFull,
    TooManyWaiting,
    Unavailable,
)


def engine_errors(root: type[EngineError] = EngineError) -> list[type[EngineError]]:
    return [root, *(found for child in root.__subclasses__() for found in engine_errors(child))]


def test_every_reason_has_a_status_and_a_sentence() -> None:
    for reason in Reason:
        assert 400 <= PROBLEMS[reason][0] < 500
        assert Problem(reason).detail == DETAILS[reason]


def test_all_trouble_is_503_and_says_when_to_try_again() -> None:
    for kind in engine_errors():
        problem = problem_of(kind("out of order"))
        assert problem is not None
        assert problem.status == 503
        assert ("retry-after", str(kind.retry_after_s)) in problem.headers
        assert problem.extras["retry_after_s"] == kind.retry_after_s


@pytest.mark.parametrize(
    ("error", "kept"),
    [(Unavailable, True), (NotPromised, True), (QueueFull, False), (TooManyWaiting, False), (StorageFull, False)],
)
def test_trouble_says_whether_anything_was_kept(error: type[EngineError], kept: bool) -> None:
    problem = problem_of(error("out of order"))
    assert problem is not None
    assert ("Nothing of this" in problem.detail) is not kept
    assert ("with the same Idempotency-Key" in problem.detail) is kept
    assert ("this resource" in problem.detail) is (error is QueueFull)


@pytest.mark.parametrize("what", ["resource", "booking", "request"])
def test_what_is_unknown_is_404(what: str) -> None:
    problem = problem_of(NotFound(what, "x"))
    assert problem is not None
    assert (problem.status, problem.code) == (404, f"{what}_unknown")


def test_a_bug_is_no_problem() -> None:
    assert problem_of(KeyError("x")) is None


def test_every_problem_has_a_page_and_every_page_a_problem() -> None:
    pages = {page.stem: page.read_text(encoding="utf-8") for page in PROBLEM_PAGES.glob("*.md")}
    assert set(pages) == set(PROBLEMS)
    for code, text in pages.items():
        assert text.startswith(f"# {code}\n\nStatus {PROBLEMS[code][0]}. ")


class Blocks(HTMLParser):
    """The elements in the main part of a page, each with its text and the code in it."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.code: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._open.append(tag)
        if self._open[:-1][-1:] == ["main"]:
            self.found.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "main" in self._open[:-1]:
            tag, text = self.found[-1]
            self.found[-1] = (tag, text + data)
        if self._open[-1:] == ["code"]:
            self.code.append(data)


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_page_says_in_html_what_it_says_in_markdown(code: str) -> None:
    markdown = (PROBLEM_PAGES / f"{code}.md").read_text(encoding="utf-8")
    spoken = re.sub(r"`[^`\n]+`", "code", markdown)
    assert not re.search(r"[*_`<>|~\[\]\\]|^ |^(?!# |## )#|^[-+] |^\d+\. ", spoken.partition("\n")[2], re.MULTILINE), (
        "only headings, paragraphs and code are made into HTML"
    )
    page = Blocks(problem_page(code))
    ranks = {"# ": "h1", "##": "h2"}
    assert page.found == [
        (ranks.get(block[:2], "p"), block.lstrip("# ").replace("`", "")) for block in markdown.strip().split("\n\n")
    ]
    assert page.code == re.findall(r"`([^`]+)`", markdown)


async def test_the_type_of_a_problem_leads_to_its_page(client: httpx.AsyncClient) -> None:
    for code in PROBLEMS:
        answer = await client.get(Problem(code, "x").body("/").type)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert f"<title>{code}: " in answer.text
        assert f"<h1>{code}</h1>" in answer.text
        assert '<a href="/docs">' in answer.text
    assert (await client.get("/docs/problems/..%2f..%2fREADME")).status_code == 404
    assert (await client.get("/docs/problems/unheard_of")).status_code == 404
