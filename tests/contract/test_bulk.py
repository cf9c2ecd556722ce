"""Bookings with a past, many at once: they must leave what admission would have left."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta

import msgspec
import pytest

from tests.hotels import FIRST_NIGHT, Hotel, a_hotel
from tests.runnable import Statement
from vacancy.errors import Conflict, Missing
from vacancy.hotel.admission.state import Line
from vacancy.hotel.bulk import PastBooking, Step, load_past_bookings
from vacancy.hotel.model import TAKES
from vacancy.hotel.queries import get_user_bookings_with_room_type, list_room_types
from vacancy.hotel.verify import verify_inventory

BOOKED = datetime.fromisoformat("2026-12-01T12:00:00+00:00")
LATER = BOOKED + timedelta(hours=1)
HISTORIES: tuple[tuple[Step, ...], ...] = (
    (("provisional", BOOKED),),
    (("provisional", BOOKED), ("expired", LATER)),
    (("provisional", BOOKED), ("confirmed", LATER)),
    (("provisional", BOOKED), ("confirmed", BOOKED), ("checked_in", LATER)),
    (("confirmed", BOOKED), ("checked_out", LATER)),
    (("confirmed", BOOKED), ("cancelled", LATER)),
    (("confirmed", BOOKED), ("no_show", LATER)),
)


class Entries(msgspec.Struct):
    status: str
    entries: int
    held: int
    reserved: int
    first_at: datetime
    last_at: datetime


LIST_ENTRIES = Statement(
    "test.list_entries",
    """
    SELECT b.status, COUNT(*), CAST(SUM(n.held) AS bigint), CAST(SUM(n.reserved) AS bigint),
        MIN(n.at), MAX(n.at)
    FROM bookings AS b
    JOIN night_ledger AS n ON n.booking_id = b.id
    GROUP BY b.id, b.status
    ORDER BY b.id
    """,
    row=Entries,
)


async def past(
    hotel: Hotel,
    steps: tuple[Step, ...] = HISTORIES[4],
    *,
    check_in: date = FIRST_NIGHT,
    source_ref: str = "",
) -> PastBooking:
    """Two nights in one double."""
    double = (await list_room_types(hotel.house.db, "alpine"))[0]
    return PastBooking(
        property_id=double.property_id,
        user_id=hotel.guest.user_id,
        check_in=check_in,
        check_out=check_in + timedelta(days=2),
        lines=(Line(double.id, 1, 2, (9000, 9500)),),
        steps=steps,
        guest_name="Ada Lovelace",
        guest_email="ada@example.org",
        segment="direct",
        channel="api",
        lead_days=31,
        source_ref=source_ref,
    )


async def load(hotel: Hotel, bookings: list[PastBooking], at_once: int = 1000) -> int:
    house = hotel.house
    return await load_past_bookings(
        house.db, bookings, house.ids.next, action="test", at_once=at_once
    )


def test_every_status_leaves_what_it_takes(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=4) as hotel:
            assert await load(hotel, [await past(hotel, steps) for steps in HISTORIES]) == 7
            found = await hotel.house.db.fetch_all(LIST_ENTRIES)
            assert [row.status for row in found] == [steps[-1][0] for steps in HISTORIES]
            for row in found:
                takes = {None: (0, 0), "held": (2, 0), "reserved": (0, 2)}
                status = next(name for name in TAKES if name == row.status)
                assert (row.held, row.reserved) == takes[TAKES[status]]
            # Each night has an entry when it was made, and one for each change that moved rooms.
            assert [row.entries for row in found] == [2, 4, 4, 4, 2, 4, 4]
            assert {row.first_at for row in found} == {BOOKED}
            assert [row.last_at for row in found][3:6] == [BOOKED, BOOKED, LATER]
            assert (await verify_inventory(hotel.house.db)).ok

            page = await get_user_bookings_with_room_type(
                hotel.house.db, hotel.guest.user_id, status="checked_out"
            )
            assert [(one.total_minor, one.created_at) for one in page.items] == [(18500, BOOKED)]

    asyncio.run(story())


def test_many_go_in_several_transactions(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=25) as hotel:
            told: list[int] = []
            bookings = [await past(hotel, source_ref=f"old:{n}") for n in range(25)]
            house = hotel.house
            written = await load_past_bookings(
                house.db,
                iter(bookings),
                house.ids.next,
                action="test",
                at_once=10,
                progress=told.append,
            )
            assert (written, told) == (25, [10, 20, 25])
            assert (await verify_inventory(house.db)).bookings == 25

    asyncio.run(story())


@pytest.mark.parametrize("rest", [0, 1])
def test_no_more_than_there_are_and_whole_batches_only(database_url: str, rest: int) -> None:
    async def story() -> None:
        async with a_hotel(database_url, capacity=3) as hotel:
            bookings = [await past(hotel) for _ in range(4)]
            with pytest.raises(Conflict) as caught:
                await load(hotel, bookings, at_once=4 - rest)
            assert caught.value.code == "INVENTORY_SHORT"
            report = await verify_inventory(hotel.house.db)
            assert (report.ok, report.bookings) == (True, 3 * rest)

    asyncio.run(story())


def test_nights_without_inventory_are_refused(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url, nights=10) as hotel:
            outside = await past(hotel, check_in=FIRST_NIGHT + timedelta(days=9))
            with pytest.raises(Missing, match=r"INVENTORY_MISSING.* 2027-01-11"):
                await load(hotel, [await past(hotel), outside])
            assert (await verify_inventory(hotel.house.db)).bookings == 0
            # What was cancelled takes nothing, and yet its nights must be there.
            gone = await past(hotel, HISTORIES[5], check_in=FIRST_NIGHT + timedelta(days=9))
            with pytest.raises(Missing, match="INVENTORY_MISSING"):
                await load(hotel, [gone])

    asyncio.run(story())


def test_a_source_stands_once(database_url: str) -> None:
    async def story() -> None:
        async with a_hotel(database_url) as hotel:
            once = await past(hotel, source_ref="old:1")
            await load(hotel, [once])
            with pytest.raises(Conflict, match="CONSTRAINT_VIOLATED"):
                await load(hotel, [await past(hotel), once])
            assert (await verify_inventory(hotel.house.db)).bookings == 1

    asyncio.run(story())
