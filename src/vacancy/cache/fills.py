"""Queries that are under way to fill a cache, and what has changed since they began."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from vacancy.cache.store import Entry, Key
from vacancy.cache.tags import touched_by

_MOST_TAGS = 10_000
"""Beyond, all that is under way counts as superseded: memory stays bounded."""


class Fill:
    """One query under way. `began` is the number of the last change when it began."""

    __slots__ = ("_waiters", "began", "key")

    def __init__(self, key: Key, began: int) -> None:
        self.key = key
        self.began = began
        self._waiters: list[asyncio.Future[Entry | None]] = []

    def result(self) -> asyncio.Future[Entry | None]:
        """The entry that came of it; None when it failed or was superseded. Whoever asks has looked
        at the source before, and the fill is judged at its end: what it stores is good for him."""
        waiter: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    def tell(self, entry: Entry | None) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(entry)


class Fills:
    """All that are under way, one for each key."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Fill] = {}
        self._changes = 0
        self._all_changed = 0
        self._changed: dict[str, int] = {}
        """Tags that changed while something was under way, with the number of the change."""

    def under_way(self, key: Key) -> Fill | None:
        return self._by_key.get(key)

    def are_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._by_key

    def begin(self, key: Key) -> Fill:
        fill = self._by_key[key] = Fill(key, self._changes)
        return fill

    def end(self, fill: Fill, entry: Entry | None) -> None:
        """Tells those who wait for it."""
        del self._by_key[fill.key]
        if not self._by_key:
            self._changed.clear()
        fill.tell(entry)

    def supersede(self, changes: Iterable[str]) -> None:
        """Notes what has changed for those that are under way."""
        self._changes += 1
        if not self._by_key:
            return
        changes = tuple(changes)
        if any(change.endswith("/*") for change in changes):
            self._all_changed = self._changes  # seldom: not worth looking closer
        for tag in touched_by(changes):
            self._changed[tag] = self._changes
        if len(self._changed) > _MOST_TAGS:
            self.supersede_all()

    def supersede_all(self) -> None:
        """Whatever is under way is not to be stored."""
        self._changes += 1
        self._all_changed = self._changes
        self._changed.clear()

    def is_superseded(self, fill: Fill, tags: Iterable[str]) -> bool:
        """Whether one of the tags has changed since the fill began."""
        if self._all_changed > fill.began:
            return True
        changed = self._changed
        return any(changed.get(tag, 0) > fill.began for tag in tags)
