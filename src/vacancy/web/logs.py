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

_QUOTE = r"\\{0,9}['\"]"
_TO_QUOTE = r"(?:(?!(?P=quote))(?:\\+.|[^\\\r\n]))*+"
"""Up to the quote that the value began with, be it escaped or not; without one, to the end of the
line."""

MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"vac_[A-Za-z0-9_\-]+"), "vac_***"),
    # As a value of its own: a mapping, JSON, a pair of bytes, an argument.
    (
        re.compile(rf"(?i)(authorization(?:{_QUOTE})?[\s:=,\[(]+b?)(?P<quote>{_QUOTE}){_TO_QUOTE}"),
        r"\1\g<quote>***",
    ),
    # As a header: to the end of its line, or of the string in which it is the first. It rather
    # hides too much, for a scheme may have parameters, commas and quotes.
    (
        re.compile(rf"(?i)(?P<quote>{_QUOTE})((?:proxy-)?authorization\s*[:=][ \t]*){_TO_QUOTE}"),
        r"\g<quote>\2***",
    ),
    (
        re.compile(rf"(?i)(authorization\s*[:=][ \t]*+)(?!\*\*\*|b?{_QUOTE})[^\r\n]+"),
        r"\1***",
    ),
    # In a sentence.
    (
        re.compile(
            r"(?i)\b(authorization|bearer)(['\"]?[:\s]+['\"]?)(?![*]|vac_\*|[\[(]+b?['\"])"
            r"(?:(?:basic|bearer|digest|negotiate|token)\s+)?[^\s'\",]+"
        ),
        r"\1\2***",
    ),
    (re.compile(r"[A-Za-z0-9._%+\-]+@(?=[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+)"), "***@"),
)
"""Keys, Authorization headers whatever their scheme, and whose an e-mail address is."""

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
