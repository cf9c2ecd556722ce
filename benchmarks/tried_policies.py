"""Policies that were measured beside those of the store and not taken: see `cache_policies.py`."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Any

from cachetools import Cache

PROTECTED_SHARE = 0.8


class SegmentedCache(Cache[Any, Any]):
    """What was asked for twice is kept apart from what came once (Karedla, Love and Wherry,
    "Caching strategies to improve disk system performance", 1994)."""

    def __init__(self, maxsize: float) -> None:
        super().__init__(maxsize)
        self._protected_most = max(1, int(maxsize * PROTECTED_SHARE))
        self._probation: OrderedDict[Any, None] = OrderedDict()
        self._protected: OrderedDict[Any, None] = OrderedDict()

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        if key in self._protected:
            self._protected.move_to_end(key)
        else:
            del self._probation[key]
            self._protected[key] = None
            if len(self._protected) > self._protected_most:
                self._probation[self._protected.popitem(last=False)[0]] = None
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if key not in self._protected:
            self._probation[key] = None
            self._probation.move_to_end(key)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        if key in self._protected:
            del self._protected[key]
        else:
            del self._probation[key]

    def popitem(self) -> tuple[Any, Any]:
        """Takes out the key that has been on probation for longest."""
        segment = self._probation or self._protected
        try:
            key = next(iter(segment))
        except StopIteration:
            raise KeyError("the cache is empty") from None
        value = Cache.__getitem__(self, key)
        del self[key]
        return key, value


class TinyLfuCache(Cache[Any, Any]):
    """Who comes in must have been asked for more often of late than who would have to go (Einziger,
    Friedman and Manes, "TinyLFU", 2017): a small window of news before a segmented LRU. Counts are
    exact here, where the original estimates them."""

    def __init__(self, maxsize: float) -> None:
        super().__init__(maxsize)
        self._window_most = max(1, int(maxsize) // 100)
        self._window: OrderedDict[Any, None] = OrderedDict()
        self._main = SegmentedCache(maxsize)
        self._asked: Counter[Any] = Counter()
        self._recent: deque[Any] = deque()

    def _ask(self, key: Any) -> None:
        self._asked[key] += 1
        self._recent.append(key)
        if len(self._recent) > 10 * self.maxsize:
            old = self._recent.popleft()
            self._asked[old] -= 1
            if not self._asked[old]:
                del self._asked[old]

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self._ask(key)
        if key in self._window:
            self._window.move_to_end(key)
        else:
            self._main[key]
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        is_new = key not in self
        super().__setitem__(key, value)
        if is_new:
            self._ask(key)
            self._window[key] = None
            if len(self._window) > self._window_most:
                self._main[self._window.popitem(last=False)[0]] = None

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        if key in self._window:
            del self._window[key]
        else:
            del self._main[key]

    def popitem(self) -> tuple[Any, Any]:
        """Takes out the oldest of the window or of the main part, whichever is asked for less."""
        key = next(iter(self._window), None)
        if len(self._main):
            oldest = next(iter(self._main._probation or self._main._protected))
            if key is None or len(self._window) < self._window_most:
                key = oldest
            elif self._asked[key] > self._asked[oldest]:
                del self._window[key]
                self._main[key] = None
                key = oldest
        elif key is None:
            raise KeyError("the cache is empty")
        value = Cache.__getitem__(self, key)
        del self[key]
        return key, value
