"""Named points at which a process can be made to die, freeze, fail or hang. All off by default.

The points are the steps of the protocol (A1 to A7 in the API, W1 to W10 in a worker) and ``decide``,
which is reached for every command with its idempotency key as the label. Armed by one setting::

    W8=freeze;decide=raise@poison

means: stop this process (SIGSTOP) when it has sent its replies, and raise wherever the label contains
``poison``. Actions: kill, freeze, raise, hang (the event loop with it), hold (the event loop too, for a
while and without using the processor).
"""

from __future__ import annotations

import os
import signal
import time

from engine.errors import StartupRefused

ACTIONS = frozenset({"kill", "freeze", "raise", "hang", "hold"})
HOLD_S = 1.5
"""Longer than the server waits for a silent session, shorter than a standstill that ends the process."""

_armed: dict[str, tuple[str, str]] = {}


class Injected(Exception):
    """Raised by a point whose action is ``raise``."""


def arm(setting: str | None) -> None:
    """Arm the points that the setting names.

    Raises StartupRefused where it cannot be read.
    """
    _armed.clear()
    for part in (setting or "").split(";"):
        if not part.strip():
            continue
        point, _, action = part.strip().partition("=")
        action, _, label = action.partition("@")
        if not point or action not in ACTIONS:
            raise StartupRefused(
                f"FIRSTCOME_FAILPOINTS has {part!r}; it must be point=action or point=action@label, "
                f"with one of the actions {', '.join(sorted(ACTIONS))}."
            )
        _armed[point] = (action, label)


def reach(point: str, label: str | None = None) -> None:
    """Do at this point what was armed for it: as a rule, nothing."""
    if _armed and point in _armed:
        action, wanted = _armed[point]
        if wanted in (label or ""):
            _act(point, action)


def _act(point: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "hang":
        while True:
            pass
    elif action == "hold":
        time.sleep(HOLD_S)
    else:
        raise Injected(point)
