"""Confirm, cancel and expire of one booking at the same moment: one wins, the others are told."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import NOON, HandClock, Hotel, a_hotel, join_hotel
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.errors import Refusal
from vacancy.hotel.booking import booking_of
from vacancy.hotel.model import Verb

THREADS = 4
BOOKINGS = 20
HOLD = timedelta(minutes=15)


Answers = list[tuple[Verb, str]]
"""A verb and the booking's new status, or the refusal's code."""


def race_verbs(
    hotel: Hotel,
    url: str,
    booking_ids: list[str],
    runners: list[tuple[Verb, timedelta]],
    times: int = 1,
) -> list[Answers]:
    """Every runner is a thread with a house of its own, whose clock is ahead by so much. For one
    booking after the other all begin together, each sends its verb so many times; the answers
    stand booking by booking."""
    line = threading.Barrier(len(runners), timeout=60)

    async def one_thread(verb: Verb, ahead: timedelta) -> list[Answers]:
        settings = Settings(database_url=url, env="test")
        async with open_house(settings, HandClock(NOON + ahead)) as house:
            mine = join_hotel(house, hotel)
            answers: list[Answers] = []
            for booking_id in booking_ids:
                line.wait()
                outcomes = await asyncio.gather(
                    *(mine.change(verb, booking_id) for _ in range(times))
                )
                found = [outcome.answer for outcome in outcomes]
                answers.append(
                    [
                        (verb, answer.code if isinstance(answer, Refusal) else answer.status)
                        for answer in found
                    ]
                )
            return answers

    with ThreadPoolExecutor(len(runners)) as pool:
        results = list(pool.map(lambda runner: asyncio.run(one_thread(*runner)), runners))
    return [
        [answer for result in results for answer in result[number]]
        for number in range(len(booking_ids))
    ]


@pytest.mark.parametrize(("verb", "status"), [("confirm", "confirmed"), ("cancel", "cancelled")])
def test_a_verb_wins_once(database_url: str, verb: Verb, status: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=BOOKINGS) as hotel:
            ids = [
                booking_of(await hotel.book(hotel.request(nights=3, hold_for=HOLD))).id
                for _ in range(BOOKINGS)
            ]
            runners: list[tuple[Verb, timedelta]] = [(verb, timedelta())] * THREADS
            answers = await asyncio.to_thread(race_verbs, hotel, database_url, ids, runners)
            for of_one in answers:
                seen = Counter(code for _, code in of_one)
                assert seen == {status: 1, "TRANSITION_NOT_ALLOWED": THREADS - 1}
            assert {row.status for row in await list_bookings(hotel.house.db)} == {status}
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


def test_confirm_cancel_and_expire_at_the_edge_of_a_hold(database_url: str) -> None:
    """Two clocks that differ, as those of two servers do: for one the hold is over."""

    async def story() -> None:
        async with a_hotel(database_url, capacity=2, nights=40) as hotel:
            for round_number in range(4):
                request = hotel.request(nights=3, hold_for=HOLD, rooms=2)
                booking = booking_of(await hotel.book(request))
                early, late = HOLD - timedelta(microseconds=1), HOLD
                runners: list[tuple[Verb, timedelta]] = [
                    ("confirm", early), ("cancel", early), ("expire", late), ("confirm", late),
                ]  # fmt: skip
                (answers,) = await asyncio.to_thread(
                    race_verbs, hotel, database_url, [booking.id], runners, 5
                )
                won = sorted({code for _, code in answers if code.islower()})
                counts = Counter(code for _, code in answers)
                assert all(counts[status] == 1 for status in won), (round_number, counts)
                (status,) = [
                    row.status
                    for row in await list_bookings(hotel.house.db)
                    if str(row.id) == booking.id
                ]
                # A confirmed booking may be cancelled after; nothing else follows anything. A
                # hold that a batch of the late clock met first is expired without being asked.
                stories = {
                    (): "expired",
                    ("expired",): "expired",
                    ("cancelled",): "cancelled",
                    ("confirmed",): "confirmed",
                    ("cancelled", "confirmed"): "cancelled",
                }
                assert status == stories[tuple(won)]
                refused = {code for _, code in answers if not code.islower()}
                assert refused <= {"TRANSITION_NOT_ALLOWED", "HOLD_EXPIRED", "HOLD_NOT_DUE"}
                assert await broken_promises(hotel.house.db) == []
                if status == "confirmed":
                    booking_of(await hotel.change("cancel", booking.id))

    asyncio.run(story())


def test_the_rooms_of_an_expired_hold_are_given_away_once(database_url: str) -> None:
    """Several houses find the same hold due at the same moment and all want its rooms."""

    async def story() -> None:
        async with a_hotel(database_url, capacity=1) as hotel:
            booking_of(await hotel.book(hotel.request(nights=3, hold_for=HOLD)))
            line = threading.Barrier(THREADS, timeout=60)

            async def one_thread() -> list[str]:
                settings = Settings(database_url=database_url, env="test")
                async with open_house(settings, HandClock(NOON + HOLD)) as house:
                    mine = join_hotel(house, hotel)
                    await asyncio.to_thread(line.wait)
                    outcomes = await asyncio.gather(
                        *(mine.book(mine.request(nights=3)) for _ in range(10))
                    )
                    return [
                        each.answer.code if isinstance(each.answer, Refusal) else "booked"
                        for each in outcomes
                    ]

            def race() -> list[str]:
                with ThreadPoolExecutor(THREADS) as pool:
                    threads = [pool.submit(asyncio.run, one_thread()) for _ in range(THREADS)]
                    return [code for thread in threads for code in thread.result()]

            seen = Counter(await asyncio.to_thread(race))
            assert seen == {"booked": 1, "INSUFFICIENT_INVENTORY": THREADS * 10 - 1}
            statuses = sorted(row.status for row in await list_bookings(hotel.house.db))
            assert statuses == ["expired", "provisional"]
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())
