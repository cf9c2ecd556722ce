"""A cache before a source in memory, for tests of what it keeps and of how fresh that is."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.memory_source import Clock, MemorySource
from vacancy.cache.query_cache import Limits, QueryCache

TTL_S = 60.0


class World:
    """A cache before a source in memory."""

    def __init__(self, *, instant: bool = False, limits: Limits | None = None) -> None:
        self.clock = Clock()
        self.source = MemorySource(instant=instant)
        self.cache = QueryCache(self.source, limits=limits, clock=self.clock)

    async def read(self, key: str = "a", bound_s: float = 0.0, ttl_s: float = TTL_S) -> Any:
        return await self.cache.with_cache(
            key, lambda: self.source.query(key), ttl_s, tags=[key], bound_s=bound_s, name="read"
        )

    def begin(self, key: str = "a", bound_s: float = 0.0) -> asyncio.Task[Any]:
        return asyncio.create_task(self.read(key, bound_s))

    @property
    def queries(self) -> int:
        return self.source.queries


async def quiet() -> None:
    """Everything that can go on has gone on."""
    for _ in range(30):
        await asyncio.sleep(0)
