"""Ids: 64 bits, in the order of time, unique across processes without asking the database.

42 bits of milliseconds since 2020, 13 bits of node, 8 bits of sequence: 256 ids a
millisecond and node. Every process takes a node number from the database when it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

NODES = 1 << 13
_SEQUENCES = 1 << 8
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_MILLISECOND = 1_000


class IdSource:
    """Gives ids. Never goes back, even when the clock does. For one thread."""

    def __init__(self, node: int, clock: Callable[[], datetime]) -> None:
        self._node = (node % NODES) << 8
        self._clock = clock
        self._last_ms = 0
        self._sequence = 0

    def next(self) -> int:
        elapsed = self._clock() - _EPOCH
        now_ms = (elapsed.days * 86_400 + elapsed.seconds) * 1_000 + (
            elapsed.microseconds // _MILLISECOND
        )
        if now_ms > self._last_ms:
            self._last_ms, self._sequence = now_ms, 0
        else:
            self._sequence += 1
            if self._sequence == _SEQUENCES:  # this millisecond is used up: borrow the next
                self._last_ms, self._sequence = self._last_ms + 1, 0
        return self._last_ms << 21 | self._node | self._sequence


def parse_id(text: str) -> int | None:
    """An id from outside, or None when it cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    return value if (value := int(text)) < 1 << 63 else None
