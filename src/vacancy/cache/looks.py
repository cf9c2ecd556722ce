"""Looks at the source where a look takes a while: one at a time, shared by those who ask.

A look answers for everybody who asked before it began. Who asks while one is under way must not be
answered by it, for it may have read its snapshot already: all of those share the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context

REST_S = 0.5
"""After a look has failed nobody waits for another one so long; one is tried beside them."""


class Looks:
    """Calls `look` for those who wait. `sent_at` is when the last good one was sent."""

    def __init__(self, look: Callable[[], Awaitable[None]], clock: Callable[[], float]) -> None:
        self._look = look
        self._clock = clock
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed_at = float("-inf")
        self.sent_at = float("-inf")

    async def after_now(self) -> bool:
        """Waits for a look that began after this call; False when it failed, or when the last one
        has failed just now."""
        looking = self.begin()
        if self._clock() - self._failed_at < REST_S:
            return False
        try:
            await asyncio.shield(looking)
        except Exception:  # noqa: BLE001 - whatever it was, the one who looks has told of it
            return False
        return True

    def begin(self) -> asyncio.Task[None]:
        """Begins one, or joins the one that has not begun."""
        if self._next is None:
            # Of its own context: it is nobody's request that pays for it.
            self._next = asyncio.get_running_loop().create_task(self._run(), context=Context())
            self._tasks.add(self._next)
            self._next.add_done_callback(self._end)
        return self._next

    async def finish(self) -> None:
        """Waits until no look is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self) -> None:
        async with self._turn:
            self._next = None
            sent_at = self._clock()
            try:
                await self._look()
            except BaseException:
                self._failed_at = self._clock()
                self.sent_at = float("-inf")
                raise
            self._failed_at = float("-inf")
            self.sent_at = sent_at

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # A failure that nobody waited for is not worth a warning: the next look will tell.
        if not task.cancelled():
            task.exception()
