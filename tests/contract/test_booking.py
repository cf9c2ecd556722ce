"""Booking, holding, confirming and cancelling, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.hotels import FIRST_NIGHT, HandClock, a_hotel
from vacancy.errors import Conflict, Refusal
from vacancy.hotel.booking import booking_of
from vacancy.hotel.queries import check_room_availability, get_user_bookings_with_room_type


def test_a_booking_takes_its_nights_and_gives_them_back(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=2) as hotel:
            db = hotel.house.db
            booking = booking_of(await hotel.book(hotel.request(nights=3, rooms=2)))
            assert booking.status == "provisional"
            assert booking.total_minor == 2 * 3 * 9000
            assert [night.price_minor for night in booking.rooms[0].nights] == [9000] * 3

            check_out = FIRST_NIGHT + timedelta(days=3)
            left = await check_room_availability(db, "alpine", "double", FIRST_NIGHT, check_out)
            assert (left.available, left.sellable) == (0, False)
            after = await check_room_availability(
                db, "alpine", "double", check_out, check_out + timedelta(days=1)
            )
            assert after.available == 2

            refused = await hotel.book(hotel.request(nights=1))
            assert isinstance(refused.answer, Refusal)
            assert refused.answer.code == "INSUFFICIENT_INVENTORY"
            assert refused.answer.errors[0]["available"] == 0

            confirmed = booking_of(await hotel.change("confirm", booking.id))
            assert confirmed.status == "confirmed"
            cancelled = booking_of(await hotel.change("cancel", booking.id))
            assert cancelled.status == "cancelled"
            again = await hotel.change("cancel", booking.id)
            assert isinstance(again.answer, Refusal)
            assert again.answer.code == "TRANSITION_NOT_ALLOWED"
            left = await check_room_availability(db, "alpine", "double", FIRST_NIGHT, check_out)
            assert left.available == 2

            page = await get_user_bookings_with_room_type(db, hotel.guest.user_id)
            assert page.items == [cancelled]
            assert page.next is None

    asyncio.run(story())


def test_a_hold_ends_by_a_commit_and_gives_its_rooms_to_the_next(database_url: str) -> None:
    async def story() -> None:
        clock = HandClock()
        async with a_hotel(database_url, capacity=1, clock=clock) as hotel:
            held = booking_of(await hotel.book(hotel.request(hold_for=timedelta(minutes=15))))
            assert held.expires_at == clock.now + timedelta(minutes=15)
            clock.move(timedelta(minutes=15))
            late = await hotel.change("confirm", held.id)
            assert isinstance(late.answer, Refusal)
            assert late.answer.code == "TRANSITION_NOT_ALLOWED"
            assert booking_of(await hotel.book(hotel.request())).status == "provisional"

    asyncio.run(story())


def test_the_same_key_answers_the_same(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            request = hotel.request(key="k1")
            outcomes = await asyncio.gather(*(hotel.book(request) for _ in range(20)))
            assert len({outcome.document for outcome in outcomes}) == 1
            assert [outcome.replayed for outcome in outcomes].count(False) == 1
            other = await hotel.book(hotel.request(key="k1", body="another body"))
            assert isinstance(other.answer, Refusal)
            assert other.answer.code == "IDEMPOTENCY_KEY_REUSED"
            page = await get_user_bookings_with_room_type(hotel.house.db, hotel.guest.user_id)
            assert len(page.items) == 1

    asyncio.run(story())


def test_a_refusal_is_raised_as_its_error(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=1) as hotel:
            outcome = await hotel.book(hotel.request(rooms=2))
            with pytest.raises(Conflict, match="2 double wanted on 2027-01-01, 1 left"):
                booking_of(outcome)

    asyncio.run(story())
