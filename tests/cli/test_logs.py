"""What a line of the log looks like."""

from __future__ import annotations

import json
import logging
from uuid import UUID

from engine.logs import JsonFormatter, TextFormatter, error_without_traceback


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("worker.turn").makeRecord(
        "worker.turn", logging.INFO, __file__, 1, message, (), None, extra=extra
    )
    made.created = 1_786_352_400.0625
    return made


def test_a_record_is_one_json_object_with_its_fields() -> None:
    request = UUID(int=7)
    line = JsonFormatter().format(record("decided\ntwice", ticket=7, request_id=request, reason=None))
    assert "\n" not in line
    told = json.loads(line)
    assert told.pop("process") > 0
    assert told == {
        "time": "2026-08-10T09:00:00.062Z",
        "level": "info",
        "logger": "worker.turn",
        "message": "decided\ntwice",
        "ticket": 7,
        "request_id": str(request),
    }


def test_what_json_cannot_hold_is_told_in_words() -> None:
    told = json.loads(JsonFormatter().format(record("odd", thing=ValueError("no"), raw=b"\xff")))
    assert told["thing"] == "no"
    assert "raw" in told


def test_a_trace_is_one_field() -> None:
    try:
        int("no")
    except ValueError as error:
        made = record("failed")
        made.exc_info = (type(error), error, error.__traceback__)
    assert "ValueError: invalid" in json.loads(JsonFormatter().format(made))["error"]
    assert TextFormatter().format(made).splitlines()[-1].startswith("ValueError: invalid")


def test_trouble_that_passes_is_told_without_its_traceback() -> None:
    error = ConnectionRefusedError(111, "no")
    made = record("tried again")
    made.exc_info = (type(error), error, None)
    assert error_without_traceback(made)
    assert TextFormatter().format(made).endswith("tried again error=ConnectionRefusedError(111, 'no')")
    assert json.loads(JsonFormatter().format(made))["error"] == "ConnectionRefusedError(111, 'no')"


def test_text_is_for_people() -> None:
    assert TextFormatter().format(record("decided", ticket=7)) == "09:00:00.062 info    worker.turn: decided ticket=7"
