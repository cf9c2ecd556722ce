"""What both databases keep to at the one door for text that is no registered statement."""

from __future__ import annotations

from typing import Any

from vacancy.errors import Invalid, Unavailable

ADHOC_ROWS = 10_000
ADHOC_S = 30.0
"""The most that one question gives, and how long it may take."""

AnyRow = tuple[Any, ...]

_QUESTIONS = ("SELECT", "WITH", "VALUES", "EXPLAIN", "SHOW", "TABLE", "PRAGMA")


def require_question(sql: str) -> None:
    """Refuses what does not even look like a question; the database refuses the rest, for the door
    opens read-only. Raises `Invalid` ADHOC_REFUSED."""
    words = sql.split(maxsplit=1)
    if not words or words[0].upper() not in _QUESTIONS:
        raise Invalid(
            "ADHOC_REFUSED",
            f"{words[0] if words else 'Nothing'!r} is no question: this door only reads.",
            hint="Changes are made by registered statements and by migrations.",
        )


def too_slow() -> Unavailable:
    return Unavailable(
        "ADHOC_TOO_SLOW",
        f"The question took over {ADHOC_S:g} s and was ended.",
        hint="Ask for less, or for what an index serves.",
    )
