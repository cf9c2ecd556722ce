"""Looks are made one at a time and answer for those alone who asked before they began."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

from tests.memory_source import Clock
from vacancy.cache.looks import REST_S, Looks
from vacancy.errors import Unavailable

ASKING: ContextVar[str] = ContextVar("asking", default="nobody")


class Looked:
    """Looks that end when a test says so, each as it says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.under_way: list[asyncio.Future[None]] = []
        self.began = 0
        self.asking: list[str] = []
        self.looks = Looks(self._look, self.clock)

    async def _look(self) -> None:
        assert not self.under_way, "one at a time"
        self.began += 1
        self.asking.append(ASKING.get())
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.under_way.append(end)
        try:
            await end
        finally:
            self.under_way.remove(end)

    async def end(self, error: Exception | None = None) -> None:
        (end,) = self.under_way
        if error is None:
            end.set_result(None)
        else:
            end.set_exception(error)
        await quiet()


async def quiet() -> None:
    """Everything that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_who_asks_before_it_begins_shares_it_and_who_asks_later_shares_the_next() -> None:
    async def story() -> None:
        looked = Looked()
        early = [asyncio.create_task(looked.looks.after_now()) for _ in range(3)]
        await quiet()
        assert looked.began == 1
        late = [asyncio.create_task(looked.looks.after_now()) for _ in range(3)]
        await quiet()
        assert looked.began == 1
        await looked.end()
        assert [task.result() for task in early] == [True] * 3
        assert not any(task.done() for task in late)
        assert looked.began == 2
        await looked.end()
        assert [task.result() for task in late] == [True] * 3
        assert looked.began == 2

    asyncio.run(story())


def test_it_counts_from_when_it_was_sent() -> None:
    async def story() -> None:
        looked = Looked()
        assert looked.looks.sent_at == float("-inf")
        task = asyncio.create_task(looked.looks.after_now())
        await quiet()
        sent_at = looked.clock.now
        looked.clock.now += 5
        await looked.end()
        assert await task and looked.looks.sent_at == sent_at

    asyncio.run(story())


def test_after_a_failure_nobody_waits_for_a_while_and_one_is_tried_beside_them() -> None:
    async def story() -> None:
        looked = Looked()
        task = asyncio.create_task(looked.looks.after_now())
        await quiet()
        await looked.end(Unavailable("DATABASE_DOWN", "It is down."))
        assert await task is False and looked.looks.sent_at == float("-inf")

        looked.clock.now += REST_S / 2
        for _ in range(3):
            assert await looked.looks.after_now() is False
        await quiet()
        assert looked.began == 2, "one, for all of them"

        looked.clock.now += REST_S / 2
        waiting = asyncio.create_task(looked.looks.after_now())
        await quiet()
        assert not waiting.done(), "the rest is over"
        await looked.end()
        await looked.end()
        assert await waiting and looked.began == 3

    asyncio.run(story())


def test_the_first_good_one_ends_the_rest() -> None:
    async def story() -> None:
        looked = Looked()
        first = asyncio.create_task(looked.looks.after_now())
        await quiet()
        await looked.end(Unavailable("DATABASE_DOWN", "It is down."))
        assert not await first
        assert not await looked.looks.after_now()
        await quiet()
        await looked.end()
        second = asyncio.create_task(looked.looks.after_now())
        await quiet()
        assert not second.done()
        await looked.end()
        assert await second

    asyncio.run(story())


def test_what_is_no_error_of_ours_is_a_look_that_failed() -> None:
    """No read may fail for want of a look: the cache logs it and asks the source."""

    async def story() -> None:
        looked = Looked()
        task = asyncio.create_task(looked.looks.after_now())
        await quiet()
        await looked.end(ZeroDivisionError())
        assert await task is False
        assert looked.looks.sent_at == float("-inf")

    asyncio.run(story())


def test_who_gives_up_takes_it_from_nobody() -> None:
    async def story() -> None:
        looked = Looked()
        gone = asyncio.create_task(looked.looks.after_now())
        stays = asyncio.create_task(looked.looks.after_now())
        await quiet()
        gone.cancel()
        await quiet()
        await looked.end()
        assert gone.cancelled() and await stays

    asyncio.run(story())


def test_it_belongs_to_nobodys_request() -> None:
    async def story() -> None:
        looked = Looked()
        ASKING.set("somebody")
        looked.looks.begin()
        await quiet()
        await looked.end()
        assert looked.asking == ["nobody"]

    asyncio.run(story())


def test_finish_waits_for_all_of_them() -> None:
    async def story() -> None:
        looked = Looked()
        looked.looks.begin()
        await quiet()
        looked.looks.begin()
        finishing = asyncio.create_task(looked.looks.finish())
        await quiet()
        await looked.end()
        assert not finishing.done()
        await looked.end()
        await finishing
        assert looked.began == 2

    asyncio.run(story())
