"""Markdown, as far as the tests read it: fenced blocks, links, headings, rows of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word behind the fence, and what stands between the fences."""

    kind: str
    text: str


def pages() -> list[Path]:
    """Every page of the project."""
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its rank."""
    rank = heading.partition(" ")[0]
    rest = text.partition(f"\n{heading}\n")[2]
    assert rest, f"there is no {heading!r}"
    return re.split(rf"^{rank} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks, in order."""
    for found in _FENCE.finditer(text):
        yield Block(found[1], found[2])


def links(text: str) -> list[str]:
    """Where links and pictures lead; what stands in fenced blocks is none."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The names under which headings are reached, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(_FENCE.sub("", text))
    }


def rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found: list[list[str]] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if set(line) <= set("|-: ") or (set(following) <= set("|-: ") and following):
            continue
        found.append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found
