"""A small model of a source with a cache before it, and who reads and writes there, step by step.

A query and a look take two steps: one in which the database takes its snapshot, one in which the
answer comes back. At its end each read is held against what was acknowledged before it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.explorer import Steps, Violation
from vacancy.cache.query_cache import Limits, QueryCache
from vacancy.cache.scopes import SCOPE, one_look
from vacancy.db.changes import NOTHING, Changes
from vacancy.errors import Unavailable

TICK_S = 0.6
BOUND_S = 1.0
"""Two ticks are beyond it, one is beyond its half."""
TTL_S = 1_000.0

Make = Callable[..., QueryCache]


class World:
    """Two values that only grow, `k` and `x`; what was committed and what was acknowledged."""

    def __init__(
        self,
        steps: Steps,
        make: Make,
        *,
        feed: bool = True,
        instant: bool = False,
        max_entries: int = 10,
        ttl_s: float = TTL_S,
        failed: bool = False,
    ) -> None:
        """`failed`: the last look before the orders has failed."""
        self.steps = steps
        self.instant = instant
        self.committed = {"k": 0, "x": 0}
        self.acknowledged: list[tuple[float, int]] = [(0.0, 0)]
        """Of `k`: when, and which."""
        self.settled = 0
        """The newest of `k` that this process has committed and was told so."""
        self.answered_at: dict[tuple[str, int], float] = {}
        self.ttl_s = ttl_s
        self._failed = failed
        self._is_down = False
        self._seen: dict[str, int] | None = None
        self.cache = make(
            self if feed else None, limits=Limits(max_entries=max_entries), clock=lambda: steps.now
        )

    # The source.

    async def query(self, key: str) -> int:
        await self.steps.step(f"query {key}")
        value = self.committed[key]
        await self.steps.step(f"answer {key}")
        self.answered_at[key, value] = self.steps.now
        return value

    def _changes(self) -> Changes:
        seen, self._seen = self._seen, dict(self.committed)
        if seen is None:
            return Changes(everything="the first look")
        tags = frozenset(key for key in seen if seen[key] != self.committed[key])
        return Changes(tags) if tags else NOTHING

    def look_now(self) -> Changes | None:
        changes = self._changes()
        return None if changes is NOTHING else changes

    async def look(self) -> Changes:
        for label in ("look", "looked"):
            if self._is_down or not await self.steps.may_fail(label):
                self._seen = None
                raise Unavailable("DATABASE_DOWN", "It is down.")
            if label == "look":
                changes = self._changes()
        return changes

    async def close(self) -> None:
        pass

    # Who lives in it.

    async def _read(self, key: str, bound_s: float, oldest: int) -> int:
        began = self.steps.now
        value = await self.cache.with_cache(
            key, lambda: self.query(key), self.ttl_s, tags=[key], bound_s=bound_s
        )
        if key == "k" and value < oldest:
            raise Violation(f"read {value} when {oldest} was acknowledged before")
        if value > self.committed[key]:
            raise Violation(f"read {value}, which nobody has committed")
        if self.answered_at[key, value] + self.ttl_s <= began:
            raise Violation(f"read {value}, which had expired")
        return value

    async def read(self, key: str = "k") -> None:
        """One exact read."""
        await self.steps.step(f"read {key}")
        await self._read(key, 0.0, self.acknowledged[-1][1])

    async def read_bounded(self, times: int = 1) -> None:
        """Reads that may be as old as the bound, but not older than what this process wrote."""
        for _ in range(times):
            await self.steps.step("read bounded")
            longest = self.steps.now - BOUND_S
            known = max(version for when, version in self.acknowledged if when <= longest)
            await self._read("k", BOUND_S, max(known, self.settled))

    async def read_twice(self) -> None:
        """Two reads of one request: as fresh as the first, and never back."""
        await self.steps.step("read first")
        with one_look():
            oldest = self.acknowledged[-1][1]
            first = await self._read("k", 0.0, oldest)
            await self.steps.step("read again")
            second = await self._read("k", 0.0, max(oldest, self.settled))
            if second < first:
                raise Violation(f"read {second} after {first}")

    async def read_write_read(self) -> None:
        """A request that sees what it has itself committed."""
        await self.steps.step("read first")
        with one_look():
            await self._read("k", 0.0, self.acknowledged[-1][1])
            await self.write()
            await self.steps.step("read again")
            await self._read("k", 0.0, self.settled)

    async def go_on(self, *parts: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The rest of a request that has looked before the orders began."""
        with one_look():
            scope = SCOPE.get()
            assert scope is not None
            scope.looked.add(self.cache)
            for part in parts:
                await part()

    async def read_own(self) -> None:
        await self.steps.step("read own")
        await self._read("k", 0.0, self.settled)

    async def read_any(self) -> None:
        await self.steps.step("read any")
        await self._read("k", 0.0, 0)

    async def write(self, times: int = 1) -> None:
        """Commits of this process. Who committed is told after the cache has settled."""
        for _ in range(times):
            await self.steps.step("commit")
            version = self._commit()
            await self.cache.settle()
            self._acknowledge(version)
            self.settled = max(self.settled, version)

    async def write_elsewhere(self, times: int = 1) -> None:
        """Commits of another process, acknowledged there at once."""
        for _ in range(times):
            await self.steps.step("commit elsewhere")
            self._acknowledge(self._commit())

    async def change(self, times: int = 1) -> None:
        """Changes of a source that nobody watches, told by who makes them."""
        for _ in range(times):
            await self.steps.step("begin to change")
            with self.cache.changing("k"):
                await self.steps.step("commit")
                version = self._commit()
                await self.steps.step("committed")
            self._acknowledge(version)

    async def change_and_invalidate(self, times: int = 1) -> None:
        """The same without marks: committed, then told."""
        for _ in range(times):
            await self.steps.step("commit")
            version = self._commit()
            await self.steps.step("invalidate")
            self.cache.invalidate("k")
            self._acknowledge(version)

    def _commit(self) -> int:
        self.committed["k"] += 1
        return self.committed["k"]

    def _acknowledge(self, version: int) -> None:
        self.acknowledged.append((self.steps.now, max(version, self.acknowledged[-1][1])))

    def warm(self, *keys: str) -> World:
        """Stores these before the orders begin."""
        for key in keys:
            _run(self._read(key, BOUND_S, 0))
        if self._failed:
            self._is_down = True
            _run(self.cache.look())
            self._is_down = False
        return self


def _run(coro: Coroutine[Any, Any, object]) -> None:
    """To its end, where every gate stands open. A look runs in a task of its own."""
    loop: Any = asyncio.get_running_loop()
    task = loop.create_task(coro)
    loop.run_until_quiet()
    task.result()
