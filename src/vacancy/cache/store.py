"""The bounded map of a cache: entries by key, at most so many and so many bytes, found by tag too.

Which entry goes when it is full is the affair of the policy, a map of the library `cachetools`.
For one event loop; nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from cachetools import Cache, LRUCache

from vacancy.cache.s3fifo import S3FifoCache
from vacancy.cache.sizes import bytes_of_key
from vacancy.cache.tags import subtrees, touched_by

Key = Hashable

POLICIES: dict[str, Callable[[int], Cache[Any, Any]]] = {
    "lru": LRUCache,
    "s3fifo": S3FifoCache,
}
"""`lru` forgets what was asked for longest ago. `s3fifo` is not emptied by a scan through many
keys: new ones wait in a tenth of the places. Hit rates: docs/cache.md."""

ENTRY_BYTES = 300
"""What an entry costs beside its value, its key and its tags: itself, its places in the maps."""
TAG_BYTES = 400
"""What each tag of an entry costs beside its letters."""


class Entry:
    """A stored value. It is never changed; `alive` turns false when it leaves the store."""

    __slots__ = ("alive", "expires_at", "key", "name", "size_bytes", "tags", "value")

    def __init__(
        self,
        key: Key,
        value: Any,
        tags: tuple[str, ...],
        *,
        name: str,
        expires_at: float,
        value_bytes: int,
    ) -> None:
        self.key = key
        self.value = value
        self.tags = tags
        self.name = name
        self.expires_at = expires_at
        self.size_bytes = (
            ENTRY_BYTES
            + value_bytes
            + bytes_of_key(key)
            + sum(TAG_BYTES + len(tag) for tag in tags)
        )
        self.alive = True


class Store:
    """Entries by key and by tag. `evicted` is called with each one that went for want of space."""

    def __init__(
        self, max_entries: int, max_bytes: int, policy: str, evicted: Callable[[Entry], None]
    ) -> None:
        self._max_bytes = max_bytes
        self._evicted = evicted
        self._entries = _observed(POLICIES[policy], max_entries, self._forget_evicted)
        self._by_tag: dict[str, set[Entry]] = {}
        self.size_bytes = 0

    def find(self, key: Key) -> Entry | None:
        """The entry of a key, which counts as used."""
        try:
            return self._entries[key]
        except KeyError:
            return None

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> bool:
        """Stores it in place of what had its key; False when it is too large to be stored."""
        old = self._entries.pop(entry.key, None)
        if old is not None:
            self._forget(old)
        if entry.size_bytes > self._max_bytes or not self._entries.maxsize:
            entry.alive = False
            return False
        while self.size_bytes + entry.size_bytes > self._max_bytes:
            self._entries.popitem()
        self._entries[entry.key] = entry
        self.size_bytes += entry.size_bytes
        for tag in entry.tags:
            self._by_tag.setdefault(tag, set()).add(entry)
        return True

    def remove(self, entry: Entry) -> None:
        """Takes it out; nothing happens when it has left already."""
        if entry.alive:
            del self._entries[entry.key]
            self._forget(entry)

    def remove_touched(self, changes: Iterable[str]) -> list[tuple[str, Entry]]:
        """Takes out what depends on one of the changes; answers each with the tag that did it."""
        changes = tuple(changes)
        tags = touched_by(changes)
        beneath = subtrees(changes)
        if beneath:
            tags.update(known for known in self._by_tag if known.startswith(beneath))
        removed: list[tuple[str, Entry]] = []
        for tag in tags & self._by_tag.keys():
            for entry in list(self._by_tag.get(tag, ())):
                self.remove(entry)
                removed.append((tag, entry))
        return removed

    def clear(self) -> int:
        """Takes out everything; answers how many there were."""
        entries = self.entries()
        for entry in entries:
            entry.alive = False
        self._entries.clear()
        self._by_tag.clear()
        self.size_bytes = 0
        return len(entries)

    def entries(self) -> list[Entry]:
        """All of them; none counts as used."""
        return [Cache.__getitem__(self._entries, key) for key in self._entries]

    def _forget_evicted(self, entry: Entry) -> None:
        self._forget(entry)
        self._evicted(entry)

    def _forget(self, entry: Entry) -> None:
        entry.alive = False
        self.size_bytes -= entry.size_bytes
        for tag in entry.tags:
            entries = self._by_tag.get(tag)
            if entries is not None:
                entries.discard(entry)
                if not entries:
                    del self._by_tag[tag]


def _observed(
    policy: Callable[[int], Cache[Any, Any]], size: int, evicted: Callable[[Entry], None]
) -> Cache[Key, Entry]:
    """A map of the policy that tells whom it throws out: the library's own way of asking."""

    class Observed(policy):  # type: ignore[misc, valid-type]
        def popitem(self) -> tuple[Key, Entry]:
            key, entry = super().popitem()
            evicted(entry)
            return key, entry

    observed: Cache[Key, Entry] = Observed(size)
    return observed
