"""Another process holds the lock: callers wait, are told in time, and what they were told holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fault.holder import holding
from tests.fault.promises import broken_promises, list_bookings, list_keys
from tests.hotels import HandClock, Hotel, a_hotel, join_hotel
from tests.runnable import Statement
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.db.connect import engine_of
from vacancy.db.database import Transaction
from vacancy.db.statement import NoRow
from vacancy.errors import HTTP_STATUS, Unavailable
from vacancy.hotel.booking import booking_of
from vacancy.hotel.model import Booking

QUEUE = 5
WAIT_S = 0.3


@asynccontextmanager
async def an_impatient_hotel(
    url: str, *, queue_requests: int = 4096, queue_wait_s: float = 10.0
) -> AsyncIterator[Hotel]:
    settings = Settings(
        database_url=url,
        env="test",
        # One batch after the other, also on PostgreSQL: who comes behind it waits in the queue.
        database_connections=1,
        queue_requests=queue_requests,
        queue_wait_s=queue_wait_s,
    )
    async with a_hotel(url, capacity=50) as hotel, open_house(settings, HandClock()) as house:
        yield join_hotel(house, hotel)


async def until_it_ran(hotel: Hotel, statement: str) -> None:
    """Returns in the very turn of the loop after the statement has run."""
    async with asyncio.timeout(30):
        while not hotel.house.db.trace.counts().get(statement):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0)


async def until_it_waits(hotel: Hotel) -> None:
    """Returns when the first booking has met the lock: on PostgreSQL it is in a batch by then."""
    if hotel.house.db.engine == "postgresql":
        await until_it_ran(hotel, "admission.list_catalogue")


def test_a_full_queue_refuses_at_once_and_forgets_nobody(database_url: str) -> None:
    async def story() -> None:
        async with an_impatient_hotel(database_url, queue_requests=QUEUE) as hotel:
            hotel.house.db.trace.reset()
            requests = [hotel.request(key=f"key {number}") for number in range(QUEUE + 3)]
            with holding(database_url):
                # On PostgreSQL the first waits inside its batch, on SQLite before it.
                tasks = [asyncio.create_task(hotel.book(requests[0]))]
                await until_it_waits(hotel)
                room = QUEUE if engine_of(database_url) == "postgresql" else QUEUE - 1
                tasks += [
                    asyncio.create_task(hotel.book(request)) for request in requests[1 : 1 + room]
                ]
                await asyncio.sleep(0)
                for request in requests[-2:]:
                    with pytest.raises(Unavailable, match="QUEUE_FULL") as caught:
                        await hotel.book(request)
                    assert f"the limit is {QUEUE}" in caught.value.detail
                    assert HTTP_STATUS[type(caught.value)] == 503
                assert not any(task.done() for task in tasks)
            outcomes = await asyncio.gather(*tasks)
            assert all(isinstance(outcome.answer, Booking) for outcome in outcomes)
            assert len(await list_bookings(hotel.house.db)) == 1 + room
            # Room again: those that were refused come back and are served.
            again = await asyncio.gather(*(hotel.book(request) for request in requests[-2:]))
            assert not any(outcome.replayed for outcome in again)
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_who_has_waited_too_long_is_told_and_never_executed(database_url: str) -> None:
    async def story() -> None:
        async with an_impatient_hotel(database_url, queue_wait_s=WAIT_S) as hotel:
            hotel.house.db.trace.reset()
            with holding(database_url):
                first = asyncio.create_task(hotel.book(hotel.request(key="first")))
                await until_it_waits(hotel)
                late = [
                    asyncio.create_task(hotel.book(hotel.request(key=f"late {number}")))
                    for number in range(5)
                ]
                answers = await asyncio.gather(*late, return_exceptions=True)
                for answer in answers:
                    assert isinstance(answer, Unavailable)
                    assert answer.code in ("DEADLINE_PASSED", "DATABASE_BUSY")
                assert any(
                    isinstance(answer, Unavailable) and answer.code == "DEADLINE_PASSED"
                    for answer in answers
                )
            (outcome,) = await asyncio.gather(first, return_exceptions=True)
            # On PostgreSQL the first was in its batch already, and is executed.
            executed = {"first"} if not isinstance(outcome, BaseException) else set()
            assert (executed == {"first"}) == (engine_of(database_url) == "postgresql")
            # The next booking comes after whatever was still queued: had a late one been
            # executed, it would be there now.
            booking_of(await hotel.book(hotel.request(key="next")))
            stored = {row.key for row in await list_keys(hotel.house.db)}
            assert stored == executed | {"next"}
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


TOUCH = Statement("test.touch", "UPDATE room_inventory SET held = held", row=NoRow)


async def touch(tx: Transaction) -> None:
    await tx.execute(TOUCH)


def test_a_foreign_writer_is_waited_for_in_vain_and_then_not(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Instead of the five seconds that a server waits.
    monkeypatch.setattr("vacancy.db.sqlite.database.BUSY_TIMEOUT_MS", 300)
    monkeypatch.setattr("vacancy.db.postgres.database.LOCK_TIMEOUT_MS", 300)

    async def story() -> None:
        async with an_impatient_hotel(database_url) as hotel:
            with holding(database_url):
                for number in range(2):
                    with pytest.raises(Unavailable, match="DATABASE_BUSY"):
                        await hotel.house.db.transact(touch)
                    with pytest.raises(Unavailable, match="DATABASE_BUSY"):
                        await hotel.book(hotel.request(key=f"busy {number}"))
            booking_of(await hotel.book(hotel.request(key="after")))
            assert [row.key for row in await list_keys(hotel.house.db)] == ["after"]
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_a_unit_gives_up_its_turn_and_the_next_gets_it(tmp_path: Path) -> None:
    """`wait_s` is over before the file is free: the turn that comes later must not be kept."""
    url = f"sqlite:///{tmp_path / 'vacancy.db'}"

    async def story() -> None:
        async with an_impatient_hotel(url) as hotel:
            with holding(url):
                for _ in range(3):
                    with pytest.raises(Unavailable, match="DATABASE_BUSY"):
                        await hotel.house.db.transact(touch, wait_s=0.05)
            for number in range(3):
                booking_of(await hotel.book(hotel.request(key=f"after {number}")))
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


@pytest.mark.parametrize("others", [0, 3])
def test_a_caller_that_gives_up_does_not_undo_the_commit(database_url: str, others: int) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            hotel.house.db.trace.reset()
            request = hotel.request(key="gives up")
            task = asyncio.create_task(hotel.book(request))
            more = [
                asyncio.create_task(hotel.book(hotel.request(key=f"stays {number}")))
                for number in range(others)
            ]
            # All is written then, and only the commit is still to come.
            await until_it_ran(hotel, "admission.insert_answers")
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            outcomes = await asyncio.gather(*more)
            assert all(isinstance(outcome.answer, Booking) for outcome in outcomes)
            again = await hotel.book(request)
            assert again.replayed and isinstance(again.answer, Booking)
            assert len(await list_bookings(hotel.house.db)) == 1 + others
            assert await broken_promises(hotel.house.db, every_booking_has_a_key=True) == []

    asyncio.run(story())


def test_a_house_that_closes_finishes_what_it_has_accepted(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=50) as hotel:
            settings = Settings(database_url=database_url, env="test")
            async with open_house(settings, HandClock()) as house:
                leaving = join_hotel(house, hotel)
                tasks = [
                    asyncio.create_task(leaving.book(leaving.request(key=f"key {number}")))
                    for number in range(20)
                ]
                await asyncio.sleep(0)
            assert all(isinstance(task.result().answer, Booking) for task in tasks)
            assert len(await list_bookings(hotel.house.db)) == 20

    asyncio.run(story())
