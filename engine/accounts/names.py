"""What people are called: e-mail addresses that are the same, and time zones by their present names."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files

UTC = "UTC"


def email_key(email: str) -> str:
    """By what an address is found: equal for addresses that people take for the same, whatever case they type."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())


def canonical_zone(name: str) -> str:
    """The present name of a time zone: ``America/New_York`` for ``US/Eastern``.

    A name that stands for a country's own zone is kept, though its clock is that of another (``Europe/Amsterdam``).
    """
    links, own = _links(), _zones_of_countries()
    while name not in own and name != UTC and name in links:
        name = links[name]
    return UTC if name == "Etc/UTC" else name


@cache
def _links() -> dict[str, str]:
    """Old name -> name. Source: tzdata.zi, whose lines ``L target name`` are the links."""
    lines = (files("tzdata") / "zoneinfo" / "tzdata.zi").read_text(encoding="utf-8").splitlines()
    parts = (line.split() for line in lines if line.startswith("L "))
    return {name: target for _, target, name in parts}


@cache
def _zones_of_countries() -> frozenset[str]:
    """The zones that some country calls its own. Source: zone.tab, third column."""
    lines = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines()
    return frozenset(line.split("\t")[2] for line in lines if line and not line.startswith("#"))
