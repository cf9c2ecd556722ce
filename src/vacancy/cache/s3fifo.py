"""A map that a scan cannot empty: what came once goes soon, what was asked for again stays.

S3-FIFO of Yang, Zhang, Qiu, Yue and Vigfusson ("FIFO queues are all you need for cache eviction",
2023). A tenth of the places is for what is new. What was asked for there moves on to the rest, in
which it goes round as long as it is asked for. The others leave, and only their marks are kept for
a while: what comes back before its mark is gone is not new. Hits move nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from cachetools import Cache

_NEW_SHARE = 0.1
_MOST_ASKED = 3
"""More does not count: what was asked for often, long ago, must go at last."""


class S3FifoCache(Cache[Any, Any]):
    """At most `maxsize` values, and as many marks of those that have left."""

    def __init__(self, maxsize: float) -> None:
        super().__init__(maxsize)
        self._new_most = max(1, int(maxsize * _NEW_SHARE))
        self._new: OrderedDict[Any, None] = OrderedDict()
        self._known: OrderedDict[Any, None] = OrderedDict()
        self._left: OrderedDict[int, None] = OrderedDict()
        """Hashes: a key may be long. Two that are alike do no harm."""
        self._asked: dict[Any, int] = {}
        """How often each was asked for since it took its place."""

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        asked = self._asked
        if asked[key] < _MOST_ASKED:
            asked[key] += 1
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if key not in self._asked:
            self._asked[key] = 0
            mark = hash(key)
            if mark in self._left:
                del self._left[mark]
                self._known[key] = None
            else:
                self._new[key] = None

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        del self._asked[key]
        if key in self._known:
            del self._known[key]
        else:
            del self._new[key]

    def popitem(self) -> tuple[Any, Any]:
        """Takes out what nobody has asked for, as far as that can be."""
        new, known = self._new, self._known
        while new or known:
            if len(new) >= self._new_most or not known:
                key = next(iter(new))
                if self._asked[key] <= 1:
                    self._mark(key)
                    return self._take(key)
                del new[key]
                known[key] = None
                self._asked[key] = 0
            else:
                key = next(iter(known))
                if not self._asked[key]:
                    return self._take(key)
                self._asked[key] -= 1
                known.move_to_end(key)
        raise KeyError("the cache is empty")

    def _mark(self, key: Any) -> None:
        self._left[hash(key)] = None
        if len(self._left) > self.maxsize:
            self._left.popitem(last=False)

    def _take(self, key: Any) -> tuple[Any, Any]:
        value = Cache.__getitem__(self, key)
        del self[key]
        return key, value

    def clear(self) -> None:
        super().clear()
        for part in (self._new, self._known, self._left, self._asked):
            part.clear()
