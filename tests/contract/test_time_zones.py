"""Which day it is at the property: at the ends of the world, at 23:30, when the clocks change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fault.promises import broken_promises, list_bookings
from tests.hotels import HandClock, Hotel, a_hotel
from vacancy.db.database import Transaction
from vacancy.errors import Invalid, Refusal
from vacancy.hotel.booking import booking_of
from vacancy.hotel.calendar import business_date, zone
from vacancy.hotel.model import Booking, nights_of
from vacancy.hotel.queries import check_room_availability
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property

KIRITIMATI = "Pacific/Kiritimati"  # UTC+14
PAGO_PAGO = "Pacific/Pago_Pago"  # UTC−11
LISBON = "Europe/Lisbon"
SPRING = date(2027, 3, 28)  # 23 hours long in Lisbon: 01:00 becomes 02:00
AUTUMN = date(2027, 10, 31)  # 25 hours long: 02:00 becomes 01:00
ONE_DAY = timedelta(days=1)


@asynccontextmanager
async def hotels_around_the_world(url: str, clock: HandClock) -> AsyncIterator[Hotel]:
    """Properties `kiritimati`, `pago-pago` and `lisbon`, two rooms each, on all days of 2027."""
    async with a_hotel(url, nights=1, clock=clock) as hotel:

        async def unit(tx: Transaction) -> None:
            for code, name in (
                ("kiritimati", KIRITIMATI),
                ("pago-pago", PAGO_PAGO),
                ("lisbon", LISBON),
            ):
                room = NewRoomType(
                    code="double", name="Double", price_minor=9000, max_adults=2, capacity=2
                )
                wanted = NewProperty(
                    code=code,
                    name=code,
                    currency="EUR",
                    time_zone=name,
                    room_types=(room,),
                    first_night=date(2027, 1, 1),
                    nights=365,
                )
                await create_property(tx, wanted, hotel.house.ids.next)

        await hotel.house.db.transact(unit)
        yield hotel


async def lead_days_of(hotel: Hotel, booking: Booking) -> int:
    rows = await list_bookings(hotel.house.db)
    return next(row.lead_days for row in rows if str(row.id) == booking.id)


@pytest.mark.parametrize(
    ("code", "now", "today"),
    [
        # One instant, three dates: it is the day before in the west, the day after in the east.
        ("kiritimati", datetime(2027, 6, 10, 10, 30, tzinfo=UTC), date(2027, 6, 11)),
        ("lisbon", datetime(2027, 6, 10, 10, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("pago-pago", datetime(2027, 6, 10, 10, 30, tzinfo=UTC), date(2027, 6, 9)),
        # 23:30 local and half an hour later.
        ("kiritimati", datetime(2027, 6, 10, 9, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("kiritimati", datetime(2027, 6, 10, 10, 0, tzinfo=UTC), date(2027, 6, 11)),
        ("pago-pago", datetime(2027, 6, 11, 10, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("pago-pago", datetime(2027, 6, 11, 11, 0, tzinfo=UTC), date(2027, 6, 11)),
        ("lisbon", datetime(2027, 6, 10, 22, 30, tzinfo=UTC), date(2027, 6, 10)),
        ("lisbon", datetime(2027, 6, 10, 23, 0, tzinfo=UTC), date(2027, 6, 11)),
        # The evenings before and of the days when the clocks change.
        ("lisbon", datetime(2027, 3, 27, 23, 30, tzinfo=UTC), date(2027, 3, 27)),
        ("lisbon", datetime(2027, 3, 28, 0, 0, tzinfo=UTC), SPRING),
        ("lisbon", datetime(2027, 3, 28, 22, 30, tzinfo=UTC), SPRING),
        ("lisbon", datetime(2027, 3, 28, 23, 0, tzinfo=UTC), date(2027, 3, 29)),
        ("lisbon", datetime(2027, 10, 30, 22, 30, tzinfo=UTC), date(2027, 10, 30)),
        ("lisbon", datetime(2027, 10, 30, 23, 0, tzinfo=UTC), AUTUMN),
        ("lisbon", datetime(2027, 10, 31, 23, 30, tzinfo=UTC), AUTUMN),
        ("lisbon", datetime(2027, 11, 1, 0, 0, tzinfo=UTC), date(2027, 11, 1)),
    ],
)
def test_today_is_the_propertys_own(
    database_url: str, code: str, now: datetime, today: date
) -> None:
    async def story() -> None:
        async with hotels_around_the_world(database_url, HandClock(now)) as hotel:
            yesterday = await hotel.book(hotel.request(today - ONE_DAY, 2, property_code=code))
            assert isinstance(yesterday.answer, Refusal)
            assert yesterday.answer.code == "STAY_IN_THE_PAST"
            assert yesterday.answer.errors[0]["earliest"] == today.isoformat()

            for days in (0, 1, 40):
                request = hotel.request(today + timedelta(days=days), property_code=code)
                booking = booking_of(await hotel.book(request))
                assert booking.created_at == now
                assert await lead_days_of(hotel, booking) == days
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


@pytest.mark.parametrize("changing", [SPRING, AUTUMN])
def test_a_night_is_a_night_when_the_clocks_change(database_url: str, changing: date) -> None:
    async def story() -> None:
        now = datetime(2027, 1, 15, 12, tzinfo=UTC)
        async with hotels_around_the_world(database_url, HandClock(now)) as hotel:
            check_in, check_out = changing - ONE_DAY, changing + 2 * ONE_DAY
            stay = hotel.request(check_in, 3, rooms=2, property_code="lisbon")
            booking = booking_of(await hotel.book(stay))
            nights = [night.night for night in booking.rooms[0].nights]
            assert nights == [check_in, changing, changing + ONE_DAY]
            assert booking.total_minor == 2 * 3 * 9000
            assert (booking.check_in, booking.check_out) == (check_in, check_out)

            # Back to back on both sides, and full in between.
            for around in (check_in - ONE_DAY, check_out):
                booking_of(await hotel.book(hotel.request(around, property_code="lisbon")))
            for night in nights:
                left = await check_room_availability(
                    hotel.house.db, "lisbon", "double", night, night + ONE_DAY
                )
                assert left.available == 0
            assert await broken_promises(hotel.house.db) == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        # 00:55, five minutes before the clocks go forward …
        (datetime(2027, 3, 28, 0, 55, tzinfo=UTC), "02:10"),
        # … and the first 01:55, five minutes before they go back.
        (datetime(2027, 10, 31, 0, 55, tzinfo=UTC), "01:10"),
    ],
)
def test_a_hold_lasts_its_minutes_when_the_clocks_change(
    database_url: str, now: datetime, hour: str
) -> None:
    async def story() -> None:
        clock = HandClock(now)
        async with hotels_around_the_world(database_url, clock) as hotel:
            tomorrow = now.date() + ONE_DAY
            request = hotel.request(
                tomorrow, property_code="lisbon", hold_for=timedelta(minutes=15), rooms=2
            )
            held = booking_of(await hotel.book(request))
            assert held.expires_at == now + timedelta(minutes=15)
            assert f"{held.expires_at.astimezone(ZoneInfo(LISBON)):%H:%M}" == hour

            wanted = hotel.request(tomorrow, property_code="lisbon")
            clock.move(timedelta(minutes=14, seconds=59))
            assert isinstance((await hotel.book(wanted)).answer, Refusal)
            clock.move(timedelta(seconds=1))
            assert isinstance((await hotel.book(wanted)).answer, Booking)

    asyncio.run(story())


instants = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(instants, st.sampled_from([KIRITIMATI, PAGO_PAGO, LISBON, "Asia/Kathmandu", "UTC"]))
@settings(deadline=None)
def test_the_date_never_goes_back_and_never_skips(now: datetime, name: str) -> None:
    """An hour later it is the same day or the next; what is shown on a clock may jump, days not."""
    today, later = business_date(now, name), business_date(now + timedelta(hours=1), name)
    assert later - today in (timedelta(0), ONE_DAY)
    assert abs((today - now.date()).days) <= 1


@given(st.dates(date(2015, 1, 1), date(2035, 1, 1)), st.integers(0, 90))
def test_nights_are_dates_without_a_zone(check_in: date, los: int) -> None:
    nights = nights_of(check_in, check_in + timedelta(days=los))
    assert len(set(nights)) == len(nights) == los
    assert all(night == check_in + timedelta(days=n) for n, night in enumerate(nights))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="TIME_ZONE_UNKNOWN"):
        zone(name)
