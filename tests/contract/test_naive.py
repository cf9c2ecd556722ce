"""The forms of the bench's other side answer what the helpers answer, on both databases, on a
longer way; and nothing but the bench lets them run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from benchmarks.million import add_payments, drop_added_indexes, find_user
from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from vacancy.bootstrap import open_database
from vacancy.config import Settings
from vacancy.db import gate
from vacancy.db.database import Database
from vacancy.db.gate import registered_statements
from vacancy.errors import Internal
from vacancy.hotel import naive, queries, wiring
from vacancy.hotel.admission.requests import CreateBooking, Outcome
from vacancy.hotel.generate.group import generate_group
from vacancy.hotel.generate.plan import GroupPlan, written_at
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.model import Booking
from vacancy.hotel.naive_availability import LIST_TAKEN
from vacancy.hotel.verify import verify_inventory

PLACE = "hotel-001"
NIGHT = date(2024, 6, 3)
WEEK = (NIGHT, NIGHT + timedelta(days=7))
YEAR = (date(2024, 1, 1), date(2025, 1, 1))
PLAN = GroupPlan(properties=2, bookings=600, seed=7, room_types=3)


@pytest.fixture
def _introduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one test: other tests ask for a contract of every statement that is registered."""
    monkeypatch.setattr(gate, "_registered", dict(gate._registered))
    naive.introduce()


@asynccontextmanager
async def a_group(url: str) -> AsyncIterator[Database]:
    await migrate_database(url)
    settings = Settings(database_url=url, env="test")
    async with open_database(settings, lambda: written_at(PLAN)) as db:
        await generate_group(db, PLAN)
        await add_payments(url)
        yield db


def as_json(answer: Any) -> bytes:
    return msgspec.json.encode(answer)


@pytest.mark.usefixtures("_introduced")
def test_they_answer_what_the_helpers_answer(database_url: str) -> None:
    async def story() -> None:
        async with a_group(database_url) as db:
            user_id = await find_user(db, 5)
            answers = (
                (
                    await naive.get_room_types_with_inventory(db, PLACE, NIGHT),
                    await queries.get_room_types_with_inventory(db, PLACE, NIGHT),
                ),
                (
                    await naive.get_all_room_availability(db, PLACE, *WEEK),
                    await queries.get_all_room_availability(db, PLACE, *WEEK),
                ),
                (
                    await naive.get_user_bookings_with_room_type(db, user_id, limit=4),
                    await queries.get_user_bookings_with_room_type(
                        db, user_id, limit=4, include_payments=True
                    ),
                ),
                (
                    await naive.get_report(db, PLACE, *YEAR),
                    (
                        await queries.get_booking_statistics(db, PLACE, *YEAR),
                        await queries.get_occupancy_rate(db, PLACE, *YEAR),
                    ),
                ),
            )
            for theirs, ours in answers:
                assert theirs == ours
                assert as_json(theirs) == as_json(ours)
            _, (kinds, _), (page, _), ((statistics, occupancy), _) = answers
            assert len(kinds) == 3
            assert any(kind.available > 0 for kind in kinds)
            assert page.next is not None
            assert any(item.payments for item in page.items)
            assert statistics.bookings > 50
            assert occupancy.rooms_sold > 50

    asyncio.run(story())


@pytest.mark.usefixtures("_introduced")
def test_nights_without_inventory_and_past_its_end(database_url: str) -> None:
    async def story() -> None:
        async with a_group(database_url) as db:
            last = date(2025, 12, 31)
            for first in (last - timedelta(days=3), last + timedelta(days=1)):
                stay = (first, first + timedelta(days=7))
                theirs = await naive.get_all_room_availability(db, PLACE, *stay)
                assert theirs == await queries.get_all_room_availability(db, PLACE, *stay)
                assert {kind.available for kind in theirs} == {0}
                assert await naive.get_room_types_with_inventory(
                    db, PLACE, stay[1]
                ) == await queries.get_room_types_with_inventory(db, PLACE, stay[1])

    asyncio.run(story())


