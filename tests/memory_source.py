"""A source of values in memory with a feed of its changes: ten lines in the place of a database,
where a test of the cache must say what happens when."""

from __future__ import annotations

import asyncio
from typing import Any

from vacancy.db.changes import NOTHING, Changes
from vacancy.errors import Unavailable


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemorySource:
    """Values by key, and a feed that tells the tags of what was written since it was asked last.

    `reading` and `looking` hold up what is under way: clear one, and set it to let go.
    """

    def __init__(self, *, instant: bool = False) -> None:
        self.instant = instant
        self.values: dict[Any, Any] = {}
        self.queries = 0
        self.looks = 0
        self.down = False
        self.fault: Exception | None = None
        """What a look raises that is no error of ours."""
        self.closed = False
        self.reading = asyncio.Event()
        self.looking = asyncio.Event()
        self.reading.set()
        self.looking.set()
        self._tags: set[str] = set()
        self._everything = ""

    def write(self, key: Any, value: Any, *tags: str) -> None:
        """Commits a value; the tags are the key's own text unless given."""
        self.values[key] = value
        self._tags.update(tags or (str(key),))

    def write_everything(self, why: str) -> None:
        self._everything = why

    async def query(self, key: Any) -> Any:
        """Its snapshot is taken at once; the answer comes when `reading` is set."""
        self.queries += 1
        value = self.values.get(key)
        await self.reading.wait()
        return value

    def look_now(self) -> Changes | None:
        self.looks += 1
        if self.fault is not None:
            self._everything = "the first look after one that failed"
            raise self.fault
        if self.down:
            self._everything = "the first look after one that failed"
            raise Unavailable("DATABASE_DOWN", "It is down.")
        if not self._tags and not self._everything:
            return None
        changes = Changes(frozenset(self._tags), self._everything)
        self._tags.clear()
        self._everything = ""
        return changes

    async def look(self) -> Changes:
        """Its snapshot is taken at once too."""
        changes = self.look_now() or NOTHING
        await self.looking.wait()
        return changes

    async def close(self) -> None:
        self.closed = True
