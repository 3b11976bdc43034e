"""What handlers work with. Made once, when the application starts."""

from __future__ import annotations

from dataclasses import dataclass

from api.gathering import Gathering
from api.http import Call
from api.routing import Routes
from engine.config import Config
from engine.intake import Intake
from engine.reader import Reader
from engine.store.idempotency import Kept, Key
from engine.store.pools import Pool
from engine.suggestions import Suggestions


@dataclass(slots=True, frozen=True)
class Parts:
    """The engine, as the API sees it."""

    config: Config
    primary: Pool
    intake: Intake
    routes: Routes
    keys: Gathering[Key, Kept]
    reader: Reader
    suggestions: Suggestions


def parts_of(call: Call) -> Parts:
    """The parts of the application that was called."""
    parts: Parts = call.scope["litestar_app"].state["parts"]
    return parts