@pytest.mark.usefixtures("_introduced")
def test_they_ask_once_for_each(database_url: str) -> None:
    """N+1 by the count of statements: 3 room types, 7 nights, 4 bookings."""

    async def story() -> None:
        async with a_group(database_url) as db:
            user_id = await find_user(db, 5)
            db.trace.reset()
            await naive.get_room_types_with_inventory(db, PLACE, NIGHT)
            await naive.get_all_room_availability(db, PLACE, *WEEK)
            await naive.get_user_bookings_with_room_type(db, user_id, limit=4)
            counts = db.trace.counts()
            rows = {name: stats.rows for name, stats in db.trace.statements.items()}
        assert counts["naive.list_inventory"] == 3
        assert rows["naive.list_inventory"] == 3 * 1_096
        assert counts["naive.list_taken"] == 3 * 7
        assert counts["naive.list_stays"] == 4
        assert counts["naive.get_room_type"] == 4
        assert counts["naive.list_payments"] == 4

    asyncio.run(story())


@pytest.mark.usefixtures("_introduced")
def test_they_answer_the_same_without_the_added_indexes(database_url: str) -> None:
    async def story() -> None:
        async with a_group(database_url) as db:
            user_id = await find_user(db, 5)
            with_indexes = await naive.get_user_bookings_with_room_type(db, user_id)
        await drop_added_indexes(database_url)
        settings = Settings(database_url=database_url, env="test")
        async with open_database(settings, lambda: written_at(PLAN)) as db:
            assert await naive.get_user_bookings_with_room_type(db, user_id) == with_indexes
            theirs = await naive.get_report(db, PLACE, *YEAR)
            assert theirs[1] == await queries.get_occupancy_rate(db, PLACE, *YEAR)

    asyncio.run(story())


@pytest.mark.usefixtures("_introduced")
def test_a_booking_is_the_one_that_admission_makes(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            request = hotel.request(nights=3, rooms=2, key="a")
            theirs = await _create(hotel, request)
            ours = await hotel.book(hotel.request(nights=3, rooms=2, key="b"))
            assert isinstance(theirs.answer, Booking)
            assert isinstance(ours.answer, Booking)
            assert msgspec.structs.replace(theirs.answer, id=ours.answer.id) == ours.answer
            again = await _create(hotel, request)
            assert (again.answer, again.replayed) == (theirs.answer, True)
            details = [
                await queries.get_booking_details(hotel.house.db, int(one.id), hotel.staff)
                for one in (theirs.answer, ours.answer)
            ]
            stories = [[(step.action, step.at) for step in one.history or ()] for one in details]
            assert stories[0] == stories[1] != []
            for asked in (
                hotel.request(nights=3, rooms=2),
                hotel.request(room_type="suite"),
                hotel.request(property_code="nowhere"),
                hotel.request(nights=200),
            ):
                assert (await _create(hotel, asked)).answer == (await hotel.book(asked)).answer
            report = await verify_inventory(hotel.house.db)
            assert (report.ok, report.bookings) == (True, 2)

    asyncio.run(story())


@pytest.mark.usefixtures("_introduced")
def test_many_at_once_sell_no_room_twice(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=5) as hotel:
            requests = [hotel.request(nights=3, key=str(number)) for number in range(20)]
            outcomes = await asyncio.gather(*(_create(hotel, request) for request in requests))
            assert sum(isinstance(one.answer, Booking) for one in outcomes) == 5
            left = await queries.check_room_availability(
                hotel.house.db, "alpine", "double", FIRST_NIGHT, FIRST_NIGHT + timedelta(days=3)
            )
            assert left.available == 0
            assert (await verify_inventory(hotel.house.db)).ok

    asyncio.run(story())


async def _create(hotel: Hotel, request: CreateBooking) -> Outcome:
    return await naive.create_booking(hotel.house.db, hotel.house.ids.next, request, wait_s=30)


def test_no_server_lets_them_run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring.introduce()
    assert not [one for one in registered_statements() if one.name.startswith("naive.")]

    async def story() -> None:
        async with a_group(database_url) as db:
            monkeypatch.setattr(LIST_TAKEN, "registered", False)  # whatever ran before this test
            with pytest.raises(Internal, match="list_taken"):
                await naive.get_all_room_availability(db, PLACE, *WEEK)

    asyncio.run(story())
