"""Logs as JSON lines on stderr, with secrets masked before anything is written."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from vacancy.db.connect import without_passwords
from vacancy.db.gate import request_id_now

MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"vac_[A-Za-z0-9_\-]+"), "vac_***"),
    (
        re.compile(
            r"(?i)\b(authorization|bearer)(['\"]?[:\s]+['\"]?)(?!vac_\*)(?:bearer\s+)?[^\s'\",]+"
        ),
        r"\1\2***",
    ),
    (re.compile(r"[A-Za-z0-9._%+\-]+@(?=[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+)"), "***@"),
)
"""Keys, Authorization headers, and whose an e-mail address is."""

EXTRAS = (
    "request_id",
    "duration_ms",
    "client",
    "method",
    "route",
    "status",
    "code",
    "statement",
    "rows",
    "parameters",
    "place",
)
"""What a record may carry beside its sentence."""

_encode = msgspec.json.Encoder().encode


def masked(text: str) -> str:
    """The text without the secrets that it may hold."""
    text = without_passwords(text)
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


class JsonLines(logging.Formatter):
    """One JSON object for each record."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
        }
        request_id = request_id_now()
        if request_id is not None:
            line["request_id"] = request_id.decode()
        for name in EXTRAS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = value
        if record.exc_info:
            line["traceback"] = masked(self.formatException(record.exc_info))
        return _encode(line).decode()


def start_logging(level: str) -> None:
    """Sends everything of this process from that level on to stderr. Safe to call twice."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # A library's debug lines may hold what ours mask by name: they are never asked for.
    for name in ("asyncio", "litestar", "asyncpg"):
        logging.getLogger(name).setLevel(logging.WARNING)
