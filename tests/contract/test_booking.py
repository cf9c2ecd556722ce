"""Booking, holding, confirming and cancelling, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, HandClock, a_hotel
from vacancy.db.database import Database
from vacancy.errors import Conflict, Refusal
from vacancy.hotel.admission.requests import Idempotency
from vacancy.hotel.booking import booking_of, change_status
from vacancy.hotel.model import Actor, Role
from vacancy.hotel.queries import (
    check_room_availability,
    get_booking_details,
    get_user_bookings_with_room_type,
)
from vacancy.hotel.sweep import Sweep
from vacancy.hotel.verify import require_clean, verify_inventory


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
            assert msgspec.json.encode(page.items) == msgspec.json.encode([cancelled])
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


def test_a_key_of_one_property_opens_no_other(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            roles: tuple[Role, ...] = ("staff", "guest")
            for role in roles:
                bound = Actor(hotel.staff.user_id, role, property_id=7)
                refused = await hotel.book(hotel.request(actor=bound))
                assert isinstance(refused.answer, Refusal)
                assert refused.answer.code == "PROPERTY_NOT_YOURS"

    asyncio.run(story())


def test_a_key_does_not_tell_whether_another_guests_booking_exists(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            house = hotel.house
            theirs = booking_of(await hotel.book(hotel.request()))
            for number, booking_id in enumerate((int(theirs.id), 12345)):
                key = Idempotency(f"key-{number}", "cancel theirs")
                unknown = await change_status(
                    house.admission, "cancel", booking_id, "alpine", hotel.other, key
                )
                assert isinstance(unknown.answer, Refusal)
                assert unknown.answer.code == "BOOKING_UNKNOWN"
                mine = booking_of(
                    await hotel.book(
                        hotel.request(actor=hotel.other, key=f"key-{number}", body="book mine")
                    )
                )
                assert mine.status == "provisional"

    asyncio.run(story())


def test_a_sweep_ends_every_due_hold_and_goes_on_after_a_failure(database_url: str) -> None:
    class Flaky:
        """The hotel's own database, of which the first question fails in a way nobody expects."""

        def __init__(self, db: Database) -> None:
            self._db = db
            self.failed = False

        def __getattr__(self, name: str) -> object:
            if name == "fetch_all" and not self.failed:
                self.failed = True
                raise RuntimeError("not an error of ours")
            return getattr(self._db, name)

    async def live_holds(db: Database) -> bool:
        left = await check_room_availability(
            db, "alpine", "double", FIRST_NIGHT, FIRST_NIGHT + timedelta(days=1)
        )
        return left.available < 3

    async def story() -> None:
        clock = HandClock()
        async with a_hotel(database_url, capacity=3, clock=clock) as hotel:
            house = hotel.house
            for _ in range(3):
                booking_of(await hotel.book(hotel.request(hold_for=timedelta(minutes=1))))
            clock.move(timedelta(minutes=1))
            flaky = cast(Database, Flaky(house.db))
            sweep = asyncio.create_task(Sweep(flaky, house.admission, keep_h=24).run())
            async with asyncio.timeout(20):
                while await live_holds(house.db):  # noqa: ASYNC110 - another task works on it
                    await asyncio.sleep(0.02)
            sweep.cancel()
            await asyncio.gather(sweep, return_exceptions=True)
            require_clean(await verify_inventory(house.db))

    asyncio.run(story())


def test_a_batch_ends_the_due_holds_in_its_way_and_leaves_the_others(database_url: str) -> None:
    async def story() -> None:
        clock = HandClock()
        async with a_hotel(database_url, capacity=1, clock=clock) as hotel:
            minute = timedelta(minutes=1)
            later = FIRST_NIGHT + timedelta(days=9)
            here = booking_of(await hotel.book(hotel.request(hold_for=minute)))
            there = booking_of(await hotel.book(hotel.request(later, hold_for=minute)))
            clock.move(minute)
            assert booking_of(await hotel.book(hotel.request())).status == "provisional"
            db = hotel.house.db
            for hold, status in ((here, "expired"), (there, "provisional")):
                found = await get_booking_details(db, int(hold.id), hotel.staff)
                assert found.status == status

    asyncio.run(story())
