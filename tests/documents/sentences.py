"""Sentences in the source, with ``…`` where a value is put in: what a page quotes is compared with them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.documents.pages import ROOT

REFUSALS = ("StartupRefused", "MigrationError")
LEVELS = ("warning", "error", "exception", "critical", "log")
FOLDERS = ("api", "cli", "engine", "migrations", "worker")


def refusals() -> set[str]:
    """Every sentence with which a start is refused."""
    return {
        text
        for call in _calls()
        if isinstance(call.func, ast.Name) and call.func.id in REFUSALS
        for text in map(_text, call.args)
        if text.strip("…")
    }


def warnings() -> set[str]:
    """Every message that is logged above the level info."""
    return {
        text
        for call in _calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS
        for text in map(_text, call.args)
        if text.strip("…")
    }


def _calls() -> Iterator[ast.Call]:
    for file in _files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def _files() -> Iterable[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return re.sub("…+", "…", "".join(map(_text, values)))
    return "…"
