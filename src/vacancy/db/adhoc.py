"""What both databases keep to at the one door for text that is no registered statement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vacancy.errors import Invalid, Unavailable

ADHOC_ROWS = 10_000
ADHOC_S = 30.0
"""The most that one question gives, and how long it may take."""

AnyRow = tuple[Any, ...]

_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)
_QUESTIONS = ("SELECT", "WITH", "VALUES", "EXPLAIN", "SHOW", "TABLE", "PRAGMA")
_LIMITS_OF_THE_PROCESS = re.compile(r"\b(?:(?:hard|soft)_heap_limit|temp_store_directory)\b", re.I)
_PARAMETER = re.compile(r"(?<!:):([a-z][a-z0-9_]*)")


def require_question(sql: str, limit: int) -> None:
    """Refuses what does not even look like a question; the database refuses the rest, for the door
    opens read-only. Raises `Invalid` ADHOC_REFUSED."""
    found = _FIRST_WORD.match(sql)
    word = found[1] if found else ""
    if word.upper() not in _QUESTIONS or (
        word.upper() == "PRAGMA" and _LIMITS_OF_THE_PROCESS.search(sql)
    ):
        raise Invalid(
            "ADHOC_REFUSED",
            f"{word or 'Nothing'!r} is no question: this door only reads.",
            hint="Changes are made by registered statements and by migrations.",
        )
    if limit < 1:
        raise Invalid("ADHOC_REFUSED", f"A limit of {limit} rows asks for nothing.")


def numbered(sql: str, params: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The text with `$1`, `$2`, … for the parameters that are given, and their values in order.
    What else looks like a parameter stands in a literal, and stays."""
    order: list[str] = []

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name not in params:
            return found[0]
        if name not in order:
            order.append(name)
        return f"${order.index(name) + 1}"

    return _PARAMETER.sub(number, sql), [params[name] for name in order]


def require_single(questions: Sequence[str]) -> bool:
    """True for one. Raises `Invalid` ADHOC_REFUSED when a second has begun."""
    if len(questions) > 1:
        raise Invalid("ADHOC_REFUSED", "One question at a time; the second was not run.")
    return True


def too_slow() -> Unavailable:
    return Unavailable(
        "ADHOC_TOO_SLOW",
        f"The question took over {ADHOC_S:g} s and was ended.",
        hint="Ask for less, or for what an index serves.",
    )
