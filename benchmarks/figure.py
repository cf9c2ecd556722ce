"""One line of the table of figures: what was measured, what it came to, what was to be reached."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure in words, with the command that shows it again."""

    what: str
    engine: str
    measured: str
    goal: str
    reached: bool | None
    """None where nothing was to be reached."""
    command: str
