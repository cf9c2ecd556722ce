"""The careless forms answer what the helpers answer, only on a longer way."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import msgspec

from tests.fault.promises import broken_promises
from tests.hotels import a_hotel
from vacancy.bootstrap import open_house
from vacancy.config import Settings
from vacancy.hotel import naive, queries
from vacancy.hotel.booking import booking_of
from vacancy.hotel.generate.group import generate_group
from vacancy.hotel.generate.plan import GroupPlan
from vacancy.hotel.migrating import migrate_database

NIGHT = date(2024, 2, 3)


def test_they_answer_the_same_and_run_many_more_statements(database_url: str) -> None:
    async def story() -> None:
        await migrate_database(database_url)
        naive.introduce()
        async with open_house(Settings(database_url=database_url, env="test")) as house:
            db = house.db
            await generate_group(db, GroupPlan(properties=2, bookings=400, seed=5, room_types=3))
            users = await db.adhoc(
                "SELECT user_id FROM bookings GROUP BY user_id ORDER BY COUNT(*) DESC, user_id",
                limit=1,
            )
            user_id = int(users[0][0])
            week, year = NIGHT + timedelta(days=7), NIGHT + timedelta(days=365)
            db.trace.reset()

            assert await naive.room_types(
                db, "hotel-001", NIGHT
            ) == await queries.get_room_types_with_inventory(db, "hotel-001", NIGHT)

            slow = await naive.availability(db, "hotel-001", NIGHT, week)
            quick = await queries.get_all_room_availability(db, "hotel-001", NIGHT, week)
            assert slow == {kind.room_type: kind.available for kind in quick}

            page = await queries.get_user_bookings_with_room_type(
                db, user_id, include_payments=True
            )
            assert len(page.items) > 1
            assert await naive.user_bookings(db, user_id) == page.items

            slow_report = await naive.report(db, "hotel-001", NIGHT, year)
            assert slow_report.bookings > 20
            assert slow_report == await queries.get_booking_statistics(db, "hotel-001", NIGHT, year)

            counts = db.trace.counts()
            careful = sum(n for name, n in counts.items() if not name.startswith("naive."))
            assert counts["naive.list_overlapping"] == 3 * 7
            assert counts["naive.list_stays"] >= len(page.items) + slow_report.bookings
            assert careful == 4 + 2 + 1 + 1  # one each, and the names that the careless forms ask

    asyncio.run(story())


def test_a_careless_booking_is_as_sound_as_any(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, nights=40) as hotel:
            db, ids = hotel.house.db, hotel.house.ids.next
            db.trace.reset()
            outcome = await naive.create_booking(db, hotel.request(nights=3, key="one"), ids)
            assert booking_of(outcome).total_minor == 3 * 9000
            assert db.trace.counts()["admission.update_nights"] == 3
            short = await naive.create_booking(db, hotel.request(rooms=5, key="two"), ids)
            assert msgspec.structs.asdict(short)["answer"].code == "INSUFFICIENT_INVENTORY"
            assert await broken_promises(db, every_booking_has_a_key=True) == []

    asyncio.run(story())
