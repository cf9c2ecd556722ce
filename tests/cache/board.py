"""The board that all processes of a run share: what has been acknowledged, and when.

Each row has one owner, who alone writes it: its versions are numbered from 1 and never used twice.
Before a change can become visible the owner notes that it tries; after the commit was acknowledged
to him he notes that too. A state of a row is one number, the version and where the row is, so that
it is read and written at one stroke.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from typing import Self

import msgspec

OWNERS = 4
"""The first is the foreign program; the others are processes of ours."""
SHELVES = 3
BOOKS = 4
LEAVES = 4
"""All of the first owner."""
PER_OWNER = SHELVES + BOOKS
CELLS = OWNERS * PER_OWNER + LEAVES
RING = 256
"""So many acknowledged states of a row are remembered with their time."""
GONE = 0
THERE = 1
"""Where a shelf or a leaf is; a book is on the shelf of its owner with this number."""

# Places in the header.
STOP, EPOCH, PAUSED, RESTORED_AT = 0, 1, 2, 3
HELD_BY_OWNER = 8
READS = 16
"""Sixteen readers count here what they have checked."""
UNJUDGED = 32
_HEADER = 64
_ACKED = _HEADER
_TRIED = _ACKED + CELLS
_UNDONE_FROM = _TRIED + CELLS
_UNDONE_TO = _UNDONE_FROM + CELLS
_COUNT = _UNDONE_TO + CELLS
_RING = _COUNT + CELLS
_WORDS = _RING + CELLS * RING * 2


def now_ns() -> int:
    """The clock of all processes of this machine; it goes on while one is stopped."""
    return time.monotonic_ns()


def state_of(version: int, place: int) -> int:
    return version << 3 | place


def shelf_id(owner: int, number: int) -> int:
    return 1 + owner * SHELVES + number


def book_id(owner: int, number: int) -> int:
    return 101 + owner * BOOKS + number


def leaf_id(number: int) -> int:
    return 201 + number


def shelf_cell(owner: int, number: int) -> int:
    return owner * PER_OWNER + number


def book_cell(owner: int, number: int) -> int:
    return owner * PER_OWNER + SHELVES + number


def leaf_cell(number: int) -> int:
    return OWNERS * PER_OWNER + number


class Seen(msgspec.Struct, frozen=True):
    """An acknowledged state and when it was acknowledged."""

    state: int
    at_ns: int


class Board:
    """A file in memory. Words of eight bytes are read and written whole."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            path.write_bytes(bytes(_WORDS * 8))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _WORDS * 8)
        self._bytes = memoryview(self._map)
        self.words = self._bytes.cast("q")
        if create:
            for owner in range(OWNERS):
                for number in range(SHELVES):
                    self.note_first(shelf_cell(owner, number), THERE)
                for number in range(BOOKS):
                    self.note_first(book_cell(owner, number), 1 + number % SHELVES)
            for number in range(LEAVES):
                self.note_first(leaf_cell(number), THERE)

    def note_first(self, cell: int, place: int) -> None:
        self.words[_TRIED + cell] = 1
        self.acknowledge(cell, 1, place)

    def attempt(self, cell: int) -> int:
        """A new version, noted before anybody can see it."""
        self.words[_TRIED + cell] += 1
        return self.words[_TRIED + cell]

    def tried(self, cell: int) -> int:
        return self.words[_TRIED + cell]

    def acknowledge(self, cell: int, version: int, place: int) -> None:
        """For the owner, when he has been told that it is committed."""
        count = self.words[_COUNT + cell]
        at = _RING + (cell * RING + count % RING) * 2
        self.words[at] = state_of(version, place)
        self.words[at + 1] = now_ns()
        self.words[_COUNT + cell] = count + 1
        self.words[_ACKED + cell] = state_of(version, place)

    def acked(self, cell: int) -> int:
        """The newest acknowledged state."""
        return self.words[_ACKED + cell]

    def acked_bytes(self, first: int, cells: int) -> bytes:
        """The newest states of these rows, as they are kept: quick to take and to compare."""
        start = (_ACKED + first) * 8
        return self._map[start : start + cells * 8]

    def history(self, cell: int) -> list[Seen]:
        """The last acknowledged states, oldest first. One that is being overwritten meanwhile is
        left out: the oldest ones are not asked for."""
        count = self.words[_COUNT + cell]
        found = []
        for number in range(max(0, count - RING + 2), count):
            at = _RING + (cell * RING + number % RING) * 2
            found.append(Seen(self.words[at], self.words[at + 1]))
        return found

    def was_undone(self, cell: int, version: int) -> bool:
        """Whether the last restore has undone this version."""
        return self.words[_UNDONE_FROM + cell] < version <= self.words[_UNDONE_TO + cell]

    def save(self) -> tuple[list[int], list[int]]:
        """What is acknowledged and what was tried now, for a copy that is taken now."""
        return (
            list(self.words[_ACKED : _ACKED + CELLS]),
            list(self.words[_TRIED : _TRIED + CELLS]),
        )

    def restore(self, saved: tuple[list[int], list[int]]) -> None:
        """The copy of then is in place: what came since is undone."""
        for cell, (state, tried) in enumerate(zip(*saved, strict=True)):
            self.words[_UNDONE_FROM + cell] = tried
            self.words[_UNDONE_TO + cell] = self.words[_TRIED + cell]
            self.words[_TRIED + cell] += 1
            self.words[_COUNT + cell] = 0
            self.acknowledge(cell, state >> 3, state & 7)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.words.release()
        self._bytes.release()
        self._map.close()
