"""What availability refuses: a stay that no booking could ask for is no question either."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.contract.test_time_zones import ONE_DAY, hotels_around_the_world
from tests.hotels import FIRST_NIGHT, HandClock, Hotel, a_hotel
from vacancy.db.database import Transaction
from vacancy.errors import Invalid, Missing, Refusal
from vacancy.hotel.model import DEFAULT_MAX_STAY_NIGHTS
from vacancy.hotel.queries import check_room_availability, get_all_room_availability
from vacancy.hotel.setup import NewProperty, create_property


async def refused(
    hotel: Hotel, code: str, check_in: date, check_out: date, room_type: str = "double"
) -> set[tuple[str, str, str]]:
    """Code, detail and errors of both helpers' refusals; they are the same."""
    db = hotel.house.db
    found = set()
    for asked in (
        get_all_room_availability(db, code, check_in, check_out),
        check_room_availability(db, code, room_type, check_in, check_out),
    ):
        with pytest.raises(Invalid) as caught:
            await asked
        found.add((caught.value.code, caught.value.detail, str(caught.value.errors)))
    return found


@pytest.mark.parametrize("nights", [DEFAULT_MAX_STAY_NIGHTS + 1, 366, 367, 3000])
def test_a_stay_over_the_propertys_limit_is_refused_as_a_booking_is(
    database_url: str, nights: int
) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            booking = (await hotel.book(hotel.request(nights=nights))).answer
            assert isinstance(booking, Refusal)
            check_out = FIRST_NIGHT + timedelta(days=nights)
            ((code, detail, errors),) = await refused(hotel, "alpine", FIRST_NIGHT, check_out)
            assert (code, detail) == (booking.code, booking.detail)
            assert code == "STAY_TOO_LONG"
            assert f"'limit': {DEFAULT_MAX_STAY_NIGHTS}" in errors

            longest = FIRST_NIGHT + timedelta(days=DEFAULT_MAX_STAY_NIGHTS)
            items = await get_all_room_availability(hotel.house.db, "alpine", FIRST_NIGHT, longest)
            assert [item.sellable for item in items] == [True, True]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("code", "now", "today"),
    [
        # One instant, three dates; then half an hour before and at midnight, at both ends.
        ("kiritimati", datetime(2027, 6, 10, 10, 30, tzinfo=UTC), date(2027, 6, 11)),
        ("lisbon", datetime(2027, 6, 10, 10, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("pago-pago", datetime(2027, 6, 10, 10, 30, tzinfo=UTC), date(2027, 6, 9)),
        ("kiritimati", datetime(2027, 6, 10, 9, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("kiritimati", datetime(2027, 6, 10, 10, 0, tzinfo=UTC), date(2027, 6, 11)),
        ("pago-pago", datetime(2027, 6, 11, 10, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("pago-pago", datetime(2027, 6, 11, 11, 0, tzinfo=UTC), date(2027, 6, 11)),
    ],
)
def test_what_is_past_at_the_property_can_be_seen_and_not_sold(
    database_url: str, code: str, now: datetime, today: date
) -> None:
    async def story() -> None:
        async with hotels_around_the_world(database_url, HandClock(now)) as hotel:
            yesterday = today - ONE_DAY
            booking = (await hotel.book(hotel.request(yesterday, 2, property_code=code))).answer
            assert isinstance(booking, Refusal)
            assert booking.code == "STAY_IN_THE_PAST"

            db = hotel.house.db
            past = await check_room_availability(db, code, "double", yesterday, today + ONE_DAY)
            assert (past.available > 0, past.sellable) == (True, False)
            for room_type in await get_all_room_availability(db, code, yesterday, today):
                assert not room_type.sellable
            tonight = await check_room_availability(db, code, "double", today, today + ONE_DAY)
            assert tonight.sellable

    asyncio.run(story())


def test_a_property_that_sells_nothing_yet_refuses_the_same(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            wanted = NewProperty(
                code="empty",
                name="Empty",
                currency="EUR",
                time_zone="Europe/Lisbon",
                room_types=(),
                first_night=FIRST_NIGHT,
                nights=0,
                max_stay_nights=2,
            )

            async def unit(tx: Transaction) -> None:
                await create_property(tx, wanted, hotel.house.ids.next)

            db = hotel.house.db
            await db.transact(unit)
            two = FIRST_NIGHT + timedelta(days=2)
            assert await get_all_room_availability(db, "empty", FIRST_NIGHT, two) == []
            with pytest.raises(Invalid, match="STAY_TOO_LONG: The stay has 3 nights"):
                await get_all_room_availability(db, "empty", FIRST_NIGHT, two + ONE_DAY)
            with pytest.raises(Missing, match="PROPERTY_UNKNOWN"):
                await get_all_room_availability(
                    db, "nowhere", FIRST_NIGHT, FIRST_NIGHT + timedelta(days=400)
                )

    asyncio.run(story())


def test_it_is_one_statement(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            db = hotel.house.db
            db.trace.reset()
            two = FIRST_NIGHT + timedelta(days=2)
            await get_all_room_availability(db, "alpine", FIRST_NIGHT, two)
            await check_room_availability(db, "alpine", "double", FIRST_NIGHT, two)
            assert db.trace.counts() == {
                "availability.get_all_room_availability": 1,
                "availability.check_room_availability": 1,
            }

    asyncio.run(story())
