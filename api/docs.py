"""The interface's own pages: its description, a page to try it on, and a page for each problem.

They work without any other site: everything that a browser needs is in them.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from litestar import Controller, get

from api.http import Answer, Call, segment
from api.openapi import describe
from api.problems import PROBLEMS, Problem

PAGES = Path(__file__).parent / "pages"
PROBLEM_PAGES = Path(__file__).parent.parent / "docs" / "problems"
HTML = b"text/html; charset=utf-8"
SCRIPT = b"text/javascript; charset=utf-8"
STYLE = b"text/css; charset=utf-8"
POLICY = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'",
)
PAGE_HEADERS = [POLICY, (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-cache")]


class DocumentationController(Controller):
    """``/docs``, and the description itself."""

    @get("/api/v1/openapi.json")
    async def description(self, request: Call) -> Answer:
        """Describe the interface."""
        state = request.scope["litestar_app"].state
        if "description" not in state:
            described = describe(request.scope["litestar_app"].routes)
            state["description"] = json.dumps(described, ensure_ascii=False, indent=1).encode()
        return Answer(200, state["description"])

    @get("/")
    async def root(self, request: Call) -> Answer:  # noqa: ARG002
        """Lead whoever opens the server in a browser to the page."""
        return Answer(302, b"", [(b"location", b"/docs")], media_type=HTML)

    @get("/docs")
    async def page(self, request: Call) -> Answer:  # noqa: ARG002
        """Show the operations, and let them be tried."""
        return Answer(200, _page("index.html"), PAGE_HEADERS, media_type=HTML)

    @get("/docs/page.js")
    async def script(self, request: Call) -> Answer:  # noqa: ARG002
        """Send what makes the page."""
        return Answer(200, _page("page.js"), PAGE_HEADERS, media_type=SCRIPT)

    @get("/docs/page.css")
    async def style(self, request: Call) -> Answer:  # noqa: ARG002
        """Send how the page looks."""
        return Answer(200, _page("page.css"), PAGE_HEADERS, media_type=STYLE)

    @get("/docs/problems/{code:str}")
    async def problem(self, request: Call) -> Answer:
        """Show the page of a problem."""
        code = segment(request, "code")
        if code not in PROBLEMS:
            raise Problem("not_found", f"There is no problem {code}.")
        return Answer(200, problem_page(code), PAGE_HEADERS, media_type=HTML)


@cache
def _page(name: str) -> bytes:
    return (PAGES / name).read_bytes()


@cache
def problem_page(code: str) -> bytes:
    """The page of a problem: what it means, and what to do."""
    content = "\n".join(map(_block, (PROBLEM_PAGES / f"{code}.md").read_text(encoding="utf-8").strip().split("\n\n")))
    template = Template(_page("problem.html").decode())
    return template.substitute(code=code, title=escape(PROBLEMS[code][1]), content=content).encode()


def _block(markdown: str) -> str:
    # The pages of problems have headings, paragraphs and code in them, and a test holds them to it.
    text = markdown.lstrip("#")
    rank = len(markdown) - len(text)
    element = f"h{rank}" if rank else "p"
    spoken = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip(), quote=False))
    return f"<{element}>{spoken}</{element}>"
