"""Logs: one record a line, as JSON for machines or as text for a terminal, on standard error.

Fields beside the message come from ``extra``: ``logger.info("decided", extra={"ticket": 7})``.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Literal

import msgspec

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""What every record carries by itself. The rest of a record is what ``extra`` brought."""
CHATTY = ("uvicorn.error", "uvicorn.asgi", "arq.worker", "arq.jobs")
"""Loggers that tell at level info what we say ourselves, or what nobody asks for."""
TRACING = ("asyncpg.pool",)
"""Loggers that add a traceback to trouble that passes: while a server is away, one for each connection and try."""


def set_up(level: str, log_format: Literal["json", "text"]) -> None:
    """Send every logger's records to standard error.

    level  ``debug``, ``info``, ``warning`` or ``error``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(level.upper() if level == "debug" else logging.WARNING)
    for name in TRACING:
        logging.getLogger(name).addFilter(error_without_traceback)


def error_without_traceback(record: logging.LogRecord) -> bool:
    """Leave of a traceback what it ends with, as the field ``error``."""
    if record.exc_info and record.exc_info[1] is not None:
        record.error = repr(record.exc_info[1])
        record.exc_info = None
    return True


class JsonFormatter(logging.Formatter):
    """A record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Instant first, then what happened, then the fields."""
        line = {
            "time": instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **{name: value for name, value in fields(record).items() if value is not None},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class TextFormatter(logging.Formatter):
    """A record as a person reads it."""

    def format(self, record: logging.LogRecord) -> str:
        """Time of the day, level, logger, message, fields; a traceback below."""
        told = "".join(f" {name}={value}" for name, value in fields(record).items() if value is not None)
        level = record.levelname.lower()
        line = f"{instant(record)[11:23]} {level:7} {record.name}: {record.getMessage()}{told}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What ``extra`` brought."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def instant(record: logging.LogRecord) -> str:
    """When the record was made, in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{whole}.{int(record.created % 1 * 1000):03d}Z"
