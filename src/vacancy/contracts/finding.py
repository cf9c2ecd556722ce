"""A promise that is not kept, as a value: the same for tests, commands and the server's log."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "NO_CONTRACT",
    "UNREGISTERED_STATEMENT",
    "STATEMENT_REFUSED",
    "TABLES_DIFFER",
    "WIDTH_DIFFERS",
    "INDEX_MISSING",
    "INDEX_NOT_USED",
    "TABLE_SCANNED",
    "ROWS_SORTED",
    "STATEMENTS_OVER",
    "STATEMENTS_GROW",
    "STATEMENT_NOT_NAMED",
    "REPEATED_STATEMENT",
    "ROWS_OVER",
]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What does not hold, and what to do about it."""

    kind: Kind
    subject: str
    """The statement or the helper."""
    engine: str
    """Where it was found."""
    sentence: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} ({self.engine}): {self.sentence}"
