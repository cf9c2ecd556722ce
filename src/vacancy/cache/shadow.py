"""Holds one hit in so many against the source, beside the requests. The count of those that differ
must stay 0."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from vacancy.cache.scopes import bypassed
from vacancy.cache.store import Entry
from vacancy.errors import VacancyError

if TYPE_CHECKING:
    from vacancy.cache.query_cache import QueryCache

_log = logging.getLogger(__name__)


class Shadows:
    """Compares one hit in `every`; 0 compares none."""

    def __init__(self, cache: QueryCache, every: int) -> None:
        self._cache = cache
        self._every = every
        self._hits = 0
        self._under_way: set[asyncio.Task[None]] = set()

    def is_due(self) -> bool:
        """Counts a hit; whether it is one to compare."""
        if not self._every:
            return False
        self._hits += 1
        return self._hits % self._every == 0

    def compare(self, entry: Entry, query: Callable[[], Awaitable[Any]]) -> None:
        """Begins to ask the source what the hit has answered."""
        # Of its own context: no statement of the caller's, who may have few to run.
        comparing = self._compare(entry, query)
        task = asyncio.get_running_loop().create_task(comparing, context=Context())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _compare(self, entry: Entry, query: Callable[[], Awaitable[Any]]) -> None:
        """Where the entry has left the store by then it was told in time, and nothing is
        compared."""
        cache = self._cache
        stats = cache.counting.names[entry.name]
        try:
            with bypassed():
                value = await query()
            looked = await cache.look()
        except VacancyError:
            return
        if not looked or not cache.is_given(entry):
            return
        stats.shadow_checks += 1
        if value != entry.value:
            stats.shadow_mismatches += 1
            _log.error(
                "a cached answer of %s differs from the database's; it was thrown away. Please"
                " report this",
                entry.name,
            )
            cache.clear("a shadow check failed")

    async def close(self) -> None:
        """Ends the comparisons under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
