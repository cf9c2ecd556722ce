"""Two hundred clients and one room left: exactly one gets it, wherever the clients run."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import FIRST_NIGHT, HandClock, Hotel, a_hotel, join_hotel
from tests.race.booker import Answered, Job
from tests.race.processes import bookers
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.errors import Refusal
from vacancy.hotel.admission.requests import Outcome

CLIENTS = 200
THREADS = 8
PROCESSES = 4


def answered(key: str, outcome: Outcome) -> Answered:
    answer = outcome.answer
    if isinstance(answer, Refusal):
        return Answered(key, "create", "", answer.code, outcome.replayed)
    return Answered(key, "create", answer.id, answer.status, outcome.replayed)


async def book_all(hotel: Hotel, keys: list[str]) -> list[Answered]:
    outcomes = await asyncio.gather(*(hotel.book(hotel.request(key=key)) for key in keys))
    return [answered(key, outcome) for key, outcome in zip(keys, outcomes, strict=True)]


def in_threads(hotel: Hotel, url: str, keys: list[str]) -> list[Answered]:
    """Each thread has an event loop and a house of its own, as a worker has."""
    line = threading.Barrier(THREADS, timeout=60)

    async def one_thread(share: list[str]) -> list[Answered]:
        async with open_house(Settings(database_url=url, env="test"), HandClock()) as house:
            await asyncio.to_thread(line.wait)
            answers = await book_all(join_hotel(house, hotel), share)
            # What was decided under lock could be written: no constraint had to step in.
            failed = {name for name, stats in house.db.trace.statements.items() if stats.errors}
            assert failed == set()
            return answers

    with ThreadPoolExecutor(THREADS) as pool:
        shares = [keys[number::THREADS] for number in range(THREADS)]
        results = list(pool.map(lambda share: asyncio.run(one_thread(share)), shares))
    return [each for result in results for each in result]


def in_processes(hotel: Hotel, url: str, keys: list[str]) -> list[Answered]:
    jobs = [
        Job(
            url=url,
            staff_id=hotel.staff.user_id,
            guest_id=hotel.guest.user_id,
            kind="rush",
            keys=tuple(keys[number::PROCESSES]),
        )
        for number in range(PROCESSES)
    ]
    with bookers(jobs) as running:
        for booker in running:
            booker.go()
        return [each for booker in running for each in booker.answers()]


async def run(race: str, hotel: Hotel, url: str, keys: list[str]) -> list[Answered]:
    if race == "tasks":
        return await book_all(hotel, keys)
    return await asyncio.to_thread(
        in_threads if race == "threads" else in_processes, hotel, url, keys
    )


@pytest.mark.parametrize("race", ["tasks", "threads", "processes"])
def test_two_hundred_clients_and_one_room(database_url: str, race: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=1) as hotel:
            keys = [f"client {number}" for number in range(CLIENTS)]
            answers = await run(race, hotel, database_url, keys)

            assert sorted(answer.key for answer in answers) == sorted(keys)
            winners = [answer for answer in answers if answer.booking]
            assert len(winners) == 1
            losers = {answer.status for answer in answers if not answer.booking}
            assert losers == {"INSUFFICIENT_INVENTORY"}
            assert not any(answer.replayed for answer in answers)
            booked = await list_bookings(hotel.house.db)
            assert [str(booking.id) for booking in booked] == [winners[0].booking]
            problems = await broken_promises(hotel.house.db, every_booking_has_a_key=True)
            assert problems == []

    asyncio.run(story())


@pytest.mark.parametrize("race", ["tasks", "threads", "processes"])
def test_the_same_key_from_everywhere_is_one_booking(database_url: str, race: str) -> None:
    async def story() -> None:
        # There is room for all of them: only the key stands between them and 200 bookings.
        async with a_hotel(database_url, capacity=CLIENTS) as hotel:
            answers = await run(race, hotel, database_url, ["double click"] * CLIENTS)

            assert len(answers) == CLIENTS
            assert len({answer.booking for answer in answers}) == 1
            assert answers[0].booking
            assert [answer.replayed for answer in answers].count(False) == 1
            assert len(await list_bookings(hotel.house.db)) == 1
            problems = await broken_promises(hotel.house.db, every_booking_has_a_key=True)
            assert problems == []

    asyncio.run(story())


@pytest.mark.parametrize("race", ["tasks", "threads", "processes"])
def test_two_keys_for_one_room_each_keep_their_own_answer(database_url: str, race: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=1) as hotel:
            answers = await run(race, hotel, database_url, ["ada", "eve"] * (CLIENTS // 2))

            by_key = {
                key: {(each.booking, each.status) for each in answers if each.key == key}
                for key in ("ada", "eve")
            }
            assert [len(seen) for seen in by_key.values()] == [1, 1]
            statuses = sorted(status for seen in by_key.values() for _, status in seen)
            assert statuses == ["INSUFFICIENT_INVENTORY", "provisional"]
            assert [answer.replayed for answer in answers].count(False) == 2
            assert len(await list_bookings(hotel.house.db)) == 1
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


def test_a_key_is_one_booking_also_when_its_requests_ask_for_other_nights(
    database_url: str,
) -> None:
    """Other nights and so other locks: nothing but the key itself brings them together."""

    async def story() -> None:
        async with a_hotel(database_url, capacity=CLIENTS) as hotel, AsyncExitStack() as stack:
            settings = Settings(database_url=database_url, env="test")
            hotels = [
                join_hotel(
                    await stack.enter_async_context(open_house(settings, HandClock())), hotel
                )
                for _ in range(4)
            ]
            for number in range(10):
                key = f"key {number}"
                outcomes = await asyncio.gather(
                    *(
                        each.book(
                            each.request(
                                FIRST_NIGHT + timedelta(days=20 * place + number),
                                key=key,
                                body=f"body {place}",
                            )
                        )
                        for place, each in enumerate(hotels)
                    )
                )
                codes = [
                    each.answer.code if isinstance(each.answer, Refusal) else "booked"
                    for each in outcomes
                ]
                assert sorted(codes) == ["IDEMPOTENCY_KEY_REUSED"] * 3 + ["booked"]
            assert len(await list_bookings(hotel.house.db)) == 10
            problems = await broken_promises(hotel.house.db, every_booking_has_a_key=True)
            assert problems == []

    asyncio.run(story())
